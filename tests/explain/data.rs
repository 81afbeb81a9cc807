//! DATA and the message: what counts and who gave it, each step of DATA and of the content refused, exit codes.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Who may write to whom here.
const OUR: &[&str] = &["--ip", "192.0.2.9", "--from", "a@b.ex", "--rcpt", "u@local.ex"];

/// The program of a queue that nobody may start.
const QUEUE: &str = "#!/bin/sh\ntouch started\n";

/// A control directory with these files, a queue program, and `rcpthosts`.
fn with_queue(files: &[(&str, &str)]) -> TempDir {
    let control = control(&[&[OWN, ("queue", QUEUE)], files].concat());
    fs::set_permissions(control.path().join("queue"), fs::Permissions::from_mode(0o755)).unwrap();
    control
}

/// Explains a message to our own recipient; more arguments win.
fn with_message(control: &TempDir, arguments: &[&str], message: &str) -> Output {
    let file = control.path().join("message");
    fs::write(&file, message).unwrap();
    let queue = format!("QMAILQUEUE={}", control.path().join("queue").display());
    let output = explain(control, &[OUR, &["--env", &queue, "--message", file.to_str().unwrap()], arguments].concat());
    assert!(
        !Path::new("started").exists() && !control.path().join("started").exists(),
        "the queue program was started"
    );
    output
}

/// The lines about DATA and what follows.
fn about_data(output: &Output) -> Vec<String> {
    let text = stdout(output);
    let (_, data) = text.rsplit_once("\nDATA: ").unwrap_or_else(|| panic!("{text}"));
    data.lines().map(|line| line.trim().to_string()).collect()
}

const FINE: &str = "Received: a\nSubject: b\n\nhi\n.dot\n";

#[test]
fn what_counts_for_a_message_is_told_without_one() {
    let control = with_queue(&[
        ("from.envrules", "# by sender\na@*:DATABYTES=3000,BODYCHECK=mine,SIGNATURES=none\n"),
        ("domainqueue", "local.ex:QMAILQUEUE=/bin/cat,SPAMFILTER=x\n"),
        ("mine", "one\n# two\nthree\n"),
        ("maxhops", "7\n"),
    ]);
    let output = explain(
        &control,
        &[OUR, &["--env", "DATABYTES_NOTIFY=", "--env", "LOGFILTER=/fifo", "--env", "VIRUSCHECK=1"]].concat(),
    );
    let expected = [
        "accepted",
        "reply: 354 go ahead",
        "RCPT: 1 recipient of the message",
        "auth.envrules: no such file",
        "signatures: VIRUSCHECK asks for it: there is no file none, by from.envrules:2",
        "bodycheck: BODYCHECK asks for it: 2 lines in mine, by from.envrules:2",
        "LOGFILTER: /fifo is told of each recipient",
        "SPAMFILTER: set: the queue program sees it, by domainqueue:1",
        "QMAILQUEUE: /bin/cat can be started, by domainqueue:1",
        "ALLOW_BARELF: not set: a line feed alone ends the session",
        "FORBID_BARE_CR: not set: a carriage return alone is taken",
        "maxhops: fewer than 7 trace lines, by maxhops:1",
        "databytes: at most 3000 octets, by from.envrules:2",
        "DATABYTES_NOTIFY: set: our own recipients are told of a message that is over databytes",
    ];
    assert_eq!((about_data(&output), output.status.code()), (expected.map(String::from).to_vec(), Some(0)));
}

#[test]
fn spamignore_and_rules_of_clients_are_told() {
    let control = with_queue(&[
        ("spamignore", "a@b.ex\n"),
        ("auth.envrules", "<>:DATABYTES=5\n"),
        ("relayclients", "192.0.2.9\n"),
        ("databytes", "1000\n"),
    ]);
    let said = about_data(&with_message(&control, &["--env", "SPAMFILTER=x"], FINE));
    for expected in [
        "SPAMFILTER: spamignore:1 has the sender: the queue program does not see it",
        "auth.envrules: auth.envrules:1: rule 1 would change DATABYTES",
        "relayclients: yes, relayclients:1",
        "databytes: 32 octets; at most 5 octets, by auth.envrules:1",
        "reason: databytes",
    ] {
        assert!(said.iter().any(|line| line.starts_with(expected)), "{expected} of {said:#?}");
    }
    // Not of one who may not relay: then the file counts.
    fs::remove_file(control.path().join("relayclients")).unwrap();
    let said = about_data(&with_message(&control, &[], FINE));
    for expected in [
        "auth.envrules: the client may not relay, so this file does not count",
        "databytes: 32 octets; at most 1000 octets, by databytes:1",
    ] {
        assert!(said.contains(&expected.to_string()), "{expected} of {said:#?}");
    }
}

#[test]
fn a_message_that_is_taken_goes_to_the_queue_program_which_is_not_started() {
    let control = with_queue(&[("bodycheck", "worm:a worm\n")]);
    let output = with_message(&control, &["--env", "BODYCHECK="], FINE);
    let program = control.path().join("queue").display().to_string();
    let expected = [
        "message: accepted".to_string(),
        format!("reply: goes to {program}, which has the last word"),
        "ALLOW_BARELF: not set: a line feed alone ends the session".to_string(),
        "FORBID_BARE_CR: not set: a carriage return alone is taken".to_string(),
        "signatures: VIRUSCHECK does not ask for it".to_string(),
        "bodycheck: BODYCHECK asks for it: 1 line in bodycheck; none is about the message".to_string(),
        "maxhops: 1 trace line, the last in line 1; fewer than 100 are taken".to_string(),
        "databytes: 32 octets; no limit".to_string(),
    ];
    let said = about_data(&output);
    let at = said.iter().position(|line| line.starts_with("message: ")).unwrap();
    assert_eq!((&said[at..], output.status.code()), (expected.as_slice(), Some(0)));
    let output = with_message(&control, &["--json"], FINE);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = &said["data"][1];
    assert_eq!(
        (&message["command"], &message["code"], &message["verdict"]),
        (&"message".into(), &Value::Null, &"accept".into())
    );
    assert_eq!((&said["data"][0]["code"], &said["exit"]), (&354.into(), &0.into()));
}

#[test]
fn each_step_of_data_is_explained() {
    let directory = |name: &str| {
        let control = with_queue(&[]);
        fs::create_dir(control.path().join(name)).unwrap();
        control
    };
    let bad_line = with_queue(&[("signatures", "PK:zip\nMZ:exe:-nonsense\n")]);
    let bad_expression = with_queue(&[("bodycheck", "fine\n*\n")]);
    let (rules, refuses) = (directory("auth.envrules"), with_queue(&[("badmailfrom", "a@b.ex\n")]));
    let table: [(&TempDir, &[&str], &str, &str, i32); 9] = [
        (&refuses, &[], "503 MAIL first (#5.5.1)", "", 1),
        (&with_queue(&[]), &["--rcpt", "x@far.ex"], "354 go ahead", "", 1),
        (
            &rules,
            &["--auth", "joe"],
            "451 Sorry, I'm unable to read controls (#4.3.0)",
            "reason: temp:auth.envrules  (",
            111,
        ),
        (&directory("signatures"), &["--env", "VIRUSCHECK=1"], "451 ", "reason: temp:signatures  (", 111),
        (&bad_line, &["--env", "VIRUSCHECK="], "451 ", "/signatures:2: MZ:exe:-nonsense)", 111),
        (&bad_expression, &["--env", "BODYCHECK="], "451 ", "/bodycheck:2: *)", 111),
        (
            &with_queue(&[]),
            &["--env", "SPAMFILTER=", "--env", "LOGFILTER=/fifo", "--env", "TMPDIR=/nowhere"],
            "451 Sorry, I'm unable to create temporary files (#4.3.0)",
            "LOGFILTER: no file for what the queue program says: file does not exist",
            111,
        ),
        (
            &with_queue(&[]),
            &["--env", "QMAILQUEUE=/nowhere/queue"],
            "451 Sorry, I got a temporary queue failure (#4.3.0)",
            "QMAILQUEUE: /nowhere/queue: file does not exist",
            111,
        ),
        (&with_queue(&[]), &["--env", "QMAILQUEUE=/etc/passwd"], "451 ", "QMAILQUEUE: /etc/passwd: access denied", 111),
    ];
    for (control, arguments, reply, told, exit) in table {
        let output = with_message(control, arguments, FINE);
        let said = about_data(&output);
        assert!(said[1].starts_with(&format!("reply: {reply}")), "{arguments:?}: {said:#?}");
        assert!(said.iter().any(|line| line.contains(told)), "{told} of {said:#?}");
        assert_eq!(output.status.code(), Some(exit), "{said:#?}");
    }
    let nobody = explain(&with_queue(&[]), FAR);
    assert_eq!(about_data(&nobody), ["refused", "reply: 503 RCPT first (#5.5.1)"]);
}

#[test]
fn the_queue_program_is_looked_for_where_smtpd_would_find_it() {
    let control = with_queue(&[]);
    let here = format!("SYSCONFDIR={}", control.path().display());
    let output = with_message(&control, &["--env", "QMAILQUEUE=queue $HOME 'a b'", "--env", &here], FINE);
    let said = about_data(&output);
    assert!(said.contains(&"reply: goes to queue  a b, which has the last word".to_string()), "{said:#?}");
    let output = with_message(&control, &["--env", "QMAILQUEUE=.", "--env", &here], FINE);
    let said = about_data(&output);
    assert!(said.contains(&"QMAILQUEUE: .: access denied".to_string()), "{said:#?}");
}

#[test]
fn without_a_message_data_does_not_count() {
    let control = with_queue(&[]);
    let output = explain(&control, &[OUR, &["--env", "QMAILQUEUE=/nowhere"]].concat());
    assert_eq!((about_data(&output)[0].as_str(), output.status.code()), ("refused for now", Some(0)));
}

/// More arguments, the message, its reply, lines that are told about it, and the exit code.
type OfContent = (&'static [&'static str], &'static str, &'static str, &'static [&'static str], i32);

const IN_A_PART: &str = "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\nA: b\n\nTVqQAAMAAA\n--b--\n";
const CONTENT: &[OfContent] = &[
    (
        &[],
        "A: b\r\n\r\nbare\nline\r\n",
        "451 Sorry, I received Bare LF.",
        &["ALLOW_BARELF: line 3 has a line feed alone", "reason: barelf"],
        111,
    ),
    (
        &["--env", "ALLOW_BARELF="],
        "A: b\r\n\r\nbare\nline\r\n",
        "goes to ",
        &["ALLOW_BARELF: set: a line feed alone is taken"],
        0,
    ),
    (
        &["--env", "FORBID_BARE_CR="],
        "A: b\r\n\r\na\rb\r\n",
        "554 Sorry, I received Bare CR.",
        &["FORBID_BARE_CR: line 3 has a carriage return alone"],
        1,
    ),
    (
        &["--env", "VIRUSCHECK=1"],
        IN_A_PART,
        "552",
        &["signatures: signatures:2 is about line 7", "/signatures:2: TVqQAA:a program)"],
        1,
    ),
    (
        &["--env", "VIRUSCHECK=1"],
        "A: b\nSubject: bad\n one\nC: d\n\n",
        "552",
        &["signatures: signatures:3 is about line 2"],
        1,
    ),
    (
        &["--env", "BODYCHECK=mine"],
        "A: b\n\na\n.b\nWORM7\n",
        "552-we don't accept",
        &["bodycheck: mine:2 is about line 5", "/mine:2: worm[0-9]:a worm)"],
        1,
    ),
    (
        &["--env", "BODYCHECK=mine"],
        "A: b\n\nhidden\n",
        "250 ok",
        &["bodycheck: mine:3 is about line 3: the message is thrown away", "/mine:3: "],
        0,
    ),
    (
        &[],
        "Received: a\nA: b\nDelivered-To: c\n\n",
        "554 too many hops",
        &["maxhops: 2 trace lines, the last in line 3; fewer than 2 are taken, by maxhops:1", "reason: maxhops"],
        1,
    ),
    (
        &["--env", "DATABYTES=8", "--env", "DATABYTES_NOTIFY="],
        "A: b\n\nhi\n",
        "552 sorry, that message size exceeds",
        &[
            "databytes: 9 octets; at most 8 octets, by the variable DATABYTES",
            "DATABYTES_NOTIFY: tells u@local.ex",
            "reason: databytes",
        ],
        1,
    ),
];

#[test]
fn each_step_of_the_content_is_explained() {
    let control = with_queue(&[
        ("signatures", "# what begins so\nTVqQAA:a program\nSubject\\: bad:bad subject:-header\n"),
        ("mine", "x\nworm[0-9]:a worm\nhidden:gone:-bodyblackhole\n"),
        ("maxhops", "2\n"),
    ]);
    for (arguments, message, reply, told, exit) in CONTENT {
        let output = with_message(&control, arguments, message);
        let said = about_data(&output);
        let at = said.iter().position(|line| line.starts_with("message: ")).unwrap_or_else(|| panic!("{said:#?}"));
        assert!(said[at + 1].starts_with(&format!("reply: {}", reply.replace("552-", "552 "))), "{message}: {said:#?}");
        for told in *told {
            assert!(said[at..].iter().any(|line| line.contains(told)), "{told} of {said:#?}");
        }
        assert_eq!(output.status.code(), Some(*exit), "{said:#?}");
    }
    let output = with_message(&control, &["--env", "BODYCHECK=mine", "--json"], "A: b\n\nworm1\n");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (message, asked) = (&said["data"][1], &said["data"][1]["consulted"][2]);
    assert_eq!((&message["code"], &message["line"], &asked["line"]), (&552.into(), &2.into(), &2.into()));
    assert!(message["file"].as_str().unwrap().ends_with("/mine") && message["file"] == asked["file"], "{message:#}");
}

#[test]
fn a_message_that_is_thrown_away_is_for_nobody() {
    let control = with_queue(&[("blackholedsender", "a@b.ex\n")]);
    let output = with_message(&control, &["--env", "QMAILQUEUE=/nowhere"], FINE);
    let said = about_data(&output);
    for expected in [
        "QMAILQUEUE: not started: the message is thrown away",
        "message: accepted",
        "reply: 250 ok ",
        "reason: blackholedsender:1  (",
    ] {
        assert!(said.iter().any(|line| line.starts_with(expected)), "{expected} of {said:#?}");
    }
    assert_eq!(output.status.code(), Some(0));
    // So it is where NULLQUEUE asks for that.
    let output = with_message(&with_queue(&[]), &["--env", "NULLQUEUE="], FINE);
    let said = about_data(&output);
    assert!(said.contains(&"reason: NULLQUEUE".to_string()), "{said:#?}");
    let more = ["NULLQUEUE=", "DATABYTES=5", "DATABYTES_NOTIFY="].map(|variable| ["--env", variable]).concat();
    let said = about_data(&with_message(&with_queue(&[]), &more, FINE));
    assert!(said.contains(&"DATABYTES_NOTIFY: set, but there is nobody to tell".to_string()), "{said:#?}");
}

#[test]
fn a_message_comes_from_standard_input_too_or_not_at_all() {
    let control = with_queue(&[]);
    let queue = format!("QMAILQUEUE={}", control.path().join("queue").display());
    let mut postern = Command::new(program("postern"));
    postern.env_clear().args(["explain", "--control"]).arg(control.path()).args(OUR);
    postern.args(["--env", &queue, "--env", "DATABYTES=5", "--message", "-"]);
    let mut child = postern.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"A: b\r\n\r\nend here\r\n.\r\nQUIT\r\n.\r\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = about_data(&output);
    let note = "noticed: line 4 ends the message: what follows would be heard as commands";
    assert!(said.contains(&note.to_string()), "{said:#?}");
    assert_eq!(output.status.code(), Some(1));
    let output = explain(&control, &[OUR, &["--message", "/nowhere/mail"]].concat());
    let told = "postern: /nowhere/mail cannot be read: ";
    assert!(String::from_utf8_lossy(&output.stderr).starts_with(told), "{output:?}");
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("", Some(111)));
    assert_eq!(explain(&control, &["--batch", "--message", "-"]).status.code(), Some(100));
}
