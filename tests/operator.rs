//! The operator's tool: settings, explain and lint, and that explain says what smtpd does.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::program;
use tempfile::TempDir;

fn postern(arguments: &[&str]) -> Output {
    Command::new(program("postern")).args(arguments).env_clear().output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A control directory with these files, in a home of its own.
fn control(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("control")).unwrap();
    for (name, text) in files {
        fs::write(home.path().join("control").join(name), text).unwrap();
    }
    home
}

fn directory(home: &TempDir) -> String {
    home.path().join("control").display().to_string()
}

const BASIC: &[(&str, &str)] = &[("me", "mx.example\n"), ("rcpthosts", "# ours\nlocal.ex\n")];

fn rows() -> Vec<Value> {
    serde_json::from_str(&stdout(&postern(&["settings", "--json"]))).unwrap()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

#[test]
fn settings_are_shown_in_three_shapes() {
    let rows = rows();
    let databytes = rows.iter().find(|row| text(row, "file") == "databytes").unwrap();
    assert_eq!((text(databytes, "variable"), text(databytes, "state")), ("DATABYTES", "works"));
    let etrn = rows.iter().find(|row| text(row, "variable") == "ODMR").unwrap();
    assert_eq!((text(etrn, "state"), text(etrn, "waits_for")), ("not yet", "ETRN and ATRN"));
    let bits = rows.iter().find(|row| text(row, "variable") == "SSL_BITS").unwrap();
    assert_eq!(text(bits, "state"), "no effect");
    assert!(text(bits, "why_without_effect").contains("elliptic curves"));
    assert_eq!(stdout(&postern(&["settings", "--markdown"])).lines().count(), rows.len() + 2);
    let home = control(BASIC);
    let shown = stdout(&postern(&["settings", "--control", &directory(&home), "me", "ODMR", "SSL_BITS"]));
    assert!(
        shown.starts_with("me  [set: file]\n") && shown.contains("NOT YET") && shown.contains("WITHOUT EFFECT"),
        "{shown}"
    );
    assert_eq!(postern(&["settings", "nonsense"]).status.code(), Some(100));
}

#[test]
fn every_setting_that_does_nothing_yet_is_warned_about_when_set() {
    let (mut files, mut variables) = (0, 0);
    for row in rows().iter().filter(|row| text(row, "state") == "not yet") {
        let (file, variable) = (text(row, "file"), text(row, "variable"));
        if !file.is_empty() {
            let home = control(BASIC);
            fs::write(home.path().join("control").join(file), "1\n").unwrap();
            let output = postern(&["lint", "--control", &directory(&home)]);
            assert_eq!(output.status.code(), Some(1), "{file}: {}", stdout(&output));
            assert!(stdout(&output).contains(&format!("/{file}: is set and does nothing")), "{}", stdout(&output));
            files += 1;
        }
        if !variable.is_empty() {
            let home = control(BASIC);
            let output = postern(&["lint", "--control", &directory(&home), "--env", &format!("{variable}=1")]);
            assert_eq!(output.status.code(), Some(1), "{variable}: {}", stdout(&output));
            assert!(stdout(&output).contains(&format!("{variable}: is set and does nothing")), "{}", stdout(&output));
            variables += 1;
        }
    }
    println!("{files} files and {variables} variables that do nothing yet are warned about");
    assert!(files > 0 && variables > 0);
}

#[test]
fn a_list_is_read_in_every_form() {
    let mut forms = 0;
    for row in rows().iter().filter(|row| text(row, "form").ends_with("or .cdb")) {
        for form in ["cdb", "sql"].map(|form| format!("{}.{form}", text(row, "file"))) {
            let home = control(BASIC);
            fs::write(home.path().join("control").join(&form), [0; 2048]).unwrap();
            let output = postern(&["lint", "--control", &directory(&home)]);
            assert!(rows().iter().any(|row| text(row, "file") == form && text(row, "state") == "on demand"), "{form}");
            let is_wrong = stdout(&output).contains("Invalid database config");
            assert_eq!(is_wrong, form.ends_with(".sql"), "{form}: {}", stdout(&output));
            forms += 1;
        }
    }
    println!("{forms} compiled and SQL lists");
    assert!(forms > 20);
}

#[test]
fn a_setting_that_works_is_not_warned_about() {
    let home = control(BASIC);
    for row in rows().iter().filter(|row| text(row, "state") == "works" && !text(row, "variable").is_empty()) {
        let variable = text(row, "variable");
        let output = postern(&["lint", "--control", &directory(&home), "--env", &format!("{variable}=1")]);
        // What is needed besides is said.
        let needs = match variable {
            "STARTTLS" | "SMTPS" => "servercert.pem: file does not exist",
            "CHECKRECIPIENT" => "recipients: is missing",
            "QMAILQUEUE" => "QMAILQUEUE: cannot be started",
            "FORCE_TLS" => "neither STARTTLS nor SMTPS is set",
            _ => "",
        };
        let code = match variable {
            "FORCE_TLS" => 1,
            _ if needs.is_empty() => 0,
            _ => 2,
        };
        assert_eq!(output.status.code(), Some(code), "{variable}: {}", stdout(&output));
        assert!(stdout(&output).contains(needs), "{}", stdout(&output));
    }
}

#[test]
fn lint_finds_mistakes_with_file_and_line() {
    let table: &[(&[(&str, &str)], i32, &str)] = &[
        (BASIC, 0, ""),
        (&[("me", "mx.example\n")], 2, "/rcpthosts: is missing"),
        (&[("rcpthosts", "a\n")], 2, "smtpd cannot start: unable to read controls [smtpgreeting]"),
        (&[("me", "m\n"), ("rcpthosts", "a\nb\r\n")], 2, "/rcpthosts:2: ends in CR"),
        (
            &[("me", "m\n"), ("rcpthosts", "a\n"), ("relayclients", "#\n11.22.33\n")],
            2,
            "/relayclients:2: `11.22.33` never matches: fewer than four octets; did you mean 11.22.33.?",
        ),
        (&[("me", "m\n"), ("rcpthosts", "a\n"), ("relaymailfrom", "@b.ex\n")], 1, "easily forged"),
        (&[("me", "m\n"), ("rcpthosts", "a\n"), ("databytes", "10M\n")], 1, "/databytes:1: `10M` counts as 10"),
        (
            &[("me", "m\n"), ("rcpthosts", "a\n"), ("databytes", "ten\n")],
            1,
            "/databytes:1: `ten` is no number: 0 is used",
        ),
        (&[("me", "m\n"), ("rcpthosts", "a\n"), ("morercpthosts.cdb", "xx")], 2, "/morercpthosts.cdb: is damaged"),
        (
            &[("me", "m\n"), ("rcpthosts", "a\n"), ("qregex", "1\n"), ("relaymailfrom", "ok\n[\n")],
            2,
            "/relaymailfrom:2: `[` is no regular expression",
        ),
    ];
    for (files, code, said) in table {
        let home = control(files);
        let output = postern(&["lint", "--control", &directory(&home)]);
        assert_eq!(output.status.code(), Some(*code), "{files:?}: {}", stdout(&output));
        assert!(stdout(&output).contains(said), "{said}: {}", stdout(&output));
    }
}

#[test]
fn lint_finds_what_everyone_may_change_and_what_is_stale() {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    let home = control(BASIC);
    let path = home.path().join("control/rcpthosts");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let output = postern(&["lint", "--control", &directory(&home)]);
    assert!(output.status.code() == Some(2) && stdout(&output).contains("rcpthosts: can be changed by everyone"));

    let home = control(BASIC);
    let source = home.path().join("control/morercpthosts");
    fs::write(&source, "more.ex\n").unwrap();
    let compile = Command::new(program("qmail-cdb")).arg("morercpthosts").env("CONTROLDIR", directory(&home)).status();
    assert!(compile.unwrap().success());
    assert_eq!(postern(&["lint", "--control", &directory(&home)]).status.code(), Some(0));
    let later = SystemTime::now() + Duration::from_secs(60);
    fs::File::options().append(true).open(&source).unwrap().set_modified(later).unwrap();
    let output = postern(&["lint", "--control", &directory(&home)]);
    assert!(output.status.code() == Some(1) && stdout(&output).contains("morercpthosts.cdb: is older than"));
}

/// The cdb of these rules.
fn rules(home: &TempDir, text: &str) -> String {
    let (cdb, temporary) = (home.path().join("tcp.cdb"), home.path().join("tcp.tmp"));
    let mut tcprules =
        Command::new(program("tcprules")).args([&cdb, &temporary]).stdin(Stdio::piped()).spawn().unwrap();
    tcprules.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(tcprules.wait().unwrap().success());
    cdb.display().to_string()
}

#[test]
fn lint_knows_the_rules_of_tcpserver() {
    let home = control(BASIC);
    // The default gateway of this machine may be in one of these networks.
    let arguments = ["lint", "--gateway", "203.0.113.254", "--control"];
    let lint = |text: &str| postern(&[&arguments[..], &[&directory(&home), "--rules", &rules(&home, text)]].concat());
    assert_eq!(lint("127.:allow,RELAYCLIENT=\"\"\n:allow\n").status.code(), Some(0));
    let open = lint(":allow,RELAYCLIENT=\"\"\n");
    assert!(open.status.code() == Some(2) && stdout(&open).contains("this is an open relay"), "{}", stdout(&open));
    let ignored = lint("10.:allow,ODMR=\"\"\n");
    assert!(ignored.status.code() == Some(1) && stdout(&ignored).contains("rule `10.`: ODMR is set and does"));
    // A network is many keys and one finding.
    let network = stdout(&lint("192.0.2.64/26:allow,SPFBEHAVIOR=\"1\"\n10.:deny\n"));
    assert!(
        network.contains("rule `192.0.2.64`: SPFBEHAVIOR") && network.matches("SPFBEHAVIOR").count() == 1,
        "{network}"
    );
}

#[test]
fn explain_tells_file_and_line() {
    let home = control(BASIC);
    fs::write(home.path().join("control/relayclients"), "# friends\n192.0.2.\n").unwrap();
    let place = directory(&home);
    let explain = |ip: &str, rcpt: &[&str]| {
        postern(&[&["explain", "--control", &place, "--ip", ip, "--from", "a@b.ex", "--rcpt"], rcpt].concat())
    };
    let output = explain("192.0.2.9", &["x@far.ex", "y@local.ex"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("reason: relayclients:2  ({place}/relayclients:2: 192.0.2.)")), "{said}");
    assert!(said.contains(&format!("reason: rcpthosts:2  ({place}/rcpthosts:2: local.ex)")), "{said}");
    let output = explain("198.51.100.1", &["x@far.ex", "y@local.ex"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("    relaymx: no such file\n    reason: norelay\n    would be accepted"),
        "{}",
        stdout(&output)
    );
    fs::remove_file(home.path().join("control/rcpthosts")).unwrap();
    let output = explain("198.51.100.1", &["x@far.ex"]);
    assert_eq!(output.status.code(), Some(111), "{}", stdout(&output));
}

#[test]
fn explain_speaks_json_and_follows_the_rules_of_tcpserver() {
    let home = control(BASIC);
    let cdb = rules(&home, "192.0.2.:allow,RELAYCLIENT=\"@gw.ex\"\n198.51.100.:deny\n:allow\n");
    let explain = |ip: &str| {
        let place = directory(&home);
        postern(&["explain", "--json", "--control", &place, "--ip", ip, "--rules", &cdb, "--rcpt", "x@far.ex"])
    };
    let output = explain("192.0.2.1");
    let said: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said["exit"], 0);
    assert_eq!(said["steps"][3]["reason"], "RELAYCLIENT");
    let denied = explain("198.51.100.1");
    assert_eq!(denied.status.code(), Some(1));
    assert!(stdout(&denied).contains("rule `198.51.100.` denies"), "{}", stdout(&denied));
    assert_eq!(explain("203.0.113.1").status.code(), Some(1));
}

#[test]
fn wrong_usage_is_100_and_help_is_0() {
    assert_eq!(postern(&[]).status.code(), Some(100));
    assert_eq!(postern(&["explain", "--ip", "nonsense", "--rcpt", "a"]).status.code(), Some(100));
    assert_eq!(postern(&["lint", "--control", "/nonexistent"]).status.code(), Some(100));
    for arguments in [&["--help"][..], &["--version"], &["explain", "--help"], &["completions", "bash"]] {
        let output = postern(arguments);
        assert!(output.status.code() == Some(0) && !output.stdout.is_empty(), "{arguments:?}");
    }
}

/// The replies of smtpd itself to EHLO, MAIL and RCPTs.
fn replies_of_smtpd(directory: &Path, environment: &[(&str, String)], commands: &str) -> Vec<String> {
    let mut smtpd = Command::new(program("smtpd"))
        .env_clear()
        .env("CONTROLDIR", directory)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    smtpd.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let output = stdout(&smtpd.wait_with_output().unwrap());
    output.lines().filter(|line| line.as_bytes()[3] == b' ').map(str::to_string).collect()
}

#[test]
fn explain_says_what_smtpd_does() {
    let files = [
        ("me", "mx.example\n"),
        ("rcpthosts", "local.ex\n.sub.ex\n"),
        ("relayclients", "192.0.2.\n!x\n198.51.100.7:@gw.ex\n2001:db8::1\n"),
        ("relaydomains", ".partner.ex\n"),
        ("relaymailfrom", "joe@d1.ex\n@d2.ex\n"),
    ];
    let settings: &[&[(&str, &str)]] = &[
        &[],
        &[("RELAYCLIENT", "")],
        &[("AUTH_ALL", "")],
        &[("CUGMAIL", "")],
        &[("SHUTDOWN", "")],
        &[("REQPTR", "")],
        &[("PENALTY", "0"), ("OPENRELAY", "")],
    ];
    let clients = ["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "::ffff:192.0.2.77"];
    let names = [None, Some("a.partner.ex"), Some("evil.ex")];
    let senders = ["", "joe@d1.ex", "x@D2.ex", "x@local.ex"];
    let recipients = ["u@local.ex", "u@far.ex", "u", "u%far.ex@local.ex", "u@a.SUB.ex"];
    let mut compared = 0;
    for (number, client) in clients.iter().cycle().take(105).enumerate() {
        let (name, sender) = (names[number % names.len()], senders[number / 3 % senders.len()]);
        let setting = settings[number / 5 % settings.len()];
        let home = control(&files);
        let place = directory(&home);
        let mut arguments =
            vec!["explain", "--json", "--control", &place, "--ip", client, "--helo", "h.ex", "--from", sender];
        arguments.extend(name.iter().flat_map(|name| ["--name", name]));
        let pairs: Vec<String> = setting.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend(pairs.iter().flat_map(|pair| ["--env", pair]));
        arguments.extend(["--rcpt"].iter().chain(&recipients));
        let said: Value = serde_json::from_str(&stdout(&postern(&arguments))).unwrap();
        let explained: Vec<String> = said["steps"].as_array().unwrap().iter().skip(1).map(last_line).collect();

        let mut environment = vec![("TCPREMOTEIP", client.to_string())];
        environment.extend(name.map(|name| ("TCPREMOTEHOST", name.to_string())));
        environment.extend(setting.iter().map(|(name, value)| (*name, value.to_string())));
        environment.push(("PENALTY", "0".to_string()));
        let rcpts: String = recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")).collect();
        let commands = format!("EHLO h.ex\r\nMAIL FROM:<{sender}>\r\n{rcpts}");
        let replies = replies_of_smtpd(Path::new(&place), &environment, &commands);
        assert_eq!(explained, replies[1..], "{arguments:?}");
        compared += explained.len();
    }
    println!("{compared} replies compared");
}

/// The last line of a step's reply, as on the wire.
fn last_line(step: &Value) -> String {
    let reply = step["reply"].as_str().unwrap();
    format!("{} {}", step["code"], reply.rsplit(" / ").next().unwrap())
}
