//! TCP/IP Services for OpenVMS, rows V-01 to V-18, as far as they decide about relaying.

use crate::dns::DnsServer;
use crate::session::session;
use crate::{Answer, Client, Converted, check, from_ip};

fn config(text: &str) -> Converted {
    Converted::new("openvms", &format!("! SMTP.CONFIG\nRelay: ON\n{text}"))
}

#[test]
fn v01_with_the_flag_and_without_lists_everyone_relays() {
    let converted = config("");
    assert_eq!((converted.code, converted.lines("relaylevel")), (Some(0), vec!["open".to_owned()]));
    check(&converted, &[("203.0.113.9", true), ("2001:db8::9", true)]);
}

#[test]
fn v02_without_the_flag_nobody_relays() {
    for lists in ["", "Good-Clients: 192.0.2.7\nRelay-Zones: far.ex\n"] {
        let converted = Converted::new("openvms", &format!("Relay: OFF\n{lists}"));
        check(&converted, &[("192.0.2.7", false), ("203.0.113.9", false)]);
    }
    // The flag may be none of this file's fields: then it is not guessed.
    let unknown = Converted::new("openvms", "Good-Clients: 192.0.2.7\n");
    assert_eq!(unknown.code, Some(1));
    check(&unknown, &[("192.0.2.7", false)]);
}

#[test]
fn v03_good_clients_relay_and_others_reach_local_users() {
    let converted = config("Good-Clients: 192.0.2.7\n");
    check(&converted, &[("192.0.2.7", true), ("192.0.2.8", false)]);
    converted.accepts(&Client { rcpt: "user@local.ex", ..from_ip("192.0.2.8") });
}

#[test]
fn v04_zones_without_good_clients_are_ignored() {
    let converted = config("Relay-Zones: zone.ex\n");
    check(&converted, &[("203.0.113.9", true)]);
    assert!(!converted.lines("rcpthosts").contains(&"zone.ex".to_owned()));
    let off = Converted::new("openvms", "Relay: NO\nRelay-Zones: zone.ex\n");
    off.rejects(&Client { rcpt: "r@zone.ex", ..from_ip("203.0.113.9") });
}

#[test]
fn v05_v06_unknown_clients_reach_the_zones() {
    let converted = config("Good-Clients: 192.0.2.7\nRELAY-ZONES: zone.ex, other.ex\n");
    assert_eq!(converted.code, Some(0), "{}", converted.text);
    for rcpt in ["r@zone.ex", "r@a.zone.ex", "r@a.b.ZONE.ex", "r@other.ex"] {
        converted.accepts(&Client { rcpt, ..from_ip("203.0.113.9") });
    }
    for rcpt in ["r@far.ex", "r@notzone.ex", "r@zone.ex.far.ex"] {
        converted.rejects(&Client { rcpt, ..from_ip("203.0.113.9") });
    }
}

/// V-07.
const CONTINUED: &str = "Good-Clients: 1.2.0.0/16, 2.3.0.0/16,\n    2.3.4.5, relay.abc.ex\n";

#[test]
fn v07_v08_four_entries_in_two_lines() {
    let converted = config(CONTINUED);
    assert_eq!(converted.lines("relayclients"), ["1.2.0.0/16", "2.3.0.0/16", "2.3.4.5", "@relay.abc.ex"]);
    let dns = DnsServer::start("relay.abc.ex. A 192.0.2.7\n");
    for (ip, code) in [("1.2.255.255", "250 "), ("1.3.0.0", "553 "), ("2.3.4.5", "250 "), ("192.0.2.7", "250 ")] {
        session(&converted, &from_ip(ip), Some(&dns)).is(code);
    }
}

#[test]
fn v08_host_bits_are_masked() {
    check(&config("Good-Clients: 1.2.3.4/16\n"), &[("1.2.0.0", true), ("1.2.255.255", true), ("1.3.0.0", false)]);
}

#[test]
fn v09_v10_names_are_hosts_or_else_mail_domains() {
    let zone = "both.ex. A 192.0.2.7\nboth.ex. MX 10 mx.both.ex.\nmx.both.ex. A 192.0.2.8\n\
                mail.ex. MX 10 mx.mail.ex.\nmx.mail.ex. A 192.0.2.9\n";
    let dns = DnsServer::start(zone);
    let converted = config("Good-Clients: both.ex, mail.ex, gone.ex, 10.0.0.1\n");
    for (ip, code) in [
        ("192.0.2.7", "250 "),
        // A name with an address is a host: its MX hosts do not count.
        ("192.0.2.8", "553 "),
        ("192.0.2.9", "250 "),
        ("192.0.2.10", "553 "),
        ("10.0.0.1", "250 "),
    ] {
        session(&converted, &from_ip(ip), Some(&dns)).is(code);
    }
}

#[test]
fn v11_v12_mail_for_domains_with_an_mx_here() {
    // The addresses of this host: 127.0.0.1 is one.
    let zone = "far.ex. MX 10 mx.far.ex.\nmx.far.ex. A 192.0.2.7\nours.ex. MX 10 mx.far.ex.\n\
                ours.ex. MX 20 here.ex.\nhere.ex. A 127.0.0.1\n";
    let dns = DnsServer::start(zone);
    for (field, code) in [("Relay-Based-On-MX: TRUE\n", "250 "), ("Relay-Based-On-MX: 0\n", "553 "), ("", "553 ")] {
        let converted = config(&format!("Good-Clients: 10.0.0.1\n{field}"));
        let ours = Client { rcpt: "r@ours.ex", ..from_ip("203.0.113.9") };
        session(&converted, &ours, Some(&dns)).is(code);
        session(&converted, &from_ip("203.0.113.9"), Some(&dns)).is("553 ");
    }
}

#[test]
fn v13_routes_are_judged_by_where_they_lead() {
    let converted = config("Good-Clients: 192.0.2.7\nRelay-Zones: zone.ex\n");
    let stranger = |rcpt| Client { rcpt, ..from_ip("203.0.113.9") };
    for rcpt in ["@zone.ex:r@far.ex", "r%far.ex@zone.ex", "r%far.ex@local.ex"] {
        converted.rejects(&stranger(rcpt));
    }
    converted.accepts(&stranger("@far.ex:r@zone.ex"));
}

#[test]
fn v14_of_good_and_bad_clients_the_more_specific_entry_wins() {
    let converted =
        config("Good-Clients: 10.0.0.0/8, 10.1.2.0/24, 9.9.9.9\nBad-Clients: 10.1.0.0/16, 9.9.9.9, bad.ex\n");
    let dns = DnsServer::start("bad.ex. A 10.9.9.9\n");
    for (ip, code) in [
        ("10.2.0.1", Some("250 ")),
        ("10.1.2.1", Some("250 ")),
        ("10.9.9.9", Some("553 ")),
        // tcpserver closes the connection.
        ("10.1.3.1", None),
        ("9.9.9.9", None),
    ] {
        match (code, converted.asks(&from_ip(ip))) {
            (None, answer) => assert!(matches!(answer, Answer::NoConnection(_)), "{ip}: {answer:?}"),
            (Some(code), answer) => {
                assert!(!matches!(answer, Answer::NoConnection(_)), "{ip}: {answer:?}");
                session(&converted, &from_ip(ip), Some(&dns)).is(code);
            }
        }
    }
    // Without the rules a Bad-Client does not relay either.
    for ip in ["10.1.3.1", "9.9.9.9"] {
        session(&converted, &from_ip(ip), Some(&dns)).is("553 ");
    }
}

#[test]
fn v15_the_text_of_a_refusal() {
    let texts = [
        ("SPAM-Relay-Text: Ask the postmaster\nSecurity: SECURE\n", "553 Ask the postmaster (#5.7.1)"),
        ("Security: SECURE\n", "553 refused (#5.7.1)"),
        ("Security: FRIENDLY\n", "553 sorry, that domain isn't allowed to be relayed"),
    ];
    for (field, text) in texts {
        session(&config(&format!("Good-Clients: 192.0.2.7\n{field}")), &from_ip("203.0.113.9"), None).is(text);
    }
}

#[test]
fn v16_v17_v18_what_is_not_about_relaying_is_told() {
    let converted = config(
        "Good-Clients: 192.0.2.7\nReject-Mail-From: *spam*\nAccept-Unqualified-Senders: OFF\nSPAM-Action: OPCOM\n",
    );
    assert_eq!(converted.code, Some(1));
    for told in ["Reject-Mail-From: *spam*", "Accept-Unqualified-Senders: OFF", "SPAM-Action: OPCOM"] {
        assert!(converted.text.contains(told), "{}", converted.text);
    }
    check(&converted, &[("192.0.2.7", true), ("192.0.2.8", false)]);
}

#[test]
fn v17_clients_without_a_name_are_refused() {
    let converted = config("Good-Clients: 192.0.2.0/24\nReject-Unbacktranslatable-IP: TRUE\n");
    let named = Client { name: Some("host.ex"), ..from_ip("192.0.2.7") };
    session(&converted, &named, None).is("250 ");
    assert_ne!(converted.asks(&from_ip("192.0.2.7")).accepted(), Some(true));
}
