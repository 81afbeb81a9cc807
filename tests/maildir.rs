//! queue-maildir as smtpd runs it: real pipes on descriptors 0 and 1, a real Maildir, and the exit code.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "maildir/faults.rs"]
mod faults;
mod support;

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use tempfile::TempDir;

const ENVELOPE: &[u8] = b"Falice@sender.example\0Tbob@example.org\0\0";
const HEADER: &[u8] = b"Return-Path: <alice@sender.example>\nDelivered-To: bob@example.org\n";

/// Larger than what the program holds in memory.
const LARGE_OCTETS: usize = 200_000;

/// A directory that has, or will have, a Maildir.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn maildir(&self) -> PathBuf {
        self.0.path().join("Maildir")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(support::program("queue-maildir"));
        command.arg(self.maildir()).env_remove("QUEUE_MAILDIR");
        command
    }

    /// The program behind another one, such as prlimit.
    fn command_behind(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(support::program("queue-maildir")).arg(self.maildir());
        command
    }

    /// What lies in a part of the Maildir, sorted; nothing if there is no Maildir.
    fn contents(&self, part: &str) -> Vec<Vec<u8>> {
        let mut contents: Vec<_> = self.paths(part).iter().map(|path| fs::read(path).unwrap()).collect();
        contents.sort();
        contents
    }

    fn paths(&self, part: &str) -> Vec<PathBuf> {
        match fs::read_dir(self.maildir().join(part)) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        for part in ["tmp", "new", "cur"] {
            assert_eq!(self.paths(part), [] as [PathBuf; 0], "{part}");
        }
    }

    /// Runs the program, which must refuse with this exit code and one sentence, and leave nothing behind.
    #[track_caller]
    fn assert_refused(&self, command: Command, message: &[u8], envelope: &[u8], exit_code: i32) {
        let (status, complaint) = run(command, message, envelope);
        assert_eq!(status.code(), Some(exit_code), "{status}: {complaint}");
        assert!(complaint.starts_with("queue-maildir: ") && complaint.ends_with('\n'), "{complaint:?}");
        assert_eq!(complaint.lines().count(), 1, "{complaint:?}");
        self.assert_nothing_left();
    }
}

/// Starts the program and returns the ends of its pipes: message, envelope.
fn start(mut command: Command) -> (Child, io::PipeWriter, io::PipeWriter) {
    let (message_reader, message) = io::pipe().unwrap();
    let (envelope_reader, envelope) = io::pipe().unwrap();
    command.stdin(message_reader).stdout(Stdio::from(envelope_reader)).stderr(Stdio::piped());
    (command.spawn().unwrap(), message, envelope)
}

/// Hands over as smtpd does and returns how the program ended and what it said. It may end before it has read all.
fn run(command: Command, message: &[u8], envelope: &[u8]) -> (ExitStatus, String) {
    let (child, mut message_pipe, mut envelope_pipe) = start(command);
    let _ = message_pipe.write_all(message);
    drop(message_pipe);
    let _ = envelope_pipe.write_all(envelope);
    drop(envelope_pipe);
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn assert_delivered(command: Command, message: &[u8], envelope: &[u8]) {
    let (status, complaint) = run(command, message, envelope);
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
}

/// Text that is nowhere the same, so that a piece lost or exchanged shows.
fn text(octets: usize) -> Vec<u8> {
    let mut text = b"Subject: lines\n\n".to_vec();
    for line in 0.. {
        if text.len() >= octets {
            break;
        }
        writeln!(text, "line {line}").unwrap();
    }
    text.truncate(octets);
    text
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn every_byte_of_a_message_is_kept() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let messages = [
        b"".to_vec(),
        b"\n".to_vec(),
        b"Subject: plain\n\nhello\n".to_vec(),
        b"Subject: no final newline\n\nhello".to_vec(),
        b"Subject: quoting\n\nFrom here\n>From there\n.\n..\n".to_vec(),
        b"Subject: CR\r\n\r\na\rb\r\r\n\0\0\n\xff\xfe\x80\n".to_vec(),
        every_byte.repeat(100),
        every_byte,
        text(65_535),
        text(65_536),
        text(65_537),
        text(LARGE_OCTETS),
    ];
    for message in messages {
        let home = Home::new();
        assert_delivered(home.command(), &message, ENVELOPE);
        let new = home.contents("new");
        assert_eq!(new.len(), 1);
        assert!(new[0] == [HEADER, &message].concat(), "a message of {} octets differs", message.len());
        assert_eq!(home.contents("tmp").len() + home.contents("cur").len(), 0);
    }
}

#[test]
fn the_memory_does_not_grow_with_the_message() {
    let limit = "--as=33554432";
    let home = Home::new();
    let message = text(50_000_000);
    assert_delivered(home.command_behind(&["prlimit", limit]), &message, ENVELOPE);
    assert!(home.contents("new") == [[HEADER, &message].concat()]);

    // The limit is one: an envelope that has no room in it ends with the code for that.
    let home = Home::new();
    let envelope = [b"F\0".to_vec(), [b"T".to_vec(), vec![b'x'; 1000], vec![0]].concat().repeat(50_000), vec![0]];
    home.assert_refused(home.command_behind(&["prlimit", limit]), b"", &envelope.concat(), 51);
}

#[test]
fn an_envelope_that_ends_early_delivers_nothing() {
    let home = Home::new();
    for message in [text(100), text(LARGE_OCTETS)] {
        for length in 0..ENVELOPE.len() {
            home.assert_refused(home.command(), &message, &ENVELOPE[..length], 54);
        }
    }
    assert_delivered(home.command(), b"whole", ENVELOPE);
}

#[test]
fn an_envelope_of_another_form_delivers_nothing() {
    let home = Home::new();
    let forms: [&[u8]; 10] = [
        b"\0",
        b"\n",
        b"Tbob@example.org\0\0",
        b"alice@sender.example\0Tbob@example.org\0\0",
        b"Falice@sender.example\0\0",
        b"Falice@sender.example\0bob@example.org\0\0",
        b"Falice@sender.example\0Fbob@example.org\0\0",
        b"Falice@sender.example\0Tbob@example.org\0Ccarol@example.org\0\0",
        b"Falice@sender.example\0Tbob@example.org\0\0\0",
        b"Falice@sender.example\0Tbob@example.org\0\0Tcarol@example.org\0\0",
    ];
    for form in forms {
        home.assert_refused(home.command(), b"message\n", form, 91);
    }
}

#[test]
fn an_address_may_have_1003_octets() {
    let home = Home::new();
    let envelope = |sender: usize, recipient: usize| {
        [b"F", "a".repeat(sender).as_bytes(), b"\0T", "b".repeat(recipient).as_bytes(), b"\0\0"].concat()
    };
    for (sender, recipient) in [(1004, 1), (1, 1004), (1, 100_000)] {
        home.assert_refused(home.command(), b"message\n", &envelope(sender, recipient), 11);
    }
    assert_delivered(home.command(), b"message\n", &envelope(1003, 1003));
    let header = format!("Return-Path: <{}>\nDelivered-To: {}\nmessage\n", "a".repeat(1003), "b".repeat(1003));
    assert_eq!(home.contents("new"), [header.into_bytes()]);
}

#[test]
fn each_of_many_recipients_has_its_line() {
    let home = Home::new();
    let (mut envelope, mut expected) = (b"F\0".to_vec(), b"Return-Path: <>\n".to_vec());
    for number in 0..50_000 {
        write!(envelope, "Tuser{number}@example.org\0").unwrap();
        writeln!(expected, "Delivered-To: user{number}@example.org").unwrap();
    }
    envelope.push(0);
    let message = text(LARGE_OCTETS);
    assert_delivered(home.command(), &message, &envelope);
    assert!(home.contents("new") == [[expected, message].concat()]);
}

#[test]
fn more_recipients_than_the_limit_are_refused() {
    let home = Home::new();
    let envelope = [b"F\0".to_vec(), b"Tx\0".repeat(100_001), vec![0]].concat();
    home.assert_refused(home.command(), b"message\n", &envelope, 51);
}

#[test]
fn an_address_cannot_make_a_header_line() {
    let home = Home::new();
    let envelope = b"Fa\nX-Spam: no\r@b\0Tc@d\r\n\r\nbody\0T\0Te\x7f\t@\xc3\xa9\0\0";
    assert_delivered(home.command(), b"message\n", envelope);
    let expected =
        "Return-Path: <\"a?X-Spam: no?\"@b>\nDelivered-To: c@d????body\nDelivered-To: \nDelivered-To: e??@é\nmessage\n";
    assert_eq!(home.contents("new"), [expected.as_bytes()]);
}

#[test]
fn eight_programs_at_once_lose_nothing() {
    // They also find no Maildir at first, and make it together.
    let home = Home::new();
    thread::scope(|scope| {
        for writer in 0..8 {
            let home = &home;
            scope.spawn(move || {
                for number in 0..25 {
                    assert_delivered(home.command(), format!("{writer}-{number}\n").as_bytes(), ENVELOPE);
                }
            });
        }
    });
    let new: HashSet<Vec<u8>> = home.contents("new").into_iter().collect();
    let sent = (0..8).flat_map(|writer| (0..25).map(move |number| format!("{writer}-{number}\n")));
    assert_eq!(new, sent.map(|message| [HEADER, message.as_bytes()].concat()).collect());
    assert_eq!(home.paths("new").len(), 200);
    assert_eq!(home.paths("tmp").len(), 0);
}

#[test]
fn a_name_says_when_by_whom_and_where() {
    let home = Home::new();
    let (child, message, mut envelope) = start(home.command());
    let pid = child.id();
    drop(message);
    envelope.write_all(ENVELOPE).unwrap();
    drop(envelope);
    assert!(child.wait_with_output().unwrap().status.success());

    let name = home.paths("new")[0].file_name().unwrap().to_str().unwrap().to_owned();
    let (seconds, rest) = name.split_once(".M").unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000, "{name}");
    let (microseconds, rest) = rest.split_once('P').unwrap();
    assert!(microseconds.parse::<u32>().unwrap() < 1_000_000, "{name}");
    let host = rest.strip_prefix(&format!("{pid}Q0.")).unwrap();
    assert!(!host.is_empty() && !host.contains([':', '\n', ' ']), "{name}");
}

#[test]
fn a_missing_maildir_is_made_for_its_owner_alone() {
    let home = Home::new();
    assert_delivered(home.command(), b"one\n", ENVELOPE);
    for part in ["", "tmp", "new", "cur"] {
        assert_eq!(mode(&home.maildir().join(part)), 0o700, "{part}");
    }
    assert_eq!(mode(&home.paths("new")[0]), 0o600);

    // An empty directory becomes one, and what is missing of one is made.
    let home = Home::new();
    fs::create_dir(home.maildir()).unwrap();
    assert_delivered(home.command(), b"one\n", ENVELOPE);
    for part in ["tmp", "cur"] {
        fs::remove_dir(home.maildir().join(part)).unwrap();
        assert_delivered(home.command(), part.as_bytes(), ENVELOPE);
    }
    assert_eq!(home.paths("new").len(), 3);
}

#[test]
fn a_relative_maildir_lies_in_the_working_directory() {
    let home = Home::new();
    let mut command = Command::new(fs::canonicalize(support::program("queue-maildir")).unwrap());
    command.arg("Maildir").current_dir(home.0.path());
    assert_delivered(command, b"one\n", ENVELOPE);
    assert_eq!(home.paths("new").len(), 1);
}

#[test]
fn the_argument_wins_over_the_variable() {
    let (home, other) = (Home::new(), Home::new());
    let mut command = home.command();
    command.env("QUEUE_MAILDIR", other.maildir());
    assert_delivered(command, b"one\n", ENVELOPE);
    assert_eq!((home.paths("new").len(), other.maildir().exists()), (1, false));

    let mut command = Command::new(support::program("queue-maildir"));
    command.env("QUEUE_MAILDIR", other.maildir());
    assert_delivered(command, b"one\n", ENVELOPE);
    assert_eq!(other.paths("new").len(), 1);
}

#[test]
fn without_a_maildir_nothing_is_guessed() {
    let home = Home::new();
    let command = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(support::program("queue-maildir"));
        command.args(arguments).env_remove("QUEUE_MAILDIR").current_dir(home.0.path());
        command.envs(variable.map(|value| ("QUEUE_MAILDIR", value)));
        command
    };
    home.assert_refused(command(&[], None), b"message\n", ENVELOPE, 55);
    home.assert_refused(command(&[], Some("")), b"message\n", ENVELOPE, 55);
    home.assert_refused(command(&[""], None), b"message\n", ENVELOPE, 55);
    home.assert_refused(command(&["Maildir", "more"], None), b"message\n", ENVELOPE, 55);
    assert_eq!(fs::read_dir(home.0.path()).unwrap().count(), 0);
}

#[test]
fn help_and_version_are_printed() {
    let said = |option: &str| {
        let output = Command::new(support::program("queue-maildir")).arg(option).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said("--help").starts_with("usage: queue-maildir [MAILDIR]\n"));
    assert_eq!(said("-h"), said("--help"));
    assert_eq!(said("--version"), format!("queue-maildir {} (Postern)\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(said("-V"), said("--version"));
}
