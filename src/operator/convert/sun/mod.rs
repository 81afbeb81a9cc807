//! Sun Messaging Server: the tables of its mappings file that decide who may relay.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::client::network::Network;
use crate::operator::convert::first_hit::{EVERYONE, FirstHit};
use crate::operator::convert::{Conversion, NativeFile, set};
use access::Access;
use client::Client;
use pattern::{Template, clients};
use table::{Item, Table, tables};

mod access;
mod client;
mod pattern;
mod port;
mod table;

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
sun: the mappings file of Messaging Server. Read are INTERNAL_IP (becomes relayclients), FRIENDLY_IP (tcp.smtp), \
ORIG_MAIL_ACCESS and ORIG_SEND_ACCESS (relaymailfrom, rcpthosts, relaytext) and PORT_ACCESS (tcp.smtp); other tables \
whose names end in _IP or _ACCESS are reported. The name of a table begins in column one, an entry with a blank.

    INTERNAL_IP

      $(192.0.2.9/32)   $N
      $(192.0.2.0/24)   $Y
      127.0.0.1         $Y
      *                 $NRelaying$ not$ permitted
";

/// Reads a mappings file.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let tables = tables(text);
    report_unread(&tables, conversion);
    let mut texts = Texts::default();
    let access = access::read(&tables, &mut texts, conversion);
    let internal = client_list(&tables, "INTERNAL_IP", &mut texts, conversion);
    let friendly = client_list(&tables, "FRIENDLY_IP", &mut texts, conversion);
    let ports = port::read(&tables, conversion);
    write_clients(&relaying(&internal, &access), conversion);
    let rules = |network| {
        let is_internal = internal.at(network).is_some_and(|hit| hit.grants);
        if ports.refuses(network, is_internal) {
            return Rule::Deny;
        }
        let may_relay = grants(&internal, &access, network);
        let is_vetoed = access.clients.at(network).is_some_and(|client| matches!(client, Client::Vetoed { .. }));
        if !may_relay && !is_vetoed && friendly.at(network).is_some_and(|hit| hit.grants) {
            return Rule::Friendly;
        }
        let text_of_access = access.clients.at(network).map(Client::text);
        let text_of = |list: &FirstHit<Hit>| list.at(network).map(|hit| hit.text.clone());
        let texts_here = [text_of_access, text_of(&internal), text_of(&friendly)];
        let text = texts_here.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or_default();
        let is_said = may_relay || text == texts.for_everyone;
        Rule::Allow { text: if is_said { String::new() } else { text } }
    };
    let mut networks: BTreeSet<Network> = internal.iter().chain(friendly.iter()).map(|(network, _)| network).collect();
    networks.extend(access.clients.iter().map(|(network, _)| network));
    networks.extend(ports.networks());
    write_rules(&networks, rules, conversion);
    if !texts.for_everyone.is_empty() {
        conversion.line(NativeFile::RelayText, texts.for_everyone);
    }
}

/// What a table of clients answers.
#[derive(Debug)]
struct Hit {
    grants: bool,
    text: String,
    line: usize,
}

/// The text of refusals; there is one for all clients.
#[derive(Debug, Default)]
struct Texts {
    for_everyone: String,
}

impl Texts {
    /// Takes the text of a line that refuses everyone; the first one counts.
    fn add(&mut self, line: usize, text: &str, conversion: &mut Conversion) {
        if self.for_everyone.is_empty() {
            text.clone_into(&mut self.for_everyone);
        } else if !text.is_empty() && text != self.for_everyone {
            conversion.not_carried(line, text, "relaytext has one text, and an earlier line gave it");
        }
    }
}

/// Tables that may matter and are not read, and whatever stands outside of tables.
fn report_unread(tables: &[Table], conversion: &mut Conversion) {
    const READ: &[&str] = &["INTERNAL_IP", "FRIENDLY_IP", "ORIG_MAIL_ACCESS", "ORIG_SEND_ACCESS", "PORT_ACCESS"];
    for table in tables {
        let name = table.name.to_ascii_uppercase();
        if READ.contains(&name.as_str()) {
            continue;
        }
        if name.ends_with("_IP") || name.ends_with("_ACCESS") {
            conversion.not_carried(table.line, &table.name, "this table is not read");
        }
        for item in &table.items {
            match item {
                Item::Break { line, text, why } => conversion.not_carried(*line, text, *why),
                Item::Entry(entry) if name.is_empty() => {
                    conversion.not_carried(entry.line, &entry.text, "an entry before the first table");
                }
                Item::Entry(_) => {}
            }
        }
    }
}

/// The items of the tables of this name; there should be one such table.
fn items<'t>(tables: &'t [Table], name: &str) -> impl Iterator<Item = &'t Item> {
    tables.iter().filter(move |table| table.name.eq_ignore_ascii_case(name)).flat_map(|table| &table.items)
}

/// Reads a table whose patterns are addresses.
///
/// A line that cannot be read and might refuse someone casts doubt on every later one that grants.
fn client_list(tables: &[Table], name: &str, texts: &mut Texts, conversion: &mut Conversion) -> FirstHit<Hit> {
    let mut list = FirstHit::default();
    let mut doubt = Doubt::default();
    for item in items(tables, name) {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Break { line, text, why } => {
                conversion.not_carried(*line, text, *why);
                doubt.arises(*line);
                continue;
            }
        };
        let template = Template::parse(&entry.template).unwrap_or_else(|why| {
            conversion.not_carried(entry.line, &entry.text, format!("{why}; these clients are refused"));
            Template { grants: false, text: String::new() }
        });
        let networks = match clients(&entry.pattern) {
            Ok(networks) => networks,
            Err(why) => {
                conversion.not_carried(entry.line, &entry.text, why);
                if !template.grants {
                    doubt.arises(entry.line);
                }
                continue;
            }
        };
        if template.grants
            && let Some(why) = doubt.why(conversion)
        {
            conversion.not_carried(entry.line, &entry.text, why);
            continue;
        }
        let mut text = if template.grants { String::new() } else { template.text };
        if networks == EVERYONE && !list.iter().any(|(network, _)| EVERYONE.contains(&network)) {
            texts.add(entry.line, &std::mem::take(&mut text), conversion);
        }
        let mut alive = 0;
        for network in networks {
            alive +=
                usize::from(list.add(network, Hit { grants: template.grants, text: text.clone(), line: entry.line }));
        }
        if alive == 0 {
            let comment = format!("never decided, because an earlier line came first: {}", entry.text);
            conversion.comment(NativeFile::RelayClients, comment);
        }
    }
    list
}

/// That a line could not be read which may have refused what later lines grant.
#[derive(Debug, Default)]
struct Doubt {
    line: Option<usize>,
}

impl Doubt {
    fn arises(&mut self, line: usize) {
        self.line.get_or_insert(line);
    }

    fn why(&self, conversion: &Conversion) -> Option<String> {
        let place = conversion.place(self.line?);
        Some(format!("grants what {place} may refuse, which could not be read"))
    }
}

/// Whether a client may relay whoever the sender is: ORIG_MAIL_ACCESS may say so or forbid it, else INTERNAL_IP says.
fn grants(internal: &FirstHit<Hit>, access: &Access, network: Network) -> bool {
    match access.clients.at(network) {
        Some(Client::Granted { .. }) => true,
        Some(Client::Vetoed { .. }) => false,
        Some(Client::LeftToOthers { .. }) | None => internal.at(network).is_some_and(|hit| hit.grants),
    }
}

/// Both lists as one. In either the most specific line decides, so their answers change only at the networks of either.
fn relaying(internal: &FirstHit<Hit>, access: &Access) -> FirstHit<(usize, bool)> {
    let mut both = FirstHit::default();
    for (network, client) in access.clients.iter() {
        both.put(network, (client.line(), grants(internal, access, network)));
    }
    for (network, hit) in internal.iter() {
        both.put(network, (hit.line, grants(internal, access, network)));
    }
    both
}

/// relayclients, as far as a line changes what the wider one says; or relaylevel if everyone may relay.
fn write_clients(relaying: &FirstHit<(usize, bool)>, conversion: &mut Conversion) {
    let is_everyone = EVERYONE.iter().all(|network| relaying.at(*network).is_some_and(|(_, grants)| *grants));
    if is_everyone && relaying.iter().all(|(_, (_, grants))| *grants) {
        conversion.line(NativeFile::RelayLevel, "open");
        return;
    }
    let mut lines: Vec<_> = relaying.changes(|decides| decides.is_some_and(|(_, grants)| *grants)).collect();
    lines.sort_by_key(|(network, _)| relaying.at(*network).map(|(line, _)| *line));
    for (network, grants) in lines {
        let sign = if grants { "" } else { "!" };
        conversion.line(NativeFile::RelayClients, format!("{sign}{network}"));
    }
}

/// What tcp.smtp says about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Deny,
    Friendly,
    /// With the text of its refusals, if it has one of its own.
    Allow {
        text: String,
    },
}

impl Rule {
    fn shown(&self) -> String {
        match self {
            Rule::Deny => ":deny".to_owned(),
            Rule::Friendly => format!(":allow{}{}", set("RELAYCLIENT", ""), set("RELAYCLASS", "friendly")),
            Rule::Allow { text } if text.is_empty() => ":allow".to_owned(),
            Rule::Allow { text } => format!(":allow{}", set("RELAYTEXT", text)),
        }
    }
}

/// tcp.smtp: a rule for each network, as far as it is not what the wider one says already. tcprules lets the most
/// specific one decide.
fn write_rules(networks: &BTreeSet<Network>, rule: impl Fn(Network) -> Rule, conversion: &mut Conversion) {
    let otherwise = Rule::Allow { text: String::new() };
    let mut written = FirstHit::default();
    // A grant with an exception that cannot be written is none.
    let mut too_wide = BTreeSet::new();
    for network in networks {
        let rule = rule(*network);
        let (wider, before) = written.above(*network).cloned().unwrap_or_else(|| (EVERYONE[0], otherwise.clone()));
        if before == rule {
            continue;
        }
        if is_writable(*network) {
            written.put(*network, (*network, rule));
            continue;
        }
        let why = "tcprules cannot write a rule for so wide an IPv6 network";
        conversion.not_carried(0, &format!("{network}{}", rule.shown()), why);
        if before == Rule::Friendly {
            too_wide.insert(wider);
        }
    }
    let [ipv4, ipv6] = EVERYONE.map(|network| written.at(network).map(|(_, rule)| rule.clone()));
    let ipv6 = ipv6.filter(|_| !too_wide.contains(&EVERYONE[1]));
    for (network, (_, rule)) in written.iter() {
        if too_wide.contains(&network) {
            let why = "has exceptions that tcprules cannot write";
            conversion.not_carried(0, &format!("{network}{}", rule.shown()), why);
        } else if network != EVERYONE[1] && (network != EVERYONE[0] || ipv4 != ipv6) {
            conversion.line(NativeFile::TcpSmtp, format!("{network}{}", rule.shown()));
        }
    }
    // Who is not IPv4 is IPv6: `::/0` itself is no network for tcprules, since it has the mapped IPv4 addresses in it.
    if let Some(rule) = ipv6 {
        if ipv4.is_none() {
            conversion.line(NativeFile::TcpSmtp, format!("{}{}", EVERYONE[0], otherwise.shown()));
        }
        conversion.line(NativeFile::TcpSmtp, rule.shown());
    }
}

/// Whether tcprules makes keys of the network: of an IPv6 network at most 4,096, cut at groups, and none if it has the
/// IPv4-mapped addresses in it.
fn is_writable(network: Network) -> bool {
    match network {
        Network::V4 { .. } => true,
        Network::V6 { length: 0, .. } => network == EVERYONE[1],
        Network::V6 { first, length } => {
            let mapped = u128::from(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped());
            let holds_mapped = length < 96 && (first ^ mapped) >> (128 - length) == 0;
            !holds_mapped && length.next_multiple_of(16) - length <= 12
        }
    }
}

#[cfg(test)]
mod tests;
