//! `postern match`: verdicts, exit codes, networks, and one answer a line of standard input.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/dns.rs"]
mod dns;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::program;

fn postern(arguments: &[&str]) -> Output {
    Command::new(program("postern")).arg("match").args(arguments).env_clear().output().unwrap()
}

fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let output = postern(arguments);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_pattern_matches_or_does_not_or_is_malformed() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["192.0.2.0/24", "192.0.2.7"], 0, "yes 192.0.2.7 192.0.2.0/24\n"),
        (&["192.0.2.0/24", "::ffff:192.0.2.7"], 0, "yes ::ffff:192.0.2.7 192.0.2.0/24\n"),
        (&["192.0.2.0/24", "192.0.3.7"], 1, "no 192.0.3.7\n"),
        (&["10.0.0.1-6", "10.0.0.3", "10.0.0.7"], 1, "yes 10.0.0.3 10.0.0.2/31\nno 10.0.0.7\n"),
        (&["192.168.40-43.*", "192.168.43.255"], 0, "yes 192.168.43.255 192.168.40.0/22\n"),
        (&["$(172.16.1.3/21)", "172.16.7.255"], 0, "yes 172.16.7.255 172.16.0.0/21\n"),
        (&["2001:db8::/32", "2001:DB8:0:0::1"], 0, "yes 2001:DB8:0:0::1 2001:db8::/32\n"),
        (&["0.0.0.0/0", "2001:db8::1"], 1, "no 2001:db8::1\n"),
        (
            &["!192.0.2.0/24:x", "192.0.2.7"],
            0,
            "yes 192.0.2.7 192.0.2.0/24 (an exception: who matches is not granted) (suffix x)\n",
        ),
        (&["=.partner.ex", "gw.Partner.ex", "partner.ex"], 1, "yes gw.Partner.ex gw\nno partner.ex\n"),
        (&["=gw.ex", "GW.ex"], 0, "yes GW.ex GW.ex\n"),
        (&["=me", "127.0.0.1", "198.51.100.77"], 1, "yes 127.0.0.1 127.0.0.1\nno 198.51.100.77\n"),
        (
            &["@f.ex&192.0.2.0/24", "a@F.ex&192.0.2.1", "a@g.ex&192.0.2.1"],
            1,
            "yes a@F.ex&192.0.2.1 192.0.2.0/24\nno a@g.ex&192.0.2.1\n",
        ),
        (
            &["172.16.1.3/21", "172.16.1.3"],
            2,
            "malformed 172.16.1.3/21: the address is not the first of its network; did you mean 172.16.0.0/21?\n",
        ),
        (&["11.22.33", "11.22.33.4"], 2, "malformed 11.22.33: fewer than four octets; did you mean 11.22.33.?\n"),
        (
            &["192.0.2.", "x", "192.0.2.1", "192.0.3.1"],
            2,
            "malformed 192.0.2.: `x` is no address\nyes 192.0.2.1 192.0.2.0/24\nno 192.0.3.1\n",
        ),
        (
            &["=gw.ex", "192.0.2.1"],
            2,
            "malformed =gw.ex: 192.0.2.1 is an address, and the pattern is about the client's name\n",
        ),
        (&["@gw.ex", "192.0.2.1"], 111, "unknown 192.0.2.1: the addresses of a name are looked up only with --dns\n"),
        (
            &["@f.ex&10.", "10.0.0.1"],
            2,
            "malformed @f.ex&10.: a line with a sender needs a value like user@domain&192.0.2.7\n",
        ),
    ];
    for (arguments, code, text) in cases {
        assert_eq!(told(arguments), (Some(*code), (*text).to_owned()), "{arguments:?}");
    }
}

#[test]
fn networks_are_the_widest_possible() {
    let cases = [
        ("10.0.0.1-6", 0, "10.0.0.1\n10.0.0.2/31\n10.0.0.4/31\n10.0.0.6\n"),
        ("192.168.40-43.0-255", 0, "192.168.40.0/22\n"),
        ("!10.:@gw", 0, "10.0.0.0/8\n"),
        ("=.A.ex", 0, "=.a.ex\n"),
        ("@d.ex&192.0.2.", 0, "192.0.2.0/24\n"),
        ("010.0.0.1", 2, "malformed 010.0.0.1: an octet with a leading zero (010); write it without\n"),
    ];
    for (pattern, code, text) in cases {
        assert_eq!(told(&["--networks", pattern]), (Some(code), text.to_owned()), "{pattern}");
    }
    let (code, json) = told(&["--networks", "--json", "192.0.2.0-63"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["networks"][0]), (Some(0), &Value::from("192.0.2.0/26")));
    assert_eq!(postern(&["--networks", "10.", "10.0.0.1"]).status.code(), Some(100));
}

#[test]
fn json_is_one_object_a_line() {
    let (code, text) = told(&["--json", "!192.0.2.:x", "192.0.2.1", "10.0.0.1", "y"]);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, rows.len()), (Some(2), 3));
    assert_eq!((&rows[0]["match"], &rows[0]["captured"]), (&Value::from(true), &Value::from("192.0.2.0/24")));
    assert_eq!((&rows[0]["exception"], &rows[0]["suffix"]), (&Value::from(true), &Value::from("x")));
    assert_eq!(rows[1]["match"], false);
    assert_eq!((&rows[2]["match"], &rows[2]["malformed"]), (&Value::Null, &Value::from(true)));
}

/// What is answered to each line before the next is written.
fn conversation(arguments: &[&str], lines: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(program("postern"));
    command.arg("match").args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut postern = command.spawn().unwrap();
    let (mut input, mut output) = (postern.stdin.take().unwrap(), BufReader::new(postern.stdout.take().unwrap()));
    let mut answers = Vec::new();
    for line in lines {
        input.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        answers.push(answer);
    }
    drop(input);
    (postern.wait().unwrap().code(), answers)
}

#[test]
fn each_line_of_standard_input_is_answered_at_once() {
    let (code, answers) = conversation(&["10."], &["10.1.1.1\n", "\n 11.1.1.1 \r\n"]);
    assert_eq!((code, answers), (Some(1), vec!["yes 10.1.1.1 10.0.0.0/8\n".to_owned(), "no 11.1.1.1\n".to_owned()]));
    let (code, answers) = conversation(&[], &["10. 10.1.1.1\n", "=.a.ex\tb.a.ex\n", "1.2 x\n"]);
    assert_eq!(answers[..2], ["yes 10.1.1.1 10.0.0.0/8\n", "yes b.a.ex b\n"]);
    assert!(code == Some(2) && answers[2].contains("did you mean 1.2.?"), "{answers:?}");
    let (code, answers) = conversation(&["--networks"], &["10.\n"]);
    assert_eq!((code, answers), (Some(0), vec!["10.0.0.0/8\n".to_owned()]));
}

#[test]
fn names_are_looked_up_when_told() {
    let server = dns::DnsServer::start("gw.test. A 192.0.2.1\nmx.test. A 192.0.2.2\nonly.test. MX 0 mx.test.\n");
    let ask = |pattern: &str, value: &str| {
        let mut command = Command::new(program("postern"));
        command.env_clear().env("DNSCACHEIP", server.address()).args(["match", "--dns", pattern, value]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(ask("@gw.test", "192.0.2.1"), (Some(0), "yes 192.0.2.1 192.0.2.1\n".to_owned()));
    assert_eq!(ask("@gw.test", "192.0.2.2"), (Some(1), "no 192.0.2.2\n".to_owned()));
    assert_eq!(ask("@only.test", "192.0.2.2").0, Some(0));
    assert_eq!(ask("@none.test", "192.0.2.2").0, Some(2));
    assert_eq!(ask("@broken.test", "192.0.2.2").0, Some(111));
}
