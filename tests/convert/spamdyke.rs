//! spamdyke: its relay options decide as its documents say.

use crate::session::session;
use crate::{Client, Converted, check, from_ip};

fn entry(address: &str) -> Converted {
    Converted::new("spamdyke", &format!("relay-level=normal\nip-relay-entry={address}\n"))
}

#[test]
fn every_form_of_an_address_relays() {
    for (address, clients) in [
        ("11.22.33.44", &[("11.22.33.44", true), ("11.22.33.4", false)][..]),
        ("011.022.033.044", &[("11.22.33.44", true), ("9.18.27.36", false)]),
        // Three octets are a prefix there; here they need a dot.
        ("11.22.33", &[("11.22.33.14", true), ("11.22.33.236", true), ("11.22.34.1", false)]),
        ("11.22.", &[("11.22.134.245", true), ("11.220.1.1", false)]),
        (
            "11.22.33-44.55",
            &[("11.22.34.55", true), ("11.22.41.55", true), ("11.22.41.56", false), ("11.22.45.55", false)],
        ),
        ("11.22-44", &[("11.22.134.7", true), ("11.43.178.240", true), ("11.45.0.0", false), ("11.21.255.255", false)]),
        ("11.22.33.0/24", &[("11.22.33.2", true), ("11.22.34.2", false)]),
        ("11.22.0.0/255.255.0.0", &[("11.22.59.111", true), ("11.23.0.0", false)]),
    ] {
        let converted = entry(address);
        assert_eq!(converted.code, Some(0), "{}", converted.text);
        check(&converted, clients);
    }
}

#[test]
fn what_its_documents_do_not_explain_grants_nothing() {
    for address in ["11.22.33.44/16", "11.22.0.0/255.0.255.0", "11.22.*", "11.300.1.1", "2001:db8::1", "11.44-22"] {
        let converted = entry(address);
        assert_eq!(converted.code, Some(1), "{address}");
        check(&converted, &[("11.22.33.44", false), ("2001:db8::1", false)]);
    }
}

#[test]
fn levels() {
    for (level, listed, stranger) in [
        ("relay-level=normal", true, false),
        ("relay-level=no-check", true, false),
        ("relay-level=block-all", false, false),
        ("relay-level=allow-all", true, true),
        ("relay-level=nonsense", false, false),
        ("filter-level=reject-all", false, false),
        ("config-file=/etc/spamdyke/more.conf", false, false),
    ] {
        let converted = Converted::new("spamdyke", &format!("{level}\nip-relay-entry=192.0.2.7\n"));
        check(&converted, &[("192.0.2.7", listed), ("203.0.113.9", stranger)]);
    }
    let converted = Converted::new("spamdyke", "filter-level=require-auth\nip-relay-entry=192.0.2.7\n");
    assert_eq!(converted.asks(&from_ip("192.0.2.7")).accepted(), Some(false));
}

#[test]
fn names_relay_as_the_pointer_has_them() {
    let converted = Converted::new("spamdyke", "rdns-relay-entry=.partner.ex\nrdns-relay-entry=mail.other.ex\n");
    assert_eq!(converted.code, Some(0), "{}", converted.text);
    let named = |name| Client { name: Some(name), ..from_ip("203.0.113.9") };
    for name in ["partner.ex", "a.partner.ex", "a.b.partner.ex", "mail.other.ex"] {
        converted.accepts(&named(name));
        session(&converted, &named(name), None).is("250 ");
    }
    for name in ["evilpartner.ex", "other.ex", "a.mail.other.ex"] {
        converted.rejects(&named(name));
    }
    converted.rejects(&from_ip("203.0.113.9"));
}

#[test]
fn local_domains_of_version_four() {
    let converted =
        Converted::new("spamdyke", "local-domains-entry=own.ex\nrejection-text-relaying-denied=Not through here\n");
    converted.accepts(&Client { rcpt: "r@own.ex", ..from_ip("203.0.113.9") });
    session(&converted, &from_ip("203.0.113.9"), None).is("553 Not through here (#5.7.1)");
}
