//! `postern explain`: why each source did not grant, what is supposed, the smallest change, batches.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "explain/data.rs"]
mod data;
#[path = "support/dns.rs"]
mod dns;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use dns::DnsServer;
use serde_json::Value;
use support::program;
use tempfile::TempDir;

/// A control directory with these files, and `me`.
fn control(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("me"), "mx.ex\n").unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn explain(control: &TempDir, arguments: &[&str]) -> Output {
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--control"]).arg(control.path()).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The lines about the last RCPT.
fn about_rcpt(output: &Output) -> Vec<String> {
    let text = stdout(output);
    let (_, last) = text.rsplit_once("RCPT TO:").unwrap_or_else(|| panic!("{text}"));
    let of_rcpt = last.lines().skip(1).take_while(|line| !line.starts_with("DATA: "));
    of_rcpt.map(|line| line.trim().to_string()).collect()
}

const FAR: &[&str] = &["--ip", "192.0.2.9", "--from", "a@b.ex", "--rcpt", "x@far.ex"];

#[test]
fn every_source_says_in_order_why_it_did_not_grant() {
    let control = control(&[
        ("rcpthosts", "local.ex\n"),
        ("relayclients", "10.\n#\n!192.0.2.0/24\n"),
        ("relaymailfrom", "@c.ex\n"),
        ("relaymx", "10.\n"),
    ]);
    let said = about_rcpt(&explain(&control, FAR));
    let expected = [
        "reply: 451 Sorry, there is a DNS temporary failure (#4.4.3)",
        "CUGMAIL: not set, or without domain",
        "relay probe: it is none",
        "badrcptto: no such file",
        "accesslist: no such file",
        "recipient without domain: it has one, or AUTH_ALL is set",
        "rcpthosts: no line is about far.ex",
        "AUTH: not authenticated",
        "tlsclients: no certificate that proves an address",
        "relaylevel: normal",
        "RELAYCLIENT: not set",
        "relayclients: relayclients:3 is an exception",
        "relaydomains: the client has no name",
        "relaymailfrom: no line is about a@b.ex from 192.0.2.9",
        "CHECKRELAY: not set",
        "relaymx: cannot tell: relaymx: DNS was not asked (ask it with --dns)",
    ];
    assert_eq!(said[..expected.len()], expected);
    assert_eq!(
        said[expected.len()],
        "reason: temp:relaymx  (".to_string() + control.path().to_str().unwrap() + "/relaymx)"
    );
    assert_eq!(said[expected.len() + 1..], ["would be accepted if relayclients had the line `192.0.2.9`"]);
    // In JSON too, with file and line of an exception.
    let output = explain(&control, &[FAR, &["--json"]].concat());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let consulted = said["steps"][3]["consulted"].as_array().unwrap();
    let clients = consulted.iter().find(|source| source["source"] == "relayclients").unwrap();
    assert_eq!((clients["line"].as_u64(), said["decisions"][0]["reason"].as_str()), (Some(3), Some("temp:relaymx")));
    assert!(clients["file"].as_str().unwrap().ends_with("/relayclients"), "{clients}");
    assert_eq!(said["steps"][3]["change"]["by"]["text"], "192.0.2.9");
}

#[test]
fn what_auth_and_tls_would_prove_can_be_supposed() {
    let control = control(&[("rcpthosts", "local.ex\n")]);
    let output = explain(&control, &[FAR, &["--auth", "joe"]].concat());
    assert_eq!(output.status.code(), Some(0));
    let said = about_rcpt(&output);
    assert!(
        said.contains(&"AUTH: authenticated".to_string()) && said.contains(&"reason: auth".to_string()),
        "{said:?}"
    );
    assert_eq!(said.last().unwrap(), "would be refused if the client had not authenticated itself");
    let tls = |more: &[&str]| {
        explain(&control, &[&["--ip", "::1", "--rcpt", "u@local.ex", "--env", "FORCE_TLS="], more].concat())
    };
    let output = tls(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("reason: FORCE_TLS\n    would be accepted if the connection were encrypted (TLS)\n"),
        "{text}"
    );
    assert_eq!(tls(&["--tls"]).status.code(), Some(0));
}

#[test]
fn the_moment_can_be_supposed() {
    let control = control(&[("rcpthosts", "local.ex\n")]);
    for at in ["1795288906", "2026-11-21T20:21:46+01:00"] {
        let text = stdout(&explain(&control, &[FAR, &["--at", at]].concat()));
        assert!(text.contains("Sat, 21 Nov 2026 19:21:46 +0000"), "{at}: {text}");
    }
    assert_eq!(explain(&control, &[FAR, &["--at", "noon"]].concat()).status.code(), Some(100));
}

#[test]
fn dns_is_asked_with_an_option_only() {
    let server = DnsServer::start("gw.ex. A 192.0.2.9\nnowhere.ex. TXT x\n");
    let control = control(&[("rcpthosts", "local.ex\n"), ("relayclients", "@nowhere.ex\n@gw.ex\n")]);
    let variable = format!("DNSCACHEIP={}", server.address());
    let with = |more: &[&str]| explain(&control, &[FAR, &["--env", &variable], more].concat());
    let output = with(&[]);
    assert_eq!(output.status.code(), Some(111));
    let said = about_rcpt(&output);
    let hint = "relayclients, by DNS: cannot tell: relayclients:1: DNS was not asked (ask it with --dns)";
    assert!(
        said.contains(&"relayclients: only DNS can tell".to_string()) && said.contains(&hint.to_string()),
        "{said:?}"
    );
    let output = with(&["--dns"]);
    assert_eq!(output.status.code(), Some(0));
    let said = about_rcpt(&output);
    assert!(said.contains(&"relayclients, by DNS: yes, relayclients:2".to_string()), "{said:?}");
    let note = "noticed: relayclients:1: @nowhere.ex: this name has no addresses; entry ignored";
    assert!(said.contains(&note.to_string()), "{said:?}");
    assert_eq!(said.last().unwrap(), "would be refused if relayclients had the line `!192.0.2.9`");
}

const OWN: (&str, &str) = ("rcpthosts", "local.ex\n");
/// Files, more arguments, and the change.
const CHANGES: &[(&[(&str, &str)], &[&str], &str)] = &[
    (&[OWN], &[], "would be accepted if there were a file relayclients with the line `192.0.2.9`"),
    (&[OWN, ("relayclients", "10.")], &[], "would be accepted if relayclients had the line `192.0.2.9`"),
    (&[OWN, ("relayclients", "10.\n192.0.2\n")], &[], "would be accepted if line 2 of relayclients were `192.0.2.`"),
    (
        &[OWN, ("relayclients", "192.0.2.\n!192.0.2.9\n")],
        &[],
        "would be accepted if line 2 of relayclients (`!192.0.2.9`) were not there",
    ),
    (
        &[OWN, ("relayclients", "192.0.2.\n!192.0.300.*\n")],
        &[],
        "would be accepted if line 2 of relayclients (`!192.0.300.*`) were not there",
    ),
    (
        &[OWN, ("relayclients", "192.0.2.\n!172.16.1.3/21\n")],
        &[],
        "would be accepted if line 2 of relayclients were `!172.16.0.0/21`",
    ),
    (
        &[],
        &[],
        "would be accepted if there were a file rcpthosts with the line `far.ex`, should far.ex be a domain of this host",
    ),
    (
        &[OWN, ("relaylevel", "none\n"), ("relayclients", "192.0.2.\n")],
        &[],
        "would be accepted if relaylevel said `normal`",
    ),
    (
        &[OWN, ("relaylevel", "closed\n"), ("relayclients", "192.0.2.\n")],
        &[],
        "would be accepted if relaylevel said `normal`",
    ),
    (&[OWN, ("relaylevel", "open\n")], &[], "would be refused if relaylevel said `normal`"),
    (
        &[OWN, ("relayclients", "192.0.2.9\n")],
        &[],
        "would be refused if line 1 of relayclients (`192.0.2.9`) were not there",
    ),
    (&[OWN, ("relayclients", "192.0.2.\n")], &[], "would be refused if relayclients had the line `!192.0.2.9`"),
    (&[OWN, ("relaymailfrom", "@b.ex\n")], &[], "would be refused if line 1 of relaymailfrom (`@b.ex`) were not there"),
    (&[OWN], &["--env", "RELAYCLIENT="], "would be refused if RELAYCLIENT were not set"),
    (
        &[OWN, ("relayclients", "192.0.2.\n")],
        &["--env", "RELAYCLIENT="],
        "no single change turns this around; changes tried: 1",
    ),
    (&[OWN], &["--env", "SHUTDOWN=", "--auth", "joe"], "would be accepted if the variable SHUTDOWN were not set"),
];

#[test]
fn the_smallest_change_is_told() {
    for (files, more, expected) in CHANGES {
        let control = control(files);
        let text = stdout(&explain(&control, &[FAR, more].concat()));
        let told = text.lines().map(str::trim).find(|line| line.starts_with("would be") || line.starts_with("no "));
        assert_eq!(told, Some(*expected), "{files:?}: {text}");
    }
    // Nothing to propose for mail to ourselves, nor for a probe.
    let control = control(&[OWN]);
    let text = stdout(&explain(&control, &["--ip", "192.0.2.9", "--rcpt", "u@local.ex", "a%b@local.ex"]));
    assert_eq!(text.matches("would be").count(), 0, "{text}");
    let end = "reason: probe\n    no change of the control files turns this around\nDATA: ";
    assert!(text.contains(end), "{text}");
}

/// Runs a batch.
fn batch(control: &TempDir, arguments: &[&str], lines: &str) -> Output {
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--batch", "--control"]).arg(control.path()).args(arguments);
    let mut child = postern.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let control = control(&[
        ("rcpthosts", "local.ex\n"),
        ("relayclients", "192.0.2.\n!192.168.300.*\n"),
        ("relaydomains", ".p.ex\n"),
    ]);
    let lines = "ip=10.1.1.1 name=a.p.ex from=a@b.ex rcpt=x@far.ex\n\n# a comment\n\
        {\"ip\": \"192.0.2.9\", \"rcpt\": [\"x@far.ex\"]}\r\n\
        ip=10.1.1.1 from=a@b.ex rcpt=u@local.ex rcpt=x@far.ex rcpt=\"a b@far.ex\"\n";
    let output = batch(&control, &[], lines);
    let expected = "accept\t250\trelaydomains:1\tip=10.1.1.1 name=a.p.ex from=a@b.ex rcpt=x@far.ex\n\
        temp\t451\ttemp:relayclients\tip=192.0.2.9 from= rcpt=x@far.ex\n\
        reject\t250,553,553\trcpthosts:1,norelay,norelay\tip=10.1.1.1 from=a@b.ex rcpt=u@local.ex rcpt=x@far.ex rcpt=\"a b@far.ex\"\n";
    assert_eq!((stdout(&output).as_str(), output.status.code()), (expected, Some(1)));
    let code = |lines: &str| batch(&control, &[], lines).status.code();
    let (accept, temp) = ("ip=10.1.1.1 rcpt=u@local.ex\n", "ip=192.0.2.9 rcpt=x@far.ex\n");
    assert_eq!((code(""), code(accept), code(&[accept, temp].concat())), (Some(0), Some(0), Some(111)));
    let malformed = batch(&control, &["--json"], &["ip=10.1.1.1\n", accept].concat());
    assert_eq!(malformed.status.code(), Some(100));
    assert_eq!(String::from_utf8_lossy(&malformed.stderr), "postern: standard input: line 1: rcpt is missing\n");
    let said: Value = serde_json::from_slice(&malformed.stdout).unwrap();
    assert_eq!(
        (&said["line"], &said["verdict"], &said["situation"]["ip"]),
        (&2.into(), &"accept".into(), &"10.1.1.1".into())
    );
    assert_eq!(explain(&control, &["--batch", "--ip", "10.1.1.1"]).status.code(), Some(100));
    assert_eq!(explain(&control, &[]).status.code(), Some(100));
}

#[test]
fn a_batch_follows_the_rules_of_tcpserver_for_each_client() {
    let control = control(&[("rcpthosts", "local.ex\n")]);
    let cdb = control.path().join("rules.cdb");
    let mut tcprules = Command::new(program("tcprules"));
    let mut tcprules = tcprules.arg(&cdb).arg(control.path().join("t")).stdin(Stdio::piped()).spawn().unwrap();
    let rules = "192.0.2.:allow,RELAYCLIENT=\"\"\n198.51.100.:deny\n203.0.113.:allow,RELAYTEXT=\"no way\"\n:allow\n";
    tcprules.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(tcprules.wait().unwrap().success());
    let cdb = cdb.display().to_string();
    let lines: String = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "10.1.1.1", "192.0.2.2"]
        .iter()
        .map(|ip| format!("ip={ip} rcpt=x@far.ex\n"))
        .collect();
    let output = batch(&control, &["--rules", &cdb], &lines);
    let text = stdout(&output);
    let told: Vec<&str> = text.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
    let expected = [
        "accept\t250\tRELAYCLIENT",
        "reject\t-\tdeny:198.51.100.",
        "reject\t553\tnorelay",
        "reject\t553\tnorelay",
        "accept\t250\tRELAYCLIENT",
    ];
    assert_eq!(told, expected);
    let alone = explain(&control, &["--rules", &cdb, "--ip", "203.0.113.1", "--rcpt", "x@far.ex"]);
    assert!(stdout(&alone).contains("reply: 553 no way (#5.7.1)"), "{}", stdout(&alone));
    let denied = stdout(&explain(&control, &["--rules", &cdb, "--ip", "198.51.100.1", "--rcpt", "u@local.ex"]));
    assert!(denied.contains("would be accepted if the rule `198.51.100.` did not deny"), "{denied}");
    let relayed = stdout(&explain(&control, &["--rules", &cdb, "--ip", "192.0.2.1", "--rcpt", "x@far.ex"]));
    assert!(
        relayed.contains("would be refused if the rule `192.0.2.` of tcp.smtp did not set RELAYCLIENT"),
        "{relayed}"
    );
}

#[test]
fn a_batch_on_a_pipe_answers_before_the_next_line() {
    let control = control(&[("rcpthosts", "local.ex\n")]);
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--batch", "--control"]).arg(control.path());
    let mut child = postern.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for recipient in ["u@local.ex", "x@far.ex"] {
        writeln!(input, "ip=192.0.2.9 rcpt={recipient}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.ends_with(&format!("rcpt={recipient}\n")), "{answer}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
