//! TLS with a client of its own: STARTTLS and SMTPS, what is left of a session, versions and ciphers, certificates, tickets.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "tls/binding.rs"]
mod binding;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "tls/clients.rs"]
mod clients;
#[path = "support/home.rs"]
mod home;
#[path = "tls/hostile.rs"]
mod hostile;
#[path = "tls/lint.rs"]
mod lint;
#[path = "support/secure.rs"]
mod secure;
#[path = "tls/settings.rs"]
mod settings;
#[path = "tls/submission.rs"]
mod submission;
mod support;
#[path = "tls/tickets.rs"]
mod tickets;

use certificates::Authority;
use home::Home;
use secure::{Client, Secure};

/// A home with a certificate of mx.test.
fn home() -> Home {
    let home = Home::new();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "our.example\n");
    home.write("servercert.pem", Authority::shared_server());
    home
}

/// A client that trusts the authority of that certificate.
fn client() -> Client {
    Client::new(&Authority::shared().certificate())
}

#[test]
fn a_message_comes_in_over_starttls_and_over_smtps() {
    for smtps in [false, true] {
        let home = home();
        let mut session = match smtps {
            false => Secure::encrypted(&home, &client(), &[], &[]),
            true => {
                let mut session = Secure::start(&home, &[("SMTPS", ""), ("STARTTLS", "")], &[]);
                session.encrypt(&client()).unwrap();
                assert_eq!(session.reply(), "220 mx.test");
                session
            }
        };
        session.send("EHLO c.example\r\n");
        assert_eq!(session.lines(), ["250-mx.test", "250-PIPELINING", "250-8BITMIME", "250 HELP"]);
        assert_eq!(session.ask("STARTTLS"), "503 TLS already active (#5.5.1)");
        assert!(session.deliver("a@b.example", "u@our.example").starts_with("250 ok "));
        assert_eq!(session.quit().code(), Some(0));
        let log = session.log();
        assert!(log.contains("from 192.0.2.7 ssl-version=TLSv1.3\n"), "{log}");
        assert!(log.contains(" TLS=TLSv1.3 reason=rcpthosts:1\n"), "{log}");
        let deliveries = home.deliveries();
        let (trace, content) = deliveries[0].trace_and_content();
        let trace = String::from_utf8(trace).unwrap();
        assert!(trace.contains(" with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384 bits=256); "), "{trace}");
        assert_eq!(content, b"Subject: hello\n\nhello\n");
    }
}

#[test]
fn nothing_that_was_said_in_clear_is_left() {
    let home = home();
    let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
    let mut session = Secure::greeted(&home, &[("STARTTLS", "")], &["mx.test", checker, "/bin/false"]);
    assert_eq!(session.ask("EHLO c.example"), "250 HELP");
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "235 ok, go ahead (#2.0.0)");
    assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "250 ok");
    assert_eq!(session.ask("RCPT TO:<u@far.example>"), "250 ok");
    assert_eq!(session.ask("RSET"), "250 flushed");
    session.starttls(&client()).unwrap();
    // D81: not greeted, no transaction, nobody authenticated.
    assert_eq!(session.ask("RCPT TO:<u@our.example>"), "503 MAIL first (#5.5.1)");
    assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "503 Polite people say hello first (#5.5.4)");
    assert_eq!(session.ask("EHLO d.example"), "250 HELP");
    assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "250 ok");
    assert_eq!(
        session.ask("RCPT TO:<u@far.example>"),
        "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication; no valid cert for gateway  #5.7.1"
    );
    assert_eq!(session.ask("RSET"), "250 flushed");
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "235 ok, go ahead (#2.0.0)");
    assert!(session.deliver("a@b.example", "u@far.example").starts_with("250 ok "));
    assert_eq!(session.quit().code(), Some(0));
    let deliveries = home.deliveries();
    let trace = String::from_utf8(deliveries[0].trace_and_content().0).unwrap();
    assert!(trace.contains("(HELO d.example) (bob@192.0.2.7)"), "{trace}");
    assert!(trace.contains(" with ESMTPSA (TLSv1.3 "), "{trace}");
    let log = session.log();
    assert!(log.contains(" AUTH USER [bob] status=[0] AUTH PLAIN TLS=No auth success\n"), "{log}");
    assert!(log.contains(" AUTH USER [bob] status=[0] AUTH PLAIN TLS=TLSv1.3 auth success\n"), "{log}");
}

#[test]
fn failures_of_auth_count_across_starttls() {
    let home = home();
    let mut session =
        Secure::greeted(&home, &[("STARTTLS", ""), ("AUTH_MAXFAIL", "3")], &["mx.test", "/bin/false", "/bin/false"]);
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "535 authorization failure (#5.7.8)");
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "535 authorization failure (#5.7.8)");
    session.starttls(&client()).unwrap();
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "535 authorization failure (#5.7.8)");
    assert_eq!(session.reply(), "421 too many authentication failures (#4.7.0)");
    assert_eq!(session.exit().code(), Some(1));
}

#[test]
fn what_needs_tls_works_in_tls() {
    let home = home();
    let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
    let variables = [("STARTTLS", ""), ("FORCE_TLS", ""), ("SECURE_AUTH", "")];
    let mut session = Secure::greeted(&home, &variables, &["mx.test", checker, "/bin/false"]);
    assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "530 must issue STARTTLS first (#5.7.0)");
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "530 must issue STARTTLS first (#5.7.0)");
    session.starttls(&client()).unwrap();
    assert_eq!(session.ask("EHLO c.example"), "250 HELP");
    assert_eq!(session.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="), "235 ok, go ahead (#2.0.0)");
    assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "250 ok");
}

#[test]
fn large_messages_arrive_whole_in_either_version() {
    use std::fmt::Write;
    let mut text = String::new();
    (0..200_000).for_each(|line| writeln!(text, "line {line}\r").unwrap());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let home = home();
        let client = Client { versions: vec![version], ..client() };
        let mut session = Secure::encrypted(&home, &client, &[], &[]);
        assert_eq!(session.ask("EHLO c.example"), "250 HELP");
        for command in ["MAIL FROM:<a@b.example>", "RCPT TO:<u@our.example>"] {
            assert_eq!(session.ask(command), "250 ok");
        }
        assert_eq!(session.ask("DATA"), "354 go ahead");
        session.send(&text);
        assert!(session.ask(".").starts_with("250 ok "));
        assert_eq!(session.quit().code(), Some(0));
        let (_, content) = home.deliveries()[0].trace_and_content();
        assert_eq!(content, text.replace("\r\n", "\n").into_bytes());
    }
}

#[test]
fn a_connection_that_breaks_in_data_loses_the_message() {
    for says_so in [false, true] {
        let home = home();
        let mut session = Secure::encrypted(&home, &client(), &[], &[]);
        assert_eq!(session.ask("EHLO c.example"), "250 HELP");
        assert_eq!(session.ask("MAIL FROM:<a@b.example>"), "250 ok");
        assert_eq!(session.ask("RCPT TO:<u@our.example>"), "250 ok");
        assert_eq!(session.ask("DATA"), "354 go ahead");
        session.send("half a message\r\n");
        if says_so {
            session.tls.as_mut().unwrap().send_close_notify();
            session.send("");
        }
        session.end();
        assert_eq!(session.exit().code(), Some(1));
        assert_eq!(home.deliveries()[0].envelope, b"", "told to discard");
        assert!(session.log().contains("read error: client dropped connection\n"));
    }
}

#[test]
fn quit_ends_tls_properly() {
    let home = home();
    let mut session = Secure::encrypted(&home, &client(), &[], &[]);
    assert_eq!(session.ask("QUIT"), "221 mx.test closing connection");
    assert_eq!(session.line(), Err("the end".to_owned()), "close_notify, else it is an unexpected end");
}
