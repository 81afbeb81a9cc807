//! Whom a rule is about: the part of a `tcprules` line before the colon, and the keys it stands for.

use std::{io::Write, net::Ipv6Addr};

use crate::client::{
    cause::{Cause, Doubt},
    fault::Fault,
    key::{self, Ask},
    network::Network,
    pattern::Pattern,
};

/// The address part of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// A key as it stands: an IPv4 address, a prefix `10.1.`, `=host`, `=.suffix`, `info@…`, or nothing for everyone.
    Text(&'a [u8]),
    /// One number of an IPv4 address or prefix counts through a range.
    Range {
        /// What stands before the number.
        head: &'a [u8],
        /// The first number.
        low: u8,
        /// The last number, not below `low`.
        high: u8,
        /// What stands after the range.
        tail: &'a [u8],
    },
    /// An IPv6 address.
    Ipv6 {
        /// `info@`, or nothing.
        info: &'a [u8],
        /// The address.
        ip: Ipv6Addr,
    },
    /// The first octets of a mapped IPv4 address, a dot after each, as in `::ffff:192.0.2.`.
    MappedPrefix {
        /// `info@`, or nothing.
        info: &'a [u8],
        /// The whole prefix.
        prefix: &'a [u8],
    },
    /// D41: networks and ranges of octets, `192.0.2.0/24`, `192.168.40-43.*`, `2001:db8::/32`, `2001:db8:`.
    Networks {
        /// `info@`, or nothing.
        info: &'a [u8],
        /// The networks.
        pattern: Pattern<'a>,
        /// Whether IPv4 networks were written as mapped ones, `::ffff:10.0.0.0/104`: both kinds of keys are made.
        mapped: bool,
    },
}

/// What occurs in an address, found in one pass.
#[derive(Default)]
struct Signs {
    equals: bool,
    at: bool,
    dashes: u32,
    network: bool,
}

impl<'a> Address<'a> {
    /// Reads what stands before the first colon. Anything that the classic tool knows is a key as it stands; ranges and
    /// networks that can match nobody, or not whom they seem to, are refused.
    pub fn parse(text: &'a [u8]) -> Result<Address<'a>, Cause> {
        let mut signs = Signs::default();
        for byte in text {
            match byte {
                b'=' => signs.equals = true,
                b'@' => signs.at = true,
                b'-' => signs.dashes += 1,
                b'/' | b'*' | b'$' => signs.network = true,
                _ => {}
            }
        }
        if !signs.equals && (signs.network || signs.dashes > 1) {
            let (info, client) = split_info(text);
            if is_new_form(client) {
                return networks(info, client);
            }
        }
        if signs.dashes > 0 && !signs.equals && !signs.at { range(text) } else { Ok(Address::Text(text)) }
    }

    /// Reads an address with colons in it.
    pub fn parse_ipv6(text: &'a [u8]) -> Result<Address<'a>, Cause> {
        let (info, client) = split_info(text);
        if let Some(ip) = std::str::from_utf8(client).ok().and_then(|client| client.parse().ok()) {
            return Ok(Address::Ipv6 { info, ip });
        }
        if let Some(network) = group_prefix(client) {
            return checked(Address::Networks { info, pattern: Pattern::Network(network), mapped: false });
        }
        if is_mapped_prefix(client) {
            return Ok(Address::MappedPrefix { info, prefix: client });
        }
        if client.contains(&b'/') || matches!(client, [b'[' | b'$', ..]) {
            return networks(info, client);
        }
        Err(Cause::not_ipv6(text))
    }

    /// Calls `each` with every key that the address stands for, in the order of their records, and with the bits that the
    /// key is longer than the network it was made of: none for what the classic tool knows.
    pub fn keys<E>(&self, key: &mut Vec<u8>, mut each: impl FnMut(&[u8], u8) -> Result<(), E>) -> Result<(), E> {
        match *self {
            Address::Text(text) => each(text, 0),
            Address::Range { head, low, high, tail } => (low..=high).try_for_each(|number| {
                key.clear();
                key.extend_from_slice(head);
                // Writing into memory cannot fail.
                let _ = write!(key, "{number}");
                key.extend_from_slice(tail);
                each(key, 0)
            }),
            Address::Ipv6 { info, ip } => {
                key::address_forms(ip).try_for_each(|form| each(&[info, form.as_bytes()].concat(), 0))
            }
            Address::MappedPrefix { info, prefix } => each(&[info, &prefix.to_ascii_lowercase()].concat(), 0),
            Address::Networks { info, pattern, mapped } => {
                let before_mapped = mapped.then(|| [info, b"::ffff:"].concat());
                let befores = || std::iter::once(info).chain(before_mapped.as_deref());
                pattern.networks().into_iter().try_for_each(|network| {
                    befores().try_for_each(|before| key::each(network, ask(info), before, key, &mut each))
                })
            }
        }
    }

    /// Why no client, or not the intended one, will match the address.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        let text = match self {
            Address::Text(text) => *text,
            Address::Networks { info, pattern, .. } => {
                return pattern.networks().into_iter().find_map(|network| network_doubt(info, network));
            }
            Address::Range { .. } | Address::Ipv6 { .. } | Address::MappedPrefix { .. } => return None,
        };
        // Nearly every address is one of IPv4, and files have many.
        if text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) {
            return None;
        }
        let name =
            matches!(Pattern::parse(text), Ok(Pattern::AddressesOf(name)) if name.iter().any(u8::is_ascii_alphabetic));
        if name || text == b"=me" {
            return Some(Doubt::NotLookedUp(text.to_vec()));
        }
        let odd = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\0' | 0x80..);
        let (_, client) = split_info(text);
        client.iter().any(odd).then(|| Doubt::OddAddress(text.to_vec()))
    }
}

/// Splits behind the last `@`.
fn split_info(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr::memrchr(b'@', text).map_or(0, |at| at + 1))
}

/// D41: whether an address has a form that the classic tool does not know: for it this would be a key that nobody asks for.
fn is_new_form(client: &[u8]) -> bool {
    let ranges = client.iter().filter(|byte| **byte == b'-').count() > 1
        && client.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    ranges || client.starts_with(b"$") || client.iter().any(|byte| matches!(byte, b'/' | b'*'))
}

/// Reads networks and ranges of octets.
fn networks<'a>(info: &'a [u8], client: &'a [u8]) -> Result<Address<'a>, Cause> {
    let octets = client.split(|byte| *byte == b'.').filter(|octet| !octet.is_empty()).count();
    if client.ends_with(b".") && octets <= 4 {
        return Err(Cause::Pattern(Fault::no_final_dot(client)));
    }
    let pattern = match Pattern::parse(client) {
        Ok(pattern) => pattern,
        Err(Fault::Ipv6) => return Err(Cause::not_ipv6(client)),
        Err(fault) => return Err(Cause::Pattern(fault)),
    };
    if let Pattern::Network(Network::V6 { first, length: 128 }) = pattern {
        return Ok(Address::Ipv6 { info, ip: Ipv6Addr::from_bits(first) });
    }
    let ipv4 = matches!(pattern, Pattern::Network(Network::V4 { .. }));
    checked(Address::Networks { info, pattern, mapped: ipv4 && client.contains(&b':') })
}

/// Refuses what would be too many keys, or hold clients of both families.
fn checked(address: Address<'_>) -> Result<Address<'_>, Cause> {
    let Address::Networks { info, pattern, .. } = address else { return Ok(address) };
    let networks = pattern.networks();
    if let Some(network) = networks.iter().find(|network| key::holds_mapped(**network)) {
        return Err(Cause::HoldsMapped(*network));
    }
    let count = networks.iter().fold(0u64, |sum, network| sum.saturating_add(key::count(*network, ask(info))));
    if count > key::PREFIXES_MAX { Err(Cause::TooManyKeys) } else { Ok(address) }
}

/// The keys that readers ask for when there is an `info@` or none.
fn ask(info: &[u8]) -> Ask {
    if info.is_empty() { Ask::Prefixes } else { Ask::Addresses }
}

fn network_doubt(info: &[u8], network: Network) -> Option<Doubt> {
    if network == (Network::V4 { first: 0, length: 0 }) {
        return Some(Doubt::AllOfIpv4);
    }
    let wider = key::tellable(network).filter(|_| ask(info) == Ask::Prefixes)?;
    Some(Doubt::Zeros { network, wider })
}

/// Reads `head low-high tail`: the number before the first dash begins after a dot, the one after it ends at a dot.
fn range(text: &[u8]) -> Result<Address<'_>, Cause> {
    let (left, right) = text.split_at(memchr::memchr(b'-', text).unwrap_or(text.len()));
    let right = right.strip_prefix(b"-").unwrap_or_default();
    let (head, low) = left.split_at(memchr::memrchr(b'.', left).map_or(0, |dot| dot + 1));
    let (high, tail) = right.split_at(memchr::memchr(b'.', right).unwrap_or(right.len()));
    let (Some(low_number), Some(high_number)) = (number(low), number(high)) else {
        return Err(Cause::range_without_numbers(text));
    };
    // Quirk: a number above 255 on the right means 255 (tests/data/tcprules-observed.json: range-over-255).
    let high = high_number.min(255) as u8;
    match u8::try_from(low_number) {
        Ok(low) if low <= high => Ok(Address::Range { head, low, high, tail }),
        Ok(_) | Err(_) => Err(Cause::empty_range(text, low_number, high_number)),
    }
}

/// A number of digits only.
///
/// Quirk: none is 0, and too many wrap around (tests/data/tcprules-observed.json: range-overflow).
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, digit| {
        digit.is_ascii_digit().then(|| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    })
}

/// `2001:db8:`, two to seven groups. One group is refused: `10::deny` is more likely a slip for `10.:deny`.
fn group_prefix(text: &[u8]) -> Option<Network> {
    let groups = std::str::from_utf8(text).ok()?.strip_suffix(':')?;
    let (mut segments, mut count) = ([0u16; 8], 0);
    for group in groups.split(':') {
        let plain = (1..=4).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        *segments.get_mut(usize::from(count))? = u16::from_str_radix(group, 16).ok().filter(|_| plain)?;
        count += 1;
    }
    let network = Network::around(Ipv6Addr::from(segments).into(), 16 * count);
    network.filter(|_| (2..=7).contains(&count))
}

/// `::ffff:127.0.0.`, as IndiMail's guide writes it.
fn is_mapped_prefix(text: &[u8]) -> bool {
    let Some((start, rest)) = text.split_at_checked(7) else {
        return false;
    };
    let Some(octets) = rest.strip_suffix(b".") else {
        return false;
    };
    let mut count = 0;
    let plain = octets.split(|byte| *byte == b'.').all(|octet| {
        count += 1;
        (1..=3).contains(&octet.len()) && number(octet).is_some_and(|number| number <= 255)
    });
    start.eq_ignore_ascii_case(b"::ffff:") && plain && count <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(address: Address<'_>) -> Vec<String> {
        let mut keys = Vec::new();
        let each = |key: &[u8], _: u8| -> Result<(), ()> {
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            Ok(())
        };
        address.keys(&mut Vec::new(), each).unwrap();
        keys
    }

    #[test]
    fn what_the_classic_tool_knows_stays_as_it_is() {
        for text in [
            "10.",
            "1.2.3.4",
            "=a/9",
            "=*.b",
            "joe@1.2.3.4-6",
            "joe-x-y@1.2.3.4",
            "a/b@1.2.3.4",
            "[1.2.3.4]",
            "a$b",
            "",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), Ok(Address::Text(text.as_bytes())), "{text}");
        }
        assert!(matches!(Address::parse(b"1.2.3.007-300"), Ok(Address::Range { low: 7, high: 255, .. })));
    }

    #[test]
    fn new_forms_become_plain_keys() {
        let parse = |text: &'static str| Address::parse(text.as_bytes()).map(keys);
        assert_eq!(parse("192.168.40-41.*").unwrap(), ["192.168.40.", "192.168.41."]);
        assert_eq!(parse("10.0.1-2.3-4").unwrap(), ["10.0.1.3", "10.0.1.4", "10.0.2.3", "10.0.2.4"]);
        assert_eq!(parse("$(172.16.1.3/15)").unwrap(), ["172.16.", "172.17."]);
        assert_eq!(parse("joe@192.0.2.4/31").unwrap(), ["joe@192.0.2.4", "joe@192.0.2.5"]);
        for bad in
            ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10/8", "x/y", "*", "1-2.3-4.", "1.2.3.4.5-6-7.", "$x", "*.a.ex"]
        {
            assert!(matches!(Address::parse(bad.as_bytes()), Err(Cause::Pattern(_))), "{bad}");
        }
        for wide in ["joe@10.0.0.0/19", "10.0-15.*.64-127"] {
            assert_eq!(Address::parse(wide.as_bytes()), Err(Cause::TooManyKeys), "{wide}");
        }
    }

    #[test]
    fn ipv6_has_three_forms() {
        let forms = |text: &'static str| Address::parse_ipv6(text.as_bytes()).map(keys);
        let upper = "2001:0DB8:0000:0000:0000:0000:0000:0001";
        let expected = ["2001:db8::1".to_owned(), upper.to_ascii_lowercase(), upper.to_owned()];
        for text in ["2001:DB8:0::1", "[2001:db8::1]", "2001:db8::1/128", "${2001:db8::1/128}"] {
            assert_eq!(forms(text).unwrap(), expected, "{text}");
        }
        assert_eq!(
            forms("2001:db8::").unwrap()[0],
            "2001:0db8:0000:0000:0000:0000:0000:0000",
            "not 2001:db8:: as well"
        );
        assert_eq!(forms("::FFFF:10.1.").unwrap(), ["::ffff:10.1."]);
        assert_eq!(forms("::ffff:10.0.0.0/103").unwrap(), ["10.", "11.", "::ffff:10.", "::ffff:11."]);
        assert_eq!(forms("[2001:db8::]/32"), forms("2001:DB8:"));
        assert_eq!(forms("j@2001:db8::8:0/127").unwrap().len(), 6);
        for bad in [
            "1:",
            "1:2:3:4:5:6:7:8:",
            "12345:6:",
            "g:h:",
            "::ffff:1.2.3.4.",
            "::ffff:256.",
            "::1%eth0",
            "fe80::g/10",
            "[::1",
        ] {
            assert!(forms(bad).is_err(), "{bad}");
        }
        for wide in ["2000::/3", "2001:db8::/33", "j@2001:db8:"] {
            assert_eq!(forms(wide), Err(Cause::TooManyKeys), "{wide}");
        }
        assert!(matches!(forms("::/0"), Err(Cause::HoldsMapped(_))));
    }
}
