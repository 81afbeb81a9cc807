//! Every exit code of the queue program has its reply: the table of the original, run through a real daemon.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::process::Command;

use home::{Home, QueueEnd, QueueProgram};
use smtp::Smtp;

/// What each exit code says; a code that is not here is one of the groups of [`expected`].
const REPLIES: &[(u8, &str)] = &[
    (11, "554 qq envelope address too long (#5.1.3)"),
    (31, "554 qq mail server permanently rejected message (#5.3.0)"),
    (32, "554 qq spam or junk mail threshold exceeded (#5.7.1)"),
    (33, "554 qq message contains virus (#5.7.1)"),
    (34, "554 qq message contains banned attachment (#5.7.1)"),
    (35, "554 qq private key file does not exist (#5.3.5)"),
    (41, "451 qq trouble duplicating file descriptors (#4.3.0)"),
    (50, "451 qq unable to get privilege to run virus scanner (#4.3.0)"),
    (51, "451 qq out of memory (#4.3.0)"),
    (52, "451 qq timeout (#4.3.0)"),
    (53, "451 qq write error or disk full (#4.3.0)"),
    (54, "451 qq read error (#4.3.0)"),
    (55, "451 qq unable to read configuration (#4.3.0)"),
    (56, "451 qq trouble making network connection (#4.3.0)"),
    (57, "451 qq unable to open shared object/plugin (#4.3.0)"),
    (58, "451 qq unable to resolve symbol in shared object/plugin (#4.3.0)"),
    (59, "451 qq unable to close shared object/plugin (#4.3.0)"),
    (60, "451 qq trouble creating pipes/sockets (#4.3.0)"),
    (61, "451 qq trouble in home directory (#4.3.0)"),
    (62, "451 qq unable to access mess file (#4.3.0)"),
    (63, "451 qq trouble doing cd to root directory (#4.3.0)"),
    (64, "451 qq trouble syncing message to disk (#4.3.0)"),
    (65, "451 qq trouble creating files in intd. (#4.3.0)"),
    (66, "451 qq trouble linking todofn to intdfn (#4.3.0)"),
    (67, "451 qq trouble linking messfn to pidfn (#4.3.0)"),
    (68, "451 qq trouble creating temporary files (#4.3.0)"),
    (69, "451 qq trouble syncing dir to disk (#4.3.0)"),
    (70, "451 qq trouble with pid file (#4.3.0)"),
    (71, "451 qq mail server temporarily rejected message (#4.3.0)"),
    (72, "451 qq connection to mail server timed out (#4.4.1)"),
    (73, "451 qq connection to mail server rejected (#4.4.1)"),
    (74, "451 qq communication with mail server failed (#4.4.2)"),
    (75, "451 qq unable to exec (#4.3.0)"),
    (76, "451 qq temporary problem with SPAM filter (#4.3.0)"),
    (77, "451 qq unable to run QHPSI scanner (#4.3.0)"),
    (78, "451 qq trouble getting uids/gids (#4.3.0)"),
    (79, "451 qq envelope format error (#4.3.0)"),
    (80, "451 qq trouble removing intdfn"),
    (81, "451 qq internal bug (#4.3.0)"),
    (82, "451 qq unable to exec qq (#4.3.0)"),
    (87, "451 qq mail system incorrectly configured. (#4.3.5)"),
    (91, "451 qq internal bug (#4.3.0)"),
    (115, "554 qq envelope address too long (#5.1.3)"),
    (120, "451 qq unable to exec qq (#4.3.0)"),
    (121, "451 qq unable to fork (#4.3.0)"),
    (122, "451 qq waitpid surprise (#4.3.0)"),
    (123, "451 qq crashed (#4.3.0)"),
];

fn expected(code: u8) -> &'static str {
    match REPLIES.iter().find(|(known, _)| *known == code) {
        Some((_, reply)) => reply,
        None if (11..=40).contains(&code) => "554 qq permanent problem (#5.3.0)",
        None => "451 qq temporary problem (#4.3.0)",
    }
}

/// smtpd with a greeting and one domain, that has greeted.
fn start(home: &Home) -> Smtp {
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    let mut command = Command::new(support::program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("DISABLE_EXTRA_GREET", "");
    command.env("CONTROLDIR", home.control()).env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path());
    let smtp = Smtp::start(&mut command);
    assert_eq!(smtp.reply(), ["220 mx.test"]);
    smtp
}

/// What the client hears at the end of a message.
fn send_message(smtp: &Smtp) -> String {
    smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nhi\r\n.\r\n");
    let replies: Vec<String> = (0..4).map(|_| smtp.reply().concat()).collect();
    assert_eq!(replies[..3], ["250 ok", "250 ok", "354 go ahead"]);
    replies[3].clone()
}

/// All of them but 0 and the custom texts, on one connection: none disturbs what comes after it.
#[test]
fn every_exit_code() {
    let home = Home::new();
    let smtp = start(&home);
    for code in 1..=255 {
        home.set_queue(&QueueProgram { end: QueueEnd::Exit(code), text: None });
        assert_eq!(send_message(&smtp), expected(code), "exit code {code}");
    }
    home.set_queue(&QueueProgram::default());
    assert!(send_message(&smtp).starts_with("250 ok "));
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    let deliveries = home.deliveries();
    assert_eq!(deliveries.len(), 256);
    assert!(deliveries.iter().all(|delivery| delivery.envelope == b"Fa@b.c\0Tu@test\0\0"));
}

/// A text on descriptor 2 is for the client only with exit code 88, one on 6 only with 82.
#[test]
fn custom_texts_need_their_exit_code() {
    let home = Home::new();
    let smtp = start(&home);
    let text = Some((2, b"Dmine\n".to_vec()));
    for (code, reply) in [(88, "554 mine"), (31, expected(31)), (82, expected(82)), (111, expected(111))] {
        home.set_queue(&QueueProgram { end: QueueEnd::Exit(code), text: text.clone() });
        assert_eq!(send_message(&smtp), reply, "text on 2, exit code {code}");
    }
    let text = Some((6, b"Dmine\n".to_vec()));
    for (code, reply) in [(82, "554 mine"), (31, expected(31)), (88, expected(88)), (111, expected(111))] {
        home.set_queue(&QueueProgram { end: QueueEnd::Exit(code), text: text.clone() });
        assert_eq!(send_message(&smtp), reply, "text on 6, exit code {code}");
    }
}

#[test]
fn every_signal_is_a_crash() {
    let home = Home::new();
    let smtp = start(&home);
    for signal in [1, 2, 6, 9, 11, 13, 15] {
        home.set_queue(&QueueProgram { end: QueueEnd::Signal(signal), text: None });
        assert_eq!(send_message(&smtp), "451 qq crashed (#4.3.0)", "signal {signal}");
    }
}

/// A queue program that talks more than a pipe holds before it reads anything: neither may wait for the other.
#[test]
fn a_queue_program_that_talks_first() {
    let home = Home::new();
    let chatty = home.path().join("chatty");
    let script = "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x >&2\nhead -c 300000 /dev/zero >&6\ncat >/dev/null\nexec \"$QUEUE\"\n";
    // Read by a shell and not executed: another test that forks while we write would make the file busy.
    std::fs::write(&chatty, script).unwrap();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    let mut command = Command::new(support::program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("DISABLE_EXTRA_GREET", "");
    command
        .env("CONTROLDIR", home.control())
        .env("QMAILQUEUE", format!("/bin/sh {}", chatty.display()))
        .env("QUEUE_HOME", home.path());
    command.env("QUEUE", home.queue());
    let smtp = Smtp::start(&mut command);
    assert_eq!(smtp.reply(), ["220 mx.test"]);
    let content = "a line of a message that no pipe holds\r\n".repeat(10_000);
    smtp.send(format!("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n{content}.\r\n"));
    let replies: Vec<String> = (0..4).map(|_| smtp.reply().concat()).collect();
    assert!(replies[3].starts_with("250 ok "), "{replies:?}");
    assert_eq!(home.deliveries()[0].envelope, b"Fa@b.c\0Tu@test\0\0");
}
