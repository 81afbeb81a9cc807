//! SMTP smuggling: whatever stands where CR LF . CR LF should, no second message comes out of one.

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

#[test]
fn one_message_stays_one() {
    for variables in [&[][..], &["ALLOW_BARELF"], &["FORBID_BARE_CR"], &["ALLOW_BARELF", "FORBID_BARE_CR"]] {
        for end in ENDS {
            let home = home();
            let mut command = command(&home);
            for variable in variables {
                command.env(variable, "");
            }
            let mut smtp = Smtp::start(&mut command);
            smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nSubject: harmless\r\n\r\nhello");
            smtp.send(format!("{end}{SECOND}\r\n.\r\nQUIT\r\n"));
            let said = smtp.rest().unwrap();
            let code = smtp.exit().and_then(|status| status.code());
            let what = format!("{end:?} with {variables:?}: {said}");
            let kept: Vec<_> = home.deliveries().into_iter().filter(|delivery| !delivery.envelope.is_empty()).collect();
            for delivery in &kept {
                assert_eq!(delivery.envelope_items(), ["Fa@b.c", "Tu@test"], "{what}");
            }
            match code {
                // All of it was one message.
                Some(0) => {
                    assert_eq!(kept.len(), 1, "{what}");
                    assert!(kept[0].message.ends_with(b"Subject: smuggled\n\nboo\n"), "{what}");
                }
                // Or none.
                Some(1) => {
                    assert_eq!(kept.len(), 0, "{what}");
                    assert!(
                        said.contains("\r\n451 Sorry, I received Bare LF")
                            || said.contains("\r\n554 Sorry, I received Bare CR"),
                        "{what}"
                    );
                }
                _ => panic!("{code:?} {what}"),
            }
        }
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
        std::thread::sleep(std::time::Duration::from_millis(1)); // So that each is a read of its own.
    }
    smtp.rest().unwrap();
    let code = smtp.exit().and_then(|status| status.code());
    (code, home.deliveries().iter().map(|delivery| delivery.trace_and_content().1).collect())
}
