//! ORIG_MAIL_ACCESS and ORIG_SEND_ACCESS: grants that depend on sender, recipient and client.

use crate::client::network::Network;
use crate::operator::convert::first_hit::{EVERYONE, FirstHit};
use crate::operator::convert::sun::client::{Client, veto};
use crate::operator::convert::sun::pattern::{Template, clients};
use crate::operator::convert::sun::port::check_service;
use crate::operator::convert::sun::table::{Entry, Item, Table};
use crate::operator::convert::sun::{Doubt, Texts, items};
use crate::operator::convert::{Conversion, NativeFile};

/// The tables of this kind.
const TABLES: [&str; 2] = ["ORIG_MAIL_ACCESS", "ORIG_SEND_ACCESS"];

/// What the tables say about clients whoever the sender and the recipient are; the rest is written already.
#[derive(Debug, Default)]
pub(super) struct Access {
    pub(super) clients: FirstHit<Client>,
}

/// An entry about mail from outside to the outside.
#[derive(Debug)]
struct Relay {
    line: usize,
    text: String,
    networks: Vec<Network>,
    sender: Party,
    recipient: Party,
    /// It is about mail of internal clients too.
    from_internal: bool,
    /// It is about mail to local domains too.
    to_internal: bool,
    /// It is about port 25 alone.
    is_port_25: bool,
    template: Template,
}

/// A sender or recipient.
#[derive(Debug, PartialEq, Eq)]
enum Party {
    Anyone,
    /// A domain, or the end of one with its dot.
    Domain(String),
    Address(String),
}

impl Relay {
    fn is_everything(&self) -> bool {
        self.networks == EVERYONE && self.is_any_mail()
    }

    fn is_any_mail(&self) -> bool {
        self.sender == Party::Anyone && self.recipient == Party::Anyone
    }

    /// Whether there may be mail that both are about.
    fn meets(&self, other: &Relay) -> bool {
        let touches = |one: &Network, other: &Network| one.covers(*other) || other.covers(*one);
        self.networks.iter().any(|one| other.networks.iter().any(|other| touches(one, other)))
            && self.sender.meets(&other.sender)
            && self.recipient.meets(&other.recipient)
    }
}

impl Party {
    /// Whether someone may be both.
    fn meets(&self, other: &Party) -> bool {
        let within = |address: &str, domain: &str| match address.rsplit_once('@') {
            Some((_, end)) if domain.starts_with('.') => end.ends_with(domain),
            Some((_, end)) => end == domain,
            None => false,
        };
        match (self, other) {
            (Party::Anyone, _) | (_, Party::Anyone) => true,
            (Party::Domain(one), Party::Domain(other)) => {
                one.ends_with(other.as_str()) || other.ends_with(one.as_str())
            }
            (Party::Address(address), Party::Domain(domain)) | (Party::Domain(domain), Party::Address(address)) => {
                within(address, domain)
            }
            (Party::Address(one), Party::Address(other)) => one == other,
        }
    }
}

/// Reads both tables and writes what they say about senders and recipients.
pub(super) fn read(tables: &[Table], texts: &mut Texts, conversion: &mut Conversion) -> Access {
    let mut access = Access::default();
    for name in TABLES {
        read_table(tables, name, &mut access, texts, conversion);
    }
    access
}

fn read_table(tables: &[Table], name: &str, access: &mut Access, texts: &mut Texts, conversion: &mut Conversion) {
    let (mut refused, mut doubt) = refused_elsewhere(tables, name);
    let vetoes = vetoes(tables, name);
    for item in items(tables, name) {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Break { line, text, why } => {
                conversion.not_carried(*line, text, *why);
                doubt.arises(*line);
                continue;
            }
        };
        match relay(entry) {
            Ok(About::Relay(relay)) if relay.template.grants => {
                match reason_against(&relay, &refused, &vetoes, &doubt, conversion) {
                    Some(why) => conversion.not_carried(relay.line, &relay.text, why),
                    None => grant(&relay, access, conversion),
                }
            }
            Ok(About::Relay(relay)) => {
                refuse(&relay, access, texts, conversion);
                refused.push(relay);
            }
            Ok(About::OtherChannels { grants: true }) => {}
            Ok(About::OtherChannels { grants: false }) => {
                conversion.not_carried(entry.line, &entry.text, "refuses mail of another channel than tcp_local");
            }
            Err(why) => {
                conversion.not_carried(entry.line, &entry.text, why);
                if may_refuse(entry) {
                    doubt.arises(entry.line);
                }
            }
        }
    }
}

/// What the other table refuses whatever this one grants, since both are asked: but for its last line, which refuses
/// everything that no line before it granted.
fn refused_elsewhere(tables: &[Table], name: &str) -> (Vec<Relay>, Doubt) {
    let (mut refused, mut doubt) = (Vec::new(), Doubt::default());
    for other in TABLES.iter().filter(|other| **other != name) {
        for item in items(tables, other) {
            let Item::Entry(entry) = item else { continue };
            match relay(entry) {
                Ok(About::Relay(relay)) if !relay.template.grants && !relay.is_everything() => refused.push(relay),
                Ok(About::Relay(_) | About::OtherChannels { .. }) => {}
                Err(_) if may_refuse(entry) => doubt.arises(entry.line),
                Err(_) => {}
            }
        }
    }
    (refused, doubt)
}

/// The lines that refuse clients even if they are internal.
fn vetoes(tables: &[Table], name: &str) -> Vec<Relay> {
    let is_veto =
        |relay: &Relay| !relay.template.grants && relay.from_internal && relay.is_any_mail() && !relay.is_everything();
    let veto = |item: &Item| match item {
        Item::Entry(entry) => match relay(entry) {
            Ok(About::Relay(relay)) => Some(relay).filter(is_veto),
            Ok(About::OtherChannels { .. }) | Err(_) => None,
        },
        Item::Break { .. } => None,
    };
    items(tables, name).filter_map(veto).collect()
}

fn may_refuse(entry: &Entry) -> bool {
    !Template::parse(&entry.template).is_ok_and(|template| template.grants)
}

/// Why a grant cannot be carried over exactly, if it cannot.
fn reason_against(
    relay: &Relay,
    refused: &[Relay],
    vetoes: &[Relay],
    doubt: &Doubt,
    conversion: &Conversion,
) -> Option<String> {
    // Clients alone are a list where the first hit counts, so an earlier refusal of clients is kept there.
    let meets =
        |earlier: &&Relay| earlier.meets(relay) && (earlier.is_everything() || !both_about_clients(earlier, relay));
    // A grant for strangers would help internal clients that a later line refuses.
    let is_vetoed = |later: &&Relay| !relay.from_internal && !relay.is_any_mail() && later.meets(relay);
    if let Some(earlier) = refused.iter().find(meets).or_else(|| vetoes.iter().find(is_vetoed)) {
        let place = conversion.place(earlier.line);
        return Some(format!("grants what {place} refuses in part"));
    }
    if let Some(why) = doubt.why(conversion) {
        return Some(why);
    }
    match (&relay.sender, &relay.recipient) {
        (Party::Anyone, Party::Anyone) if relay.is_everything() => {
            Some("would let everyone relay; if that is meant, write open into relaylevel".to_owned())
        }
        (Party::Anyone, Party::Anyone) => None,
        (Party::Domain(domain), _) if domain.starts_with('.') => {
            Some("relaymailfrom cannot name the subdomains of a domain".to_owned())
        }
        (_, Party::Anyone) => None,
        (Party::Anyone, Party::Domain(_)) if relay.networks == EVERYONE => None,
        (Party::Anyone, Party::Domain(_)) => Some("rcpthosts is for every client".to_owned()),
        (_, Party::Address(_)) => Some("rcpthosts has domains, not addresses".to_owned()),
        (_, Party::Domain(_)) => Some("no list names sender and recipient together".to_owned()),
    }
}

fn both_about_clients(one: &Relay, other: &Relay) -> bool {
    one.is_any_mail() && other.is_any_mail()
}

fn grant(relay: &Relay, access: &mut Access, conversion: &mut Conversion) {
    let file = match (&relay.sender, &relay.recipient) {
        (Party::Anyone, Party::Anyone) => NativeFile::RelayClients,
        (Party::Anyone, Party::Domain(_) | Party::Address(_)) => NativeFile::RcptHosts,
        (Party::Domain(_) | Party::Address(_), _) => NativeFile::RelayMailFrom,
    };
    if relay.is_port_25 {
        let comment =
            format!("for the service on port 25 only; another needs a control directory of its own: {}", relay.text);
        conversion.comment(file, comment);
    }
    let sender = match (&relay.sender, &relay.recipient) {
        (Party::Anyone, Party::Anyone) => {
            for network in &relay.networks {
                let granted = Client::Granted { line: relay.line, from_internal: relay.from_internal };
                access.clients.add(*network, granted);
            }
            return;
        }
        // There is always a reason against it.
        (Party::Anyone, Party::Address(_)) => return,
        (Party::Anyone, Party::Domain(domain)) => {
            conversion.comment(NativeFile::RcptHosts, "beside the domains that are served here:");
            conversion.line(NativeFile::RcptHosts, domain);
            return;
        }
        (Party::Domain(domain), _) => format!("@{domain}"),
        (Party::Address(address), _) => address.clone(),
    };
    if relay.networks == EVERYONE {
        conversion.comment(NativeFile::RelayMailFrom, "a sender is easily forged; &network behind it would help");
        conversion.line(NativeFile::RelayMailFrom, sender);
        return;
    }
    for network in &relay.networks {
        conversion.line(NativeFile::RelayMailFrom, format!("{sender}&{network}"));
    }
}

fn refuse(relay: &Relay, access: &mut Access, texts: &mut Texts, conversion: &mut Conversion) {
    let (line, text) = (relay.line, relay.template.text.clone());
    if relay.is_everything() {
        texts.add(line, &text, conversion);
        if relay.from_internal || relay.to_internal {
            let comment = format!("read as the end of its table, which no other table heeds: {}", relay.text);
            conversion.comment(NativeFile::RelayMailFrom, comment);
        }
    } else if relay.is_any_mail() {
        for network in &relay.networks {
            if !relay.from_internal {
                access.clients.add(*network, Client::LeftToOthers { line, text: text.clone() });
            } else if veto(&mut access.clients, *network, line, &text) {
                let why = "refuses internal clients that an earlier line grants as strangers; they are refused";
                conversion.not_carried(line, &relay.text, why);
            }
        }
        if relay.to_internal {
            let why = "does not relay any more, but its mail to local domains is accepted: tcp.smtp can deny it";
            conversion.not_carried(line, &relay.text, why);
        }
    } else if relay.from_internal || relay.to_internal {
        conversion.not_carried(
            line,
            &relay.text,
            "refuses mail that no list can refuse: internal, or to local domains",
        );
    } else if !text.is_empty() {
        conversion.not_carried(
            line,
            &relay.text,
            "a text is for a client, not for a sender or recipient; they are refused",
        );
    }
}

/// What an entry is about.
#[derive(Debug)]
enum About {
    Relay(Relay),
    /// Mail that does not come from outside, or does not go there.
    OtherChannels {
        grants: bool,
    },
}

fn relay(entry: &Entry) -> Result<About, String> {
    let template = Template::parse(&entry.template)?;
    let fields: Vec<&str> = entry.pattern.split('|').collect();
    let (connection, mail) = match fields.as_slice() {
        mail @ [_, _, _, _] => (None, mail),
        [protocol, server, port, client, from_port, mail @ ..] if matches!(mail.len(), 4 | 6) => {
            check_service(protocol, server, port, from_port)?;
            let (application, mail) = mail.split_at(mail.len() - 4);
            if !application
                .iter()
                .all(|part| ["*", "SMTP", "SMTP*", "MAIL"].iter().any(|known| part.eq_ignore_ascii_case(known)))
            {
                return Err("not about mail over SMTP".to_owned());
            }
            (Some((*port, *client)), mail)
        }
        _ => {
            return Err(
                "not TCP|server|port|client|port|channel|from|channel|to, nor channel|from|channel|to".to_owned()
            );
        }
    };
    let [source, from, destination, to] = mail else { return Err("four fields name the mail".to_owned()) };
    let (Some(source), Some(destination)) = (channel(source)?, channel(destination)?) else {
        return Ok(About::OtherChannels { grants: template.grants });
    };
    Ok(About::Relay(Relay {
        line: entry.line,
        text: entry.text.clone(),
        networks: connection.map_or_else(|| Ok(EVERYONE.to_vec()), |(_, client)| clients(client))?,
        sender: party(from)?,
        recipient: party(to)?,
        from_internal: source == Reach::Wider,
        to_internal: destination == Reach::Wider,
        is_port_25: connection.is_some_and(|(port, _)| port == "25"),
        template,
    }))
}

/// How much a pattern of channels matches.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// The channel of strangers.
    Strangers,
    /// Other channels too.
    Wider,
}

/// `None` for a channel that is not that of strangers.
fn channel(pattern: &str) -> Result<Option<Reach>, String> {
    match pattern.to_ascii_lowercase().as_str() {
        "tcp_local" => Ok(Some(Reach::Strangers)),
        "*" | "tcp_*" => Ok(Some(Reach::Wider)),
        other if other.contains(['*', '%', '$']) => Err(format!("channels named by the pattern {pattern}")),
        _ => Ok(None),
    }
}

/// `*`, `*@domain`, `*@*.domain` or `user@domain`.
fn party(pattern: &str) -> Result<Party, String> {
    if pattern == "*" {
        return Ok(Party::Anyone);
    }
    let cannot = || format!("the address pattern {pattern} is neither user@domain nor *@domain");
    let (local, domain) = pattern.rsplit_once('@').ok_or_else(cannot)?;
    let name = domain.strip_prefix("*.").unwrap_or(domain);
    let is_name = !name.is_empty() && name.split('.').all(|label| !label.is_empty() && label.chars().all(is_of_name));
    let is_local = !local.is_empty() && local.chars().all(|c| is_of_name(c) || "._+=".contains(c));
    match (local, is_name) {
        ("*", true) if name == domain => Ok(Party::Domain(name.to_ascii_lowercase())),
        ("*", true) => Ok(Party::Domain(format!(".{}", name.to_ascii_lowercase()))),
        (_, true) if is_local && name == domain => Ok(Party::Address(pattern.to_ascii_lowercase())),
        _ => Err(cannot()),
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}
