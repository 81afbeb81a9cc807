//! The DNS module against a real name server, against one that never answers, and against liars.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "dns/liars.rs"]
mod liars;
#[path = "support/dns.rs"]
mod server;
#[path = "dns/silence.rs"]
mod silence;

use std::net::IpAddr;

use postern::dns::{ADDRESSES_MAX, Dns, EXCHANGERS_MAX, Exchangers};

use server::DnsServer;

/// A resolver that asks this server alone.
fn dns(server: &DnsServer) -> Dns {
    Dns::new(Some(server.address().as_bytes()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// In order, as text.
fn sorted(addresses: &[IpAddr]) -> Vec<String> {
    let mut texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    texts.sort();
    texts
}

fn hosts(names: &[&str]) -> Exchangers {
    Exchangers::Hosts(names.iter().map(|name| name.as_bytes().to_vec()).collect())
}

#[test]
fn servers_start_side_by_side() {
    let one = DnsServer::start("a.test. A 192.0.2.1");
    let two = DnsServer::start("a.test. A 192.0.2.2");
    assert_eq!(dns(&one).addresses(b"a.test").unwrap(), [ip("192.0.2.1")]);
    assert_eq!(dns(&two).addresses(b"a.test").unwrap(), [ip("192.0.2.2")]);
}

#[test]
fn addresses_of_both_families_are_found() {
    let server = DnsServer::start(
        "both.far.ex. A 192.0.2.1\nboth.far.ex. A 192.0.2.2\nboth.far.ex. AAAA 2001:db8::1\n\
         six.far.ex. AAAA 2001:db8::6\nmapped.far.ex. A 192.0.2.1\nmapped.far.ex. AAAA ::ffff:192.0.2.1\n\
         _under.far.ex. A 192.0.2.3\ntext.far.ex. TXT \"no address\"",
    );
    let mut dns = dns(&server);
    let cases: &[(&str, &[&str])] = &[
        ("both.far.ex", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        ("BOTH.far.EX.", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        ("six.far.ex", &["2001:db8::6"]),
        ("mapped.far.ex", &["192.0.2.1"]),
        ("_under.far.ex", &["192.0.2.3"]),
        ("text.far.ex", &[]),
        ("far.ex", &[]),
        ("no.such.name", &[]),
        // Of search domains nothing is known here.
        ("both", &[]),
        ("both.far.ex ", &[]),
        ("both..far.ex", &[]),
        ("b\u{f6}th.far.ex", &[]),
        ("both.far.ex\0", &[]),
        ("", &[]),
        (".", &[]),
        ("192.0.2.1", &[]),
    ];
    for (name, expected) in cases {
        assert_eq!(sorted(&dns.addresses(name.as_bytes()).unwrap()), *expected, "{name:?}");
    }
}

#[test]
fn aliases_are_followed() {
    let chain =
        |from: usize, to: usize| -> String { (from..to).map(|n| format!("c{n}.ex. CNAME c{}.ex.\n", n + 1)).collect() };
    let server = DnsServer::start(&format!(
        "www.far.ex. CNAME host.far.ex.\nhost.far.ex. A 192.0.2.1\nhost.far.ex. MX 5 mx.far.ex.\n\
         nowhere.far.ex. CNAME absent.far.ex.\nempty.far.ex. CNAME text.far.ex.\ntext.far.ex. TXT x\n\
         outside.far.ex. CNAME x.broken.test.\nself.far.ex. CNAME self.far.ex.\n\
         {}c8.ex. A 192.0.2.8\n{}c19.ex. A 192.0.2.19",
        chain(1, 8),
        chain(10, 19)
    ));
    let mut dns = dns(&server);
    assert_eq!(dns.addresses(b"www.far.ex").unwrap(), [ip("192.0.2.1")]);
    assert_eq!(dns.mail_exchangers(b"www.far.ex").unwrap(), hosts(&["mx.far.ex"]));
    assert!(dns.confirms(b"www.far.ex", ip("192.0.2.1")).unwrap());
    assert!(dns.addresses(b"nowhere.far.ex").unwrap().is_empty());
    assert!(dns.addresses(b"empty.far.ex").unwrap().is_empty());
    assert_eq!(dns.addresses(b"c1.ex").unwrap(), [ip("192.0.2.8")]);
    let failed = |name: &[u8], dns: &mut Dns| dns.addresses(name).unwrap_err().to_string();
    assert!(failed(b"outside.far.ex", &mut dns).ends_with("SERVFAIL"));
    // One alias more than is followed, and one without end.
    assert!(failed(b"c10.ex", &mut dns).ends_with(": a malformed reply"));
    assert!(failed(b"self.far.ex", &mut dns).starts_with("DNS: a of self.far.ex: 127.0.0.1:"));
}

#[test]
fn mail_exchangers_are_told_by_preference() {
    let server = DnsServer::start(
        "far.ex. MX 20 B.far.ex.\nfar.ex. MX 10 c.far.ex.\nfar.ex. MX 10 a.far.ex.\nfar.ex. MX 30 a.far.ex.\n\
         null.ex. MX 0 .\nmixed.ex. MX 0 .\nmixed.ex. MX 10 a.far.ex.\nliteral.ex. MX 10 192.0.2.1.\n\
         odd.ex. MX 10 a\\.b.far.ex.\nodd.ex. MX 20 a\\032b.far.ex.\nodd.ex. MX 30 a.far.ex.\nhost.ex. A 192.0.2.1",
    );
    let mut dns = dns(&server);
    let cases = [
        ("far.ex", hosts(&["a.far.ex", "c.far.ex", "b.far.ex"])),
        ("FAR.ex.", hosts(&["a.far.ex", "c.far.ex", "b.far.ex"])),
        ("null.ex", Exchangers::Null),
        ("mixed.ex", hosts(&["a.far.ex"])),
        ("literal.ex", hosts(&[])),
        ("odd.ex", hosts(&["a.far.ex"])),
        ("host.ex", Exchangers::None),
        ("absent.ex", Exchangers::None),
        ("bad..name", Exchangers::None),
    ];
    for (domain, expected) in cases {
        assert_eq!(dns.mail_exchangers(domain.as_bytes()).unwrap(), expected, "{domain}");
    }
}

#[test]
fn a_name_is_confirmed_by_its_own_addresses_alone() {
    let server = DnsServer::start(
        "a.far.ex. A 192.0.2.1\na.far.ex. AAAA 2001:db8::1\nb.far.ex. A 192.0.2.2\n\
         half.far.ex. A 192.0.2.5\nfar.ex. MX 1 a.far.ex.",
    );
    let mut dns = dns(&server);
    let cases = [
        ("a.far.ex", "192.0.2.1", true),
        ("A.FAR.EX.", "::ffff:192.0.2.1", true),
        ("a.far.ex", "2001:DB8:0::1", true),
        ("a.far.ex", "192.0.2.2", false),
        ("a.far.ex", "2001:db8::2", false),
        ("half.far.ex", "2001:db8::1", false),
        ("far.ex", "192.0.2.1", false),
        ("absent.ex", "192.0.2.1", false),
        ("", "192.0.2.1", false),
    ];
    for (name, address, expected) in cases {
        assert_eq!(dns.confirms(name.as_bytes(), ip(address)).unwrap(), expected, "{name} {address}");
    }
    assert!(dns.confirms(b"x.broken.test", ip("192.0.2.1")).is_err());
}

#[test]
fn a_host_without_addresses_stands_for_its_exchangers() {
    let server = DnsServer::start(
        "host.ex. A 192.0.2.1\nhost.ex. MX 1 mx1.ex.\nmail.ex. MX 1 mx1.ex.\nmail.ex. MX 2 mx2.ex.\nmx1.ex. A 192.0.2.11\n\
         mx2.ex. AAAA 2001:db8::12\nmx2.ex. A 192.0.2.11\nnull.ex. MX 0 .\nhalf.ex. MX 1 mx1.ex.\n\
         half.ex. MX 2 x.refused.test.",
    );
    let mut dns = dns(&server);
    let cases: &[(&str, &[&str])] = &[
        ("host.ex", &["192.0.2.1"]),
        ("mail.ex", &["192.0.2.11", "2001:db8::12"]),
        ("null.ex", &[]),
        ("absent.ex", &[]),
    ];
    for (name, expected) in cases {
        assert_eq!(sorted(&dns.host_or_exchangers(name.as_bytes()).unwrap()), *expected, "{name}");
    }
    assert!(dns.host_or_exchangers(b"half.ex").unwrap_err().to_string().starts_with("DNS: a of x.refused.test: "));
}

#[test]
fn what_does_not_fit_into_a_datagram_comes_by_tcp() {
    let addresses: String = (0..ADDRESSES_MAX).map(|n| format!("many.ex. A 192.0.{}.{}\n", n / 100, n % 100)).collect();
    let exchangers: String = (10..10 + EXCHANGERS_MAX)
        .map(|n| format!("many.ex. MX {n} a-host-with-a-rather-long-name-{n}.of.domain{n}.example.\n"))
        .collect();
    let server = DnsServer::start(&format!(
        "{addresses}{exchangers}{}{}{}{}",
        addresses.replace("many", "more"),
        "more.ex. A 192.0.9.1\n",
        exchangers.replace("many", "more"),
        "more.ex. MX 99 one.more.\n"
    ));
    let mut dns = dns(&server);
    let found = dns.addresses(b"many.ex").unwrap();
    assert_eq!(found.len(), ADDRESSES_MAX);
    assert!(found.contains(&ip("192.0.0.0")) && found.contains(&ip("192.0.2.55")));
    assert!(dns.confirms(b"many.ex", ip("192.0.1.99")).unwrap());
    let Exchangers::Hosts(hosts) = dns.mail_exchangers(b"many.ex").unwrap() else { panic!("no hosts") };
    assert_eq!(hosts.len(), EXCHANGERS_MAX);
    assert_eq!(hosts[0], b"a-host-with-a-rather-long-name-10.of.domain10.example");
    // One more than the limit is not cut off in silence: what was cut off could have been what matters.
    let said = dns.addresses(b"more.ex").unwrap_err().to_string();
    assert_eq!(said, format!("DNS: a of more.ex: more than {ADDRESSES_MAX} addresses"));
    let said = dns.mail_exchangers(b"more.ex").unwrap_err().to_string();
    assert_eq!(said, format!("DNS: mx of more.ex: more than {EXCHANGERS_MAX} hosts"));
}

#[test]
fn a_server_that_cannot_say_is_no_answer_and_the_next_is_asked() {
    let unable = DnsServer::start("");
    let able = DnsServer::start_with("a.broken.test. A 192.0.2.1\na.refused.test. A 192.0.2.2", &["b.test"], &[]);
    let address = unable.address();
    let mut one = dns(&unable);
    for (name, word) in [("a.broken.test", "SERVFAIL"), ("a.refused.test", "REFUSED")] {
        for (kind, failed) in [
            ("a", one.addresses(name.as_bytes()).unwrap_err()),
            ("mx", one.mail_exchangers(name.as_bytes()).unwrap_err()),
            ("a", one.host_or_exchangers(name.as_bytes()).unwrap_err()),
            ("aaaa", one.confirms(name.as_bytes(), ip("::1")).unwrap_err()),
        ] {
            assert_eq!(failed.to_string(), format!("DNS: {kind} of {name}: {address}: {word}"));
        }
    }
    let both = format!("{address} {}", able.address());
    let mut two = Dns::new(Some(both.as_bytes()));
    assert_eq!(two.addresses(b"a.broken.test").unwrap(), [ip("192.0.2.1")]);
    assert_eq!(two.addresses(b"a.refused.test").unwrap(), [ip("192.0.2.2")]);
    assert!(two.addresses(b"b.broken.test").unwrap().is_empty());
    // The first server says that there is no such name: nobody else is asked.
    assert!(two.addresses(b"a.b.test").unwrap().is_empty());
    let reversed = format!("{} {address}", able.address());
    assert!(Dns::new(Some(reversed.as_bytes())).addresses(b"a.b.test").unwrap().is_empty());
}
