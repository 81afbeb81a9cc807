//! The plain keys that a network becomes in compiled rules, so that every tcpserver finds them.

use std::{io::Write, net::Ipv6Addr};

use crate::client::network::Network;

/// The most addresses or prefixes that one line of rules may become.
pub const PREFIXES_MAX: u64 = 4096;

/// The first of the IPv4-mapped addresses, `::ffff:0.0.0.0`, and the bits that they have in common.
const MAPPED: u128 = 0xffff << 32;
const MAPPED_BITS: u8 = 96;

/// Which keys readers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whole addresses, then what remains when the text is cut back octet by octet, or group by group.
    Prefixes,
    /// Whole addresses only: so it is behind `info@`.
    Addresses,
}

/// How many addresses or prefixes the network becomes.
pub(super) fn count(network: Network, ask: Ask) -> u64 {
    1u64.checked_shl(u32::from(boundary(network, ask) - network.length())).unwrap_or(u64::MAX)
}

/// Whether an IPv6 network has the IPv4-mapped addresses in it, which stand for IPv4 clients.
pub(super) fn holds_mapped(network: Network) -> bool {
    match network {
        Network::V4 { .. } => false,
        Network::V6 { first, length } => {
            let differing = (first ^ MAPPED).checked_shr(128 - u32::from(length)).unwrap_or(0);
            length < MAPPED_BITS && differing == 0
        }
    }
}

/// The next wider network whose clients a reader can tell by cutting their text back at colons, if it cannot for this one.
///
/// It cannot where `::` may stand for zeros of the prefix alone: `fe80::` begins addresses of fe80:0:0:0::/64, and
/// fe80:0:0:1:2:3:4:5 too.
pub(super) fn tellable(network: Network) -> Option<Network> {
    let Network::V6 { first, length } = network else { return None };
    let prefixes = 1u128.checked_shl(u32::from(boundary(network, Ask::Prefixes) - length)).unwrap_or(1);
    let groups = usize::from(boundary(network, Ask::Prefixes) / 16);
    let last = first | (prefixes - 1) << (128 - 16 * groups).min(127);
    let untellable = |bits: u128| {
        let segments = Ipv6Addr::from_bits(bits).segments();
        let fixed = segments.get(..groups).filter(|fixed| fixed.len() < segments.len())?;
        let run = fixed.windows(2).position(|pair| pair == [0, 0])?;
        let zeros = fixed.iter().rev().take_while(|group| **group == 0).count();
        (run + zeros < groups || zeros > 2).then_some(16 * (run as u8 + 2))
    };
    let length = untellable(first).or_else(|| untellable(last))?;
    Network::around(Ipv6Addr::from_bits(first).into(), length)
}

/// Calls `each` with every key of the network, `before` in front of each, and with the bits that the key is longer than the
/// network.
pub(super) fn each<E>(
    network: Network,
    ask: Ask,
    before: &[u8],
    key: &mut Vec<u8>,
    mut each: impl FnMut(&[u8], u8) -> Result<(), E>,
) -> Result<(), E> {
    let boundary = boundary(network, ask);
    let slack = boundary - network.length();
    for number in 0..count(network, ask) {
        match network {
            Network::V4 { first, .. } => {
                let shift = 32 - u32::from(boundary);
                write_octets(key, before, first | (number as u32) << shift, boundary / 8);
                each(key, slack)?;
            }
            Network::V6 { first, .. } => {
                let bits = first | u128::from(number) << (128 - u32::from(boundary));
                each_group_key(bits, boundary / 16, network.length(), |form, slack| {
                    write_key(key, before, form.as_bytes());
                    each(key, slack)
                })?;
            }
        }
    }
    match (network, ask) {
        // ucspi-tcp6 asks for lengths from 2 on.
        (Network::V6 { first, length: length @ 2..128 }, Ask::Prefixes) => {
            write_key(key, before, &bit_string(first, length));
            each(key, 0)
        }
        (Network::V4 { .. } | Network::V6 { .. }, Ask::Prefixes | Ask::Addresses) => Ok(()),
    }
}

/// The forms in which programs ask for an IPv6 client: as `inet_ntop` writes it, and with all digits in either case.
///
/// Not what `inet_ntop` writes if it ends in `::`: who cuts `2001:db8::7` back at colons asks for `2001:db8::` too.
pub(super) fn address_forms(ip: Ipv6Addr) -> impl Iterator<Item = String> {
    let expanded = ip.segments().map(|group| format!("{group:04x}")).join(":");
    distinct([ip.to_string(), expanded.to_ascii_uppercase(), expanded]).filter(|form| !form.ends_with("::"))
}

/// The length of the keys that the network is cut into, in bits.
fn boundary(network: Network, ask: Ask) -> u8 {
    match (ask, network) {
        (Ask::Prefixes, Network::V4 { length, .. }) => length.max(1).next_multiple_of(8),
        (Ask::Prefixes, Network::V6 { length, .. }) => length.max(1).next_multiple_of(16),
        (Ask::Addresses, Network::V4 { .. } | Network::V6 { .. }) => network.full_length(),
    }
}

fn write_key(key: &mut Vec<u8>, before: &[u8], text: &[u8]) {
    key.clear();
    key.extend_from_slice(before);
    key.extend_from_slice(text);
}

/// `192.0.2.`, or an address when there are four.
fn write_octets(key: &mut Vec<u8>, before: &[u8], bits: u32, octets: u8) {
    write_key(key, before, b"");
    for (index, octet) in bits.to_be_bytes().iter().take(octets.into()).enumerate() {
        // Writing into memory cannot fail.
        let _ = write!(key, "{octet}{}", if index < 3 { "." } else { "" });
    }
}

/// The spellings of the first groups of an address, a colon after each, or of the whole address.
fn each_group_key<E>(
    bits: u128,
    groups: u8,
    length: u8,
    mut each: impl FnMut(&str, u8) -> Result<(), E>,
) -> Result<(), E> {
    let ip = Ipv6Addr::from_bits(bits);
    let slack = 16 * groups - length;
    if groups == 8 {
        return address_forms(ip).try_for_each(|form| each(&form, slack));
    }
    let segments = ip.segments();
    let fixed = segments.get(..groups.into()).unwrap_or_default();
    let short: String = fixed.iter().map(|group| format!("{group:x}:")).collect();
    let expanded: String = fixed.iter().map(|group| format!("{group:04x}:")).collect();
    distinct([short, expanded.to_ascii_uppercase(), expanded]).try_for_each(|form| each(&form, slack))?;

    // `::` in a client's address takes the zeros at the end of the prefix with it. It stands for two groups or more: with
    // one zero or two here, all who ask for `2001:db8::` are in the network.
    let zeros = fixed.iter().rev().take_while(|group| **group == 0).count();
    let before = fixed.get(..fixed.len() - zeros).unwrap_or_default();
    if !(1..=2).contains(&zeros) || before.is_empty() {
        return Ok(());
    }
    let compressed: String = before.iter().map(|group| format!("{group:x}:")).collect();
    // Such a key is as long as two groups of zeros make it, so that of two networks the longer one gets it.
    each(&format!("{compressed}:"), 16 * (before.len() as u8 + 2) - length)
}

/// Sorted as they were always written: short, then lower case, then upper case; none twice.
fn distinct([short, upper, lower]: [String; 3]) -> impl Iterator<Item = String> {
    let lower = Some(lower).filter(|lower| *lower != short);
    let upper = Some(upper).filter(|upper| *upper != short && lower.as_ref() != Some(upper));
    std::iter::once(short).chain(lower).chain(upper)
}

/// The key of ucspi-tcp6: `^`, and per bit `0`, or 0x60 and the number of one-bits before it
/// (tests/data/tcprules-observed.json: ipv6-cidr-48).
fn bit_string(bits: u128, length: u8) -> Vec<u8> {
    let mut key = vec![b'^'];
    let mut next_one = 0x60;
    for bit in 0..length {
        if bits >> (127 - bit) & 1 == 0 {
            key.push(b'0');
        } else {
            key.push(next_one);
            next_one += 1;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::pattern::Pattern;

    fn network(text: &str) -> Network {
        Pattern::parse(text.as_bytes()).unwrap().networks()[0]
    }

    fn keys(text: &str, ask: Ask) -> Vec<String> {
        let mut keys = Vec::new();
        each(network(text), ask, b"", &mut Vec::new(), |key, _| -> Result<(), ()> {
            keys.push(String::from_utf8_lossy(key).into_owned());
            Ok(())
        })
        .unwrap();
        keys
    }

    #[test]
    fn ipv4_networks_become_prefixes_or_addresses() {
        assert_eq!(
            keys("192.168.40.0/22", Ask::Prefixes),
            ["192.168.40.", "192.168.41.", "192.168.42.", "192.168.43."]
        );
        assert_eq!(keys("192.0.2.1/32", Ask::Prefixes), ["192.0.2.1"]);
        assert_eq!(keys("10.0.0.0/8", Ask::Prefixes), ["10."]);
        assert_eq!(keys("192.0.2.6/31", Ask::Addresses), ["192.0.2.6", "192.0.2.7"]);
        let all: Vec<String> = (0..256).map(|octet| format!("{octet}.")).collect();
        assert_eq!(keys("0.0.0.0/0", Ask::Prefixes), all);
        assert_eq!(keys("192.0.2.64/26", Ask::Prefixes).len(), 64);
        assert_eq!(count(network("10.0.0.0/8"), Ask::Addresses), 1 << 24);
    }

    #[test]
    fn ipv6_networks_become_groups_in_every_spelling() {
        assert_eq!(
            keys("2001:db8::/48", Ask::Prefixes)[..4],
            ["2001:db8:0:", "2001:0db8:0000:", "2001:0DB8:0000:", "2001:db8::"]
        );
        let observed = "^00`000000000000a0000bc0de0fgh0000000000000000000";
        assert_eq!(keys("2001:db8::/48", Ask::Prefixes)[4..], [observed]);
        assert_eq!(keys("fe80::/15", Ask::Prefixes)[..2], ["fe80:", "FE80:"]);
        assert_eq!(keys("fe80::/15", Ask::Prefixes)[2..4], ["fe81:", "FE81:"]);
        assert_eq!(
            keys("2001:db8::/125", Ask::Prefixes).len(),
            8 * 3 - 1 + 1,
            "addresses in three forms, but for 2001:db8::, and one string of bits"
        );
        assert_eq!(count(network("2001:db8::/36"), Ask::Prefixes), PREFIXES_MAX);
        assert_eq!(count(network("::/0"), Ask::Addresses), u64::MAX);
    }

    #[test]
    fn what_colons_cannot_tell_is_known() {
        for (text, wider) in [
            ("fe80::/64", "fe80::/48"),
            ("64:ff9b::/96", "64:ff9b::/64"),
            ("2001:0:0:5::/64", "2001::/48"),
            ("2001:0:0:4000::/52", "2001::/48"),
            ("2001::/52", "2001::/48"),
            ("2001:db8:0:0:5::/80", "2001:db8::/64"),
        ] {
            assert_eq!(tellable(network(text)), Some(network(wider)), "{text}");
        }
        for text in ["2001:db8::/32", "2001:db8::/48", "2001:db8::/64", "fe80::/10", "2001:db8::8/125", "10.0.0.0/8"] {
            assert_eq!(tellable(network(text)), None, "{text}");
        }
        assert!(holds_mapped(network("::/0")) && holds_mapped(network("::/64")) && holds_mapped(network("::/80")));
        assert!(!holds_mapped(network("::/96")) && !holds_mapped(network("1::/16")));
    }
}
