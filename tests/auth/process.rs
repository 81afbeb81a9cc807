//! smtpd while a checker runs, and its memory after a password.

use std::fs::{File, read_to_string};
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::*;

/// A checker that never answers, is killed with what it has started, and the client is told.
#[test]
fn sigterm_ends_the_wait_for_a_checker() {
    let home = home();
    let (script, pids) = (home.path().join("slow"), home.path().join("pids"));
    fs::write(&script, format!("sleep 600 & echo $! $$ >{}.new; mv {0}.new {0}; wait\n", pids.display())).unwrap();
    let smtp = start(&home, &["/bin/sh", script.to_str().unwrap(), "/bin/false"]);
    smtp.send(format!("{}\r\n", plain("ann", "two words")));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !pids.exists() {
        assert!(Instant::now() < deadline, "the checker does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let asked = Instant::now();
    kill(Pid::from_raw(smtp.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(smtp.line().unwrap().starts_with("421 "));
    assert!(asked.elapsed() < Duration::from_secs(10));
    for pid in read_to_string(&pids).unwrap().split_whitespace() {
        // Gone, or a zombie that nobody has asked for yet.
        let is_gone = || read_to_string(format!("/proc/{pid}/stat")).map_or(true, |status| status.contains(") Z "));
        while !is_gone() {
            assert!(Instant::now() < deadline, "{pid} still runs");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(smtp.log().contains(" going down on SIGTERM"));
}

/// Every octet that the process could write to.
fn memory(pid: u32) -> Vec<u8> {
    let mut memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|digits| u64::from_str_radix(digits, 16).unwrap());
        memory.seek(SeekFrom::Start(from)).unwrap();
        let mut part = vec![0; (to - from).try_into().unwrap()];
        // Some mappings of the kernel cannot be read.
        if memory.read_exact(&mut part).is_ok() {
            all.extend(part);
        }
    }
    all
}

/// Lines that fit into the first buffer, and lines for which it has to grow.
#[test]
fn no_password_stays_in_memory() {
    let home = home();
    let smtp = start(&home, &[program("auth-cdb").to_str().unwrap(), "/bin/false"]);
    let secrets = ["Xy7".repeat(40), "Zq9".repeat(300), "Wk4".repeat(2500)];
    let encoded: Vec<String> = secrets.iter().map(|secret| STANDARD.encode(secret)).collect();
    for (secret, encoded) in secrets.iter().zip(&encoded) {
        assert_eq!(ask(&smtp, &plain("ann", secret)), NO);
        assert!(ask(&smtp, &format!("AUTH LOGIN {}", STANDARD.encode("ann"))).starts_with("334 "));
        assert_eq!(ask(&smtp, encoded), NO);
    }
    // A name that is long enough would be found.
    assert_eq!(ask(&smtp, "MAIL FROM:<a-long-name-that-is-found@b.example>"), "250 ok");
    let memory = memory(smtp.pid());
    let has = |needle: &str| memory.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(has("a-long-name-that-is-found@b.example"));
    for (secret, encoded) in secrets.iter().zip(&encoded) {
        let in_plain = STANDARD.encode(format!("\0ann\0{secret}"));
        for needle in [secret, encoded, &in_plain] {
            assert!(!has(&needle[16..48]), "{}", &needle[..16]);
        }
    }
}
