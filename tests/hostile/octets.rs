//! Every octet in every command: one reply each, printable, and a log that nobody can forge.

use crate::smtp::Smtp;
use crate::{home, quit, start};

/// What stands around the octet; QUIT and DATA without argument would end the game.
const COMMANDS: &[(&str, &str)] = &[
    ("", ""),
    ("HELO a", "b.example"),
    ("EHLO a", "b.example"),
    ("MAIL FROM:<a", "b@c.example>"),
    ("MAIL FROM:a", "b@c.example"),
    ("MAIL FROM:<a@b.c> SIZE=1", "2"),
    ("MAIL FROM:<a@b.c> ", "X"),
    ("RCPT TO:<u", "v@test>"),
    ("RCPT TO:<u@te", "st>"),
    ("RCPT TO:<u@test> X", "Y"),
    ("DATA a", "b"),
    ("RSET a", "b"),
    ("NOOP a", "b"),
    ("VRFY a", "b"),
    ("HELP a", "b"),
    ("FOO a", "b"),
    ("XF", "OO"),
];

#[test]
fn each_octet_in_each_command() {
    let home = home();
    let smtp = start(&home);
    let mut asked = 0;
    for octet in (0..=255).filter(|octet| *octet != b'\n') {
        for (before, after) in COMMANDS {
            if before.starts_with("RCPT") {
                assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
            }
            let line = [before.as_bytes(), &[octet], after.as_bytes(), b"\r\n"].concat();
            smtp.send(line.clone());
            let reply = smtp.reply();
            let shown = String::from_utf8_lossy(&line).into_owned();
            assert!(reply.iter().all(|line| is_a_reply(line)), "{shown:?}: {reply:?}");
            let control = octet < 32 || octet == 127;
            if control
                && (before.starts_with("MAIL FROM:<a") || before.starts_with("RCPT TO:<u"))
                && after.contains('@')
            {
                assert_eq!(reply, ["555 syntax error in address (#5.1.3)"], "D10: {shown:?}");
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 255 * COMMANDS.len());
    let log = quit(smtp);
    assert_log_is_clean(&log);
    assert!(home.deliveries().is_empty());
}

/// Three digits, a separator, printable text.
fn is_a_reply(line: &str) -> bool {
    let (code, text) = line.split_at_checked(3).unwrap_or_default();
    code.bytes().all(|digit| digit.is_ascii_digit()) && !text.chars().any(char::is_control)
}

fn assert_log_is_clean(log: &str) {
    for line in log.lines() {
        assert!(line.starts_with("qmail-smtpd: pid "), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// Lines of the log that a client tries to write itself.
#[test]
fn nobody_forges_the_log() {
    let home = home();
    let smtp = start(&home);
    let forged = "qmail-smtpd: pid 1 from 9.9.9.9  HELO <x> MAIL from <x> RCPT <x> AUTH <x> Size: 1 TLS=No";
    for line in [
        format!("HELO a\0{forged}"),
        format!("HELO a\r{forged}"),
        "HELO a> MAIL from <root@test> RCPT <u@test> AUTH <boss".to_owned(),
        format!("MAIL FROM:<a\0{forged}@b.c>"),
        format!("MAIL FROM:<a@b.c>\u{85}{forged}"),
    ] {
        smtp.send(format!("{line}\r\n"));
        smtp.reply();
    }
    assert_eq!(smtp.ask("MAIL FROM:<a> RCPT <root@test>"), "555 unsupported parameter (#5.5.4)");
    assert_eq!(smtp.ask("MAIL FROM:<\"a> RCPT <root@test> reason=RELAYCLIENT x\"@b.c>"), "250 ok");
    assert!(smtp.ask("RCPT TO:<u@far.example>").starts_with("553 "));
    let log = quit(smtp);
    assert_log_is_clean(&log);
    let [line] = log.lines().collect::<Vec<_>>()[..] else { panic!("one line is expected:\n{log}") };
    // What the client says of itself is one field without blanks.
    let helo = "a??MAIL?from??root@test??RCPT??u@test??AUTH??boss";
    assert!(line.ends_with(&format!(" RCPT <u@far.example> helo={helo} reason=norelay")), "{line}");
    // An address cannot end the brackets it stands in.
    let sender = line.split_once("MAIL from <").unwrap().1.split_once("> RCPT <u@far.example>").unwrap().0;
    assert!(!sender.contains(['<', '>']), "{line}");
}

/// CR and LF in all places where a command is split: as many replies as lines, never one more.
#[test]
fn line_ends_of_all_kinds() {
    let home = home();
    let smtp = start(&home);
    smtp.send("\r\n\n\r\r\n\r\rNOOP\r\nNOOP\n\rNOOP\r\n\r\n");
    let expected = [
        "502 command  not recognized (#5.5.2)",
        "502 command  not recognized (#5.5.2)",
        "502 command ? not recognized (#5.5.2)",
        "502 command ??NOOP not recognized (#5.5.2)",
        "250 ok",
        "502 command ?NOOP not recognized (#5.5.2)",
        "502 command  not recognized (#5.5.2)",
    ];
    for line in expected {
        assert_eq!(smtp.reply(), [line]);
    }
    ends_here(smtp);
}

/// No reply is left over.
fn ends_here(smtp: Smtp) {
    assert_eq!(smtp.ask("NOOP"), "250 ok");
    quit(smtp);
}
