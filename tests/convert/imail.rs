//! Ipswitch IMail, rows I-01 to I-18; I-17 is of the original's service.

use std::fs;

use crate::dns::DnsServer;
use crate::session::session;
use crate::{Client, Converted, from_ip, from_sender};

#[test]
fn i01_anyone_is_an_open_relay() {
    let converted = Converted::new("imail", "mode = anyone\n");
    assert_eq!((converted.code, converted.lines("relaylevel")), (Some(0), vec!["open".to_owned()]));
    converted.accepts(&from_ip("203.0.113.9"));
    converted.accepts(&from_sender(""));
}

const ADDRESSES: &str = "mode = addresses\naddress = 192.0.2.7\naddress = 198.51.100.0 255.255.255.0\n";

#[test]
fn i02_i03_listed_addresses_may_relay_and_others_not() {
    let converted = Converted::new("imail", ADDRESSES);
    assert_eq!(converted.code, Some(0));
    converted.accepts(&from_ip("192.0.2.7"));
    converted.accepts(&from_ip("198.51.100.0"));
    converted.accepts(&from_ip("198.51.100.255"));
    for stranger in ["192.0.2.6", "192.0.2.8", "198.51.99.255", "198.51.101.0"] {
        assert_ne!(converted.asks(&from_ip(stranger)).accepted(), Some(true), "{stranger}");
    }
}

#[test]
fn i04_mail_to_domains_on_listed_addresses_is_relayed() {
    let converted = Converted::new("imail", ADDRESSES);
    assert_eq!(converted.lines("relaymx"), ["192.0.2.7", "198.51.100.0/24"]);
    assert_eq!(converted.lines("relaymx"), converted.lines("relayclients"));
    let zone =
        "far.ex. MX 10 mx.far.ex.\nmx.far.ex. A 192.0.2.7\nother.ex. MX 10 mx.other.ex.\nmx.other.ex. A 192.0.2.8\n";
    let dns = DnsServer::start(zone);
    session(&converted, &from_ip("203.0.113.9"), Some(&dns)).is("250 ");
    session(&converted, &Client { rcpt: "r@other.ex", ..from_ip("203.0.113.9") }, Some(&dns)).is("553 ");
}

#[test]
fn i05_none_refuses_every_client() {
    let converted = Converted::new("imail", "mode = none\naddress = 192.0.2.7\n");
    assert_eq!(converted.lines("relaylevel"), ["none"]);
    for ip in ["192.0.2.7", "127.0.0.1", "203.0.113.9"] {
        converted.rejects(&from_ip(ip));
    }
}

#[test]
fn i06_auth_overrides_every_mode() {
    for mode in ["mode = none\n", ADDRESSES, "mode = localhosts\n", "mode = localusers\n"] {
        Converted::new("imail", mode).accepts_with_auth(&from_ip("203.0.113.9"));
    }
}

#[test]
fn i07_i08_local_hosts_may_send_from_anywhere() {
    let converted = Converted::new("imail", "mode = localhosts\n");
    assert_eq!(converted.code, Some(0));
    converted.accepts(&from_sender("anything@local.ex"));
    converted.rejects(&from_sender("x@far.ex"));
}

#[test]
fn i09_i10_i11_local_users_are_asked_for() {
    let converted = Converted::new("imail", "mode = localusers\n");
    assert_eq!(converted.lines("relaymailfrom"), ["=localusers"]);
    fs::write(format!("{}/virtualdomains", converted.control()), "virtual.ex:virtual\n").unwrap();
    // Every Debian has this user, and none of the alias; users of the system have no accounts in other domains.
    converted.accepts(&from_sender("daemon@local.ex"));
    converted.rejects(&from_sender("mailer-daemon@local.ex"));
    converted.rejects(&from_sender("daemon@virtual.ex"));
    converted.rejects(&from_sender("daemon@far.ex"));
}

#[test]
fn i12_a_host_of_accept_txt_counts_as_local() {
    let converted = Converted::new("imail", "mode = localhosts\naccept = partner.ex\n");
    assert_eq!(converted.code, Some(0));
    converted.accepts(&from_sender("a@partner.ex"));
    converted.rejects(&from_sender("a@sub.partner.ex"));
    converted.rejects(&from_sender("a@evilpartner.ex"));
}

#[test]
fn i13_a_user_of_accept_txt_counts_as_local() {
    let converted = Converted::new("imail", "mode = localusers\njoe@partner.ex\n");
    assert_eq!(converted.code, Some(0));
    converted.accepts(&from_sender("joe@partner.ex"));
    assert_ne!(converted.asks(&from_sender("jim@partner.ex")).accepted(), Some(true));
}

#[test]
fn i14_wildcards_in_accept_txt_never_match() {
    let converted = Converted::new("imail", "192.0.2.\n*.partner.ex\n198.51.100.7\n");
    assert_eq!(converted.code, Some(0));
    assert!(
        converted.text.contains("never matched in IMail, which has one exact host, user or address a line: 192.0.2.")
    );
    converted.accepts(&from_ip("198.51.100.7"));
    converted.rejects(&from_ip("192.0.2.7"));
    converted.rejects(&from_sender("a@b.partner.ex"));
}

#[test]
fn i15_the_null_sender_is_nobodys() {
    for mode in ["localhosts", "localusers"] {
        let converted = Converted::new("imail", &format!("mode = {mode}\n"));
        converted.rejects(&from_sender(""));
    }
}

#[test]
fn i16_local_recipients_are_accepted_in_any_mode() {
    for mode in ["anyone", "addresses", "none", "localhosts", "localusers"] {
        let converted = Converted::new("imail", &format!("mode = {mode}\n"));
        converted.accepts(&Client { rcpt: "user@local.ex", ..from_ip("203.0.113.9") });
    }
}

#[test]
fn i18_modes_that_believe_the_sender_say_so() {
    for (mode, is_said) in [("localhosts", true), ("localusers", true), ("none", false), ("addresses", false)] {
        let converted = Converted::new("imail", &format!("mode = {mode}\n"));
        assert_eq!(converted.text.contains("a sender is easily forged"), is_said, "{mode}");
    }
}
