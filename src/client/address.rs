//! Whom a rule is about: the part of a `tcprules` line before the colon, and the keys it stands for.

use std::{io::Write, net::Ipv6Addr};

use crate::client::cause::{Cause, Doubt};

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
    /// The first groups of an IPv6 address, a colon after each, as in `2001:db8:`; or of a mapped IPv4 address, as in
    /// `::ffff:192.0.2.`.
    Ipv6Prefix {
        /// `info@`, or nothing.
        info: &'a [u8],
        /// The groups.
        groups: &'a [u8],
    },
}

/// What occurs in an address, found in one pass.
#[derive(Default)]
struct Signs {
    name: bool,
    dash: bool,
    slash: bool,
}

impl<'a> Address<'a> {
    /// Reads what stands before the first colon. Anything is a key for the classic tool; ranges and networks that can
    /// match nobody, or not whom they seem to, are refused.
    pub fn parse(text: &'a [u8]) -> Result<Address<'a>, Cause> {
        let mut signs = Signs::default();
        for byte in text {
            match byte {
                b'=' | b'@' => signs.name = true,
                b'-' => signs.dash = true,
                b'/' => signs.slash = true,
                _ => {}
            }
        }
        let address = if signs.dash && !signs.name { range(text)? } else { Address::Text(text) };
        if signs.slash {
            address.check_networks()?;
        }
        Ok(address)
    }

    /// Reads an address with colons in it.
    pub fn parse_ipv6(text: &'a [u8]) -> Result<Address<'a>, Cause> {
        let (info, address) = text.split_at(memchr::memrchr(b'@', text).map_or(0, |at| at + 1));
        if address.contains(&b'/') {
            return Err(Cause::ipv6_network(text));
        }
        if let Some(ip) = std::str::from_utf8(address).ok().and_then(|address| address.parse().ok()) {
            return Ok(Address::Ipv6 { info, ip });
        }
        if is_group_prefix(address) || is_mapped_prefix(address) {
            return Ok(Address::Ipv6Prefix { info, groups: address });
        }
        Err(Cause::not_ipv6(text))
    }

    /// Calls `each` with every key that the address stands for, in the order of their records.
    pub fn keys<E>(&self, key: &mut Vec<u8>, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match *self {
            Address::Text(text) => each(text),
            Address::Range { head, low, high, tail } => (low..=high).try_for_each(|number| {
                key.clear();
                key.extend_from_slice(head);
                // Writing into memory cannot fail.
                let _ = write!(key, "{number}");
                key.extend_from_slice(tail);
                each(key)
            }),
            Address::Ipv6 { info, ip } => {
                let expanded = ip.segments().map(|group| format!("{group:04x}")).join(":");
                each_form(key, info, [ip.to_string(), expanded.clone(), expanded.to_ascii_uppercase()], each)
            }
            Address::Ipv6Prefix { info, groups } => {
                let text = String::from_utf8_lossy(groups).to_ascii_lowercase();
                if text.contains('.') {
                    return each_form(key, info, [text], each);
                }
                let short = text.split_inclusive(':').map(|group| match group.trim_start_matches('0') {
                    ":" => "0:",
                    group => group,
                });
                let expanded: String = text.split_inclusive(':').map(|group| format!("{group:0>5}")).collect();
                each_form(key, info, [short.collect(), expanded.clone(), expanded.to_ascii_uppercase()], each)
            }
        }
    }

    /// Why no client, or not the intended one, will match the address.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        let text = match self {
            Address::Text(text) => text,
            Address::Range { tail, .. } => {
                return tail.contains(&b'/').then(|| Doubt::Network(tail.to_vec()));
            }
            Address::Ipv6 { .. } | Address::Ipv6Prefix { .. } => return None,
        };
        // Nearly every address is one of IPv4, and files have many.
        if text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')) {
            return None;
        }
        if network(text).is_some() {
            return Some(Doubt::Network(text.to_vec()));
        }
        let odd = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\0' | 0x80..);
        let client = text.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
        client.iter().any(odd).then(|| Doubt::OddAddress(text.to_vec()))
    }

    fn check_networks(&self) -> Result<(), Cause> {
        let mut key = Vec::new();
        self.keys(&mut key, |key| network(key).map_or(Ok(()), |(address, prefix)| check_network(address, prefix)))
    }
}

/// The forms in which programs ask for an IPv6 client: as `inet_ntop` writes it, and with all digits in either case.
fn each_form<E, const N: usize>(
    key: &mut Vec<u8>,
    info: &[u8],
    forms: [String; N],
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    for (at, form) in forms.iter().enumerate() {
        if forms.iter().take(at).all(|earlier| earlier != form) {
            key.clear();
            key.extend_from_slice(info);
            key.extend_from_slice(form.as_bytes());
            each(key)?;
        }
    }
    Ok(())
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

/// Splits what is meant as an IPv4 network, `10.0.0.0/8`, also behind `info@`, at its slash.
fn network(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let client = key.rsplit(|byte| *byte == b'@').next()?;
    let slash = memchr::memchr(b'/', client)?;
    let (address, prefix) = (client.get(..slash)?, client.get(slash + 1..)?);
    let looks_ipv4 = address.first()?.is_ascii_digit() && address.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    looks_ipv4.then_some((address, prefix))
}

/// Refuses a prefix length that is none, and a network with host bits set: which of the two was meant?
fn check_network(address: &[u8], prefix: &[u8]) -> Result<(), Cause> {
    let text = || [address, b"/", prefix].concat();
    let length = std::str::from_utf8(prefix).ok().and_then(|prefix| prefix.parse::<u32>().ok());
    let Some(length) = length.filter(|length| *length <= 32 && prefix.iter().all(u8::is_ascii_digit)) else {
        return Err(Cause::prefix_length(&text()));
    };
    let mut octets = [0; 4];
    let parts = address.split(|byte| *byte == b'.').filter(|part| !part.is_empty());
    for (octet, part) in octets.iter_mut().zip(parts) {
        // The doubt about networks says that nobody asks for such a key.
        // Quirk: a number that is no octet makes one all the same (tests/data/tcprules-observed.json: ipv4-cidr-octet-300).
        let Some(number) = number(part).and_then(|number| u8::try_from(number).ok()) else {
            return Ok(());
        };
        *octet = number;
    }
    let bits = u32::from_be_bytes(octets);
    let net = bits & u32::MAX.checked_shl(32 - length).unwrap_or(0);
    if net == bits { Ok(()) } else { Err(Cause::host_bits(&text(), net.into(), length)) }
}

/// `2001:db8:`, two to seven groups. One group is refused: `10::deny` is more likely a slip for `10.:deny`.
fn is_group_prefix(text: &[u8]) -> bool {
    let Some(groups) = text.strip_suffix(b":") else {
        return false;
    };
    let mut count = 0;
    let plain = groups.split(|byte| *byte == b':').all(|group| {
        count += 1;
        (1..=4).contains(&group.len()) && group.iter().all(u8::is_ascii_hexdigit)
    });
    plain && (2..=7).contains(&count)
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
        let each = |key: &[u8]| -> Result<(), ()> {
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            Ok(())
        };
        address.keys(&mut Vec::new(), each).unwrap();
        keys
    }

    #[test]
    fn networks_are_checked() {
        for good in ["10.0.0.0/8", "10/8", "0.0.0.0/0", "1.2.3.4/32", "192.0.2.192/26", "=a/9", "joe@10.0.0.0/8", "x/y"]
        {
            assert!(Address::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["10.0.0.1/8", "1.2.3.4/0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8"]
        {
            assert!(Address::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn ipv6_has_three_forms() {
        let forms = |text: &'static str| Address::parse_ipv6(text.as_bytes()).map(keys);
        let upper = "2001:0DB8:0000:0000:0000:0000:0000:0001";
        let expected = ["2001:db8::1".to_owned(), upper.to_ascii_lowercase(), upper.to_owned()];
        assert_eq!(forms("2001:DB8:0::1").unwrap(), expected);
        assert_eq!(forms("j@2001:00:").unwrap(), ["j@2001:0:", "j@2001:0000:"]);
        assert_eq!(forms("::FFFF:10.1.").unwrap(), ["::ffff:10.1."]);
        for bad in
            ["1:", "1:2:3:4:5:6:7:8:", "12345:6:", "g:h:", "::ffff:1.2.3.4.", "::ffff:256.", "::1%eth0", "fe80::/10"]
        {
            assert!(forms(bad).is_err(), "{bad}");
        }
    }
}
