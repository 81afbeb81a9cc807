//! What a session offers and takes over TLS, and without.

use super::*;
use crate::auth::Channel;
use crate::control::Setup;
use crate::control::checker::Checker;
use crate::control::zone::Zone;
use crate::message::date::rfc5322;
use crate::message::received::Encryption;
use crate::policy::verdict::Answer;

/// A site with auth-cdb, these variables set to nothing.
fn setup(variables: &[&str]) -> Setup {
    let pairs = variables.iter().map(|name| (name.as_bytes().to_vec(), Vec::new()));
    let mut setup = Setup { environment: pairs.collect(), ..Setup::default() };
    let program = [b"/usr/bin/auth-cdb".to_vec(), b"/bin/checker".to_vec()].into_iter();
    setup.checker = Checker::of_arguments(b"mx.test", program, &setup.environment).unwrap();
    setup.control.greeting = vec![b"mx.test".to_vec()];
    setup.control.force_tls = variables.contains(&"FORCE_TLS");
    setup
}

fn channel() -> Channel {
    Channel { exporter: Some([7; 32]), server_end_point: None }
}

/// The session after STARTTLS.
fn encrypted(setup: &Setup, channel: Channel) -> Session<'_> {
    let mut session = Session::new(setup);
    let encryption = Encryption { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", bits: 128 };
    session.encrypted(encryption, channel, None);
    session
}

fn hear(session: &mut Session<'_>, line: &str) -> Turn {
    session.hear(line.as_bytes(), &mut |_, _| Ok(Answer::No))
}

/// The mechanisms that EHLO names.
fn offered(session: &mut Session<'_>) -> String {
    let turn = hear(session, "EHLO c.example");
    let lines: Vec<String> = turn.reply.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    lines.iter().find_map(|line| line.strip_prefix("AUTH ")).unwrap_or_default().to_owned()
}

/// The first reply to AUTH with this initial response; 0 stands for a question to the checker.
fn tried(session: &mut Session<'_>, mechanism: &str, message: &str) -> u16 {
    let turn = hear(session, &format!("AUTH {mechanism} {}", STANDARD.encode(message)));
    let Then::Draw(opening) = turn.then else { return turn.reply.code() };
    let turn = session.drawn(&opening, &Chance { octets: [1; Chance::OCTETS], now_seconds: 1 });
    if matches!(turn.then, Then::Check(_)) { 0 } else { turn.reply.code() }
}

#[test]
fn tls_decides_what_is_offered() {
    let table: &[(&[&str], &str, &str)] = &[
        (&[], "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256", "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
        (&["SECURE_AUTH"], "CRAM-MD5 SCRAM-SHA-256", "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
        (&["FORCE_TLS"], "", "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
        (&["DISABLE_SCRAM_SHA256_PLUS"], "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256", "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256"),
        (
            &["DISABLE_AUTH_LOGIN", "DISABLE_AUTH_PLAIN", "DISABLE_CRAM_MD5", "DISABLE_SCRAM_SHA256"],
            "",
            "SCRAM-SHA-256-PLUS",
        ),
    ];
    for (variables, clear, over_tls) in table {
        let setup = setup(variables);
        assert_eq!(offered(&mut Session::new(&setup)), *clear, "{variables:?}");
        assert_eq!(offered(&mut encrypted(&setup, channel())), *over_tls, "{variables:?}");
    }
    // With the old ones.
    let legacy = setup(&["AUTH_LEGACY"]);
    let cram = "CRAM-MD5 CRAM-SHA1 CRAM-SHA224 CRAM-SHA256 CRAM-SHA384 CRAM-SHA512 CRAM-RIPEMD";
    let clear = format!("LOGIN PLAIN XOAUTH2 {cram} SCRAM-SHA-256");
    assert_eq!(offered(&mut Session::new(&legacy)), clear);
    let over_tls = offered(&mut encrypted(&legacy, channel()));
    assert_eq!(over_tls, format!("{clear} SCRAM-SHA-256-PLUS"));
    // And with a checker that has verifiers of SHA-1.
    for (variables, last) in [
        (&["AUTH_LEGACY"][..], "SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS"),
        (&["AUTH_LEGACY", "DISABLE_SCRAM_SHA1_PLUS"], "SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
        (&[], "CRAM-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
    ] {
        let mut setup = setup(variables);
        setup.checker.as_mut().unwrap().checks.scram_sha_1 = true;
        let over_tls = offered(&mut encrypted(&setup, channel()));
        assert!(over_tls.ends_with(last), "{variables:?} {over_tls}");
    }
    // TLS without anything to bind to.
    let setup = setup(&[]);
    let unbound = offered(&mut encrypted(&setup, Channel::default()));
    assert_eq!(unbound, "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256");
}

#[test]
fn what_is_not_offered_is_refused() {
    let (all, without_plus) = (setup(&[]), setup(&["DISABLE_SCRAM_SHA256_PLUS"]));
    let (plain, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    let first = |flag: &str| format!("{flag},,n=user,r=a");
    let table: &[(&Setup, Option<Channel>, &str, &str, u16)] = &[
        (&all, None, plus, "p=tls-exporter", 538),
        (&all, None, plain, "y", 0),
        (&all, Some(channel()), plus, "p=tls-exporter", 0),
        (&all, Some(channel()), plus, "y", 535),
        (&all, Some(channel()), plain, "n", 0),
        (&all, Some(channel()), plain, "y", 535),
        (&all, Some(Channel::default()), plus, "p=tls-exporter", 504),
        (&all, Some(Channel::default()), plain, "y", 0),
        (&without_plus, None, plus, "p=tls-exporter", 504),
        (&without_plus, Some(channel()), plus, "p=tls-exporter", 504),
        (&without_plus, Some(channel()), plain, "y", 0),
    ];
    for (setup, channel, mechanism, flag, expected) in table {
        let mut session = match channel {
            Some(channel) => encrypted(setup, channel.clone()),
            None => Session::new(setup),
        };
        let reply = tried(&mut session, mechanism, &first(flag));
        assert_eq!(reply, *expected, "{channel:?} {mechanism} {flag}");
    }
}

#[test]
fn the_trace_header_tells_of_tls() {
    let word = |greeting: &str, tls: bool, authenticated: bool| {
        let setup = setup(&["RELAYCLIENT"]);
        let mut session = if tls { encrypted(&setup, channel()) } else { Session::new(&setup) };
        assert_eq!(hear(&mut session, greeting).reply.code(), 250);
        if authenticated {
            let Then::Check(attempt) = hear(&mut session, "AUTH PLAIN AGJvYgBzZWNyZXQ=").then else {
                panic!("no check")
            };
            assert_eq!(session.checked(*attempt, Checked::Yes(Vec::new())).reply.code(), 235);
        }
        assert_eq!(hear(&mut session, "MAIL FROM:<a@b.example>").reply.code(), 250);
        assert_eq!(hear(&mut session, "RCPT TO:<postmaster>").reply.code(), 250);
        let Then::Receive(delivery) = hear(&mut session, "DATA").then else { panic!("no recipient") };
        let header = String::from_utf8(session.trace_header(&delivery, &rfc5322(0, &Zone::default()))).unwrap();
        header.split_once(" with ").unwrap().1.split([';', ' ']).next().unwrap().to_owned()
    };
    assert_eq!(word("EHLO c.example", false, false), "ESMTP");
    assert_eq!(word("EHLO c.example", true, false), "ESMTPS");
    assert_eq!(word("EHLO c.example", false, true), "ESMTPA");
    assert_eq!(word("EHLO c.example", true, true), "ESMTPSA");
    assert_eq!(word("HELO c.example", true, false), "SMTP");
    assert_eq!(word("HELO c.example", false, true), "ESMTPA");
    assert_eq!(word("HELO c.example", true, true), "ESMTPSA");
}
