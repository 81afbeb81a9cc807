//! Servers that do not answer, and what is asked how often.

use std::net::UdpSocket;
use std::time::Duration;

use postern::dns::{Dns, Exchangers};

use crate::ip;
use crate::liars::{Liar, address_record, reply};
use crate::server::DnsServer;

/// Short, so that the tests are; nothing depends on how long it really takes.
const DEADLINE: Duration = Duration::from_millis(250);

/// A server that reads nothing, and its address.
fn silent() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[test]
fn a_server_that_never_answers_is_waited_for_once() {
    let (_socket, address) = silent();
    let mut dns = Dns::with_deadline(Some(address.as_bytes()), DEADLINE);
    dns.begin();
    let failed = dns.addresses(b"far.ex").unwrap_err();
    assert_eq!(failed.to_string(), format!("DNS: a of far.ex: {address}: timed out after 0.25 s"));
    // The time is over for all questions of this decision; what was asked before is known without asking.
    let late = dns.mail_exchangers(b"far.ex").unwrap_err();
    assert_eq!(late.to_string(), "DNS: mx of far.ex: not asked, because 0.25 s were over");
    assert_eq!(dns.addresses(b"FAR.ex."), Err(failed.clone()));
    // The next decision may ask what was not asked, and still knows what failed.
    dns.begin();
    assert_eq!(dns.addresses(b"far.ex"), Err(failed));
    let asked = dns.mail_exchangers(b"far.ex").unwrap_err();
    assert_eq!(asked.to_string(), format!("DNS: mx of far.ex: {address}: timed out after 0.25 s"));
}

#[test]
fn behind_silent_servers_the_next_is_asked() {
    let server = DnsServer::start("far.ex. A 192.0.2.1\nfar.ex. MX 1 mx.far.ex.");
    let ((_one, one), (_two, two)) = (silent(), silent());
    let servers = format!("{one} {two} {}", server.address());
    let mut dns = Dns::new(Some(servers.as_bytes()));
    assert!(dns.confirms(b"far.ex", ip("192.0.2.1")).unwrap());
}

#[test]
fn a_port_where_nobody_listens_is_no_answer() {
    let (socket, address) = silent();
    drop(socket);
    let failed = Dns::new(Some(address.as_bytes())).addresses(b"far.ex").unwrap_err();
    assert_eq!(failed.to_string(), format!("DNS: a of far.ex: {address}: connection refused"));
}

#[test]
fn a_question_that_is_lost_is_asked_again() {
    let liar = Liar::start(|number, query, answer| {
        if number > 1 {
            answer(reply(query, &[address_record(query, "192.0.2.1")]));
        }
    });
    let mut dns = Dns::new(Some(liar.address().as_bytes()));
    assert!(dns.confirms(b"far.ex", ip("192.0.2.1")).unwrap());
    assert!(liar.asked() >= 2, "it asked {} times", liar.asked());
}

#[test]
fn each_question_is_asked_once_a_session_and_none_that_is_no_name() {
    let liar = Liar::start(|_, query, answer| {
        let is_refused = query[12..].starts_with(b"\x02no");
        let mut octets = reply(query, &[address_record(query, "192.0.2.1")]);
        octets[3] |= if is_refused { 5 } else { 0 };
        answer(octets);
    });
    let mut dns = Dns::new(Some(liar.address().as_bytes()));
    for name in [&b"a..b"[..], b".", b"", b"a b", b"192.0.2.1", b"\xff.ex", b"x\0.ex"] {
        assert_eq!(dns.addresses(name), Ok(Vec::new()));
        assert_eq!(dns.mail_exchangers(name), Ok(Exchangers::None));
        assert_eq!(dns.host_or_exchangers(name), Ok(Vec::new()));
        assert_eq!(dns.confirms(name, ip("192.0.2.1")), Ok(false));
    }
    assert_eq!(liar.asked(), 0);
    for name in [&b"far.ex"[..], b"FAR.ex", b"far.EX."] {
        assert_eq!(dns.confirms(name, ip("192.0.2.1")), Ok(true));
        dns.begin();
    }
    assert_eq!(liar.asked(), 1);
    let failed = dns.addresses(b"no.ex").unwrap_err();
    dns.begin();
    assert_eq!(dns.addresses(b"No.ex"), Err(failed));
    assert_eq!(liar.asked(), 2);
}
