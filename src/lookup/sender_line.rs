//! A line of relaymailfrom: an address as ever, or one of the forms with a word or a condition.

use crate::client::fault::Fault;
use crate::client::pattern::Pattern;
use crate::lookup::wildmat;

/// A line of relaymailfrom (relaymailfrom(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderLine<'a> {
    /// An address, `@domain`, a wildcard, a regular expression: as the original reads it.
    Address,
    /// A sender, perhaps only from some clients.
    Condition {
        /// Whose mail.
        sender: Sender<'a>,
        /// From where; none means from everywhere.
        client: Option<&'a [u8]>,
    },
    /// Something that was meant as a condition and is none: it lets nobody relay.
    Malformed {
        /// It begins with `!`: what it excepts is unknown.
        exception: bool,
        /// What is behind the `&`.
        client: &'a [u8],
        /// What is wrong with it.
        fault: SenderFault,
    },
}

/// Whose mail a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'a> {
    /// `user@domain`, or `@domain` for each of its users.
    Literal(&'a [u8]),
    /// `=localhosts`: whoever is in a domain of this host.
    LocalHosts,
    /// `=localusers`: whoever has an account in just that domain.
    LocalUsers,
}

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderFault {
    /// The client behind the `&`.
    Client(Fault),
    /// A wildcard or a negation in front of the `&`.
    Wildcard,
}

impl std::fmt::Display for SenderFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(fault) => fault.fmt(f),
            Self::Wildcard => {
                f.write_str("only user@domain, @domain, =localhosts and =localusers can have a condition")
            }
        }
    }
}

impl<'a> SenderLine<'a> {
    /// Reads an entry. `&` is an operator only behind a domain or one of the two words, where no address has one, so that
    /// every line of the original keeps its meaning.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Self {
        let Some(operator) = memchr::memrchr(b'&', entry) else {
            return match word(entry) {
                Some(sender) => Self::Condition { sender, client: None },
                None if is_misspelt_word(entry) => {
                    Self::Malformed { exception: false, client: b"", fault: SenderFault::Wildcard }
                }
                None => Self::Address,
            };
        };
        let (left, right) = entry.split_at(operator);
        let client = right.get(1..).unwrap_or_default();
        let malformed = |fault| Self::Malformed { exception: left.starts_with(b"!"), client, fault };
        let sender = match word(left) {
            Some(sender) => sender,
            None => match memchr::memrchr(b'@', left).and_then(|at| left.get(at + 1..)) {
                Some(domain) if !left.starts_with(b"!") && is_domain(domain) && !wildmat::is_pattern(left) => {
                    Sender::Literal(left)
                }
                // `joe@a\.ex|r&d@b\.ex`: the `&` is in the local part of another expression (QREGEX).
                Some(domain) if domain.contains(&b'|') && Pattern::parse(client).is_err() => return Self::Address,
                Some(domain) if !domain.is_empty() => return malformed(SenderFault::Wildcard),
                // `a&b@domain`: the `&` is in a local part.
                Some(_) | None if !is_misspelt_word(left) => return Self::Address,
                Some(_) | None => return malformed(SenderFault::Wildcard),
            },
        };
        match Pattern::parse(client) {
            Ok(_) => Self::Condition { sender, client: Some(client) },
            Err(fault) => malformed(SenderFault::Client(fault)),
        }
    }
}

fn word(text: &[u8]) -> Option<Sender<'static>> {
    let words = [("=localhosts", Sender::LocalHosts), ("=localusers", Sender::LocalUsers)];
    words.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word.as_bytes())).map(|(_, sender)| sender)
}

/// Something like one of the words, and no address either.
fn is_misspelt_word(text: &[u8]) -> bool {
    let (word, behind) = text.split_at_checked(b"=local".len()).unwrap_or_default();
    word.eq_ignore_ascii_case(b"=local") && (behind.contains(&b'&') || !behind.contains(&b'@'))
}

fn is_domain(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ampersand_is_an_operator_behind_a_domain_only() {
        let literal = |text: &'static str, client: &'static str| SenderLine::Condition {
            sender: Sender::Literal(text.as_bytes()),
            client: Some(client.as_bytes()),
        };
        assert_eq!(SenderLine::parse(b"@friendly.ex&192.0.2.0/24"), literal("@friendly.ex", "192.0.2.0/24"));
        assert_eq!(SenderLine::parse(b"a&b@d.ex&10."), literal("a&b@d.ex", "10."));
        assert_eq!(SenderLine::parse(b"a@d.ex&@gw.ex"), literal("a@d.ex", "@gw.ex"));
        assert_eq!(SenderLine::parse(b"a@d.ex&=.gw.ex"), literal("a@d.ex", "=.gw.ex"));
        let words = SenderLine::Condition { sender: Sender::LocalUsers, client: Some(b"=me") };
        assert_eq!(SenderLine::parse(b"=localusers&=me"), words);
        for address in [
            "a&b@d.ex",
            "joe@d.ex",
            "@d.ex",
            "*@d.ex",
            "!x@d.ex",
            "a&",
            "&",
            "=local@d.ex",
            "^joe@a\\.ex$",
            "a&@d.ex",
            "joe@a\\.ex|r&d@b\\.ex",
        ] {
            assert_eq!(SenderLine::parse(address.as_bytes()), SenderLine::Address, "{address}");
        }
        for (malformed, exception) in [
            ("@d.ex&192.0.2.0/33", false),
            ("!@d.ex&10.", true),
            ("*@*.d.ex&10.", false),
            ("=localhosts&x", false),
            ("=localhosts&&10.", false),
            ("=localusersx", false),
            ("=localuser", false),
            ("@d.ex &10.", false),
            ("*@d.ex&10.", false),
            ("@d.ex&", false),
            ("@d.ex&1@0.0.0.0/8", false),
        ] {
            let line = SenderLine::parse(malformed.as_bytes());
            assert!(
                matches!(line, SenderLine::Malformed { exception: found, .. } if found == exception),
                "{malformed}: {line:?}"
            );
        }
    }
}
