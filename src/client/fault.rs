//! Why a client pattern is malformed, in words an operator can act on.

use std::fmt;

use crate::client::cause::shown;
use crate::client::network::Network;

/// What is wrong with a pattern, and what might have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no pattern.
    Empty,
    /// The line ends in CR: the file has DOS line ends.
    CarriageReturn,
    /// Quotes as word processors and web pages make them.
    TypographicQuotes,
    /// Blanks before or in the pattern.
    Blank,
    /// An octet such as `010`: 8 for some programs, 10 for others.
    LeadingZero(String),
    /// An octet above 255.
    OctetTooBig(String),
    /// Where an octet should be is something else.
    NoOctet(String),
    /// More than four octets.
    TooManyOctets,
    /// A range from a higher octet to a lower one.
    Reversed(u8, u8),
    /// A range of octets and a prefix length.
    RangeAndLength,
    /// No prefix length from 0 to this.
    PrefixLength(u8),
    /// The address of a network is not its first one; the network it is in.
    HostBits(Network),
    /// One to three octets without a final dot; the prefix that might be meant.
    NoFinalDot(String),
    /// One to three octets with a prefix length; the network that might be meant.
    ShortNetwork(String),
    /// Octet ranges that stand for so many networks.
    TooMany(u64),
    /// `$` without a complete `$(address/length)` or `${address/length}`.
    Sun,
    /// `[` without a complete `[IPv6 address]`, alone or with a prefix length.
    Bracket,
    /// Colons, and no IPv6 address.
    Ipv6,
    /// `=` or `@` without a name as DNS has them.
    Name,
    /// A name without `=` or `@`.
    BareName(String),
    /// `*.example.org`.
    Wildcard(String),
    /// Nothing that could be meant as a client.
    Unknown,
}

impl Fault {
    /// For a text that has other characters than those of an IPv4 address, and no colon.
    pub(super) fn of_no_address(text: &[u8]) -> Self {
        let text_shown = shown(text);
        if text.ends_with(b"\r") {
            return Self::CarriageReturn;
        }
        if text_shown.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']) {
            return Self::TypographicQuotes;
        }
        if text.iter().any(|byte| matches!(byte, b' ' | b'\t')) {
            return Self::Blank;
        }
        if let Some(domain) = text_shown.strip_prefix('*').filter(|domain| domain.starts_with('.') && domain.len() > 1)
        {
            return Self::Wildcard(domain.to_owned());
        }
        let is_name = text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if is_name && text.iter().any(u8::is_ascii_alphabetic) { Self::BareName(text_shown) } else { Self::Unknown }
    }

    pub(super) fn no_final_dot(octets: &[u8]) -> Self {
        let shown = shown(octets);
        if octets.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
            return Self::NoFinalDot(format!("{}.", shown.trim_end_matches('.')));
        }
        let missing = 4 - shown.split('.').filter(|octet| !octet.is_empty()).count();
        Self::NoFinalDot(format!("{}{}", shown.trim_end_matches('.'), ".*".repeat(missing)))
    }

    pub(super) fn short_network(ranges: &[(u8, u8); 4], parts: usize, length: &[u8]) -> Self {
        let octets: Vec<String> = ranges
            .iter()
            .enumerate()
            .map(|(index, (low, _))| if index < parts { low.to_string() } else { "0".to_owned() })
            .collect();
        Self::ShortNetwork(format!("{}/{}", octets.join("."), shown(length)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no address"),
            Self::CarriageReturn => f.write_str("the line ends in CR; save the file with LF line ends"),
            Self::TypographicQuotes => f.write_str("typographic quotes, as pasted from a web page; type the line anew"),
            Self::Blank => f.write_str("a blank in the address; write one client a line, without blanks"),
            Self::LeadingZero(octet) => write!(f, "an octet with a leading zero ({octet}); write it without"),
            Self::OctetTooBig(octet) => write!(f, "an octet above 255 ({octet})"),
            Self::NoOctet(text) if text.is_empty() => f.write_str("an octet is missing"),
            Self::NoOctet(text) => write!(f, "`{text}` is no octet, range of octets or `*`"),
            Self::TooManyOctets => f.write_str("more than four octets"),
            Self::Reversed(low, high) => write!(f, "the range is reversed; did you mean {high}-{low}?"),
            Self::RangeAndLength => f.write_str("a range of octets and a prefix length; write one of them"),
            Self::PrefixLength(most) => write!(f, "the prefix length must be a number from 0 to {most}"),
            Self::HostBits(network) => {
                write!(f, "the address is not the first of its network; did you mean {network}?")
            }
            Self::NoFinalDot(meant) => write!(f, "fewer than four octets; did you mean {meant}?"),
            Self::ShortNetwork(meant) => write!(f, "fewer than four octets; did you mean {meant}?"),
            Self::TooMany(count) => {
                write!(f, "the ranges stand for {count} networks, more than {}", crate::client::pattern::NETWORKS_MAX)
            }
            Self::Sun => f.write_str("write $(192.0.2.0/24) or ${2001:db8::/32}"),
            Self::Bracket => f.write_str("write [2001:db8::1] or [2001:db8::]/32"),
            Self::Ipv6 => f.write_str("this is no IPv6 address"),
            Self::Name => f.write_str("this is no name as DNS has them"),
            Self::BareName(name) => {
                write!(f, "a name; did you mean ={name} (the client's name) or @{name} (the addresses of that name)?")
            }
            Self::Wildcard(domain) => write!(f, "there are no wildcards in names; did you mean ={domain}?"),
            Self::Unknown => f.write_str("this is no address, network or name"),
        }
    }
}

impl std::error::Error for Fault {}
