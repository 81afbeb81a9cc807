//! Where smtpd looks when nobody tells it, in a qmail home of its own; what it shows of itself; how it starts the queue.
#![allow(clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

#[path = "support/home.rs"]
mod home;
mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use home::Home;

const MESSAGE: &str = "MAIL FROM:<a@b.c>\r\nRCPT TO:<u@test>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n";

fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // It may have ended: its words tell.
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A session on a machine of its own kind: /var is empty but for what `prepare` puts there. The home has the queue program.
fn in_a_private_var(home: &Home, prepare: &str, variables: &[(&str, &str)]) -> Output {
    let script = format!(
        "set -e; mount -t tmpfs none /var; mkdir -p /var/qmail/bin /var/qmail/control
         echo mx.test >/var/qmail/control/me; echo test >/var/qmail/control/rcpthosts
         {prepare}
         exec \"$0\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]).arg(support::program("smtpd"));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DISABLE_EXTRA_GREET", "");
    command.env("QUEUE_HOME", home.path()).env("QUEUE", home.queue()).envs(variables.iter().copied());
    run(&mut command, MESSAGE)
}

#[test]
fn a_qmail_home_is_found_and_worked_in() {
    let home = Home::new();
    let output = in_a_private_var(&home, "cp \"$QUEUE\" /var/qmail/bin/qmail-queue", &[]);
    assert!(said(&output).contains("\r\n250 ok ") && output.status.code() == Some(0), "{}", said(&output));
    let delivery = home.deliveries().pop().unwrap();
    assert_eq!((delivery.directory.trim(), delivery.envelope.as_slice()), ("/var/qmail", &b"Fa@b.c\0Tu@test\0\0"[..]));
}

#[test]
fn nullqueue_is_asked_before_qmailqueue() {
    let home = Home::new();
    let prepare = "cp \"$QUEUE\" /var/qmail/bin/qmail-nullqueue; ln -s /bin/false /var/qmail/bin/qmail-queue";
    let variables = [("NULLQUEUE", ""), ("QMAILQUEUE", "/bin/false")];
    let output = in_a_private_var(&home, prepare, &variables);
    assert!(said(&output).contains("\r\n250 ok "), "{}", said(&output));
    assert_eq!(home.deliveries().len(), 1);
}

#[test]
fn a_relative_queue_program_is_in_the_qmail_home() {
    let home = Home::new();
    let prepare = "cp \"$QUEUE\" /var/qmail/bin/scan";
    let output = in_a_private_var(&home, prepare, &[("QMAILQUEUE", "bin/scan")]);
    assert!(said(&output).contains("\r\n250 ok "), "{}", said(&output));
    assert_eq!(home.deliveries().len(), 1);
}

#[test]
fn settings_are_shown() {
    let home = Home::new();
    home.write("me", "mx.test\n");
    let mut command = Command::new(support::program("smtpd"));
    command.arg("-v").env_clear().env("CONTROLDIR", home.control()).env("RELAYCLIENT", "");
    let output = run(&mut command, "");
    let lines = said(&output);
    assert_eq!(output.status.code(), Some(0), "{lines}");
    let expected = [
        concat!("Postern smtpd ", env!("CARGO_PKG_VERSION"), "\n"),
        "\ncontrol file me: present\n",
        "\ncontrol file rcpthosts: absent\n",
        "\ncontrol file badmailfrom: absent\n",
        "\nenvironment RELAYCLIENT: set\n",
        "\nenvironment STARTTLS: not set\n",
    ];
    expected.iter().for_each(|line| assert!(lines.contains(line), "{line} is missing from:\n{lines}"));

    let mut command = Command::new(support::program("smtpd"));
    let output = run(command.arg("-v").env_clear().env("SYSCONFDIR", "/nonexistent"), "");
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(111), "chdir: /nonexistent: file does not exist\n")
    );

    let output = run(Command::new(support::program("smtpd")).arg("--help").env_clear(), "");
    assert!(output.status.code() == Some(0) && said(&output).starts_with("usage: smtpd "), "{}", said(&output));
}

/// A copy of this process would cost more the more memory it has.
#[test]
fn the_queue_program_is_started_without_a_copy_of_this_process() {
    let home = Home::new();
    home.write("me", "mx.test\n");
    home.write("rcpthosts", "test\n");
    let calls = home.path().join("calls");
    let mut command = Command::new("strace");
    command.args(["-qq", "-e", "trace=clone,clone3,fork,vfork", "-o"]).arg(&calls).arg(support::program("smtpd"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("CONTROLDIR", home.control());
    command.env("QMAILQUEUE", home.queue()).env("QUEUE_HOME", home.path());
    let output = run(&mut command, MESSAGE);
    assert!(said(&output).contains("\r\n250 ok "), "{}", said(&output));
    let calls = fs::read_to_string(calls).unwrap();
    let starts: Vec<&str> = calls.lines().filter(|line| !line.starts_with("---")).collect();
    assert_eq!(starts.len(), 1, "{calls}");
    assert!(starts[0].contains("CLONE_VM|CLONE_VFORK"), "{calls}");
}
