//! What the machine does to smtpd: a connection that cannot be read, a system that refuses a call.
#![allow(clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
mod support;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use home::Home;

/// The command with a home to serve.
fn serving(home: &Home, mut smtpd: Command) -> Command {
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    smtpd.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("DISABLE_EXTRA_GREET", "");
    smtpd
        .env("CONTROLDIR", home.control())
        .env("TCPREMOTEIP", "10.1.2.3")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    smtpd
}

#[test]
fn a_connection_that_cannot_be_read() {
    let home = Home::new();
    let mut smtpd = serving(&home, Command::new(support::program("smtpd")));
    let output = smtpd.stdin(File::open("/").unwrap()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "220 mx.test\r\n451 sorry, unable to read from client (#5.5.2)\r\n");
    assert!(String::from_utf8(output.stderr).unwrap().ends_with("from 10.1.2.3 read error: is a directory\n"));
    assert_eq!(output.status.code(), Some(1));
}

/// A program of `recipients` that does not answer is killed with what it has started, not waited for.
#[test]
fn sigterm_ends_the_wait_for_a_lookup() {
    let home = Home::new();
    let (script, pids) = (home.path().join("slow"), home.path().join("pids"));
    std::fs::write(&script, format!("sleep 600 & echo $! $$ >{}.new; mv {0}.new {0}; wait\n", pids.display())).unwrap();
    home.write("recipients", format!("*|/bin/sh {}\n", script.display()));
    let mut smtpd = serving(&home, Command::new(support::program("smtpd")));
    let mut child = smtpd.env("CHECKRECIPIENT", "3").stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\n").unwrap();
    let started = (0..4_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        pids.exists()
    });
    assert!(started, "the program does not start");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = "220 mx.test\r\n250 ok\r\n451 unable to check recipients (#4.3.2)\r\n421 ";
    assert!(said.starts_with(expected), "{said}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("it was not waited for") && log.contains(" going down on SIGTERM"), "{log}");
}

#[test]
fn a_system_that_does_not_tell_its_addresses() {
    let home = Home::new();
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", "inject=socket:error=EMFILE"]).arg(support::program("smtpd"));
    let mut child = serving(&home, strace).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"MAIL FROM:<u@[127.0.0.1]>\r\nNOOP\r\nQUIT\r\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let refused = "451 Sorry, I'm unable to figure out my IP addresses (#4.3.0)";
    assert_eq!(said, format!("220 mx.test\r\n{refused}\r\n250 ok\r\n221 mx.test closing connection\r\n"));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("unable to figure out my IP address: process cannot open more files"), "{log}");
    assert!(log.contains("reason=temp:own addresses"), "{log}");
}
