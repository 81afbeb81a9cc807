//! `postern shadow`: where a second control directory decides otherwise, on situations and on what smtpd has logged.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::program;
use tempfile::TempDir;

/// A live control directory and another one.
struct Two {
    home: TempDir,
}

impl Two {
    fn new(live: &[(&str, &str)], other: &[(&str, &str)]) -> Two {
        let home = tempfile::tempdir().unwrap();
        for (name, files) in [("live", live), ("other", other)] {
            let directory = home.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("me"), "mx.ex\n").unwrap();
            files.iter().for_each(|(name, text)| fs::write(directory.join(name), text).unwrap());
        }
        Two { home }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn shadow(&self, with: &str, more: &[&str], input: &str) -> Output {
        let mut postern = Command::new(program("postern"));
        postern.env_clear().args(["shadow", "--control"]).arg(self.at("live")).arg("--with").arg(self.at(with));
        run(postern.args(more), input)
    }
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What smtpd logs of a session with this client.
fn log_of(control: &Path, ip: &str, variables: &[(&str, &str)], from: &str, recipients: &[&str]) -> String {
    let mut smtpd = Command::new(program("smtpd"));
    smtpd.env_clear().env("CONTROLDIR", control).env("TCPREMOTEIP", ip).envs(variables.iter().copied());
    let rcpt: String = recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")).collect();
    let output = run(&mut smtpd, &format!("EHLO h.ex\r\nMAIL FROM:<{from}>\r\n{rcpt}QUIT\r\n"));
    String::from_utf8(output.stderr).unwrap()
}

const OWN: (&str, &str) = ("rcpthosts", "local.ex\n");

#[test]
fn situations_that_are_decided_otherwise_are_told() {
    let two = Two::new(&[OWN, ("relayclients", "#\n#\n192.0.2.\n")], &[OWN, ("relaymailfrom", "@b.ex\n")]);
    let lines = "ip=192.0.2.9 from=a@b.ex rcpt=x@far.ex\nip=192.0.2.9 from=a@c.ex rcpt=x@far.ex rcpt=u@local.ex\n\
        {\"ip\": \"10.1.1.1\", \"name\": \"n.ex\", \"from\": \"a@b.ex\", \"rcpt\": \"x@far.ex\"}\n# nothing\n\nsomething else\n";
    let output = two.shadow("other", &[], lines);
    let expected = "line 2: ip=192.0.2.9 from=a@c.ex rcpt=x@far.ex: accept (relayclients:3) -> reject (norelay)\n\
        line 3: ip=10.1.1.1 name=n.ex from=a@b.ex rcpt=x@far.ex: reject (norelay) -> accept (relaymailfrom:1)\n\
        3 situations, 2 differ, 1 lines skipped\n";
    assert_eq!((stdout(&output).as_str(), output.status.code()), (expected, Some(1)));
    let same = two.shadow("live", &[], lines);
    assert_eq!((stdout(&same).as_str(), same.status.code()), ("3 situations, 0 differ, 1 lines skipped\n", Some(0)));
    let json = stdout(&two.shadow("other", &["--json"], lines));
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!((&objects[0]["line"], &objects[0]["live"]["reason"]), (&2.into(), &"relayclients:3".into()));
    assert_eq!((&objects[0]["with"]["verdict"], &objects[2]["differ"]), (&"reject".into(), &2.into()));
    let malformed = two.shadow("live", &[], &["ip=nowhere rcpt=a\n", lines].concat());
    assert_eq!(malformed.status.code(), Some(100));
    assert!(
        stdout(&malformed).ends_with("3 situations, 0 differ, 1 lines skipped, 1 malformed\n"),
        "{}",
        stdout(&malformed)
    );
    assert_eq!(two.shadow("nowhere", &[], lines).status.code(), Some(100));
    assert_eq!(two.shadow("live", &["/nonexistent/file"], lines).status.code(), Some(111));
}

#[test]
fn the_log_of_smtpd_is_replayed() {
    let lists = [OWN, ("relayclients", "192.0.2.:@gw.ex\n"), ("relaydomains", ".p.ex:.via\n")];
    let two = Two::new(&lists, &[OWN, ("relayclients", "203.0.113.\n")]);
    let live = two.at("live");
    let session =
        |ip: &str, variables: &[(&str, &str)], recipients: &[&str]| log_of(&live, ip, variables, "a@b.ex", recipients);
    let log = [
        session("192.0.2.9", &[], &["x@far.ex", "u@local.ex", "a%b@local.ex"]),
        session("203.0.113.5", &[("TCPREMOTEHOST", "some.ex")], &["x@far.ex"]),
        session("10.1.1.1", &[("TCPREMOTEHOST", "a.p.ex")], &["y@far.ex"]),
        session("10.1.1.2", &[("RELAYCLIENT", "@smart.ex"), ("RELAYCLASS", "friendly")], &["z@far.ex"]),
    ]
    .concat();
    assert_eq!(log.lines().filter(|line| line.contains("Accepted RECIPIENT")).count(), 4, "{log}");
    // Of its own control directory, a log holds nothing new.
    let same = two.shadow("live", &[], &log);
    assert_eq!(same.status.code(), Some(0), "{}", stdout(&same));
    assert!(stdout(&same).starts_with("6 situations, 0 differ, "), "{}", stdout(&same));
    let file = two.at("log");
    fs::write(&file, log.lines().map(|line| format!("Nov 22 01:02:03 host smtpd: {line}\n")).collect::<String>())
        .unwrap();
    let output = two.shadow("other", &[file.to_str().unwrap()], "");
    let text = stdout(&output);
    let told: Vec<&str> = text.lines().map(|line| line.split_once(": ").map_or(line, |(_, told)| told)).collect();
    let expected = [
        "ip=192.0.2.9 helo=h.ex from=a@b.ex rcpt=x@far.ex: accept (relayclients:1) -> reject (norelay)",
        "ip=203.0.113.5 name=some.ex helo=h.ex from=a@b.ex rcpt=x@far.ex: reject (norelay) -> accept (relayclients:1)",
        "ip=10.1.1.1 name=a.p.ex helo=h.ex from=a@b.ex rcpt=y@far.ex: accept (relaydomains:1) -> reject (norelay)",
    ];
    assert_eq!(told[..3], expected, "{text}");
    assert!(told[3].starts_with("6 situations, 3 differ"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_a_log_line_tells_of_its_time_is_supposed_again() {
    let two = Two::new(&[OWN], &[OWN, ("relaylevel", "none\n")]);
    let line = |reason: &str| {
        format!(
            "qmail-smtpd: pid 1 from 192.0.2.9 Accepted RECIPIENT: MAIL from <a@b.ex> RCPT <x@far.ex> helo=h reason={reason}\n"
        )
    };
    let told = |reason: &str| stdout(&two.shadow("other", &[], &line(reason))).lines().next().unwrap().to_string();
    assert!(told("RELAYCLIENT").ends_with(": accept (RELAYCLIENT) -> reject (relaylevel)"), "{}", told("RELAYCLIENT"));
    assert_eq!(told("auth"), "1 situations, 0 differ, 0 lines skipped");
    // Rules that are given say what they set.
    let cdb = two.at("rules.cdb");
    let mut tcprules = Command::new(program("tcprules"));
    assert!(run(tcprules.arg(&cdb).arg(two.at("t")), "192.0.2.:allow,RELAYCLIENT=\"\"\n").status.success());
    let none = two.at("none.cdb");
    let mut tcprules = Command::new(program("tcprules"));
    assert!(run(tcprules.arg(&none).arg(two.at("t")), ":deny\n").status.success());
    let rules = ["--rules", cdb.to_str().unwrap(), "--with-rules", none.to_str().unwrap()];
    let output = stdout(&two.shadow("live", &rules, &line("RELAYCLIENT")));
    assert!(output.contains(": accept (RELAYCLIENT) -> reject (deny:)\n"), "{output}");
}
