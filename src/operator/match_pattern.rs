//! `postern match`: whether a pattern of a list matches an address or a name, and which of its networks does.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::client::cause::shown;
use crate::client::line::Line;
use crate::client::pattern::Pattern;
use crate::control::Setup;
use crate::dns::Dns;
use crate::lookup::Lookups;
use crate::lookup::sender_line::{Sender, SenderLine};
use crate::policy::verdict::{Answer, Question};

/// What a pattern says about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It matches: the network that holds the address, or what stands in front of the suffix.
    Yes(String),
    /// It does not match.
    No,
    /// Pattern or value is malformed, and what is wrong with it.
    Malformed(String),
    /// Nobody can tell, and why.
    Unknown(String),
}

/// A pattern, a value, and what the one says about the other.
#[derive(Debug, Clone)]
pub struct Matching {
    pattern: Vec<u8>,
    value: Vec<u8>,
    verdict: Verdict,
    /// The line is an exception.
    exception: bool,
    suffix: Vec<u8>,
}

/// Matches patterns; asks this host for its addresses, and DNS where it may.
pub struct Matcher<'s> {
    lookups: Lookups<'s>,
    dns: Option<Dns>,
}

impl<'s> Matcher<'s> {
    /// `setup` tells where moreipme and notipme are, for `=me`; without `dns` nobody can tell about `@name`.
    #[must_use]
    pub fn new(setup: &'s Setup, dns: Option<Dns>) -> Self {
        Self { lookups: Lookups::without_dns(setup), dns }
    }

    /// Matches a line of a list, `[!]pattern[:suffix]` or `sender&pattern`, with a value: an address, for `=name` a name, for
    /// a line with a sender `sender&address`.
    pub fn matching(&mut self, text: &[u8], value: &[u8]) -> Matching {
        let made = |verdict, exception, suffix: &[u8]| Matching {
            pattern: text.to_vec(),
            value: value.to_vec(),
            verdict,
            exception,
            suffix: suffix.to_vec(),
        };
        match SenderLine::parse(text) {
            SenderLine::Condition { sender, client } => made(self.with_sender(sender, client, value), false, b""),
            SenderLine::Malformed { exception, client: _, fault } => {
                made(Verdict::Malformed(fault.to_string()), exception, b"")
            }
            SenderLine::Address => {
                let line = Line::parse(text);
                let verdict = match &line.pattern {
                    Ok(pattern) => self.verdict(pattern, value),
                    Err(fault) => Verdict::Malformed(fault.to_string()),
                };
                made(verdict, line.exception, line.suffix)
            }
        }
    }

    /// The same for `PATTERN VALUE`; a pattern has no blanks.
    pub fn pair(&mut self, line: &[u8]) -> Matching {
        let blank = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
        let (pattern, value) = line.split_at(blank);
        self.matching(pattern, value.trim_ascii())
    }

    fn with_sender(&mut self, sender: Sender<'_>, client: Option<&[u8]>, value: &[u8]) -> Verdict {
        let Sender::Literal(wanted) = sender else {
            return Verdict::Unknown("only `postern explain` can tell which senders are local".to_owned());
        };
        let (Some(client), Some(operator)) = (client, memchr::memrchr(b'&', value)) else {
            return Verdict::Malformed("a line with a sender needs a value like user@domain&192.0.2.7".to_owned());
        };
        let (found, address) = value.split_at(operator);
        let domain = memchr::memrchr(b'@', found).and_then(|at| found.get(at..)).unwrap_or_default();
        match Pattern::parse(client) {
            Err(fault) => Verdict::Malformed(fault.to_string()),
            Ok(_) if !wanted.eq_ignore_ascii_case(found) && !wanted.eq_ignore_ascii_case(domain) => Verdict::No,
            Ok(pattern) => self.verdict(&pattern, address.get(1..).unwrap_or_default()),
        }
    }

    fn verdict(&mut self, pattern: &Pattern<'_>, value: &[u8]) -> Verdict {
        let ip: Option<IpAddr> = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        match (pattern, ip) {
            (Pattern::Name(_) | Pattern::Suffix(_), Some(ip)) => {
                Verdict::Malformed(format!("{ip} is an address, and the pattern is about the client's name"))
            }
            (Pattern::Name(_) | Pattern::Suffix(_), None) => name_verdict(pattern, value),
            (_, None) => Verdict::Malformed(format!("`{}` is no address", shown(value))),
            (Pattern::Network(_) | Pattern::Octets(_), Some(ip)) => {
                let network = pattern.networks().into_iter().find(|network| network.contains(ip));
                network.map_or(Verdict::No, |network| Verdict::Yes(network.to_string()))
            }
            (Pattern::AddressesOf(name), Some(ip)) => self.address_of(name, ip.to_canonical()),
            (Pattern::Me, Some(ip)) => match self.lookups.answer(Question::OwnAddress(ip)) {
                Ok(Answer::Yes(_)) => Verdict::Yes(ip.to_canonical().to_string()),
                Ok(
                    Answer::No
                    | Answer::Absent
                    | Answer::Excepted(_)
                    | Answer::NeedsDns
                    | Answer::Unfit(_)
                    | Answer::Applied(_),
                ) => Verdict::No,
                Err(failed) => Verdict::Unknown(failed.to_string()),
            },
        }
    }

    fn address_of(&mut self, name: &[u8], ip: IpAddr) -> Verdict {
        let Some(dns) = &mut self.dns else {
            return Verdict::Unknown("the addresses of a name are looked up only with --dns".to_owned());
        };
        dns.begin();
        match dns.host_or_exchangers(name) {
            Ok(addresses) if addresses.contains(&ip) => Verdict::Yes(ip.to_string()),
            Ok(addresses) if addresses.is_empty() => Verdict::Malformed("the name has no addresses".to_owned()),
            Ok(_) => Verdict::No,
            Err(failed) => Verdict::Unknown(failed.to_string()),
        }
    }
}

fn name_verdict(pattern: &Pattern<'_>, name: &[u8]) -> Verdict {
    if name.is_empty() || name.iter().any(|byte| byte.is_ascii_whitespace()) {
        return Verdict::Malformed(format!("`{}` is no name", shown(name)));
    }
    if pattern.octets_of_name(name).is_none() {
        return Verdict::No;
    }
    let end = if let Pattern::Suffix(end) = pattern { end.len() } else { 0 };
    Verdict::Yes(shown(name.get(..name.len() - end).unwrap_or_default()))
}

/// The networks of a pattern, for people one a line; and the exit code.
#[must_use]
pub fn told_networks(pattern: &[u8], json: bool) -> (String, u8) {
    let networks = networks(pattern);
    let exit = if networks.is_ok() { 0 } else { 2 };
    let text = match networks {
        networks if json => {
            let pattern = String::from_utf8_lossy(pattern);
            json!({"pattern": pattern, "networks": networks.as_ref().ok(), "error": networks.as_ref().err()})
                .to_string()
        }
        Ok(networks) => networks.join("\n"),
        Err(fault) => format!("malformed {}: {fault}", shown(pattern)),
    };
    (text, exit)
}

/// The networks that a line stands for, the widest possible; a name stands for itself. Else what is wrong with it.
fn networks(text: &[u8]) -> Result<Vec<String>, String> {
    let pattern = match SenderLine::parse(text) {
        SenderLine::Condition { client: Some(client), .. } => Pattern::parse(client),
        SenderLine::Malformed { fault, .. } => return Err(fault.to_string()),
        SenderLine::Condition { client: None, .. } | SenderLine::Address => Line::parse(text).pattern,
    };
    let of = |sign: &str, name: &[u8]| vec![format!("{sign}{}", shown(name).to_ascii_lowercase())];
    match pattern.map_err(|fault| fault.to_string())? {
        Pattern::Name(name) | Pattern::Suffix(name) => Ok(of("=", name)),
        Pattern::AddressesOf(name) => Ok(of("@", name)),
        Pattern::Me => Ok(of("=", b"me")),
        pattern @ (Pattern::Network(_) | Pattern::Octets(_)) => {
            Ok(pattern.networks().iter().map(ToString::to_string).collect())
        }
    }
}

impl Verdict {
    /// 0 yes, 1 no, 2 malformed, 111 nobody can tell now.
    fn exit_code(&self) -> u8 {
        match self {
            Verdict::Yes(_) => 0,
            Verdict::No => 1,
            Verdict::Malformed(_) => 2,
            Verdict::Unknown(_) => 111,
        }
    }
}

impl Matching {
    /// What to print, and the exit code.
    #[must_use]
    pub fn told(&self, json: bool) -> (String, u8) {
        let text = if json { self.as_json().to_string() } else { self.to_string() };
        (text, self.verdict.exit_code())
    }

    fn as_json(&self) -> Value {
        let (matches, captured, error) = match &self.verdict {
            Verdict::Yes(captured) => (Value::from(true), Some(captured), None),
            Verdict::No => (Value::from(false), None, None),
            Verdict::Malformed(why) | Verdict::Unknown(why) => (Value::Null, None, Some(why)),
        };
        json!({
            "pattern": String::from_utf8_lossy(&self.pattern),
            "value": String::from_utf8_lossy(&self.value),
            "match": matches,
            "captured": captured,
            "error": error,
            "malformed": matches!(self.verdict, Verdict::Malformed(_)),
            "exception": self.exception,
            "suffix": String::from_utf8_lossy(&self.suffix),
        })
    }
}

impl std::fmt::Display for Matching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = shown(&self.value);
        match &self.verdict {
            Verdict::Yes(captured) => write!(f, "yes {value} {captured}")?,
            Verdict::No => write!(f, "no {value}")?,
            Verdict::Malformed(why) => write!(f, "malformed {}: {why}", shown(&self.pattern))?,
            Verdict::Unknown(why) => write!(f, "unknown {value}: {why}")?,
        }
        if self.exception {
            f.write_str(" (an exception: who matches is not granted)")?;
        }
        if !self.suffix.is_empty() {
            write!(f, " (suffix {})", shown(&self.suffix))?;
        }
        Ok(())
    }
}
