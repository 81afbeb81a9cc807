//! No sequence of commands makes the queue program receive a recipient elsewhere without a grant.

use proptest::prelude::*;
use proptest::sample::select;

use crate::home::Delivery;
use crate::smtp::Smtp;
use crate::{command, home};

/// Sessions tried; each starts the daemon and the queue program.
const SESSIONS: u32 = 96;

/// The one sender who may relay, where anyone may.
const GRANTED: &str = "joe@d1.ex";

const SENDERS: &[&str] = &[
    "",
    "a@b.c",
    "joe@d1.ex",
    "JOE@D1.EX",
    "xjoe@d1.ex",
    "joe@d1.ex.evil",
    "@r:joe@d1.ex",
    "u@test",
    "joe",
    "joe@d1.ex@b.c",
    "\"joe@d1.ex\"@b.c",
];

const RECIPIENTS: &[&str] = &[
    "u@test",
    "U@TEST",
    "postmaster",
    "u@far.example",
    "u@far.example@test",
    "\"u@far.example\"@test",
    "u%far.example@test",
    "far.example!u@test",
    "far.example!u",
    "u%far.example",
    "@test:u@far.example",
    "@far.example:u@test",
    "u@far.example.",
    "u@test.far.example",
    "u@.test",
    "u@[192.0.2.1]",
    "u\\@far.example",
    "u@far.example\0@test",
    "u@far.example\r@test",
    "u@",
    "@",
    "u@xtest",
    "\"u\"@far.example",
    "u@far.example ",
    " u@test",
    "u@far.example>@test",
];

/// One thing a client may do.
fn action() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: String| text.into_bytes();
    prop_oneof![
        2 => select(&["HELO a", "EHLO a.example", "RSET", "NOOP", "HELP", "VRFY u", "FOO", "", "RSET x"][..])
            .prop_map(move |line| text(format!("{line}\r\n"))),
        6 => (select(SENDERS), select(&["", " SIZE=10", " AUTH=joe@d1.ex", " BODY=8BITMIME", " X=Y", " AUTH=<>"][..]))
            .prop_map(move |(sender, parameter)| text(format!("MAIL FROM:<{sender}>{parameter}\r\n"))),
        1 => select(SENDERS).prop_map(move |sender| text(format!("mail from: {sender}\r\n"))),
        10 => (select(RECIPIENTS), select(&["", "", " NOTIFY=NEVER", " ORCPT=x", " Q"][..]))
            .prop_map(move |(recipient, parameter)| text(format!("RCPT TO:<{recipient}>{parameter}\r\n"))),
        1 => select(RECIPIENTS).prop_map(move |recipient| text(format!("rcpt to:{recipient}\r\n"))),
        4 => (select(&["hello", "", "MAIL FROM:<joe@d1.ex>\r\nRCPT TO:<u@far.example>\r\nDATA", "..", "Received: x"][..]))
            .prop_map(move |content| text(format!("DATA\r\n{content}\r\n.\r\n"))),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut noise| {
            noise.extend_from_slice(b"\r\n");
            noise
        }),
    ]
}

/// What was kept after a session of these actions.
fn deliveries(actions: &[Vec<u8>], lists: &[(&str, &str)]) -> Vec<Delivery> {
    let home = home();
    for (name, content) in lists {
        home.write(name, content);
    }
    let mut smtp = Smtp::start(&mut command(&home));
    smtp.send(actions.concat());
    smtp.send("QUIT\r\n");
    smtp.end_input();
    let said = smtp.rest().expect("an end");
    let code = smtp.exit().and_then(|status| status.code());
    assert!(matches!(code, Some(0 | 1)), "{code:?}\n{said}\n{}", smtp.log());
    home.deliveries().into_iter().filter(|delivery| !delivery.envelope.is_empty()).collect()
}

/// Judged here by rules written apart from the daemon's.
fn is_local(recipient: &str) -> bool {
    match recipient.rsplit_once('@') {
        None => !recipient.contains(['%', '!']),
        Some((local, domain)) => domain.eq_ignore_ascii_case("test") && !local.contains(['@', '%', '!']),
    }
}

fn is_well_formed(delivery: &Delivery) -> bool {
    let items = delivery.envelope_items();
    delivery.envelope.ends_with(b"\0\0")
        && items.len() >= 2
        && items[0].starts_with('F')
        && items[1..].iter().all(|item| item.starts_with('T'))
        && !delivery.envelope.iter().any(|byte| (1..32).contains(byte) || *byte == 127)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: SESSIONS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_a_grant_nothing_goes_elsewhere(actions in prop::collection::vec(action(), 0..40)) {
        let lists = [("relayclients", "10.1.2.4:\n10.1.3.\n"), ("relaydomains", ".partner.ex\n"), ("relaymailfrom", "")];
        for delivery in deliveries(&actions, &lists) {
            prop_assert!(is_well_formed(&delivery), "{:?}", delivery.envelope);
            for item in &delivery.envelope_items()[1..] {
                prop_assert!(is_local(&item[1..]), "{item} was relayed");
            }
        }
    }

    #[test]
    fn a_grant_by_sender_is_for_that_sender_alone(actions in prop::collection::vec(action(), 0..40)) {
        for delivery in deliveries(&actions, &[("relaymailfrom", "joe@d1.ex\n")]) {
            prop_assert!(is_well_formed(&delivery), "{:?}", delivery.envelope);
            let items = delivery.envelope_items();
            let granted = items[0][1..].eq_ignore_ascii_case(GRANTED);
            for item in &items[1..] {
                let probe = item.rsplit_once('@').is_some_and(|(local, _)| local.contains(['@', '%', '!']));
                prop_assert!(is_local(&item[1..]) || (granted && !probe), "{item} was relayed for {}", items[0]);
            }
        }
    }
}

/// The tests above would prove nothing if nothing were ever delivered, or if no sender were ever granted.
#[test]
fn the_random_sessions_can_deliver() {
    let session = |sender: &str, recipient: &str| {
        let lines = format!("MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\nhello\r\n.\r\n");
        deliveries(&[lines.into_bytes()], &[("relaymailfrom", "joe@d1.ex\n")]).len()
    };
    assert_eq!(session("a@b.c", "u@test"), 1);
    assert_eq!(session("JOE@D1.EX", "u@far.example"), 1);
    assert_eq!(session("a@b.c", "u@far.example"), 0);
}
