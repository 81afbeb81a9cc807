//! What several converters need: checked client patterns, names and networks.

use std::net::Ipv4Addr;

use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::operator::convert::{Conversion, NativeFile};

/// Lets the clients of `pattern` relay; a pattern that relayclients would not understand is told with the reason.
pub(super) fn grant(conversion: &mut Conversion, number: usize, source: &str, pattern: &str) {
    match Pattern::parse(pattern.as_bytes()) {
        Ok(_) => conversion.line(NativeFile::RelayClients, pattern),
        Err(fault) => conversion.not_carried(number, source, fault.to_string()),
    }
}

/// Whether a text can only be a name: what ends in a number is a mistyped address, never a name of DNS.
pub(super) fn is_name(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let has_letter = last.contains(|character: char| character.is_ascii_alphabetic());
    has_letter && Pattern::parse(format!("@{text}").as_bytes()).is_ok()
}

/// `192.0.2.10/24` and `192.0.2.10`; bits behind the length do not count.
pub(super) fn masked_network(text: &str) -> Option<Network> {
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let length = Some(length).filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()));
    Network::around(address.parse::<Ipv4Addr>().ok()?.into(), length?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use proptest::prelude::*;

    use super::*;
    use crate::client::line::Line;
    use crate::operator::convert::{Source, convert};

    #[test]
    fn names_and_mistyped_addresses_are_told_apart() {
        for (text, expected) in [
            ("relay.abc.ex", true),
            ("localhost", true),
            ("a.b.c4", true),
            ("192.168.300.1", false),
            ("192.168.40-43.0-255", false),
            ("1.2.3.4/24", false),
            ("a b.ex", false),
            ("*.a.ex", false),
            (".a.ex", false),
            ("", false),
        ] {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }

    #[test]
    fn networks_are_masked() {
        let shown = |text: &str| masked_network(text).map(|network| network.to_string());
        assert_eq!(shown("172.16.1.3/21").as_deref(), Some("172.16.0.0/21"));
        assert_eq!(shown("172.16.1.3").as_deref(), Some("172.16.1.3"));
        for text in ["172.16.1.3/33", "172.16.1.3/+1", "172.16.1.3/", "172.16.1", "172.16.01.3", "2001:db8::1"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    /// What configurations are made of, good and bad.
    const PARTS: &[&str] = &[
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        ", ",
        "!",
        "(",
        ")",
        "{",
        "}",
        ":",
        "=",
        "$",
        "/24",
        "/33",
        "-",
        "*",
        "#",
        "<",
        ">",
        "%",
        "192.0.2.7",
        "192.0.2.0/24",
        "192.0.2",
        "10.",
        "10.1-3.*.*",
        "10.9-2.*.*",
        "010.0.0.1",
        "2001:db8::/32",
        "[::1]",
        "a.ex",
        ".b.ex",
        "c",
        "1",
        "0",
        "on",
        "OK",
        "REJECT",
        "DUNNO",
        "open_relay_addr_flag 1\n",
        "open_relay_addr_list ",
        "smtp_plain_login_flag ",
        "<key>open_relay_addr_flag</key><integer>1</integer>",
        "<key>open_relay_addr_list</key>",
        "<string>",
        "</string>",
        "Relay: on\n",
        "Good-Clients: ",
        "Bad-Clients: ",
        "Relay-Zones: ",
        "mynetworks = ",
        "relay_domains = ",
        "smtpd_relay_restrictions = ",
        "permit_mynetworks",
        "permit_mx_backup",
        "check_client_access ",
        "cidr:{{",
        "}}",
        "inline:{",
        "reject_unauth_destination",
        "permit_mx_backup_networks = ",
        "$mynetworks",
        "ip-relay-entry=",
        "rdns-relay-entry=",
        "relay-level=",
        "local-domains-entry=",
        "block-all",
        "!!!",
        "\u{201c}",
        "\t",
    ];

    proptest! {
        #[test]
        fn whatever_is_read_only_good_lines_are_written(parts in prop::collection::vec(prop::sample::select(PARTS), 0..40)) {
            for from in [Source::Mac, Source::Openvms, Source::Postfix, Source::Spamdyke] {
                let conversion = convert(from, parts.concat().as_bytes());
                for (name, text) in conversion.files() {
                    for line in text.lines().filter(|line| !line.starts_with('#')) {
                        let client = Line::parse(line.as_bytes());
                        let is_good = match name {
                            "relayclients" | "relaymx" => client.pattern.is_ok() && client.suffix.is_empty(),
                            "relaylevel" => line == "none" || line == "open",
                            "rcpthosts" | "relaydomains" => is_name(line.strip_prefix('.').unwrap_or(line)),
                            "tcp.smtp" => line.ends_with(":deny") || line.contains(":allow"),
                            "relaytext" => true,
                            _ => false,
                        };
                        prop_assert!(is_good, "{}: {}: {}", from.to_possible_value().unwrap().get_name(), name, line);
                    }
                }
            }
        }
    }
}
