//! Random messages under random limits and lists of content: what explain says of DATA and of a message is what smtpd does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run;
use crate::support::program;
use crate::world::Random;

const MESSAGES: usize = 500;

/// A queue program that tells who it is.
const QUEUE: &str = "#!/bin/sh\necho \"$0\" >> \"$(dirname \"$0\")/started\"\ncat >/dev/null\ncat <&1 >/dev/null\n";

/// Lines of each file; a directory has some of them.
const FILES: &[(&str, &[&str])] = &[
    (
        "from.envrules",
        &["joe@*:DATABYTES=60", "*@d1.ex:BODYCHECK=", "*:VIRUSCHECK=1,DATABYTES=", "joe@d1.ex:QMAILQUEUE=/nowhere/q"],
    ),
    (
        "auth.envrules",
        &["<>:DATABYTES=40", "<>:BODYCHECK=,DATABYTES=300", ":QMAILQUEUE=CONTROL/second", "<>:SPAMFILTER=x"],
    ),
    (
        "domainqueue",
        &["local.ex:QMAILQUEUE=CONTROL/second", "*:ALLOW_BARELF=1", "far.ex:NULLQUEUE=1", "local.ex:DATABYTES=100"],
    ),
    (
        "bodycheck",
        &["pills:no pills", "^subject\\:.*won:lottery:-header", "secret:gone:-bodyblackhole", "[0-9]+x::-body"],
    ),
    ("other", &["line:a line", "Text"]),
    ("signatures", &["TVqQ:a program", "PK:zip:-body", "X-Bad:bad:-header", "Subject\\: gone:gone:-headerblackhole"]),
    ("maxhops", &["1", "2", "3"]),
    ("databytes", &["20", "80", "200", "1000"]),
    ("relayclients", &["192.0.2.9", "!192.0.2.9", "192.0.2."]),
    ("blackholedsender", &["joe@d1.ex", "nobody@d1.ex"]),
    ("blackholedrcpt", &["u@local.ex", "v@local.ex"]),
    ("spamignore", &["joe@d1.ex"]),
    ("badmailfrom", &["@d2.ex"]),
];
/// Lines that nobody understands.
const MALFORMED: &[(&str, &str)] = &[("bodycheck", "*"), ("signatures", "x:y:-nonsense")];
const VARIABLES: &[(&str, &str)] = &[
    ("VIRUSCHECK", "9"),
    ("BODYCHECK", "other"),
    ("BODYCHECK", "nowhere"),
    ("ALLOW_BARELF", ""),
    ("FORBID_BARE_CR", ""),
    ("NULLQUEUE", ""),
    ("QMAILQUEUE", "/nowhere/q"),
    ("QMAILQUEUE", "/etc/passwd"),
    ("DATABYTES", "30"),
    ("DATABYTES_NOTIFY", ""),
    ("SPAMFILTER", "x"),
    ("LOGFILTER", "/nowhere/fifo"),
    ("TMPDIR", "/nowhere"),
    ("QREGEX", "1"),
];
const HEADER: &[&str] = &[
    "Received: from a",
    "Delivered-To: b",
    "Subject: you have won",
    "Subject: gone",
    "X-Bad: yes",
    " continued pills",
    "Content-Type: multipart/mixed; boundary=b",
    "From: joe",
];
const BODY: &[&str] = &[
    "hi",
    "..dotted",
    "TVqQAAMAAA",
    "PKxx",
    "cheap PILLS",
    "a secret",
    "line 7x",
    "--b",
    "--b--",
    "",
    "Hi. This is the x",
    "a longer line of text that is of no interest to anybody but the limit of size",
];

const BARE: &[&str] = &["a\nbare", "a\rbare"];

/// A message as on the wire, with the dot that ends it.
fn message(random: &mut Random) -> String {
    let mut lines: Vec<&str> = (0..1 + random.below(4)).map(|_| random.of(HEADER)).collect();
    lines.push("");
    let line = |random: &mut Random| if random.one_in(7) { random.of(BARE) } else { random.of(BODY) };
    lines.extend((0..random.below(6)).map(|_| line(random)));
    lines.push(".");
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// Writes a control directory with some of the files; one of them may be unreadable.
fn write(control: &Path, random: &mut Random) {
    fs::create_dir(control).unwrap();
    fs::write(control.join("me"), "mx.ex\n").unwrap();
    fs::write(control.join("rcpthosts"), "local.ex\nfar.ex\n").unwrap();
    for name in ["first", "second"] {
        fs::write(control.join(name), QUEUE).unwrap();
        fs::set_permissions(control.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, lines) in FILES {
        let is_wanted =
            random.one_in(if ["blackholedsender", "blackholedrcpt", "badmailfrom"].contains(name) { 6 } else { 2 });
        if is_wanted && random.one_in(30) && !["maxhops", "databytes"].contains(name) {
            fs::create_dir(control.join(name)).unwrap();
        } else if is_wanted {
            let count = if ["maxhops", "databytes"].contains(name) { 1 } else { 1 + random.below(3) };
            let mut text: String = (0..count).map(|_| format!("{}\n", random.of(lines))).collect();
            if let Some((_, line)) = MALFORMED.iter().find(|(of, _)| of == name && random.one_in(12)) {
                text += line;
            }
            fs::write(control.join(name), text.replace("CONTROL", control.to_str().unwrap())).unwrap();
        }
    }
}

/// What explain says of a transaction and its message.
fn explained(
    control: &Path,
    variables: &[(String, String)],
    sender: &str,
    recipients: &[&str],
    message: &str,
) -> Value {
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args([
        "explain",
        "--json",
        "--ip",
        "192.0.2.9",
        "--helo",
        "h.ex",
        "--from",
        sender,
        "--control",
    ]);
    postern.arg(control).args(["--message", "-", "--rcpt"]).args(recipients);
    postern.args(variables.iter().map(|(name, value)| format!("--env={name}={value}")));
    let output = run(&mut postern, message);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_message_becomes_what_explain_says() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..MESSAGES {
        let directory = tempfile::tempdir().unwrap();
        let control = directory.path().join("control");
        write(&control, &mut random);
        let mut variables = vec![("QMAILQUEUE".to_string(), control.join("first").display().to_string())];
        for (name, value) in [("VIRUSCHECK", "1"), ("BODYCHECK", random.of(&["", "other"]))] {
            variables.extend(random.one_in(2).then(|| (name.to_string(), value.to_string())));
        }
        for _ in 0..random.below(3) {
            let (name, value) = VARIABLES[random.below(VARIABLES.len())];
            variables.retain(|(other, _)| other != name);
            variables.push((name.to_string(), value.to_string()));
        }
        let sender = random.of(&["joe@d1.ex", "joe@d1.ex", "u@d2.ex", ""]);
        let recipients: Vec<&str> = (0..1 + random.below(2))
            .map(|_| random.of(&["u@local.ex", "v@local.ex", "w@far.ex", "x@elsewhere.ex"]))
            .collect();
        let message = message(&mut random);
        let said = explained(&control, &variables, sender, &recipients, &message);
        let heading = || format!("{variables:?} {sender} {recipients:?} {message:?} {:#}", said["data"]);
        let became = compare(&control, &variables, (sender, &recipients, &message), &said)
            .unwrap_or_else(|why| panic!("{why}: {}", heading()));
        *tally.entry(became).or_default() += 1;
    }
    println!("{tally:#?}");
    let data = ["DATA: temp", "DATA: QMAILQUEUE", "DATA: -"];
    let content = ["barelf", "FORBID_BARE_CR", "bodycheck", "other", "signatures", "maxhops", "databytes"];
    let accepted = ["NULLQUEUE", "blackholedsender", "first", "second"];
    for what in data.iter().chain(&content).chain(&accepted) {
        assert!(tally.get(*what).is_some_and(|count| *count >= 3), "too seldom: {what} of {tally:#?}");
    }
}

/// Lets smtpd receive the message and compares; gives what became of it.
fn compare(
    control: &Path,
    variables: &[(String, String)],
    (sender, recipients, message): (&str, &[&str], &str),
    said: &Value,
) -> Result<String, String> {
    let steps = [said["steps"].as_array().unwrap().as_slice(), said["data"].as_array().unwrap()].concat();
    let mut commands = format!("EHLO h.ex\r\nMAIL FROM:<{sender}>\r\n");
    commands.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")));
    commands += "DATA\r\n";
    if said["data"][0]["code"] == 354 {
        commands += message;
    }
    let mut smtpd = Command::new(program("smtpd"));
    smtpd.env_clear().env("CONTROLDIR", control).env("TCPREMOTEIP", "192.0.2.9").env("PATH", "/bin:/usr/bin");
    smtpd.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = run(&mut smtpd, &commands);
    let text = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let replies: Vec<&str> = text.lines().filter(|line| line.as_bytes()[3] == b' ').collect();
    if replies.len() != steps.len() {
        return Err(format!("{} replies: {text}", replies.len()));
    }
    for (reply, step) in replies.iter().zip(&steps).skip(1) {
        let code = step["code"].as_u64().unwrap_or(250).to_string();
        let last = step["reply"].as_str().unwrap().rsplit(" / ").next().unwrap();
        let shows_numbers = step["command"] == "message" && code == "250";
        if !reply.starts_with(&code) || (!shows_numbers && reply.trim_end() != format!("{code} {last}")) {
            return Err(format!("{} gets {reply}; {log}", step["command"]));
        }
    }
    let last = steps.last().unwrap();
    let of_data = if last["command"] == "DATA" { "DATA: " } else { "" };
    match last["reason"].as_str() {
        Some(reason) if !log.contains(&format!(" reason={reason}\n")) => return Err(format!("not because of {log}")),
        Some(reason) => return Ok(format!("{of_data}{}", reason.split(':').next().unwrap())),
        None if last["command"] == "DATA" => return Ok("DATA: -".to_string()),
        None => {}
    }
    let started = fs::read_to_string(control.join("started")).unwrap_or_default();
    let goes_to = last["reply"].as_str().unwrap().strip_prefix("goes to ").and_then(|to| to.split(',').next());
    match started.lines().next_back() {
        Some(program) if goes_to == Some(program) => Ok(program.rsplit('/').next().unwrap().to_string()),
        other => Err(format!("went to {other:?}")),
    }
}
