//! AUTH against the file of auth-cdb: users made by `postern passwd`, real exchanges, and what users who do not exist look like.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "auth/cram.rs"]
mod cram;
#[path = "support/home.rs"]
mod home;
#[path = "auth/process.rs"]
mod process;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use home::Home;
use postern::auth::Verifier;
use sha2::{Digest, Sha256};
use smtp::Smtp;
use support::program;
use tools::input;

/// So few that a test is quick.
const ITERATIONS: &str = "4096";

/// A home whose auth.cdb has two users.
fn home() -> Home {
    let home = Home::new();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    for (user, password) in [("joe@our.example", "pencil\n"), ("ann", "two words\r\nnot this line\n")] {
        let output = passwd(&home, &["add", "--iterations", ITERATIONS, user], password);
        assert!(output.status.success(), "{output:?}");
    }
    home
}

fn passwd(home: &Home, arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new(program("postern"));
    command.env_clear().env("CONTROLDIR", home.control()).arg("passwd").args(arguments).stdin(input(typed.as_bytes()));
    command.output().unwrap()
}

fn start(home: &Home, checkers: &[&str]) -> Smtp {
    start_with(home, checkers, &[])
}

fn start_with(home: &Home, checkers: &[&str], variables: &[(&str, &str)]) -> Smtp {
    let mut command = Command::new(program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("CONTROLDIR", home.control());
    command.env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path()).env("TCPREMOTEIP", "192.0.2.7");
    command.env("PENALTY", "0").env("AUTH_MAXFAIL", "1000").env("DISABLE_EXTRA_GREET", "");
    let smtp = Smtp::start(command.envs(variables.iter().copied()).arg("mx.test").args(checkers));
    assert_eq!(smtp.line().unwrap(), "220 mx.test");
    smtp
}

/// smtpd with auth-cdb, which nothing follows but what says no.
fn auth_cdb(home: &Home) -> Smtp {
    start(home, &[program("auth-cdb").to_str().unwrap(), "/bin/false"])
}

fn ask(smtp: &Smtp, line: &str) -> String {
    smtp.send(format!("{line}\r\n"));
    smtp.line().unwrap()
}

fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
}

const YES: &str = "235 ok, go ahead (#2.0.0)";
const NO: &str = "535 authorization failure (#5.7.8)";
const LATER: &str = "454 temporary authentication failure (#4.3.0)";

fn hash(key: &[u8], text: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

/// What a client of SCRAM says; the server's challenge, its last reply, and whether the server has proved itself.
fn scram(smtp: &Smtp, user: &str, password: &str) -> (String, String, bool) {
    let bare = format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL");
    let heard = ask(smtp, &format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(format!("n,,{bare}"))));
    let Some(challenge) = heard.strip_prefix("334 ") else { return (String::new(), heard, false) };
    let challenge = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
    let fields: Vec<&str> = challenge.split(',').map(|field| &field[2..]).collect();
    let (salt, iterations) = (STANDARD.decode(fields[1]).unwrap(), fields[2].parse::<u32>().unwrap());

    // By hand, so that the server is not compared with itself.
    let mut block = hash(password.as_bytes(), &[salt.as_slice(), &[0, 0, 0, 1]].concat());
    let mut salted = block.clone();
    for _ in 1..iterations {
        block = hash(password.as_bytes(), &block);
        salted.iter_mut().zip(&block).for_each(|(octet, more)| *octet ^= more);
    }
    let last = format!("c=biws,r={}", fields[0]);
    let message = format!("{bare},{challenge},{last}");
    let client_key = hash(&salted, b"Client Key");
    let signature = hash(&Sha256::digest(&client_key), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(octet, more)| octet ^ more).collect();
    let heard = ask(smtp, &STANDARD.encode(format!("{last},p={}", STANDARD.encode(proof))));
    let Some(proved) = heard.strip_prefix("334 ") else { return (challenge, heard, false) };
    let expected = format!("v={}", STANDARD.encode(hash(&hash(&salted, b"Server Key"), message.as_bytes())));
    let is_proved = STANDARD.decode(proved).unwrap() == expected.as_bytes();
    (challenge, ask(smtp, ""), is_proved)
}

#[test]
fn a_verifier_answers_plain_login_and_scram() {
    let home = home();
    for (user, password, expected) in [
        ("joe@our.example", "pencil", YES),
        ("ann", "two words", YES),
        ("joe@our.example", "Pencil", NO),
        ("joe@our.exampl", "pencil", NO),
        ("JOE@our.example", "pencil", NO),
        ("ann", "pencil", NO),
        ("nobody", "pencil", NO),
    ] {
        let smtp = auth_cdb(&home);
        assert_eq!(ask(&smtp, &plain(user, password)), expected, "{user} {password}");
        let smtp = auth_cdb(&home);
        assert!(ask(&smtp, &format!("AUTH LOGIN {}", STANDARD.encode(user))).starts_with("334 "));
        assert_eq!(ask(&smtp, &STANDARD.encode(password)), expected, "{user} {password}");
        let smtp = auth_cdb(&home);
        let (_, last, is_proved) = scram(&smtp, user, password);
        assert_eq!((last.as_str(), is_proved), (expected, expected == YES), "{user} {password}");
    }
}

#[test]
fn scram_can_be_tried_again_and_lets_relay() {
    let home = home();
    let smtp = auth_cdb(&home);
    assert_eq!(scram(&smtp, "ann", "wrong").1, NO);
    assert_eq!(ask(&smtp, &plain("ann", "wrong")), NO);
    assert_eq!(scram(&smtp, "ann", "two words").1, YES);
    assert_eq!(ask(&smtp, "MAIL FROM:<a@b.c>"), "250 ok");
    assert_eq!(ask(&smtp, "RCPT TO:<you@far.example>"), "250 ok");
    smtp.send("QUIT\r\n");
    assert!(smtp.rest().is_ok());
    assert!(smtp.log().contains(" AUTH USER [ann] status=[0] AUTH SCRAM-SHA-256 TLS=No auth success"));
}

/// Each challenge has another nonce; salt and iterations tell nothing about who exists.
#[test]
fn who_does_not_exist_looks_like_a_user() {
    let home = home();
    let challenged = |user: &str| {
        let (challenge, last, _) = scram(&auth_cdb(&home), user, "x");
        assert_eq!(last, NO);
        let fields: Vec<String> = challenge.split(',').map(str::to_owned).collect();
        assert_eq!(fields[2], format!("i={ITERATIONS}"));
        assert_eq!(STANDARD.decode(&fields[1][2..]).unwrap().len(), Verifier::SALT_OCTETS);
        (fields[0].clone(), fields[1].clone())
    };
    let (nobody, again, other, ann, ann_again) =
        (challenged("nobody"), challenged("nobody"), challenged("nobod"), challenged("ann"), challenged("ann"));
    assert_eq!((&nobody.1, &ann.1), (&again.1, &ann_again.1));
    assert!(nobody.1 != other.1 && nobody.1 != ann.1);
    assert!(nobody.0 != again.0 && ann.0 != ann_again.0);
    // Another password, and the users stay as they were.
    assert!(passwd(&home, &["add", "--iterations", ITERATIONS, "new"], "x\n").status.success());
    assert_eq!(challenged("nobody").1, nobody.1);
}

#[test]
fn what_cannot_be_known_is_454() {
    let home = home();
    fs::write(home.control().join("auth.cdb"), "no cdb").unwrap();
    let smtp = auth_cdb(&home);
    assert_eq!(ask(&smtp, &plain("ann", "two words")), LATER);
    assert_eq!(scram(&smtp, "ann", "two words").1, LATER);
    fs::remove_file(home.control().join("auth.cdb")).unwrap();
    assert_eq!(ask(&smtp, &plain("ann", "two words")), LATER);
    assert_eq!(ask(&smtp, "NOOP"), "250 ok");
}

#[test]
fn the_next_checker_is_asked_by_the_one_before() {
    let home = home();
    let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
    let own = program("auth-cdb");
    for chain in [[own.to_str().unwrap(), checker], [checker, own.to_str().unwrap()]] {
        for (user, password, expected) in [("bob", "secret", YES), ("ann", "two words", YES), ("ann", "secret", NO)] {
            let smtp = start(&home, &[chain[0], chain[1], "/bin/false"]);
            assert_eq!(ask(&smtp, &plain(user, password)), expected, "{chain:?} {user}");
        }
        assert_eq!(scram(&start(&home, &[chain[0], chain[1], "/bin/false"]), "ann", "two words").1, YES);
    }
}

#[test]
fn a_checker_has_the_same_descriptors_each_time() {
    let home = home();
    let checker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/checker.sh");
    let smtp = start(&home, &[checker, "/bin/false"]);
    for _ in 0..50 {
        assert_eq!(ask(&smtp, &plain("descriptors", "x")), NO);
    }
    smtp.send("QUIT\r\n");
    assert!(smtp.rest().is_ok());
    let log = smtp.log();
    let told: Vec<&str> = log.lines().filter(|line| line.starts_with("checker: descriptors")).collect();
    assert_eq!(told.len(), 50);
    assert!(told.iter().all(|line| *line == told[0]), "{told:#?}");
}

#[test]
fn passwd_keeps_users_in_a_file_for_few() {
    let home = home();
    let file = home.control().join("auth.cdb");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
    let list = || String::from_utf8(passwd(&home, &["list"], "").stdout).unwrap();
    assert_eq!((mode(), list().as_str()), (0o600, "ann\njoe@our.example\n"));
    // Its group may read it, if the operator wants so; others never.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(passwd(&home, &["del", "ann"], "").status.code(), Some(0));
    assert_eq!((mode(), list().as_str()), (0o640, "joe@our.example\n"));
    assert_eq!(passwd(&home, &["del", "ann"], "").status.code(), Some(1));

    let kept = String::from_utf8(Verifier::of_password(b"kept", b"salt of someone", 5000).to_text().to_vec()).unwrap();
    let lines = format!("one:pass:word\n\ntwo:{kept}\r\n");
    let output = passwd(&home, &["import", "--iterations", ITERATIONS], &lines);
    assert_eq!((output.status.code(), list().as_str()), (Some(0), "joe@our.example\none\ntwo\n"), "{output:?}");
    for (user, password) in [("one", "pass:word"), ("two", "kept")] {
        assert_eq!(ask(&auth_cdb(&home), &plain(user, password)), YES, "{user}");
    }
    let wrong = [("import", "no colon\n"), ("import", ":x\n"), ("import", "a\tb:x\n"), ("import", "a:\n")];
    for (action, typed) in wrong {
        let output = passwd(&home, &[action], typed);
        assert_eq!(output.status.code(), Some(100), "{typed:?} {output:?}");
    }
    for (user, typed) in
        [("a", ""), ("a", "\n"), ("", "x\n"), ("a\nb", "x\n"), ("a", &format!("{}\n", "x".repeat(1025)))]
    {
        assert_eq!(passwd(&home, &["add", user], typed).status.code(), Some(100), "{user:?} {typed:?}");
    }
    assert_eq!(passwd(&home, &["add", "--iterations", "4095", "a"], "x\n").status.code(), Some(100));
    assert_eq!(list(), "joe@our.example\none\ntwo\n");
    let content = fs::read(&file).unwrap();
    assert!(!content.windows(4).any(|window| window == b"kept" || window == b"word" || window == b"penc"));
}

#[test]
fn passwd_replaces_what_is_there_and_follows_no_link() {
    let home = home();
    let elsewhere = home.path().join("elsewhere");
    fs::write(&elsewhere, "mine").unwrap();
    symlink(&elsewhere, home.control().join("auth.cdb.tmp")).unwrap();
    assert!(passwd(&home, &["add", "--iterations", ITERATIONS, "ann"], "three\n").status.success());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
    assert_eq!(ask(&auth_cdb(&home), &plain("ann", "three")), YES);
    assert_eq!(ask(&auth_cdb(&home), &plain("ann", "two words")), NO);
}

/// Whoever writes to descriptor 3 what smtpd never would.
#[test]
fn auth_cdb_reads_its_question_strictly() {
    let home = home();
    for (question, expected) in [
        (r"ann\0two words\0\0\002\0", 0),
        (r"ann\0two words\0\0", 0),
        (r"ann\0two words\0\0\003\0", 1),
        (r"ann\0two words\0digest\0", 1),
        (r"ann\0\0\0\002\0", 1),
        (r"\0decoy\0x\0\0\002\0", 2),
        (r"\0\0\0\014\0", 2),
        (r"ann", 2),
        (r"", 2),
    ] {
        let script = format!("printf '{question}' | {} 3<&0 </dev/null", program("auth-cdb").display());
        let mut command = Command::new("sh");
        let output = command.env_clear().env("CONTROLDIR", home.control()).args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{question} {output:?}");
        assert!(output.stdout.is_empty());
    }
    let mut command = Command::new(program("auth-cdb"));
    let unread = command.env_clear().env("CONTROLDIR", home.control()).output().unwrap();
    assert_eq!(unread.status.code(), Some(2), "nothing is on descriptor 3");
    for (option, begins) in [("--help", "usage: auth-cdb"), ("--version", "auth-cdb 0.")] {
        let output = Command::new(program("auth-cdb")).arg(option).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(begins.as_bytes()));
    }
}

/// AUTH_CDB names another file, for `postern passwd` and for auth-cdb.
#[test]
fn another_file_has_other_users() {
    let home = home();
    let mut command = Command::new(program("postern"));
    command.env_clear().env("CONTROLDIR", home.control()).env("AUTH_CDB", "others.cdb").stdin(input(b"pencil\n"));
    assert!(command.args(["passwd", "add", "--iterations", ITERATIONS, "eve"]).status().unwrap().success());
    let checkers = [program("auth-cdb"), "/bin/false".into()];
    let checkers = checkers.each_ref().map(|checker| checker.to_str().unwrap());
    let others = start_with(&home, &checkers, &[("AUTH_CDB", "others.cdb")]);
    assert_eq!(ask(&others, &plain("ann", "two words")), NO);
    assert_eq!(ask(&others, &plain("eve", "pencil")), YES);
    assert_eq!(ask(&auth_cdb(&home), &plain("eve", "pencil")), NO);
}
