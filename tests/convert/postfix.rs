//! Postfix: main.cf and cidr tables decide as Postfix documents it.

use crate::dns::DnsServer;
use crate::session::session;
use crate::{Answer, Client, Converted, check, from_ip};

#[test]
fn mynetworks_of_both_families() {
    let converted =
        Converted::new("postfix", "myhostname = mx.local.ex\nmynetworks = 127.0.0.0/8, [::1]/128\n  192.0.2.0/25\n");
    assert_eq!(converted.code, Some(0), "{}", converted.text);
    let clients = [("127.0.0.9", true), ("::1", true), ("192.0.2.127", true), ("192.0.2.128", false), ("::2", false)];
    check(&converted, &clients);
}

#[test]
fn the_first_entry_of_mynetworks_decides() {
    let networks = "mynetworks = !192.0.2.7, 192.0.2.0/24, !10.1.0.0/16, 10.0.0.0/8, !10.2.0.0/16\n";
    let clients =
        [("192.0.2.7", false), ("192.0.2.8", true), ("10.1.2.3", false), ("10.2.2.3", true), ("10.3.2.3", true)];
    check(&Converted::new("postfix", networks), &clients);
}

#[test]
fn behind_an_exception_that_cannot_be_read_nobody_is_granted() {
    let converted = Converted::new("postfix", "mynetworks = 10.0.0.1, !hash:/etc/postfix/bad, 192.0.2.0/24\n");
    assert_eq!(converted.code, Some(1));
    check(&converted, &[("10.0.0.1", true), ("192.0.2.7", false)]);
}

#[test]
fn domains_that_are_relayed_for_include_their_subdomains() {
    let text =
        "myhostname = mx.own.ex\nmydestination = $myhostname, own.ex\nrelay_domains = $mydestination, partner.ex\n";
    let converted = Converted::new("postfix", text);
    let stranger = |rcpt| Client { rcpt, ..from_ip("203.0.113.9") };
    for rcpt in ["r@mx.own.ex", "r@own.ex", "r@sub.own.ex", "r@partner.ex", "r@a.b.partner.ex"] {
        converted.accepts(&stranger(rcpt));
    }
    for rcpt in ["r@far.ex", "r@notpartner.ex"] {
        converted.rejects(&stranger(rcpt));
    }
    let exact = Converted::new("postfix", "mydestination = own.ex\nrelay_domains =\n");
    exact.rejects(&stranger("r@sub.own.ex"));
}

#[test]
fn a_submission_service_lets_networks_in_only_by_auth() {
    let text = "mynetworks = 192.0.2.0/24\nmydestination = own.ex\n\
                smtpd_relay_restrictions = permit_sasl_authenticated, reject\n";
    let converted = Converted::new("postfix", text);
    check(&converted, &[("192.0.2.7", false)]);
    // Nor may strangers write to its own domain.
    converted.rejects(&Client { rcpt: "r@own.ex", ..from_ip("203.0.113.9") });
}

#[test]
fn a_table_in_place_comes_before_mynetworks() {
    let text = "mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions =\n  check_client_access cidr:{{10.1.0.0/16 REJECT}, \
                {192.0.2.0/24 OK}},\n  permit_mynetworks, reject_unauth_destination\n";
    let clients = [("10.1.2.3", false), ("10.2.2.3", true), ("192.0.2.7", true), ("192.0.3.7", false)];
    check(&Converted::new("postfix", text), &clients);
}

#[test]
fn a_table_that_is_not_read_closes_what_stands_behind_it() {
    for (restrictions, grants) in [
        ("check_client_access hash:/etc/postfix/clients, permit_mynetworks, reject_unauth_destination", false),
        ("permit_mynetworks, check_client_access hash:/etc/postfix/clients, reject_unauth_destination", true),
    ] {
        let text = format!("mynetworks = 192.0.2.0/24\nsmtpd_relay_restrictions = {restrictions}\n");
        check(&Converted::new("postfix", &text), &[("192.0.2.7", grants), ("203.0.113.9", false)]);
    }
}

#[test]
fn an_open_relay_is_not_made_by_accident() {
    let converted = Converted::new("postfix", "mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = permit\n");
    assert!(converted.text.contains("write `open` into relaylevel"), "{}", converted.text);
    check(&converted, &[("203.0.113.9", false), ("10.0.0.1", false)]);
}

#[test]
fn backup_mail_hosts_relay_to_their_domains() {
    let zone = "ours.ex. MX 10 mx.ours.ex.\nmx.ours.ex. A 192.0.2.7\nours.ex. MX 20 here.ex.\nhere.ex. A 127.0.0.1\n\
                far.ex. MX 10 mx.far.ex.\nmx.far.ex. A 198.51.100.7\n";
    let dns = DnsServer::start(zone);
    let text = "mynetworks = 10.0.0.1\nsmtpd_relay_restrictions = permit_mynetworks, permit_mx_backup, reject_unauth_destination\n";
    for networks in ["", "permit_mx_backup_networks = 192.0.2.0/24\n"] {
        let converted = Converted::new("postfix", &format!("{text}{networks}"));
        session(&converted, &Client { rcpt: "r@ours.ex", ..from_ip("203.0.113.9") }, Some(&dns)).is("250 ");
        session(&converted, &from_ip("203.0.113.9"), Some(&dns)).is("553 ");
    }
}

#[test]
fn a_cidr_table_by_itself() {
    let table = "# clients\n192.0.2.7 REJECT\n192.0.2.0/25 DUNNO\n192.0.2.0/24 OK\n10.0.0.9/8 OK\n2001:db8::/32 OK\n";
    let converted = Converted::new("postfix", table);
    let clients = [
        ("192.0.2.8", false),
        ("192.0.2.128", true),
        ("10.0.0.9", false),
        ("2001:db8::9", true),
        ("2001:db9::9", false),
    ];
    check(&converted, &clients);
    let answer = converted.asks(&from_ip("192.0.2.7"));
    assert!(matches!(answer, Answer::NoConnection(_)), "{answer:?}");
}
