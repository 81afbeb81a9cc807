//! Runs tests/transcripts/**/*.smtp against our smtpd, or against the program that SMTPD_UNDER_TEST names.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
#[path = "support/judge.rs"]
mod judge;
#[path = "support/order.rs"]
mod order;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "support/transcript.rs"]
mod transcript;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use home::Home;
use postern::policy::{recipient, sender};
use regex_lite::Regex;
use smtp::Smtp;
use transcript::{Side, Step, Transcript};

/// All of them; those whose name contains $TRANSCRIPT if that is set.
#[test]
fn transcripts() {
    let (program, side) = under_test();
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let files: Vec<PathBuf> = files().into_iter().filter(|at| name(at).contains(&only)).collect();
    assert!(!files.is_empty(), "no transcript is named like {only:?}");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = run_file(file, &program, side) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    println!("{} transcripts, {} failed", files.len(), failures.len());
    assert!(failures.is_empty(), "{} of {} transcripts failed\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

/// Differences of programs that no transcript can talk to, with the test that shows each.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("D37", "tests/tools.rs"),
    ("D38", "tests/tools.rs"),
    ("D39", "tests/hostile/limits.rs"),
    ("D40", "tests/live/socket.rs"),
    ("D41", "tests/tools/differ.rs"),
    ("D49", "tests/client_lists.rs"),
    ("D56", "tests/manual.rs"),
    ("D57", "tests/manual.rs"),
    ("D82", "tests/tls/hostile.rs"),
    ("D84", "tests/tls/settings.rs"),
    ("D85", "tests/tls/binding.rs"),
    ("D87", "tests/tls/hostile.rs"),
    ("D88", "tests/tls/settings.rs"),
    ("D89", "tests/tls/clients.rs"),
    ("D90", "tests/tls/tickets.rs"),
];

/// Each numbered difference stands in README and in a transcript or another test; no other number is used.
#[test]
fn every_difference_is_told_and_shown() {
    let mut shown = BTreeSet::new();
    for file in files() {
        let ours = read(&file, Side::Ours).unwrap_or_else(|error| panic!("{error}"));
        let original = read(&file, Side::Original).unwrap_or_else(|error| panic!("for the original: {error}"));
        assert_eq!(ours.differences, original.differences);
        shown.extend(ours.differences);
    }
    for (number, test) in SHOWN_ELSEWHERE {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(test)).unwrap();
        assert!(text.contains(number), "{test} does not mention {number}");
        shown.insert(number.to_string());
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let number = Regex::new(r"\bD\d\d\b").unwrap();
    let told: BTreeSet<String> = number.find_iter(&readme).map(|found| found.as_str().to_owned()).collect();
    assert_eq!(shown, told, "left: shown by transcripts; right: told in README");
}

/// Each numbered step of ORDER OF CHECKS in smtpd(8) is shown with its replies and reasons, and so is that it stands before its
/// neighbour: `shows MAIL hostaccess`, `shows MAIL hostaccess, then REQUIREAUTH`.
#[test]
fn every_check_is_shown_and_stands_in_its_place() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/man/smtpd.8")).unwrap();
    let checks = order::told(&page);
    let transcripts: Vec<Transcript> = files().iter().map(|file| read(file, Side::Ours).unwrap()).collect();
    let shown: BTreeSet<&str> = transcripts.iter().flat_map(|one| &one.shows).map(String::as_str).collect();
    let names = checks.iter().map(|check| check.name.clone());
    let neighbours = checks.windows(2).filter_map(|pair| {
        let [(command, _), (next, then)] = [&pair[0], &pair[1]].map(|check| check.name.split_once(' ').unwrap());
        (command == next).then(|| format!("{}, then {then}", pair[0].name))
    });
    let all: BTreeSet<String> = names.chain(neighbours).collect();
    assert_eq!(shown, all.iter().map(String::as_str).collect(), "left: shown by transcripts; right: told in smtpd(8)");
    let showing = |check: &order::Check| -> Vec<&Transcript> {
        transcripts.iter().filter(|transcript| transcript.shows.contains(&check.name)).collect()
    };
    let unshown: Vec<String> = checks.iter().flat_map(|check| check.unshown(&showing(check))).collect();
    assert!(unshown.is_empty(), "{}", unshown.join("\n"));
}

/// The page tells the rules in the order of the tables that decide.
#[test]
fn the_manual_has_the_order_of_the_rules() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/man/smtpd.8")).unwrap();
    let name = |rule: &postern::policy::Rule| rule.name.to_owned();
    let told = |command: &str, rules: &[String]| -> Vec<String> {
        let checks = order::told(&page).into_iter();
        let names = checks.filter_map(|check| check.name.strip_prefix(command).map(str::to_owned));
        names.filter(|name| rules.contains(name)).collect()
    };
    let of_mail: Vec<String> = sender::RULES.iter().map(name).collect();
    assert_eq!(told("MAIL ", &of_mail), of_mail);
    let is_right = |rule: &&postern::policy::Rule| rule.name != "recipient without domain";
    let first = recipient::RULES.iter().take_while(is_right).map(name);
    let right = "right to relay".to_owned();
    let of_rcpt: Vec<String> = first.chain([right]).chain(recipient::LIMITS.iter().map(name)).collect();
    assert_eq!(told("RCPT ", &of_rcpt), of_rcpt);
    let of_relaying: Vec<String> = recipient::RULES.iter().skip_while(|rule| rule.name != "AUTH").map(name).collect();
    assert_eq!(order::grants(&page), of_relaying);
}

/// The runner is no use if it finds nothing wrong: each of these must fail, at this line, for this reason.
#[test]
fn the_runner_sees_what_is_wrong() {
    let session = "S: 220 mx.test\nC: MAIL FROM:<a@b.c>\nC: RCPT TO:<u@test>\nC: DATA\nC: hi\nC: .\nS: 250 ok\nS: 250 ok\n\
                   S: 354 go ahead\nS: 250 ok *\nC: QUIT\nS: 221 mx.test closing connection\nexit 0\n";
    let right = "queued Fa@b.c\nqueued Tu@test\n";
    let program = support::program("smtpd");
    let verdict = |text: &str| {
        let baseline = fs::read_to_string(transcripts_directory().join("baseline.setup")).unwrap();
        let transcript = Transcript::parse(&baseline, text, Side::Ours).unwrap();
        run(&transcript, &program, Side::Ours)
    };
    assert_eq!(verdict(&format!("{session}{right}queued| hi\n")), Ok(()));
    let wrong = [
        (session.replace("354 go ahead", "354 go on") + right, 9, "not the reply"),
        (session.replace("250 ok *", "250 ok then *") + right, 10, "not the reply"),
        (session.replace("S: 221 mx.test closing connection\n", "") + right, 12, "more was said"),
        (session.replace("exit 0", "S: 250 more\nexit 0") + right, 13, "Closed"),
        (session.replace("exit 0", "exit 1") + right, 13, "not the exit"),
        (session.to_owned(), 0, "was given more"),
        (format!("{session}queued nothing\n"), 0, "was given more"),
        (format!("{session}queued Fa@b.c\n"), 14, "was given more"),
        (format!("{session}queued Fa@b.c\nqueued Tv@test\n"), 15, "not what the queue program was given"),
        (format!("{session}{right}queued Tv@test\n"), 16, "not what the queue program was given"),
        (format!("{session}{right}queued| ho\n"), 16, "not what the queue program was given"),
        (format!("{session}{right}queued| hi\nqueued| ho\n"), 17, "not what the queue program was given"),
        (format!("{session}{right}queued discarded\n"), 16, "was not started"),
        (format!("{session}queued discarded\n"), 14, "was given more"),
        (format!("{session}{right}trace| Received: from x\n"), 16, "not what the queue program was given"),
        (format!("{session}{right}log: no such line\n"), 16, "not in the log"),
        (format!("{session}{right}nolog: Accepted RECIPIENT*\n"), 16, "should not be in the log"),
        (format!("{session}{right}took 9\n"), 16, "too soon"),
        (format!("{session}{right}log=  no such line\n"), 16, "not on descriptor 2"),
    ];
    for (text, line, reason) in wrong {
        let failure = verdict(&text).expect_err(&text);
        assert_eq!(failure.0, line, "{text}\n{}", failure.1);
        assert!(failure.1.contains(reason), "{text}\n{}", failure.1);
    }
}

/// The program and whose lines count.
fn under_test() -> (PathBuf, Side) {
    match std::env::var_os("SMTPD_UNDER_TEST") {
        Some(path) => (PathBuf::from(path), Side::Original),
        None => (support::program("smtpd"), Side::Ours),
    }
}

fn transcripts_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![transcripts_directory()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "smtp") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name(file: &Path) -> String {
    file.strip_prefix(transcripts_directory()).unwrap().display().to_string()
}

fn read(file: &Path, side: Side) -> Result<Transcript, String> {
    let baseline = fs::read_to_string(transcripts_directory().join("baseline.setup")).unwrap();
    let text = fs::read_to_string(file).unwrap();
    Transcript::parse(&baseline, &text, side).map_err(|error| format!("tests/transcripts/{}:{error}", name(file)))
}

/// Runs one file; a `todo` must fail.
fn run_file(file: &Path, program: &Path, side: Side) -> Result<(), String> {
    let transcript = read(file, side)?;
    if transcript.ours_alone && side == Side::Original {
        return Ok(());
    }
    match (run(&transcript, program, side), &transcript.todo) {
        (Ok(()), None) => Ok(()),
        (Err((line, error)), None) => Err(format!("tests/transcripts/{}:{line}: {error}", name(file))),
        (Err(_), Some(_)) => Ok(()),
        (Ok(()), Some(issue)) => {
            Err(format!("tests/transcripts/{}:0: passes now; take out `todo {issue}`", name(file)))
        }
    }
}

fn run(transcript: &Transcript, program: &Path, side: Side) -> Result<(), (usize, String)> {
    let home = prepare(transcript);
    let mut smtp = Smtp::start(&mut command(transcript, program, &home, side));
    let mut said = String::new();
    let talked = talk(transcript, &mut smtp, &home, &mut said);
    if talked.is_err() {
        smtp.end_input();
    }
    let with_log = |(line, error): (usize, String)| {
        (line, format!("{error}\nconversation:\n{said}log:\n{}", judge::indent(&smtp.log_now())))
    };
    talked.map_err(with_log)?;
    let log = smtp.log();
    let found = judge::Found { log: &log, pid: smtp.pid(), deliveries: &home.deliveries(), home: home.path() };
    judge::judge(transcript, side, &found).map_err(with_log)
}

fn prepare(transcript: &Transcript) -> Home {
    let home = Home::new();
    for (name, content) in &transcript.setup.control {
        if let Some(content) = content {
            home.write(name, content);
        }
    }
    for name in &transcript.setup.directories {
        fs::create_dir(home.control().join(name)).unwrap();
    }
    for (name, keys) in &transcript.setup.cdb {
        home.write_cdb(name, keys);
    }
    log_in(&transcript.setup.logins, &home);
    home.set_queue(&transcript.setup.queue);
    home
}

/// Records the logins of mail readers.
fn log_in(logins: &[(i64, String, String)], home: &Home) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let row = |(age, user, address): &(i64, String, String)| format!("{user}\t{address}\t{}\n", now - age);
    let rows: String = logins.iter().map(row).collect();
    if rows.is_empty() {
        return;
    }
    let mut command = Command::new(support::program("opensmtp"));
    command.arg("--import").env_clear().env("CONTROLDIR", home.control()).stdin(Stdio::piped());
    let mut opensmtp = command.spawn().unwrap();
    opensmtp.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    assert!(opensmtp.wait().unwrap().success(), "opensmtp --import: {rows}");
}

fn command(transcript: &Transcript, program: &Path, home: &Home, side: Side) -> Command {
    let mut command = Command::new(program);
    let arguments = transcript.setup.arguments.iter();
    command.args(arguments.map(|word| judge::fill(word, home.path(), &home.queue())));
    command.current_dir(home.path()).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("CONTROLDIR", home.control());
    command.env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path());
    if side == Side::Original {
        // What ours does not need: a working directory, and no questions to the DNS.
        command.env("SYSCONFDIR", home.path()).env("NODNSCHECK", "");
    }
    for (name, value) in &transcript.setup.env {
        match value {
            Some(value) => command.env(name, judge::fill(value, home.path(), &home.queue())),
            None => command.env_remove(name),
        };
    }
    command
}

/// Plays the client; `said` keeps what both sides said.
fn talk(t: &Transcript, smtp: &mut Smtp, home: &Home, said: &mut String) -> Result<(), (usize, String)> {
    let began = Instant::now();
    for (line, step) in &t.steps {
        match step {
            Step::Took(seconds) if began.elapsed().as_secs() < *seconds => {
                return Err((*line, format!("too soon\n  - {seconds} s\n  + {:?}", began.elapsed())));
            }
            Step::Send(bytes) => {
                said.push_str(&judge::shown('C', bytes));
                smtp.send(bytes.clone());
            }
            Step::EndInput => smtp.end_input(),
            Step::Signal(signal) => {
                let status = Command::new("kill").args([format!("-{signal}"), smtp.pid().to_string()]).status();
                assert!(status.unwrap().success());
            }
            Step::Reply(expected) => {
                let heard =
                    smtp.line().map_err(|error| (*line, format!("{error:?} instead of a line\n  - {expected}")))?;
                said.push_str(&judge::shown('S', heard.as_bytes()));
                if !judge::reply_matches(expected, &heard, home.path()) {
                    return Err((*line, format!("not the reply\n  - {expected}\n  + {heard}")));
                }
            }
            Step::Exit(expected) => {
                let rest = smtp.rest().map_err(|error| (*line, format!("{error:?}: it does not close its output")))?;
                if !rest.is_empty() {
                    return Err((*line, format!("more was said\n  + {rest:?}")));
                }
                match smtp.exit() {
                    Some(status) if status.code() == Some(*expected) => (),
                    Some(status) => return Err((*line, format!("not the exit\n  - {expected}\n  + {status}"))),
                    None => return Err((*line, "it closed its output but does not exit".to_owned())),
                }
            }
            Step::Took(_)
            | Step::Log(_)
            | Step::RawLog(_)
            | Step::NoLog(_)
            | Step::Envelope(_)
            | Step::Discarded
            | Step::NothingQueued
            | Step::Content(_)
            | Step::Trace(_)
            | Step::QueueArgument(_)
            | Step::QueueVariable(_)
            | Step::QueueDirectory(_) => (),
        }
    }
    Ok(())
}
