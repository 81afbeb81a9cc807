//! The question that smtpd asks checkrelay on its descriptor 0, and the answer on descriptor 1.

use std::net::IpAddr;

/// The longest question, in octets: a sender, an address and a moment.
pub const QUESTION_OCTETS_MAX: usize = 4096;
/// The answer when somebody of that name has read mail from there; the exit code is 0.
pub const YES: &str = "yes";
/// The answer when nobody has; the exit code is 1.
pub const NO: &str = "no";

/// May this sender relay from this address?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The reverse-path.
    pub sender: Vec<u8>,
    /// The client's address.
    pub address: IpAddr,
    /// The moment, in seconds since 1970; none is now, by the clock of the table.
    pub at: Option<i64>,
}

impl Question {
    /// The three texts, each with a NUL behind it.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let at = self.at.map(|at| at.to_string()).unwrap_or_default();
        [self.sender.as_slice(), self.address.to_string().as_bytes(), at.as_bytes(), b""].join(&0)
    }

    /// The question that these octets are; none for anything else.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let mut texts = octets.strip_suffix(b"\0")?.split(|octet| *octet == 0);
        let (sender, address, at) = (texts.next()?, texts.next()?, texts.next()?);
        let address = std::str::from_utf8(address).ok()?.parse::<IpAddr>().ok()?.to_canonical();
        let at = match at {
            b"" => None,
            text => Some(std::str::from_utf8(text).ok()?.parse().ok()?),
        };
        texts.next().is_none().then(|| Self { sender: sender.to_vec(), address, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        for (sender, address, at) in [("joe@x.ex", "192.0.2.7", None), ("a'\\\"@b", "2001:db8::1", Some(-5))] {
            let asked = Question { sender: sender.into(), address: address.parse().unwrap(), at };
            assert_eq!(Question::parse(&asked.to_octets()), Some(asked));
        }
        for octets in [
            "",
            "\0",
            "joe@x.ex",
            "joe@x.ex\x00192.0.2.7",
            "j\x00192.0.2.7\0",
            "j\0x\0\0",
            "j\0::1\0x\0",
            "j\0::1\0\0\0",
        ] {
            assert_eq!(Question::parse(octets.as_bytes()), None, "{octets:?}");
        }
    }
}
