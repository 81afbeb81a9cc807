//! SMTP smuggling: whatever stands where CR LF . CR LF should, no second message comes out of one.

use std::thread;
use std::time::Duration;

use crate::smtp::Smtp;
use crate::{command, home};

/// Ends that other servers have taken for the end of a message.
const ENDS: &[&str] = &[
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\n. \r\n",
    "\r\n .\r\n",
    "\r\r\n.\r\r\n",
    "\n\n.\n\n",
    "\r\n..\r\n",
    "\r\n.\r\r\n",
    "\n\r.\r\n",
    "\n\r\n.\n\r\n",
    "\u{85}.\u{85}",
    "\r\n.\x0b\n",
];

/// What an attacker writes behind it.
const SECOND: &str = "MAIL FROM:<smuggler@test>\r\nRCPT TO:<victim@test>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo";

/// The settings that change what a stray CR or LF does.
const SETTINGS: &[&[&str]] = &[&[], &["ALLOW_BARELF"], &["FORBID_BARE_CR"], &["ALLOW_BARELF", "FORBID_BARE_CR"]];

#[test]
fn one_message_stays_one() {
    thread::scope(|scope| {
        for &variables in SETTINGS {
            scope.spawn(move || ENDS.iter().for_each(|end| assert_one_message_or_none(end, variables)));
        }
    });
}

fn assert_one_message_or_none(end: &str, variables: &[&str]) {
    let home = home();
    let mut smtp = Smtp::start(command(&home).envs(variables.iter().map(|variable| (variable, ""))));
    smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nSubject: harmless\r\n\r\nhello");
    smtp.send(format!("{end}{SECOND}\r\n.\r\nQUIT\r\n"));
    let said = smtp.rest().unwrap();
    let code = smtp.exit().and_then(|status| status.code());
    let what = format!("{end:?} with {variables:?}: {code:?} {said}");
    let kept: Vec<_> = home.deliveries().into_iter().filter(|delivery| !delivery.envelope.is_empty()).collect();
    for delivery in &kept {
        assert_eq!(delivery.envelope_items(), ["Fa@b.c", "Tu@test"], "{what}");
    }
    if code == Some(0) {
        assert_eq!(kept.len(), 1, "{what}");
        assert!(kept[0].message.ends_with(b"Subject: smuggled\n\nboo\n"), "{what}");
    } else {
        assert_eq!((code, kept.len()), (Some(1), 0), "{what}");
        let reasons = ["451 Sorry, I received Bare LF. (#4.6.0)", "554 Sorry, I received Bare CR. (#5.6.0)"];
        assert!(reasons.iter().any(|reason| said.ends_with(&format!("\r\n{reason}\r\n"))), "{what}");
    }
}

/// What each end does under each setting is the same whether it comes in one piece or octet by octet.
#[test]
fn pieces_make_no_difference() {
    for end in ENDS {
        let outcomes: Vec<_> = [1, 2, 3, 1000].map(|piece| outcome(end, piece)).into();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{end:?}: {outcomes:?}");
    }
}

/// Content kept, if any, when the client writes so many octets at once.
fn outcome(end: &str, piece: usize) -> (Option<i32>, Vec<Vec<u8>>) {
    let home = home();
    let mut smtp = Smtp::start(command(&home).env("ALLOW_BARELF", ""));
    smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n");
    for _ in 0..4 {
        smtp.reply();
    }
    for octets in format!("x{end}y\r\n.\r\nQUIT\r\n").as_bytes().chunks(piece) {
        smtp.send(octets);
        thread::sleep(Duration::from_millis(1)); // So that each is a read of its own.
    }
    smtp.rest().unwrap();
    let code = smtp.exit().and_then(|status| status.code());
    (code, home.deliveries().iter().map(|delivery| delivery.trace_and_content().1).collect())
}
