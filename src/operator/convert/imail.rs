//! Ipswitch IMail: one of five modes, a list of addresses, and accept.txt.

use std::net::{IpAddr, Ipv4Addr};

use crate::client::network::Network;
use crate::operator::convert::{Conversion, NativeFile};

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
imail: IMail keeps its mode and addresses in the registry, so write them down, a setting a line: mode = anyone, \
addresses, none, localhosts or localusers; address = a single address, a network as 192.0.2.0/24, or an address and a \
mask; accept = an entry of accept.txt. A line that is no setting is an entry of accept.txt as well, so accept.txt can be \
a further FILE, or the only one.

    mode = localhosts
    accept = partner.ex

    mode = addresses
    address = 192.0.2.7
    address = 198.51.100.0 255.255.255.0
";

/// Who may relay; exactly one of them is chosen in IMail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Anyone,
    Addresses,
    None,
    LocalHosts,
    LocalUsers,
}

/// A line of the input.
struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// Reads mode, addresses and entries of accept.txt.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let (mut modes, mut addresses, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
    for (number, whole) in (1..).zip(text.lines()) {
        let whole = whole.trim();
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        let (key, text) = whole.split_once('=').map_or(("accept", whole), |(key, value)| (key.trim(), value.trim()));
        let line = Line { number, text };
        match key.to_ascii_lowercase().as_str() {
            "mode" => modes.push(line),
            "address" => addresses.push(line),
            "accept" => accepted.push(line),
            _ => conversion.not_carried(number, whole, "neither mode, address nor accept"),
        }
    }
    let Ok(mode) = chosen(&modes, conversion) else { return };
    match mode {
        Some(Mode::Anyone) => conversion.line(NativeFile::RelayLevel, "open"),
        Some(Mode::None) => conversion.line(NativeFile::RelayLevel, "none"),
        Some(Mode::LocalHosts) => {
            conversion.comment(NativeFile::RelayMailFrom, FORGED);
            conversion.comment(NativeFile::RelayMailFrom, "local hosts: those of locals, virtualdomains and rcpthosts");
            conversion.line(NativeFile::RelayMailFrom, "=localhosts");
        }
        Some(Mode::LocalUsers) => {
            conversion.comment(NativeFile::RelayMailFrom, FORGED);
            conversion.line(NativeFile::RelayMailFrom, "=localusers");
        }
        Some(Mode::Addresses) | None => {}
    }
    for line in addresses {
        relay_address(&line, mode, conversion);
    }
    for line in accepted {
        accept(&line, mode, conversion);
    }
}

const FORGED: &str = "a sender is easily forged: of IMail's modes only none and addresses resist that";

/// The mode, if there is one; `Err` when it cannot be told, so that nothing can be granted.
fn chosen(modes: &[Line<'_>], conversion: &mut Conversion) -> Result<Option<Mode>, ()> {
    let mut chosen = None;
    for line in modes {
        let mode = match line.text.to_ascii_lowercase().replace([' ', '-', '_'], "").as_str() {
            "anyone" => Mode::Anyone,
            "addresses" => Mode::Addresses,
            "none" => Mode::None,
            "localhosts" => Mode::LocalHosts,
            "localusers" => Mode::LocalUsers,
            _ => {
                let why = "no mode: anyone, addresses, none, localhosts or localusers; nothing is granted";
                conversion.not_carried(line.number, line.text, why);
                return Err(());
            }
        };
        if chosen.replace(mode).is_some_and(|before| before != mode) {
            conversion.not_carried(line.number, line.text, "a second mode; nothing is granted");
            return Err(());
        }
    }
    Ok(chosen)
}

/// An entry of the list of addresses: relays from it, and to domains that are hosted there.
fn relay_address(line: &Line<'_>, mode: Option<Mode>, conversion: &mut Conversion) {
    match (mode, network(line.text)) {
        (Some(Mode::Addresses), Some(network)) => {
            conversion.line(NativeFile::RelayClients, network.to_string());
            conversion.line(NativeFile::RelayMx, network.to_string());
        }
        (Some(Mode::Addresses), None) => {
            let why = "neither an address nor a network, as 192.0.2.0/24 or 192.0.2.0 255.255.255.0";
            conversion.not_carried(line.number, line.text, why);
        }
        (None, _) => conversion.not_carried(line.number, line.text, "counts in the mode addresses only: add the mode"),
        (Some(Mode::Anyone | Mode::None | Mode::LocalHosts | Mode::LocalUsers), _) => {
            let comment = format!("IMail does not look at its addresses in this mode: {}", line.text);
            conversion.comment(NativeFile::RelayClients, comment);
        }
    }
}

/// `192.0.2.7`, `192.0.2.0/24`, or an address with a mask, which says which of its bits count.
fn network(text: &str) -> Option<Network> {
    let (address, size) = match text.split_once(['/', ' ', '\t', ',']) {
        Some((address, size)) => (address.trim(), size.trim()),
        None => (text, "32"),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    if let Ok(mask) = size.parse::<Ipv4Addr>() {
        let bits = mask.to_bits();
        let length = bits.leading_ones();
        let is_mask = bits.count_ones() == length;
        return is_mask.then(|| Network::around(IpAddr::V4(address), length as u8)).flatten();
    }
    let network = Network::around(IpAddr::V4(address), size.parse().ok()?)?;
    // Bits behind the length may be a mistake in either; IMail's own form is the mask.
    (network.first() == IpAddr::V4(address)).then_some(network)
}

/// An entry of accept.txt: one exact host, user or address.
fn accept(line: &Line<'_>, mode: Option<Mode>, conversion: &mut Conversion) {
    let text = line.text;
    if matches!(mode, Some(Mode::Anyone | Mode::None | Mode::Addresses)) {
        let why = "accept.txt counts in the modes localhosts and localusers only";
        return conversion.not_carried(line.number, text, why);
    }
    let is_local = |c: char| c.is_ascii_alphanumeric() || ".-_+=".contains(c);
    match text.split_once('@') {
        _ if text.parse::<Ipv4Addr>().is_ok() => conversion.line(NativeFile::RelayClients, text),
        Some((local, host)) if is_host(host) && !local.is_empty() && local.chars().all(is_local) => match mode {
            Some(Mode::LocalHosts) => {
                conversion.not_carried(line.number, text, "a user counts in the mode localusers only");
            }
            Some(Mode::LocalUsers | Mode::Anyone | Mode::None | Mode::Addresses) | None => {
                conversion.line(NativeFile::RelayMailFrom, text);
            }
        },
        None if is_host(text) => match mode {
            Some(Mode::LocalUsers) => {
                conversion.not_carried(line.number, text, "a host counts in the mode localhosts only");
            }
            Some(Mode::LocalHosts | Mode::Anyone | Mode::None | Mode::Addresses) | None => {
                conversion.line(NativeFile::RelayMailFrom, format!("@{text}"));
            }
        },
        Some(_) | None if text.is_empty() || text.contains(char::is_whitespace) => {
            conversion.not_carried(line.number, text, "no entry of accept.txt, and no setting");
        }
        Some(_) | None => {
            let comment = format!("never matched in IMail, which has one exact host, user or address a line: {text}");
            conversion.comment(NativeFile::RelayMailFrom, comment);
        }
    }
}

/// A name that ends in a letter, so no address and no piece of one.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    text.split('.').all(is_label) && text.ends_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::convert::{Source, convert};

    fn files(text: &str) -> (Vec<String>, bool) {
        let conversion = convert(Source::Imail, text.as_bytes());
        let lines = |(name, text): (&str, String)| {
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
            format!("{name}: {}", lines.join(" "))
        };
        (conversion.files().map(lines).collect(), conversion.is_complete())
    }

    #[test]
    fn each_mode_has_its_files() {
        let addresses = ["relayclients: 192.0.2.7 198.51.100.0/24", "relaymx: 192.0.2.7 198.51.100.0/24"];
        for (text, expected) in [
            ("mode = anyone", &["relaylevel: open"][..]),
            ("Mode = None\n", &["relaylevel: none"]),
            ("mode=local hosts", &["relaymailfrom: =localhosts"]),
            ("mode=localusers\naddress = 192.0.2.7", &["relaymailfrom: =localusers"]),
            ("mode=addresses\naddress=192.0.2.7\naddress=198.51.100.9 255.255.255.0\naddress=192.0.2.7/32", &addresses),
            (
                "# accept.txt\npartner.ex\r\njoe@partner.ex\n192.0.2.7",
                &["relayclients: 192.0.2.7", "relaymailfrom: @partner.ex joe@partner.ex"],
            ),
            (
                "mode=localhosts\naccept = partner.ex\n192.0.2.\n*.partner.ex\n192.0.2.0/24\n",
                &["relaymailfrom: =localhosts @partner.ex"],
            ),
            ("", &[]),
        ] {
            assert_eq!(files(text), (expected.iter().map(|line| (*line).to_owned()).collect(), true), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_grants_nothing_and_is_reported() {
        for text in [
            "mode = everyone\naccept = partner.ex",
            "mode = anyone\nmode = none",
            "address = 192.0.2.7",
            "mode = addresses\naddress = 192.0.2.9/24",
            "mode = addresses\naddress = 192.0.2.0 255.0.255.0",
            "mode = addresses\naddress = mail.ex\npartner.ex",
            "relay = yes",
            "mode localhosts",
        ] {
            assert_eq!(files(text), (Vec::new(), false), "{text}");
        }
        assert_eq!(files("mode=localusers\npartner.ex"), (vec!["relaymailfrom: =localusers".to_owned()], false));
        assert_eq!(files("mode=localhosts\njoe@partner.ex"), (vec!["relaymailfrom: =localhosts".to_owned()], false));
        assert_eq!(files("mode=none\npartner.ex"), (vec!["relaylevel: none".to_owned()], false));
    }

    #[test]
    fn masks_have_their_ones_in_front() {
        for (text, expected) in [
            ("192.0.2.9 255.255.255.0", Some("192.0.2.0/24")),
            ("192.0.2.9/255.255.255.252", Some("192.0.2.8/30")),
            ("192.0.2.9 0.0.0.0", Some("0.0.0.0/0")),
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("192.0.2.9 255.255.0.255", None),
            ("192.0.2.9/33", None),
        ] {
            assert_eq!(network(text).map(|network| network.to_string()).as_deref(), expected, "{text}");
        }
    }
}
