//! Changes that might turn a decision around, the most fitting first. Whether one does is found by trying it.

use std::fmt;

use serde_json::{Value, json};

use crate::client::fault::Fault;
use crate::client::line::Line;
use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::control::settings::SETTINGS;
use crate::control::text::entries;
use crate::operator::explain::overlay::{Edit, Overlay};
use crate::operator::explain::show::line_of;
use crate::operator::explain::steps::{Step, Why};
use crate::operator::situation::Situation;
use crate::operator::surroundings::Connection;
use crate::policy::verdict::{Answer, Evidence, LookupFailed, Reason};
use crate::relay_table;
use crate::smtp::path::{Path, domain};
use crate::smtp::printable::printable;

/// So many malformed lines of a list are mended, one after the other.
const MENDED_MAX: usize = 20;

/// How something is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// A control file.
    File {
        /// Its name.
        file: String,
        /// What is done to it.
        edit: Edit,
    },
    /// A variable that would not be set.
    Unset {
        /// Its name.
        variable: String,
    },
    /// The rule of tcpserver would not deny.
    Allowed {
        /// The key of the rule.
        rule: String,
    },
    /// AUTH: the client would have authenticated, or not.
    Authenticated(bool),
    /// TLS: the connection would be encrypted.
    Encrypted,
}

/// A change that might do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is changed.
    pub means: Means,
    /// What follows "if".
    words: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Candidate {
    /// The change for programs.
    #[must_use]
    pub fn as_json(&self) -> Value {
        match &self.means {
            Means::File { file, edit } => {
                let (action, line, text) = match edit {
                    Edit::Add(text) => ("add", None, Some(text)),
                    Edit::Remove(line) => ("remove", Some(line), None),
                    Edit::Replace(line, text) => ("replace", Some(line), Some(text)),
                    Edit::Set(text) => ("set", None, Some(text)),
                    Edit::Delete => ("delete", None, None),
                };
                json!({"action": action, "file": file, "line": line, "text": text})
            }
            Means::Unset { variable } => json!({"action": "unset", "variable": variable}),
            Means::Allowed { rule } => json!({"action": "allow", "rule": rule}),
            Means::Authenticated(is_so) => json!({"action": if *is_so { "auth" } else { "no auth" }}),
            Means::Encrypted => json!({"action": "tls"}),
        }
    }

    fn add(file: &str, line: &str, overlay: &Overlay) -> Self {
        let words = match overlay.text(file) {
            Some(_) => format!("{file} had the line `{line}`"),
            None => format!("there were a file {file} with the line `{line}`"),
        };
        Self::file(file, Edit::Add(line.to_string()), words)
    }

    fn remove(file: &str, line: u32, overlay: &Overlay) -> Self {
        let text = overlay.text(file).unwrap_or_default();
        let shown = String::from_utf8_lossy(&printable(line_of(&text, line).unwrap_or_default())).into_owned();
        Self::file(file, Edit::Remove(line), format!("line {line} of {file} (`{shown}`) were not there"))
    }

    fn replace(file: &str, line: u32, text: String) -> Self {
        let words = format!("line {line} of {file} were `{text}`");
        Self::file(file, Edit::Replace(line, text), words)
    }

    fn set(file: &str, line: &str) -> Self {
        Self::file(file, Edit::Set(line.to_string()), format!("{file} said `{line}`"))
    }

    fn file(file: &str, edit: Edit, words: String) -> Self {
        Self { means: Means::File { file: file.to_string(), edit }, words }
    }

    fn authenticated() -> Self {
        Self { means: Means::Authenticated(true), words: "the client had authenticated itself (AUTH)".to_string() }
    }
}

/// What might let the recipient in.
pub(super) fn to_accept(
    step: &Step,
    situation: &Situation,
    recipient: &[u8],
    overlay: &Overlay,
    list: &str,
) -> Vec<Candidate> {
    let argument = [b"TO:<", recipient, b">"].concat();
    let address = Path::parse(&argument).map(|path| path.address).unwrap_or_default();
    let own =
        domain(&address).filter(|domain| !domain.is_empty()).map(|domain| String::from_utf8_lossy(domain).into_owned());
    let mut candidates = match &step.why {
        Some(Why::Denied { rule, .. }) => {
            let words = format!("the rule `{rule}` did not deny");
            return vec![Candidate { means: Means::Allowed { rule: rule.clone() }, words }];
        }
        Some(Why::Policy(Reason::LookupFailed(failed))) => against_failure(failed, own.as_deref(), overlay),
        Some(Why::Policy(Reason::RelayLevel)) => vec![Candidate::set("relaylevel", "normal")],
        Some(Why::Policy(Reason::Listed(evidence))) => {
            against_list(evidence, &step.command, situation, &address, overlay)
        }
        Some(Why::Policy(Reason::Setting(name))) => against_setting(name, overlay),
        Some(Why::Policy(Reason::Unfit(_, subject))) => against_check(&step.command, subject, overlay),
        Some(Why::Policy(
            Reason::Fine
            | Reason::NoDomain
            | Reason::OwnDomain(_)
            | Reason::RelayClientVariable
            | Reason::Authenticated
            | Reason::Certified(_, _)
            | Reason::Granted(_)
            | Reason::Blackholed(_, _)
            | Reason::Probe
            | Reason::NoRelay,
        ))
        | None => Vec::new(),
    };
    if matches!(step.why, Some(Why::Policy(Reason::NoRelay | Reason::RelayLevel | Reason::LookupFailed(_)))) {
        candidates.extend(mended_lines(list, overlay));
        candidates.push(Candidate::add(list, &situation.ip.to_canonical().to_string(), overlay));
        candidates.extend(exceptions(step).map(|(file, line)| Candidate::remove(file, line, overlay)));
        candidates.extend(own.map(|own| own_domain(&own, overlay)));
        candidates.push(Candidate::authenticated());
    }
    candidates
}

/// What might help against a list that refuses a sender or a recipient.
fn against_list(
    evidence: &Evidence,
    command: &str,
    situation: &Situation,
    recipient: &[u8],
    overlay: &Overlay,
) -> Vec<Candidate> {
    let file: &str = &evidence.file;
    // Clients and HELO names have no list of good ones; their lists are said otherwise, too.
    if !command.starts_with("MAIL ") && !command.starts_with("RCPT ") {
        return match evidence.line {
            Some(line) => vec![Candidate::remove(file, line, overlay)],
            None => vec![Candidate::file(file, Edit::Delete, format!("there were no file {file}"))],
        };
    }
    let is_sender = command.starts_with("MAIL ");
    let address = if is_sender { situation.sender.as_slice() } else { recipient };
    let address = String::from_utf8_lossy(address);
    let Some(line) = evidence.line else {
        let good = (!is_sender).then(|| Candidate::add("goodrcptto", &address, overlay));
        let gone = Candidate::file(file, Edit::Delete, format!("there were no file {file}"));
        return good.into_iter().chain([gone]).collect();
    };
    let text = overlay.text(file).unwrap_or_default();
    let entry = line_of(&text, line).unwrap_or_default();
    let remove = Candidate::remove(file, line, overlay);
    if entry.eq_ignore_ascii_case(address.as_bytes()) {
        return vec![remove];
    }
    // A wildcard can be excepted from; no exception undoes `@domain`.
    let except = Candidate::add(file, &format!("!{address}"), overlay);
    let good = (!is_sender).then(|| Candidate::add("goodrcptto", &address, overlay));
    [except].into_iter().chain(good).chain([remove]).collect()
}

fn own_domain(domain: &str, overlay: &Overlay) -> Candidate {
    let mut candidate = Candidate::add("rcpthosts", domain, overlay);
    candidate.words = format!("{}, should {domain} be a domain of this host", candidate.words);
    candidate
}

/// What might help where something could not be read.
fn against_failure(failed: &LookupFailed, own: Option<&str>, overlay: &Overlay) -> Vec<Candidate> {
    match failed {
        LookupFailed::BadEntry { file, line, .. } | LookupFailed::Exception { file, line, .. } => {
            let text = overlay.text(file).unwrap_or_default();
            let mended = line_of(&text, *line).and_then(mended);
            let mended = mended.map(|text| Candidate::replace(file, *line, text));
            mended.into_iter().chain([Candidate::remove(file, *line, overlay)]).collect()
        }
        LookupFailed::BadSetting { file, .. } => vec![Candidate::set(file, "normal")],
        LookupFailed::NoRcptHosts => own.map(|own| own_domain(own, overlay)).into_iter().collect(),
        LookupFailed::Dns { file, line: Some(line), .. } => vec![Candidate::remove(file, *line, overlay)],
        LookupFailed::Unreadable { .. }
        | LookupFailed::Compiled { .. }
        | LookupFailed::Dns { line: None, .. }
        | LookupFailed::RelayTable(_)
        | LookupFailed::Accounts(_)
        | LookupFailed::Recipients(_)
        | LookupFailed::Passwd(_)
        | LookupFailed::OwnAddresses(_) => Vec::new(),
    }
}

/// What might help where a mailbox or an account is missing.
fn against_check(command: &str, subject: &[u8], overlay: &Overlay) -> Vec<Candidate> {
    if command.starts_with("MAIL ") {
        return against_setting("CHECKSENDER", overlay);
    }
    let good = Candidate::add("goodrcptto", &String::from_utf8_lossy(subject), overlay);
    [good].into_iter().chain(against_setting("CHECKRECIPIENT", overlay)).collect()
}

/// What might help against a setting that refuses.
fn against_setting(name: &str, overlay: &Overlay) -> Vec<Candidate> {
    let proof = match name {
        "REQUIREAUTH" | "CHECKSENDER" => Some(Candidate::authenticated()),
        "FORCE_TLS" => {
            Some(Candidate { means: Means::Encrypted, words: "the connection were encrypted (TLS)".to_string() })
        }
        _ => None,
    };
    let setting = SETTINGS.iter().find(|setting| setting.file == name || setting.variable == name);
    let variable = setting.map(|setting| setting.variable).filter(|variable| !variable.is_empty());
    let variable = variable.map(|variable| Candidate {
        means: Means::Unset { variable: variable.to_string() },
        words: format!("the variable {variable} were not set"),
    });
    let file = setting.map(|setting| setting.file).filter(|file| overlay.text(file).is_some());
    let file = file.map(|file| Candidate::file(file, Edit::Delete, format!("there were no file {file}")));
    [proof, variable, file].into_iter().flatten().collect()
}

/// The malformed lines of a list, each as it was probably meant.
fn mended_lines(file: &str, overlay: &Overlay) -> Vec<Candidate> {
    let text = overlay.text(file).unwrap_or_default();
    let mended = entries(&text).filter_map(|entry| Some((entry.line, mended(entry.text)?)));
    mended.take(MENDED_MAX).map(|(line, text)| Candidate::replace(file, line, text)).collect()
}

/// A malformed line of a list of clients, as it was probably meant; none if it is well-formed or nobody can guess.
fn mended(entry: &[u8]) -> Option<String> {
    let entry = std::str::from_utf8(entry).ok()?;
    let without_cr = entry.strip_suffix('\r').unwrap_or(entry);
    let line = Line::parse(without_cr.as_bytes());
    let text = std::str::from_utf8(line.text).ok()?;
    let meant = match line.pattern {
        Ok(_) if without_cr == entry => return None,
        Ok(_) => return Some(without_cr.to_string()),
        Err(fault) => meant(text, &fault)?,
    };
    Some(without_cr.replacen(text, &meant, 1)).filter(|mended| Line::parse(mended.as_bytes()).pattern.is_ok())
}

fn meant(text: &str, fault: &Fault) -> Option<String> {
    match fault {
        Fault::HostBits(network) => Some(network.to_string()),
        Fault::NoFinalDot(meant) | Fault::ShortNetwork(meant) => Some(meant.clone()),
        Fault::Reversed(low, high) => Some(text.replacen(&format!("{low}-{high}"), &format!("{high}-{low}"), 1)),
        Fault::LeadingZero(octet) => {
            let plain = octet.trim_start_matches('0');
            Some(text.replacen(octet, if plain.is_empty() { "0" } else { plain }, 1))
        }
        Fault::Wildcard(domain) => Some(format!("={domain}")),
        Fault::BareName(name) => Some(format!("={name}")),
        Fault::Blank => Some(text.trim().to_string()),
        Fault::Empty
        | Fault::CarriageReturn
        | Fault::TypographicQuotes
        | Fault::OctetTooBig(_)
        | Fault::NoOctet(_)
        | Fault::TooManyOctets
        | Fault::RangeAndLength
        | Fault::PrefixLength(_)
        | Fault::TooMany(_)
        | Fault::Sun
        | Fault::Bracket
        | Fault::Ipv6
        | Fault::Name
        | Fault::Unknown => None,
    }
}

/// The lines that except the client.
fn exceptions(step: &Step) -> impl Iterator<Item = (&str, u32)> {
    step.consulted.iter().filter_map(|consulted| match &consulted.answer {
        Some(Ok(Answer::Excepted(evidence))) => Some((evidence.file.as_ref(), evidence.line?)),
        Some(
            Ok(Answer::Absent | Answer::No | Answer::NeedsDns | Answer::Unfit(_) | Answer::Applied(_) | Answer::Yes(_))
            | Err(_),
        )
        | None => None,
    })
}

/// What might keep a relayed recipient out.
pub(super) fn to_refuse(
    step: &Step,
    connection: &Connection,
    situation: &Situation,
    overlay: &Overlay,
) -> Vec<Candidate> {
    match &step.why {
        Some(Why::Policy(Reason::Granted(evidence) | Reason::Certified(evidence, _))) => {
            against_grant(evidence, situation, overlay)
        }
        Some(Why::Policy(Reason::RelayLevel)) => {
            ["normal", "none"].map(|level| Candidate::set("relaylevel", level)).to_vec()
        }
        Some(Why::Policy(Reason::RelayClientVariable)) => {
            let words = match &connection.rule {
                Some(rule) => format!("the rule `{rule}` of tcp.smtp did not set RELAYCLIENT"),
                None => "RELAYCLIENT were not set".to_string(),
            };
            vec![Candidate { means: Means::Unset { variable: "RELAYCLIENT".to_string() }, words }]
        }
        Some(Why::Policy(Reason::Authenticated)) => {
            let words = "the client had not authenticated itself".to_string();
            vec![Candidate { means: Means::Authenticated(false), words }]
        }
        Some(Why::Policy(
            Reason::Fine
            | Reason::NoDomain
            | Reason::OwnDomain(_)
            | Reason::Listed(_)
            | Reason::Blackholed(_, _)
            | Reason::Setting(_)
            | Reason::Unfit(_, _)
            | Reason::Probe
            | Reason::NoRelay
            | Reason::LookupFailed(_),
        ))
        | Some(Why::Denied { .. })
        | None => Vec::new(),
    }
}

fn against_grant(evidence: &Evidence, situation: &Situation, overlay: &Overlay) -> Vec<Candidate> {
    let file: &str = &evidence.file;
    if file == relay_table::place::FILE {
        let words = "CHECKRELAY were not set".to_string();
        return vec![Candidate { means: Means::Unset { variable: "CHECKRELAY".to_string() }, words }];
    }
    let Some(line) = evidence.line else {
        return vec![Candidate::file(file, Edit::Delete, format!("there were no file {file}"))];
    };
    let remove = Candidate::remove(file, line, overlay);
    let text = overlay.text(file).unwrap_or_default();
    let entry = line_of(&text, line).unwrap_or_default();
    let ip = situation.ip.to_canonical();
    let pattern = Line::parse(entry).pattern;
    let is_alone = pattern == Ok(Pattern::Network(Network::of_address(ip))) || entry == situation.sender;
    // In a list that knows no exceptions, trying one fails.
    let except = match situation.sender.as_slice() {
        sender if file.starts_with("relaymailfrom") => format!("!{}", String::from_utf8_lossy(sender)),
        _ => format!("!{ip}"),
    };
    let except = Candidate::add(file, &except, overlay);
    if is_alone { vec![remove, except] } else { vec![except, remove] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_line_is_mended_as_it_was_meant() {
        let table = [
            ("192.0.2", Some("192.0.2.")),
            ("!172.16.1.3/21:@gw", Some("!172.16.0.0/21:@gw")),
            ("192.168.43-40.*", Some("192.168.40-43.*")),
            ("010.0.0.1", Some("10.0.0.1")),
            ("*.partner.ex", Some("=.partner.ex")),
            ("gw.ex", Some("=gw.ex")),
            ("192.0.2.7\r", Some("192.0.2.7")),
            (" 192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.7", None),
            ("192.0.2.999", None),
            ("[1234", None),
        ];
        for (entry, expected) in table {
            assert_eq!(mended(entry.as_bytes()).as_deref(), expected, "{entry}");
        }
    }
}
