//! A domain name that may be asked for.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

/// The most octets of a name in text form, without the final dot (RFC 1035, 2.3.4).
const NAME_OCTETS_MAX: usize = 253;
/// The most octets between two dots.
const LABEL_OCTETS_MAX: usize = 63;

/// A name of visible ASCII, in lower case, without a final dot; neither the root nor an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

impl Name {
    /// `None` for what cannot be the name of a host or mail domain; nobody needs to be asked about that.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        let is_label = |label: &[u8]| (1..=LABEL_OCTETS_MAX).contains(&label.len());
        let is_name = text.iter().all(u8::is_ascii_graphic)
            && text.len() <= NAME_OCTETS_MAX
            && text.split(|octet| *octet == b'.').all(is_label);
        let name = String::from_utf8(text.to_ascii_lowercase()).ok().filter(|_| is_name)?;
        name.parse::<IpAddr>().is_err().then_some(Self(name))
    }

    /// The parts between the dots.
    pub(super) fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split('.').map(str::as_bytes)
    }

    /// The octets of the text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Display for Name {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_cannot_be_one() {
        let label = "l".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "l".repeat(61));
        let cases = [
            ("Mx.Far.ex.", Some("mx.far.ex")),
            ("test", Some("test")),
            ("_dmarc.far.ex", Some("_dmarc.far.ex")),
            (&format!("{longest}."), Some(longest.as_str())),
            (&format!("{longest}l"), None),
            (&format!("{label}l.ex"), None),
            ("", None),
            (".", None),
            ("far.ex..", None),
            (".far.ex", None),
            ("far..ex", None),
            ("far ex", None),
            ("far.ex\0", None),
            ("f\u{e4}r.ex", None),
            ("192.0.2.1", None),
            ("2001:db8::1", None),
            ("1.192.0.2.1", Some("1.192.0.2.1")),
        ];
        for (text, expected) in cases {
            assert_eq!(Name::parse(text.as_bytes()).map(|name| name.to_string()).as_deref(), expected, "{text:?}");
        }
    }
}
