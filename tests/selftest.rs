//! `postern selftest`: a good configuration lets no probe through, and each way to be an open relay is found.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/home.rs"]
mod home;
mod support;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use home::Home;
use serde_json::Value;
use support::program;

/// A configuration of everything that grants, to nobody from outside.
fn good() -> Home {
    let home = Home::new();
    for (name, text) in [
        ("me", "mx.ours.test\n"),
        ("rcpthosts", "# ours\n.below.test\nours.test\n"),
        ("locals", "ours.test\n"),
        ("relayclients", "10.\n!10.1.0.0/16\n192.0.2.1\n=me\n"),
        ("relaydomains", ".partner.test\n"),
        ("relaymailfrom", "=localhosts&10.\n@ours.test&192.168.0.0/16\njoe@elsewhere.test\n"),
    ] {
        home.write(name, text);
    }
    home
}

fn selftest(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program("postern"));
    command.arg("selftest").arg("--control").arg(home.control()).args(arguments).env_clear();
    let output = command.output().unwrap();
    assert!(output.status.code() != Some(100), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The names of the probes with this verdict.
fn with_verdict(report: &str, verdict: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).unwrap();
    let probes = report["probes"].as_array().unwrap();
    let wanted = probes.iter().filter(|probe| probe["verdict"] == verdict);
    wanted.map(|probe| probe["probe"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_good_configuration_lets_no_probe_through() {
    let home = good();
    let (code, text) = selftest(&home, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("36 probes: 34 refused, 2 accepted for this host, 0 not judged, 0 accepted\n"), "{text}");
    let (code, report) = selftest(&home, &["--json"]);
    assert_eq!((code, with_verdict(&report, "refused").len()), (Some(0), 34));
    let stays = ["source route by elsewhere to us", "look-alike of a percent"];
    assert_eq!(with_verdict(&report, "for this host"), stays);
}

#[test]
fn every_open_relay_is_found() {
    let cases: &[(&str, &str, &str)] = &[
        ("relaylevel", "open\n", "relaylevel"),
        ("relayclients", "0.0.0.0/0\n", "relayclients:1"),
        ("relayclients", "2001:db8::/32\n", "relayclients:1"),
        ("relayclients", "10.\n198.51.100.0/24\n", "relayclients:2"),
        ("relaydomains", "localhost\n", "relaydomains:1"),
        ("relaydomains", "mx.ours.test\n", "relaydomains:1"),
        ("relaymailfrom", "=localhosts\n", "relaymailfrom:1"),
        ("relaymailfrom", "@mx.ours.test\n", "relaymailfrom:1"),
        ("rcpthosts", "ours.test\n.invalid\n", "rcpthosts:2"),
    ];
    for (file, line, reason) in cases {
        let home = good();
        home.write(file, line);
        let (code, text) = selftest(&home, &[]);
        assert_eq!(code, Some(1), "{file}: {text}");
        let plain = text.lines().find(|line| line.contains("plain, ")).unwrap();
        assert!(plain.starts_with("ACCEPTED") && plain.contains(reason), "{file}: {plain}");
    }
    let home = good();
    assert_eq!(selftest(&home, &["--env", "RELAYCLIENT="]).0, Some(1));
    assert_eq!(selftest(&home, &["--from", "joe@elsewhere.test"]).0, Some(1));
    assert_eq!(selftest(&home, &["--ip", "10.0.0.1"]).0, Some(1));
    assert_eq!(selftest(&home, &["--ip", "10.1.0.1", "--ip", "::1"]).0, Some(1), "this host is no outsider");
    assert_eq!(selftest(&home, &["--ip", "10.1.0.1"]).0, Some(1), "the senders of 10. are ours");
}

/// The cdb of these rules.
fn rules(home: &Home, text: &str) -> String {
    let (cdb, temporary) = (home.path().join("tcp.cdb"), home.path().join("tcp.tmp"));
    let mut command = Command::new(program("tcprules"));
    let mut tcprules = command.args([&cdb, &temporary]).stdin(Stdio::piped()).spawn().unwrap();
    tcprules.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(tcprules.wait().unwrap().success());
    cdb.display().to_string()
}

#[test]
fn the_rules_of_tcpserver_belong_to_the_configuration() {
    let home = good();
    let of = |text: &str| selftest(&home, &["--rules", &rules(&home, text)]);
    assert_eq!(of("127.:allow,RELAYCLIENT=\"\"\n:allow\n").0, Some(0));
    assert_eq!(of(":allow,RELAYCLIENT=\"\"\n").0, Some(1));
    assert_eq!(of("=localhost:allow,RELAYCLIENT=\"\"\n").0, Some(1), "anyone can be called localhost");
    let (code, text) = of(":deny\n");
    assert!(code == Some(0) && text.contains(": denied by the rules of tcpserver ("), "{text}");
    let missing = home.path().join("none.cdb").display().to_string();
    assert_eq!(selftest(&home, &["--rules", &missing]).0, Some(111));
}

#[test]
fn what_cannot_be_judged_is_no_acceptance_and_said() {
    let home = good();
    fs::remove_file(home.control().join("rcpthosts")).unwrap();
    let (code, text) = selftest(&home, &[]);
    assert!(code == Some(111) && text.contains("not judged    plain, ") && text.contains("norcpthosts"), "{text}");

    let home = good();
    home.write("relaymx", "192.0.2.0/24\n");
    let (code, text) = selftest(&home, &[]);
    assert!(code == Some(111) && text.contains("temp:relaymx, relaymx: DNS was not asked"), "{text}");
    let server = dns::DnsServer::start("");
    let resolver = format!("DNSCACHEIP={}", server.address());
    let (code, text) = selftest(&home, &["--dns", "--env", &resolver]);
    assert_eq!(code, Some(0), "{text}");
    home.write("relaylevel", "opne\n");
    assert_eq!(selftest(&home, &[]).0, Some(111));
    fs::remove_file(home.control().join("me")).unwrap();
    assert_eq!(selftest(&home, &[]).0, Some(111));
}
