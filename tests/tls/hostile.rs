//! Clients that mean harm (D82, D87): clear text behind STARTTLS, no handshake, a broken one, one that never ends.

use std::time::{Duration, Instant};

use crate::secure::Secure;
use crate::{client, home};

/// An alert of TLS, or nothing: what may be on the wire after a handshake that failed.
fn is_no_clear_text(octets: &[u8]) -> bool {
    octets.is_empty() || octets.starts_with(&[0x15, 3])
}

#[test]
fn what_is_said_in_clear_behind_starttls_is_dropped_and_counted() {
    for (injected, octets) in [
        ("NOOP\r\n", 6),
        ("RSET\r\nMAIL FROM:<a@b.example>\r\n", 31),
        ("EHLO x\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\n", 37),
        ("x", 1),
        ("\r\n", 2),
        ("NOOP\n", 5),
    ] {
        let home = home();
        let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
        session.send(format!("STARTTLS\r\n{injected}"));
        assert_eq!(session.reply(), "220 ready for tls");
        session.encrypt(&client()).unwrap();
        // Not heard in clear, and not in TLS: the first reply in TLS is that to the first command in TLS.
        assert_eq!(session.ask("HELP me").split(' ').next(), Some("214"), "{injected:?}");
        assert_eq!(session.quit().code(), Some(0));
        let log = session.log();
        assert!(log.contains(&format!(" STARTTLS: {octets} plaintext octets discarded\n")), "{injected:?}: {log}");
    }
    let home = home();
    let mut session = Secure::encrypted(&home, &client(), &[], &[]);
    assert!(!session.log().contains("discarded"));
}

/// D82: that nothing but an attack, or a client that does not wait, can make.
#[test]
fn with_starttls_strict_what_is_said_in_clear_behind_starttls_is_the_end() {
    let settings = [("STARTTLS", ""), ("STARTTLS_STRICT", "")];
    let home = home();
    let mut session = Secure::greeted(&home, &settings, &[]);
    session.send("STARTTLS\r\nRSET\r\n");
    assert_eq!(session.rest(), b"554 SMTP protocol violation (#5.5.0)\r\n");
    assert_eq!(session.exit().code(), Some(1));
    let log = session.log();
    assert!(log.contains(" STARTTLS: 6 plaintext octets discarded\n"), "{log}");
    assert!(log.contains(" clear text behind STARTTLS reason=STARTTLS_STRICT\n"), "{log}");
    let mut session = Secure::encrypted(&home, &client(), &settings, &[]);
    assert_eq!(session.quit().code(), Some(0));
}

#[test]
fn a_pipelined_command_before_starttls_is_answered_in_clear() {
    let home = home();
    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
    session.send("NOOP\r\nSTARTTLS\r\n");
    assert_eq!(session.reply(), "250 ok");
    assert_eq!(session.reply(), "220 ready for tls");
    session.encrypt(&client()).unwrap();
    assert_eq!(session.quit().code(), Some(0));
}

#[test]
fn much_clear_text_behind_starttls_ends_in_a_handshake_that_fails() {
    let home = home();
    home.write("timeoutsmtpd", "2\n");
    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
    session.send("STARTTLS\r\n".to_owned() + &"NOOP\r\n".repeat(20_000));
    let rest = session.rest();
    let rest = rest.strip_prefix(b"220 ready for tls\r\n").unwrap();
    assert!(is_no_clear_text(rest), "{:?}", String::from_utf8_lossy(rest));
    assert_eq!(session.exit().code(), Some(1));
}

#[test]
fn garbage_instead_of_a_hello_ends_the_connection_without_a_word_in_clear() {
    for garbage in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\xff\xff\x01\x00\x00\x01\x00",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        b"\x17\x03\x03\x00\x05hello",
    ] {
        for smtps in [false, true] {
            let home = home();
            let mut session = match smtps {
                true => Secure::start(&home, &[("SMTPS", "")], &[]),
                false => {
                    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
                    assert_eq!(session.ask("STARTTLS"), "220 ready for tls");
                    session
                }
            };
            session.send_raw(garbage);
            session.end();
            let rest = session.rest();
            assert!(is_no_clear_text(&rest), "{:?}", String::from_utf8_lossy(&rest));
            assert_eq!(session.exit().code(), Some(1));
            let log = session.log();
            assert!(log.contains(" TLS handshake failed: "), "{log}");
            assert!(!log.contains("ssl-version"), "{log}");
        }
    }
}

#[test]
fn a_client_that_stops_in_the_handshake_is_not_waited_for() {
    for (smtps, sent) in [(false, 0), (false, 40), (true, 0), (true, 40)] {
        let home = home();
        home.write("timeoutsmtpd", "1\n");
        let mut session = match smtps {
            true => Secure::start(&home, &[("SMTPS", "")], &[]),
            false => {
                let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &[]);
                assert_eq!(session.ask("STARTTLS"), "220 ready for tls");
                session
            }
        };
        let mut hello = Vec::new();
        client().connection().write_tls(&mut hello).unwrap();
        session.send_raw(&hello[..sent]);
        let rest = session.rest();
        assert!(is_no_clear_text(&rest), "{:?}", String::from_utf8_lossy(&rest));
        assert_eq!(session.exit().code(), Some(1));
        let log = session.log();
        assert!(log.contains(" TLS handshake failed: timeout reached reading data from client\n"), "{log}");
    }
}

#[test]
fn octets_that_drip_do_not_make_the_handshake_longer() {
    let home = home();
    home.write("timeoutsmtpd", "2\n");
    let mut session = Secure::start(&home, &[("SMTPS", "")], &[]);
    let mut hello = Vec::new();
    client().connection().write_tls(&mut hello).unwrap();
    let began = Instant::now();
    for octet in &hello[..40] {
        session.send_raw(&[*octet]);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() >= Duration::from_secs(4));
    assert_eq!(session.exit().code(), Some(1));
    assert!(session.log().contains(" TLS handshake failed: timeout "));
}

#[test]
fn records_that_were_tampered_with_end_the_session() {
    let home = home();
    let mut session = Secure::encrypted(&home, &client(), &[], &[]);
    assert_eq!(session.ask("NOOP"), "250 ok");
    session.send_raw(&[&b"\x17\x03\x03\x00\x20"[..], &[7; 32]].concat());
    assert_eq!(session.exit().code(), Some(1));
    let log = session.log();
    assert!(log.contains(" read error: cannot decrypt peer's message\n"), "{log}");
}

#[test]
fn a_message_of_the_handshake_that_is_too_long_is_refused() {
    let home = home();
    let mut session = Secure::start(&home, &[("SMTPS", "")], &[]);
    // A ClientHello of 10 MB, a record at a time.
    let length = 10_000_000_u32.to_be_bytes();
    let mut message = vec![1, length[1], length[2], length[3]];
    message.extend([3, 3]);
    message.resize(16_384, 0);
    for _ in 0..600 {
        session.send_raw(&[&b"\x16\x03\x01\x40\x00"[..], &message].concat());
        message.fill(0);
    }
    assert_eq!(session.exit().code(), Some(1));
    assert!(session.log().contains(" TLS handshake failed: "));
}
