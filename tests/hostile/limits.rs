//! Much of everything: lines, recipients, commands, content, replies that nobody reads.

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::smtp::{PATIENCE, Smtp};
use crate::{command, home, memory_peak_kib, quit, start};

#[test]
fn ten_megabytes_without_a_line_end_are_refused_at_the_limit() {
    let home = home();
    let mut smtp = start(&home);
    smtp.send(vec![b'A'; 10_000_000]);
    assert_eq!(smtp.reply(), ["553 sorry, the given command is too long! (#5.5.2)"]);
    assert_eq!(smtp.rest().unwrap(), "");
    assert_eq!(smtp.exit().and_then(|status| status.code()), Some(1));
    assert!(smtp.log().contains(" command too long"), "{}", smtp.log());
}

/// D09: 50,000 are the limit when the operator sets none.
#[test]
fn sixty_thousand_recipients() {
    const ASKED: usize = 60_000;
    const ACCEPTED: usize = 50_000;
    let home = home();
    let smtp = start(&home);
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    let commands: String = (0..ASKED).map(|number| format!("RCPT TO:<u{number}@test>\r\n")).collect();
    smtp.send(commands);
    for number in 0..ASKED {
        let expected = if number < ACCEPTED { "250 ok" } else { "557 sorry, too many recipients (#5.7.1)" };
        assert_eq!(smtp.reply(), [expected], "recipient {number}");
    }
    smtp.send("DATA\r\nhi\r\n.\r\n");
    assert_eq!(smtp.reply(), ["354 go ahead"]);
    assert!(smtp.reply().concat().starts_with("250 ok "));
    let log = quit(smtp);
    assert_eq!(log.lines().filter(|line| line.ends_with(" reason=maxrecipients")).count(), ASKED - ACCEPTED);
    let deliveries = home.deliveries();
    let items = deliveries.first().unwrap().envelope_items();
    assert_eq!(items.len(), ACCEPTED + 1);
    assert_eq!((items[0].as_str(), items[ACCEPTED].as_str()), ("Fa@b.c", "Tu49999@test"));
}

/// The most that a client can make us hold: all the recipients allowed, each as long as allowed.
#[test]
fn the_longest_recipients_allowed() {
    const PEAK_KIB: usize = 60_000;
    let home = home();
    let smtp = start(&home);
    fill_transaction(&smtp);
    assert_eq!(smtp.ask("RCPT TO:<u@test>"), "557 sorry, too many recipients (#5.7.1)");
    assert!(memory_peak_kib(&smtp) < PEAK_KIB, "{} KiB", memory_peak_kib(&smtp));
    assert_eq!(smtp.ask("RSET"), "250 flushed");
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
}

/// And a message to all of them is queued, in no more memory than that.
#[test]
fn a_message_to_the_longest_recipients_allowed() {
    let home = home();
    let smtp = start(&home);
    fill_transaction(&smtp);
    smtp.send("DATA\r\nhi\r\n.\r\n");
    assert_eq!(smtp.line().as_deref(), Ok("354 go ahead"), "after DATA");
    assert!(smtp.line().is_ok_and(|reply| reply.starts_with("250 ok ")), "after DATA");
    assert!(memory_peak_kib(&smtp) < crate::ADDRESS_SPACE_KIB, "after DATA");
    assert_eq!(home.deliveries().first().unwrap().envelope_items().len(), 50_001);
}

/// MAIL and 50,000 recipients of 899 octets.
fn fill_transaction(smtp: &Smtp) {
    const RECIPIENTS: usize = 50_000;
    assert_eq!(smtp.ask("MAIL FROM:<a@b.c>"), "250 ok");
    let long = "x".repeat(888);
    for first in (0..RECIPIENTS).step_by(1000) {
        let commands = (first..first + 1000).map(|number| format!("RCPT TO:<{long}{number:06}@test>\r\n"));
        smtp.send(commands.collect::<String>());
    }
    for number in 0..RECIPIENTS {
        assert_eq!(smtp.reply(), ["250 ok"], "recipient {number}");
    }
}

#[test]
fn a_hundred_thousand_commands_do_not_grow_it() {
    const COMMANDS: usize = 100_000;
    let home = home();
    let smtp = start(&home);
    let script: String =
        (0..COMMANDS / 4).map(|n| format!("FOO {n}\r\nMAIL FROM:<a{n}@b.c>\r\nRSET\r\nHELO {n}\r\n")).collect();
    smtp.send(script);
    for number in 0..COMMANDS / 4 {
        assert_eq!(smtp.line().unwrap(), format!("502 command FOO {number} not recognized (#5.5.2)"));
        assert_eq!(smtp.line().unwrap(), "250 ok");
        assert_eq!(smtp.line().unwrap(), "250 flushed");
        assert_eq!(smtp.line().unwrap(), "250 mx.test");
    }
    quit(smtp);
}

/// Content is streamed: a message larger than the memory limit goes through.
#[test]
fn a_message_larger_than_the_memory_allowed() {
    const LINES: usize = 2_000_000;
    let home = home();
    let smtp = start(&home);
    smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n");
    for _ in 0..3 {
        smtp.reply();
    }
    let line = [b'x'; 58];
    let block: Vec<u8> = [&line[..], b"\r\n"].concat().repeat(LINES / 1000);
    for _ in 0..1000 {
        smtp.send(block.clone());
    }
    smtp.send(".\r\n");
    assert!(smtp.reply().concat().starts_with("250 ok "));
    quit(smtp);
    let stored = home.deliveries().first().unwrap().trace_and_content().1.len();
    assert_eq!(stored, LINES * 59);
}

/// Header lines without end are no header to hold in memory.
#[test]
fn a_header_line_of_fifty_megabytes() {
    let home = home();
    let smtp = start(&home);
    smtp.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nReceived: ");
    for _ in 0..3 {
        smtp.reply();
    }
    for _ in 0..50 {
        smtp.send(vec![b'r'; 1_000_000]);
    }
    smtp.send("\r\n.\r\n");
    assert!(smtp.reply().concat().starts_with("250 ok "));
    quit(smtp);
}

/// Whoever does not read what we say is left after timeoutsmtpd.
#[test]
fn a_client_that_stops_reading() {
    let home = home();
    home.write("timeoutsmtpd", "1\n");
    let mut child = command(&home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = child.stdout.take().unwrap(); // Open, and never read.
    let writer = thread::spawn(move || {
        let _ = input.write_all(&b"EHLO a\r\n".repeat(500_000)); // It ends with an error when the daemon goes.
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it waits for ever for a client that does not read");
        thread::sleep(Duration::from_millis(5));
    };
    drop(output);
    writer.join().unwrap();
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut log).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(" write error"), "{log}");
}

/// Silence is answered, and ends.
#[test]
fn a_client_that_sends_nothing() {
    let home = home();
    home.write("timeoutsmtpd", "1\n");
    let mut smtp = start(&home);
    assert_eq!(smtp.reply(), ["451 Sorry, I reached a timeout reading from client (#4.4.2)"]);
    assert_eq!(smtp.rest().unwrap(), "");
    assert_eq!(smtp.exit().and_then(|status| status.code()), Some(1));
}

/// D39: a line, and a message, that never end: an octet now and then, each well within the time that silence may take.
#[test]
fn a_client_that_drips() {
    for begun in ["", "MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n"] {
        drips_behind(begun);
    }
}

fn drips_behind(begun: &str) {
    let home = home();
    home.write("timeoutsmtpd", "1\n");
    let mut smtp = start(&home);
    smtp.send(begun);
    (0..begun.lines().count()).for_each(|_| assert!(smtp.reply().concat().ends_with(['k', 'd']), "{begun}"));
    let ended = (0..200).any(|_| {
        smtp.send(*b"x");
        thread::sleep(Duration::from_millis(100));
        smtp.log_now().contains("timeout reached reading data from client")
    });
    assert!(ended, "it waits as long as octets come behind {begun:?}");
    assert_eq!(smtp.reply(), ["451 Sorry, I reached a timeout reading from client (#4.4.2)"]);
    assert_eq!(smtp.exit().and_then(|status| status.code()), Some(1));
}

#[test]
fn one_octet_at_a_time() {
    let home = home();
    let smtp = start(&home);
    let session = "EHLO a.example\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\n..x\r\n\r\n.\r\n";
    for octet in session.bytes() {
        smtp.send([octet]);
        thread::sleep(Duration::from_millis(1)); // So that each is a read of its own.
    }
    assert_eq!(smtp.reply().len(), 4);
    assert_eq!([smtp.reply(), smtp.reply(), smtp.reply()], [["250 ok"], ["250 ok"], ["354 go ahead"]]);
    assert!(smtp.reply().concat().starts_with("250 ok "));
    quit(smtp);
    assert_eq!(home.deliveries().first().unwrap().trace_and_content().1, b".x\n\n");
}

/// Cut off after each octet of a session: always an orderly end, and a message only if its end had come.
#[test]
fn goodbye_after_each_octet() {
    const SESSION: &str = "HELO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n";
    let whole_message = SESSION.find("QUIT").unwrap();
    let cuts: Vec<usize> = (0..SESSION.len()).collect();
    thread::scope(|scope| {
        for share in cuts.chunks(cuts.len().div_ceil(4)) {
            scope.spawn(move || {
                for &cut in share {
                    let home = home();
                    let mut smtp = Smtp::start(&mut command(&home));
                    smtp.send(&SESSION.as_bytes()[..cut]);
                    smtp.end_input();
                    let said = smtp.rest().unwrap();
                    // The last octet is missing: QUIT CR is no command, nor is anything else unfinished.
                    assert_eq!(smtp.exit().and_then(|status| status.code()), Some(1), "cut at {cut}: {said}");
                    let kept = home.deliveries().iter().filter(|delivery| !delivery.envelope.is_empty()).count();
                    assert_eq!(kept, usize::from(cut >= whole_message), "cut at {cut}: {said}");
                    assert!(home.deliveries().iter().all(|delivery| delivery.finished), "cut at {cut}");
                }
            });
        }
    });
}

#[test]
fn memory_is_measured() {
    let home = home();
    let smtp = start(&home);
    let peak = memory_peak_kib(&smtp);
    assert!((100..crate::MEMORY_KIB).contains(&peak), "{peak} KiB");
    quit(smtp);
}
