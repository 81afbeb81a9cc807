//! Apple's mail server, rows M-01 to M-15: its HUP (M-14) is each new connection here.

use crate::dns::DnsServer;
use crate::session::session;
use crate::{Answer, Client, Converted, check, from_ip};

fn node(list: &str) -> Converted {
    Converted::new("mac", &format!("open_relay_addr_flag 1\nopen_relay_addr_list ({list})\nsmtp_plain_login_flag 0\n"))
}

#[test]
fn m01_without_the_flag_the_list_is_not_consulted() {
    for flag in ["open_relay_addr_flag 0\n", ""] {
        let converted = Converted::new("mac", &format!("{flag}open_relay_addr_list (192.168.40.*, 10.0.0.1)\n"));
        assert_eq!(converted.code, Some(0), "{}", converted.text);
        check(&converted, &[("192.168.40.1", false), ("10.0.0.1", false), ("127.0.0.1", false)]);
    }
}

#[test]
fn m02_a_free_octet() {
    let converted = node("192.168.40.*");
    assert_eq!(converted.code, Some(0), "{}", converted.text);
    check(&converted, &[("192.168.40.0", true), ("192.168.40.255", true), ("192.168.41.1", false)]);
}

#[test]
fn m03_m04_ranges_of_octets() {
    for range in ["192.168.40-43.0-255", "192.168.40-43.*"] {
        let clients =
            [("192.168.40.0", true), ("192.168.43.255", true), ("192.168.44.0", false), ("192.168.39.255", false)];
        check(&node(range), &clients);
    }
}

#[test]
fn m05_networks() {
    check(&node("192.168.40.0/21"), &[("192.168.47.255", true), ("192.168.48.0", false), ("192.168.39.255", false)]);
}

#[test]
fn m06_m07_host_names_are_resolved() {
    let dns = DnsServer::start("myserver.ex. A 192.0.2.7\n");
    let converted = node("myserver.ex, gone.ex, 10.0.0.1");
    assert_eq!(converted.code, Some(0), "{}", converted.text);
    session(&converted, &from_ip("192.0.2.7"), Some(&dns)).is("250 ");
    session(&converted, &from_ip("192.0.2.8"), Some(&dns)).is("553 ");
    // A name that does not exist adds nothing and hurts nobody.
    session(&converted, &from_ip("10.0.0.1"), Some(&dns)).is("250 ");
    assert!(session(&converted, &from_ip("192.0.2.7"), Some(&dns)).log.contains(" reason=relayclients:"));
}

#[test]
fn m08_what_is_malformed_is_not_added() {
    for value in ["192.168.43-40.*", "192.168.300.*", "192.168.40", "192.168.40-.1", "192.168.41.0/21"] {
        let converted = node(&format!("{value}, 10.0.0.1"));
        assert_eq!(converted.code, Some(1));
        assert!(converted.text.contains(&format!(":2: {value}\n#     ")), "{}", converted.text);
        check(&converted, &[("192.168.40.1", false), ("192.168.41.1", false), ("10.0.0.1", true)]);
    }
}

#[test]
fn m09_the_names_of_a_domain_may_relay() {
    let zone = "host.example.com. A 192.0.2.7\n7.2.0.192.in-addr.arpa. PTR host.example.com.\n";
    let dns = DnsServer::start(zone);
    let converted = node("example.com");
    let named = |ip, name| session(&converted, &Client { name: Some(name), ..from_ip(ip) }, Some(&dns));
    named("192.0.2.7", "host.example.com").is("250 ");
    // The name is one that the client's address does not have.
    named("192.0.2.8", "host.example.com").is("553 ");
    named("192.0.2.7", "evilexample.com").is("553 ");
}

#[test]
fn m10_the_sender_does_not_matter() {
    let converted = node("192.168.40.*");
    let forged = Client { from: "user@local.ex", ..from_ip("203.0.113.9") };
    converted.rejects(&forged);
    session(&converted, &forged, None).is("553 ");
}

#[test]
fn m11_a_client_with_auth_may_relay() {
    node("192.168.40.*").accepts_with_auth(&from_ip("203.0.113.9"));
}

#[test]
fn m12_listed_clients_must_authenticate_too() {
    let list = "open_relay_addr_flag 1\nopen_relay_addr_list (192.168.40.*)\n";
    let converted = Converted::new("mac", &format!("{list}smtp_plain_login_flag 1\n"));
    assert!(converted.lines("tcp.smtp").contains(&":allow,REQUIREAUTH=\"1\"".to_owned()), "{}", converted.text);
    let answer = converted.asks(&from_ip("192.168.40.1"));
    assert_eq!(answer.accepted(), Some(false), "{answer:?}");
    converted.accepts_with_auth(&from_ip("192.168.40.1"));
}

#[test]
fn m13_with_local_delivery_only_nobody_relays() {
    let text = "open_relay_addr_flag 1\nopen_relay_addr_list (192.168.40.*)\nlocal_delivery_only 1\n";
    let converted = Converted::new("mac", text);
    check(&converted, &[("192.168.40.1", false), ("127.0.0.1", false)]);
    converted.accepts(&Client { rcpt: "user@local.ex", ..from_ip("203.0.113.9") });
}

#[test]
fn m15_refused_attempts_are_logged() {
    let refused = session(&node("192.168.40.*"), &from_ip("203.0.113.9"), None);
    assert!(refused.log.contains("RCPT <r@far.ex>") && refused.log.contains(" reason=norelay"), "{}", refused.log);
    let answer = node("192.168.40.*").asks(&from_ip("203.0.113.9"));
    assert!(matches!(answer, Answer::Reject(told) if told.contains("norelay")));
}
