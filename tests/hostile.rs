//! Bad input: nothing a client sends can crash, hang or grow the daemon, or relay without a grant.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
#[path = "hostile/limits.rs"]
mod limits;
#[path = "hostile/octets.rs"]
mod octets;
#[path = "hostile/relay.rs"]
mod relay;
#[path = "support/smtp.rs"]
mod smtp;
#[path = "hostile/smuggling.rs"]
mod smuggling;
mod support;

use std::fs;
use std::process::Command;

use home::Home;
use smtp::Smtp;

/// The daemon may not even ask for more address space than this.
const ADDRESS_SPACE_KIB: usize = 100_000;

/// What the daemon may have held in memory at any time.
const MEMORY_KIB: usize = 16_000;

/// A home with greeting and one domain.
fn home() -> Home {
    let home = Home::new();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    home
}

/// smtpd for this home, under a limit on its memory.
fn command(home: &Home) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\"")]).arg(support::program("smtpd"));
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("DISABLE_EXTRA_GREET", "");
    command.env("CONTROLDIR", home.control()).env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path());
    command.env("TCPREMOTEIP", "10.1.2.3").env("TCPLOCALHOST", "mx.test").env("PENALTY", "0");
    command
}

/// A running daemon that has greeted.
fn start(home: &Home) -> Smtp {
    let smtp = Smtp::start(&mut command(home));
    assert_eq!(smtp.reply(), ["220 mx.test"]);
    smtp
}

/// The most memory that this process has held.
fn memory_peak_kib(smtp: &Smtp) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", smtp.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it still runs");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Says goodbye, and shows that the daemon is well.
fn quit(mut smtp: Smtp) -> String {
    assert!(memory_peak_kib(&smtp) < MEMORY_KIB, "{} KiB", memory_peak_kib(&smtp));
    assert_eq!(smtp.ask("QUIT"), "221 mx.test closing connection");
    assert_eq!(smtp.exit().and_then(|status| status.code()), Some(0));
    smtp.log()
}
