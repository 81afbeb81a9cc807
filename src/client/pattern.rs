//! The client pattern: one grammar of addresses, networks, ranges and names, wherever a list names clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::client::cause::shown;
use crate::client::fault::Fault;
use crate::client::network::{Network, Octets};

/// The most networks that the octet ranges of one pattern may stand for.
pub const NETWORKS_MAX: u64 = 4096;
/// The longest name in a pattern, in octets (RFC 1035, 2.3.4).
const NAME_OCTETS_MAX: usize = 253;

/// Whom a line is about (relayclients(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// `192.0.2.7`, `192.0.2.`, `192.0.2.0/24`, `2001:db8::/32`, `$(192.0.2.10/24)`, `${2001:db8::1/32}`.
    Network(Network),
    /// `192.168.40-43.*`: octets in ranges.
    Octets(Octets),
    /// `=name`: the client's own name, if it leads back to the client's address.
    Name(&'a [u8]),
    /// `=.suffix`: the end of the client's own name, with its dot.
    Suffix(&'a [u8]),
    /// `@name`: the addresses of a name, or if it has none those of its MX hosts.
    AddressesOf(&'a [u8]),
    /// `=me`: the addresses of this host.
    Me,
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`Fault`], with what might have been meant: a text that is no pattern matches nobody.
    pub fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        if let Some(network) = plain_ipv4(text) {
            return Ok(Self::Network(network));
        }
        match text {
            [] => Err(Fault::Empty),
            _ if text.eq_ignore_ascii_case(b"=me") => Ok(Self::Me),
            [b'=', name @ ..] => client_name(name),
            [b'@', name @ ..] if is_name(name) => Ok(Self::AddressesOf(name)),
            [b'@', ..] => Err(Fault::Name),
            [b'$', b'(', network @ .., b')'] => masked(network, |ip| ip.is_ipv4()),
            [b'$', b'{', network @ .., b'}'] => masked(network, |ip| ip.is_ipv6()),
            [b'$', ..] => Err(Fault::Sun),
            [b'[', ..] => bracketed(text).map(Self::Network),
            _ if text.contains(&b':') => ipv6(text).map(Self::Network),
            _ => ipv4(text),
        }
    }

    /// The length of the network in the pattern that holds the address: how specific the pattern is about it. `None` if it
    /// holds it not, or is about names.
    #[must_use]
    pub fn length_around(&self, ip: IpAddr) -> Option<u8> {
        match (self, ip.to_canonical()) {
            (Self::Network(network), ip) => network.contains(ip).then(|| network.length()),
            (Self::Octets(octets), IpAddr::V4(ip)) => octets.length_around(ip),
            (Self::Octets(_), IpAddr::V6(_))
            | (Self::Name(_) | Self::Suffix(_) | Self::AddressesOf(_) | Self::Me, _) => None,
        }
    }

    /// How specific the pattern is about a client's name: the octets that are compared, and a whole name more than any end
    /// of one. `None` if it is about another name, or about addresses.
    #[must_use]
    pub fn octets_of_name(&self, name: &[u8]) -> Option<u16> {
        let matches = |end: &[u8]| {
            let start = name.len().checked_sub(end.len())?;
            name.get(start..).filter(|tail| tail.eq_ignore_ascii_case(end)).map(|_| start)
        };
        match self {
            Self::Name(wanted) => matches(wanted).filter(|start| *start == 0).map(|_| u16::MAX),
            // A client is no subdomain of the empty name: `=.x` needs something before the dot.
            Self::Suffix(end) => matches(end).filter(|start| *start > 0).and_then(|_| u16::try_from(end.len()).ok()),
            Self::Network(_) | Self::Octets(_) | Self::AddressesOf(_) | Self::Me => None,
        }
    }

    /// The networks that the pattern stands for, the widest possible, in the order of their addresses; none for names.
    #[must_use]
    pub fn networks(&self) -> Vec<Network> {
        match self {
            Self::Network(network) => vec![*network],
            Self::Octets(octets) => octets.networks(),
            Self::Name(_) | Self::Suffix(_) | Self::AddressesOf(_) | Self::Me => Vec::new(),
        }
    }
}

/// A plain form as a whole; `None` for anything else, malformed or not.
fn plain_ipv4(text: &[u8]) -> Option<Network> {
    let (network, behind) = leading_ipv4(text)?;
    behind.is_empty().then_some(network)
}

/// The plain form that a text begins with, and what is behind it: an address, a prefix that ends in a dot, a network. Lists
/// have very many of them, so this looks at each octet once. `None` for anything else, malformed or not.
#[must_use]
pub fn leading_ipv4(text: &[u8]) -> Option<(Network, &[u8])> {
    let (mut bits, mut rest) = (0, text);
    for dots in 0..3u8 {
        if dots > 0 && !rest.first().is_some_and(u8::is_ascii_digit) {
            return Some((Network::V4 { first: bits << (32 - 8 * dots), length: 8 * dots }, rest));
        }
        let (octet, behind) = leading_octet(rest)?;
        let (b'.', behind) = behind.split_first()? else { return None };
        (bits, rest) = (bits << 8 | octet, behind);
    }
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return Some((Network::V4 { first: bits << 8, length: 24 }, rest));
    }
    let (octet, behind) = leading_octet(rest)?;
    let first = bits << 8 | octet;
    match behind {
        [b'/', tens @ b'1'..=b'3', ones @ b'0'..=b'9', behind @ ..] => {
            network(first, (tens - b'0') * 10 + (ones - b'0'), behind)
        }
        [b'/', ones @ b'0'..=b'9', behind @ ..] => network(first, ones - b'0', behind),
        [b'/', ..] => None,
        behind => Some((Network::V4 { first, length: 32 }, behind)),
    }
}

/// A number from 0 to 255 without leading zeros, as many digits as there are, and what is behind it.
fn leading_octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let digit = |digit: &u8| u32::from(digit - b'0');
    let (octet, behind) = match text {
        [a @ b'1'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9', behind @ ..] => {
            (digit(a) * 100 + digit(b) * 10 + digit(c), behind)
        }
        [a @ b'1'..=b'9', b @ b'0'..=b'9', behind @ ..] => (digit(a) * 10 + digit(b), behind),
        [a @ b'0'..=b'9', behind @ ..] => (digit(a), behind),
        _ => return None,
    };
    (octet <= 255 && !behind.first().is_some_and(u8::is_ascii_digit)).then_some((octet, behind))
}

/// The network, unless it is none: too long, more digits, or not its first address.
fn network(first: u32, length: u8, behind: &[u8]) -> Option<(Network, &[u8])> {
    let host_bits = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let plain = length <= 32 && first & host_bits == 0 && !behind.first().is_some_and(u8::is_ascii_digit);
    plain.then_some((Network::V4 { first, length }, behind))
}

/// Digits only, no leading zero, at most `most`.
fn prefix_length(digits: &[u8], most: u8) -> Option<u8> {
    let plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (plain && length <= most).then_some(length)
}

/// A name as it may stand in DNS; underscores do occur.
fn is_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let labels = name.strip_suffix(b".").unwrap_or(name).split(|byte| *byte == b'.');
    name.len() <= NAME_OCTETS_MAX
        && labels.into_iter().all(|label| (1..=63).contains(&label.len()) && label.iter().all(plain))
}

fn client_name(name: &[u8]) -> Result<Pattern<'_>, Fault> {
    match name {
        [b'.', rest @ ..] if is_name(rest) => Ok(Pattern::Suffix(name)),
        name if is_name(name) => Ok(Pattern::Name(name)),
        _ => Err(Fault::Name),
    }
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `192.0.2.10/24` or `2001:db8::1/32` as Sun means it: host bits do not count.
fn masked(text: &[u8], family: impl Fn(&IpAddr) -> bool) -> Result<Pattern<'_>, Fault> {
    let slash = memchr::memrchr(b'/', text).ok_or(Fault::Sun)?;
    let (ip, length) = text.split_at(slash);
    let ip = address(ip).filter(family).ok_or(Fault::Sun)?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = prefix_length(length.get(1..).unwrap_or_default(), most).ok_or(Fault::PrefixLength(most))?;
    Network::around(ip, length).map(Pattern::Network).ok_or(Fault::PrefixLength(most))
}

/// `[2001:db8::1]`, `[2001:db8::]/32`.
fn bracketed(text: &[u8]) -> Result<Network, Fault> {
    let inner = text.get(1..).unwrap_or_default();
    let close = memchr::memchr(b']', inner).ok_or(Fault::Bracket)?;
    let (ip, behind) = inner.split_at(close);
    let ip = address(ip).filter(IpAddr::is_ipv6).ok_or(Fault::Bracket)?;
    match behind.get(1..).unwrap_or_default() {
        [] => Ok(Network::of_address(ip)),
        [b'/', length @ ..] => ipv6_network(ip, length),
        _ => Err(Fault::Bracket),
    }
}

fn ipv6(text: &[u8]) -> Result<Network, Fault> {
    let mapped = text.split_at_checked(7).filter(|(start, _)| start.eq_ignore_ascii_case(b"::ffff:"));
    if let Some(prefix) = mapped.and_then(|(_, rest)| plain_ipv4(rest)) {
        // As IndiMail's guide writes the clients of an IPv6 listener: `::ffff:127.0.0.`.
        return Ok(prefix);
    }
    let slash = memchr::memchr(b'/', text).unwrap_or(text.len());
    let (ip, length) = text.split_at(slash);
    let ip = address(ip).filter(IpAddr::is_ipv6).ok_or(Fault::Ipv6)?;
    match length.get(1..) {
        None => Ok(Network::of_address(ip)),
        Some(length) => ipv6_network(ip, length),
    }
}

fn ipv6_network(ip: IpAddr, length: &[u8]) -> Result<Network, Fault> {
    let length = prefix_length(length, 128).ok_or(Fault::PrefixLength(128))?;
    let network = Network::around(ip, length).ok_or(Fault::PrefixLength(128))?;
    let first = match network {
        Network::V6 { first, .. } => IpAddr::from(Ipv6Addr::from_bits(first)),
        Network::V4 { .. } => network.first(),
    };
    if first == ip.to_canonical() || first == ip { Ok(network) } else { Err(Fault::HostBits(network)) }
}

/// What is meant as IPv4 and is not plain: ranges, or something malformed.
fn ipv4(text: &[u8]) -> Result<Pattern<'_>, Fault> {
    let ipv4ish = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'*' | b'/');
    if !text.iter().all(ipv4ish) || !text.iter().any(|byte| byte.is_ascii_digit() || *byte == b'*') {
        return Err(Fault::of_no_address(text));
    }
    let (octets, length) = text.split_at(memchr::memchr(b'/', text).unwrap_or(text.len()));
    let parts: Vec<&[u8]> = octets.split(|byte| *byte == b'.').collect();
    if parts.len() > 4 {
        return Err(Fault::TooManyOctets);
    }
    let mut ranges = [(0, 255); 4];
    for (range, part) in ranges.iter_mut().zip(&parts) {
        *range = octet_range(part)?;
    }
    match (parts.len(), length.get(1..)) {
        (4, None) => {
            let octets = Octets { ranges };
            let count = octets.count();
            if count > NETWORKS_MAX { Err(Fault::TooMany(count)) } else { Ok(Pattern::Octets(octets)) }
        }
        (4, Some(length)) => host_bits(ranges, length),
        (_, None) => Err(Fault::no_final_dot(octets)),
        (count, Some(length)) => Err(Fault::short_network(&ranges, count, length)),
    }
}

fn octet_range(part: &[u8]) -> Result<(u8, u8), Fault> {
    let shown = || shown(part);
    let number = |digits: &[u8]| match digits {
        [b'0', _, ..] => Err(Fault::LeadingZero(shown())),
        [b'0'..=b'9', ..] if digits.iter().all(u8::is_ascii_digit) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| Fault::OctetTooBig(shown())),
        // Nothing between two dots, or a dash without numbers.
        _ => Err(Fault::NoOctet(shown())),
    };
    if part == b"*" {
        return Ok((0, 255));
    }
    let Some(dash) = memchr::memchr(b'-', part) else {
        let octet = number(part)?;
        return Ok((octet, octet));
    };
    let (low, high) = part.split_at(dash);
    let (low, high) = (number(low)?, number(high.get(1..).unwrap_or_default())?);
    if low <= high { Ok((low, high)) } else { Err(Fault::Reversed(low, high)) }
}

/// Four octets with a prefix length that are no plain network: which network was meant?
fn host_bits(ranges: [(u8, u8); 4], length: &[u8]) -> Result<Pattern<'static>, Fault> {
    if ranges.iter().any(|(low, high)| low != high) {
        return Err(Fault::RangeAndLength);
    }
    let ip = Ipv4Addr::from(ranges.map(|(low, _)| low));
    let length = prefix_length(length, 32).ok_or(Fault::PrefixLength(32))?;
    match Network::around(ip.into(), length) {
        Some(network) if network.first() == IpAddr::V4(ip) => Ok(Pattern::Network(network)),
        Some(network) => Err(Fault::HostBits(network)),
        None => Err(Fault::PrefixLength(32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_stands_for_its_networks() {
        let cases = [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.", "192.0.2.0/24"),
            ("10.", "10.0.0.0/8"),
            ("192.0.0.0/22", "192.0.0.0/22"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.168.40-43.*", "192.168.40.0/22"),
            ("192.168.40-43.0-255", "192.168.40.0/22"),
            ("*.*.*.*", "0.0.0.0/0"),
            ("192.0.2.64-67", "192.0.2.64/30"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("$(172.16.1.3/21)", "172.16.0.0/21"),
            ("${2001:db8::7/32}", "2001:db8::/32"),
        ];
        for (text, expected) in cases {
            let networks = Pattern::parse(text.as_bytes()).unwrap().networks();
            assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_malformed_says_what_was_meant() {
        let cases = [
            ("172.16.1.3/21", "did you mean 172.16.0.0/21?"),
            ("2001:db8::1/32", "did you mean 2001:db8::/32?"),
            ("11.22.33", "did you mean 11.22.33.?"),
            ("192.168.40-43", "did you mean 192.168.40-43.*?"),
            ("11.22/16", "did you mean 11.22.0.0/16?"),
            ("010.0.0.1", "leading zero (010)"),
            ("10.0.0.01/8", "leading zero"),
            ("172.16.1.3/33", "from 0 to 32"),
            ("172.16.1.3/3x", "this is no address"),
            ("172.16.1.0/+8", "this is no address"),
            ("172.16.1.0/08", "from 0 to 32"),
            ("2001:db8::/129", "from 0 to 128"),
            ("172.999.0.0/21", "above 255 (999)"),
            ("172.16.1.999", "above 255 (999)"),
            ("192.168.43-40.*", "did you mean 40-43?"),
            ("192.168.40-.1", "`40-` is no octet"),
            ("192.168.300.*", "above 255"),
            ("1..2.3", "an octet is missing"),
            ("1.2.3.4.5", "more than four"),
            ("1.2.3.4.", "more than four"),
            ("1.2.3-4.0/24", "a range of octets and a prefix length"),
            ("*.*.*.5", "more than 4096"),
            ("*", "did you mean *.*.*.*?"),
            ("[1234", "write [2001:db8::1]"),
            ("[1234]junk", "write [2001:db8::1]"),
            ("[::1]junk", "write [2001:db8::1]"),
            ("fe80::1%eth0", "no IPv6 address"),
            ("$(10.0.0.0)", "write $("),
            ("${10.0.0.0/8}", "write $("),
            ("$(10.0.0.0/8", "write $("),
            ("=", "no name"),
            ("=.", "no name"),
            ("@a..b", "no name"),
            ("mail.example.org", "=mail.example.org"),
            ("*.example.org", "did you mean =.example.org?"),
            ("10.0.0.1\r", "CR"),
            (" 10.0.0.1", "blank"),
            ("\u{201c}10.0.0.1\u{201d}", "typographic"),
            ("", "no address"),
        ];
        for (text, expected) in cases {
            let fault = Pattern::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn names_end_at_dots() {
        let octets =
            |pattern: &str, name: &str| Pattern::parse(pattern.as_bytes()).unwrap().octets_of_name(name.as_bytes());
        assert_eq!(octets("=.partner.ex", "a.Partner.ex"), Some(11));
        assert_eq!(octets("=.partner.ex", "partner.ex"), None);
        assert_eq!(octets("=.partner.ex", "evilpartner.ex"), None);
        assert_eq!(octets("=.partner.ex", ".partner.ex"), None);
        assert_eq!(octets("=Partner.ex", "partner.ex"), Some(u16::MAX));
        assert_eq!(octets("=partner.ex", "a.partner.ex"), None);
        assert_eq!(octets("10.", "10."), None);
    }
}
