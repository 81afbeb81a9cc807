//! `postern lint` about variables, whether the environment sets them, a rule of tcpserver, or a line of a rule file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::stat::Mode;

use crate::{check, home, lint, rules};

#[test]
fn queue_programs_that_cannot_be_started() {
    let home = home(&[]);
    let missing = "error: QMAILQUEUE: cannot be started: /nonexist: file does not exist; every message gets 451";
    check(&home, &["--env", "QMAILQUEUE=/nonexist"], 2, &[missing]);
    check(&home, &["--env", "QMAILQUEUE=/bin/true"], 0, &[]);
    check(&home, &["--env", "QMAILQUEUE=/bin/true /srv/x"], 0, &[]);
    check(&home, &["--env", "QMAILQUEUE=$PROGRAM x"], 0, &[]);
    check(&home, &["--env", "QMAILQUEUE="], 0, &[]);
    // Relative to the directory above the control directory, and never along PATH.
    check(&home, &["--env", "QMAILQUEUE=true"], 2, &["error: QMAILQUEUE: cannot be started: "]);
    let program = home.path().join("queue");
    fs::write(&program, "").unwrap();
    check(&home, &["--env", "QMAILQUEUE=queue"], 2, &["error: QMAILQUEUE: cannot be started: queue: access denied"]);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    check(&home, &["--env", "QMAILQUEUE=queue"], 0, &[]);
    check(&home, &["--env", "QMAILQUEUE=/bin"], 2, &["error: QMAILQUEUE: cannot be started: /bin: access denied"]);

    let cdb = rules(&home, "10.:allow,QMAILQUEUE=\"/nonexist\"\n:allow\n");
    let expected = format!("error: {cdb}: rule `10.`: QMAILQUEUE cannot be started: /nonexist");
    check(&home, &["--rules", &cdb], 2, &[&expected]);
    home.write("from.envrules", "*@a.test:QMAILQUEUE=/nonexist\n");
    check(&home, &[], 2, &["error: from.envrules:1: QMAILQUEUE cannot be started: /nonexist"]);
}

#[test]
fn nullqueue_wins() {
    let home = home(&[]);
    check(&home, &["--env", "NULLQUEUE="], 0, &[]);
    let both = ["--env", "NULLQUEUE=", "--env", "QMAILQUEUE=/bin/true"];
    check(&home, &both, 1, &["warning: QMAILQUEUE: is not used: NULLQUEUE wins"]);
    let cdb = rules(&home, "10.:allow,QMAILQUEUE=\"/bin/true\"\n:allow\n");
    let unused = format!("warning: {cdb}: rule `10.`: QMAILQUEUE is not used");
    check(&home, &["--env", "NULLQUEUE=", "--rules", &cdb], 1, &[&unused]);
    // Some clients' mail may well be thrown away.
    let cdb = rules(&home, "10.:allow,NULLQUEUE=\"\"\n:allow\n");
    check(&home, &["--env", "QMAILQUEUE=/bin/true", "--rules", &cdb], 0, &[]);
}

#[test]
fn a_filter_of_the_log_that_nobody_reads() {
    let home = home(&[]);
    let fifo = home.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let filter = format!("LOGFILTER={}", fifo.display());
    check(&home, &["--env", &filter, "--env", "SPAMFILTER=x"], 0, &[]);
    check(&home, &["--env", &filter], 1, &["warning: LOGFILTER: does nothing without SPAMFILTER"]);
    let cdb = rules(&home, "10.:allow,SPAMFILTER=\"x\"\n:allow\n");
    check(&home, &["--env", &filter, "--rules", &cdb], 0, &[]);
    for (value, expected) in [
        ("/nonexist", "warning: LOGFILTER: tells nobody: /nonexist: file does not exist"),
        ("/bin/true", "warning: LOGFILTER: tells nobody: /bin/true is no fifo"),
        ("fifo", "warning: LOGFILTER: does nothing: `fifo` is no absolute path"),
    ] {
        check(&home, &["--env", &format!("LOGFILTER={value}"), "--env", "SPAMFILTER="], 1, &[expected]);
    }
}

#[test]
fn content_checks_without_a_list() {
    let empty = home(&[]);
    check(
        &empty,
        &["--env", "VIRUSCHECK=1"],
        1,
        &["warning: VIRUSCHECK: asks for signatures, and there is no such list"],
    );
    check(&empty, &["--env", "VIRUSCHECK=7"], 0, &[]);
    for value in ["0", "9", "yes"] {
        let expected = format!("warning: VIRUSCHECK: is `{value}`, with which nothing is looked for");
        check(&empty, &["--env", &format!("VIRUSCHECK={value}")], 1, &[&expected]);
    }
    check(&empty, &["--env", "BODYCHECK="], 1, &["warning: BODYCHECK: asks for bodycheck, and there is no such list"]);
    check(&empty, &["--env", "BODYCHECK=none"], 1, &["warning: BODYCHECK: names the list none, which does not exist"]);
    let cdb = rules(&empty, ":allow,VIRUSCHECK=\"\",BODYCHECK=\"none\"\n");
    let expected = [
        format!("warning: {cdb}: rule ``: VIRUSCHECK asks for signatures"),
        format!("warning: {cdb}: rule ``: BODYCHECK names the list none"),
    ];
    check(&empty, &["--rules", &cdb], 1, &[&expected[0], &expected[1]]);
    let there = home(&[("signatures", "x\n"), ("bodycheck", "x\n"), ("mine", "x\n")]);
    check(&there, &["--env", "VIRUSCHECK=1", "--env", "BODYCHECK=1"], 0, &[]);
    let mine = ["--env", "VIRUSCHECK=1", "--env", "BODYCHECK=mine"];
    check(&there, &mine, 1, &["warning: bodycheck: is not read, because BODYCHECK names mine"]);
    check(&empty, &["--env", "VIRUSCHECK=1", "--env", "SIGNATURES=s"], 1, &["warning: SIGNATURES: names the list s"]);
}

/// D98: the original reads none of these.
#[test]
fn names_of_lists_that_grant_are_told() {
    let home = home(&[("mine", "10.\n")]);
    let grants =
        "names the list mine of who may relay; the original does not know this variable and reads relayclients";
    check(&home, &["--env", "RELAYCLIENTS=mine"], 1, &[&format!("warning: RELAYCLIENTS: {grants}")]);
    let cdb = rules(&home, "10.:allow,RELAYCLIENTS=\"mine\",BADMAILFROM=\"none\"\n:allow\n");
    let expected = [
        format!("warning: {cdb}: rule `10.`: RELAYCLIENTS {grants}"),
        format!("warning: {cdb}: rule `10.`: BADMAILFROM names the list none, which does not exist"),
    ];
    check(&home, &["--rules", &cdb], 1, &[&expected[0], &expected[1]]);
    home.write("from.envrules", "*@a.test:RELAYCLIENTS=mine\n");
    check(&home, &[], 1, &["warning: from.envrules:1: RELAYCLIENTS is read when the connection starts"]);
}

#[test]
fn numbers_in_rules_are_read_as_smtpd_reads_them() {
    let home = home(&[]);
    check(&home, &["--env", "TARPITDELAY=x"], 1, &["warning: TARPITDELAY: `x` is no number: 0 is used"]);
    let cdb = rules(&home, "10.:allow,DATABYTES=\"10M\"\n:allow,CHECKRECIPIENT=\"4\"\n");
    let expected = [
        format!("warning: {cdb}: rule `10.`: DATABYTES `10M` counts as 10"),
        format!("warning: {cdb}: rule ``: CHECKRECIPIENT is `4`, which counts as 3"),
        "error: recipients: is missing, and CHECKRECIPIENT asks it".to_owned(),
    ];
    check(&home, &["--rules", &cdb], 2, &[&expected[0], &expected[1], &expected[2]]);
}

/// What a rule sets counts as what the environment sets.
#[test]
fn rules_confirm_and_switch_on() {
    let confirmed = home(&[("relaymx", "=me\n")]);
    check(&confirmed, &[], 2, &["error: relaymx:1: `=me` lets outsiders"]);
    let cdb = rules(&confirmed, "10.:allow,RELAYMX_ANYONE=\"1\"\n:allow\n");
    check(&confirmed, &["--rules", &cdb], 0, &[]);
    let in_vain = home(&[]);
    let cdb = rules(&in_vain, "10.:allow,RELAYMX_ANYONE=\"1\"\n:allow\n");
    let expected = format!("warning: {cdb}: rule `10.`: RELAYMX_ANYONE is set and confirms nothing");
    check(&in_vain, &["--rules", &cdb], 1, &[&expected]);
    let gated = home(&[("badip", "192.0.2.7\n"), ("badhelo", "@x.test\n")]);
    let cdb = rules(&gated, ":allow,BADIPCHECK=\"\",BADHELO=\"badhelo\"\n");
    check(&gated, &["--rules", &cdb], 0, &[]);
}

#[test]
fn a_rule_that_ends_in_cr_is_read_all_the_same() {
    let home = home(&[("from.envrules", "*@a.test:DATABYTES=5\r\n")]);
    check(&home, &[], 2, &["error: from.envrules:1: ends in CR, which is part of the last value"]);
}

/// Lists that only rules name are examined, too.
#[test]
fn lists_that_rules_name_are_examined() {
    let home = home(&[("mine", "@a.test\na.test\n"), ("own.rules", "*@a.test:BADRCPTTO=mine,DATABYTES=x\n")]);
    let cdb = rules(&home, "10.:allow,FROMRULES=\"own.rules\"\n:allow\n");
    let expected = [
        "warning: own.rules:1: DATABYTES `x` is no number: 0 is used",
        "error: mine:2: `a.test` never matches an address of that domain",
    ];
    check(&home, &["--rules", &cdb], 2, &expected);
    check(&home, &[], 0, &[]);
}

#[test]
fn what_a_variable_does_to_everybody() {
    let home = home(&[]);
    let open = ["error: RELAYCLIENT: lets every client relay, this is an open relay"];
    check(&home, &["--env", "RELAYCLIENT="], 2, &open);
    check(&home, &["--env", "RELAYCLIENT=@gateway.test"], 0, &[]);
    check(&home, &["--env", "RELAYCLIENT=", "--env", "REQUIREAUTH="], 0, &[]);
    let without_tls = ["warning: FORCE_TLS: refuses everybody: neither STARTTLS nor SMTPS is set"];
    check(&home, &["--env", "FORCE_TLS="], 1, &without_tls);
    check(&home, &["--env", "FORCE_TLS=", "--env", "TLS_PROVIDER_TRUST=1", "--env", "TLS_PROVIDER=x"], 0, &[]);
    // The run script may well set STARTTLS.
    let cdb = rules(&home, "10.:allow,FORCE_TLS=\"\"\n:allow\n");
    check(&home, &["--rules", &cdb], 0, &[]);
}

#[test]
fn lists_that_no_variable_asks_for() {
    for (list, text, variable) in [
        ("badip", "192.0.2.1\n", "BADIPCHECK="),
        ("signatures", "x:y\n", "VIRUSCHECK="),
        ("bodycheck", "x:y\n", "BODYCHECK="),
        ("recipients", "!*\n", "CHECKRECIPIENT=3"),
        ("chkrcptdomains", "@ours.test\n", "CHECKRECIPIENT=3"),
        ("chksenderdomains", "@ours.test\n", "CHECKSENDER="),
    ] {
        let home = home(&[(list, text)]);
        let (name, _) = variable.split_once('=').unwrap();
        let told = format!("warning: {list}: is not read here: tcp.smtp or the run script must set {name}");
        check(&home, &[], 1, &[&told]);
        let (_, found) = lint(&home, &["--env", variable]);
        assert!(!found.contains(&told), "{found:?}");
    }
}
