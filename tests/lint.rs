//! `postern lint` about relaying: lists of clients and senders, relaylevel, compiled lists, names, gateways.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "lint/checker.rs"]
mod checker;
#[path = "support/dns.rs"]
mod dns;
#[path = "lint/files.rs"]
mod files;
#[path = "lint/foreign.rs"]
mod foreign;
#[path = "support/home.rs"]
mod home;
#[path = "lint/mailboxes.rs"]
mod mailboxes;
#[path = "lint/relay_table.rs"]
mod relay_table;
mod support;
#[path = "lint/variables.rs"]
mod variables;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use home::Home;
use serde_json::Value;
use support::program;

/// An address that no list here holds, so that this host's own gateways do not matter.
const NO_GATEWAY: &str = "240.0.0.1";

fn home(files: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, text) in [("me", "mx.test\n"), ("rcpthosts", "ours.test\n")].iter().chain(files) {
        home.write(name, text);
    }
    home
}

/// The exit code, and the findings with the control directory left out.
fn lint(home: &Home, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let gateway = if arguments.contains(&"--gateway") { &[][..] } else { &["--gateway", NO_GATEWAY] };
    let mut command = Command::new(program("postern"));
    command.arg("lint").arg("--control").arg(home.control()).args(gateway).args(arguments).env_clear();
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(&format!("{}/", home.control().display()), "");
    (output.status.code(), text.lines().map(str::to_owned).collect())
}

/// Exactly these findings, each named by its beginning.
#[track_caller]
fn check(home: &Home, arguments: &[&str], code: i32, expected: &[&str]) {
    let (found_code, found) = lint(home, arguments);
    assert_eq!((found_code, found.len()), (Some(code), expected.len()), "{arguments:?}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}, not {expected}");
    }
}

#[test]
fn lists_without_mistakes_are_clean() {
    let files = [
        (
            "relayclients",
            "10.\n!10.1.0.0/16\n10.1.2.3\n=.partner.test\n!=evil.partner.test\n@gw.test\n=me\n2001:db8::/32:@gw\n",
        ),
        ("relaymailfrom", "@ours.test&10.\n=localhosts&192.168.0.0/16\n=localusers&=.ours.test\n"),
        ("relaymx", "192.0.2.0/24\n=me\n"),
        ("relaylevel", "normal\n"),
    ];
    let home = home(&files);
    check(&home, &["--env", "RELAYMX_ANYONE=1"], 0, &[]);
    let switched_off = ["--env", "RELAYMX_ANYONE=1", "--env", "BADMAILFROM=/dev/null"];
    check(&home, &switched_off, 0, &[]);
    home.write("badmailfrom", "a@b.test\n");
    check(
        &home,
        &switched_off,
        1,
        &["warning: badmailfrom: is not read, because BADMAILFROM names /dev/null: unset that"],
    );
}

/// A file, its text, the exit code, and how the findings begin.
const LINES: &[(&str, &str, i32, &[&str])] = &[
    (
        "relayclients",
        "172.16.1.3/21\n",
        2,
        &[
            "error: relayclients:1: `172.16.1.3/21` never matches: the address is not the first of its network; did you mean 172.16.0.0/21?",
        ],
    ),
    (
        "hostaccess",
        "a.test:10.300.1.1\n",
        2,
        &["error: hostaccess:1: `a.test:10.300.1.1` cannot be read: no address has `300` in it: octets are 0 to 255; "],
    ),
    ("relayclients", "10.\n!10.300.\n", 2, &["error: relayclients:2: `!10.300.` excepts nobody can say whom: "]),
    ("relayclients", "0.0.0.0/0\n", 2, &["error: relayclients:1: `0.0.0.0/0` is everyone"]),
    ("relayclients", "10.\n10.1.\n", 1, &["warning: relayclients:2: `10.1.` is covered by line 1, `10.`: remove it"]),
    (
        "relayclients",
        "10.1.\n!10.1.0.0/16\n10.\n",
        1,
        &["warning: relayclients:1: `10.1.` grants nothing, because line 2, `!10.1.0.0/16`, excepts the same clients"],
    ),
    (
        "relayclients",
        "!10.1.\n192.168.0.1\n",
        1,
        &["warning: relayclients:1: `!10.1.` excepts clients to whom no line grants anything"],
    ),
    ("relayclients", "10.\n!10.1.:x\n", 1, &["warning: relayclients:2: the suffix `x` of an exception means nothing"]),
    (
        "relayclients",
        "10.:allow,RELAYCLIENT=\"\"\n",
        2,
        &["error: relayclients:1: `:allow,RELAYCLIENT=\"\"` is what a rule of tcp.smtp says"],
    ),
    (
        "relayclients",
        "10.:\u{201c}x\u{201d}\n\u{201d}192.0.2.1\u{201d}\n",
        2,
        &[
            "error: relayclients:1: `10.:\u{201c}x\u{201d}` has typographic quotes",
            "error: relayclients:2: `\u{201d}192.0.2.1\u{201d}` has typographic quotes",
        ],
    ),
    ("relaymx", "=me\n", 2, &["error: relaymx:1: `=me` lets outsiders"]),
    ("relaymx", "192.0.2.0/24\n", 1, &["warning: relaymx:1: everyone may relay"]),
    (
        "relaymailfrom",
        "@ours.test\n",
        1,
        &["warning: relaymailfrom:1: `@ours.test` lets everyone relay who writes such a sender"],
    ),
    (
        "relaymailfrom",
        "ours.test\n",
        2,
        &["error: relaymailfrom:1: `ours.test` never matches an address of that domain: write `@ours.test`"],
    ),
    ("rcpthosts", "*\n", 2, &["error: rcpthosts:1: `*` never matches: there are no wildcards here; write each"]),
    ("relaymailfrom", "=localhosts\n", 2, &["error: relaymailfrom:1: `=localhosts` lets everyone relay"]),
    (
        "relaymailfrom",
        "@ours.test&10.0.0.1/8\n",
        2,
        &["error: relaymailfrom:1: `@ours.test&10.0.0.1/8` never matches: the address is not"],
    ),
    (
        "badmailfrom",
        "spam.test\n",
        2,
        &["error: badmailfrom:1: `spam.test` never matches an address of that domain: write `@spam.test`"],
    ),
    ("badrcptto", "@spam.test\njoe\n*spam.test\nroot@ours.test\n", 0, &[]),
    ("blackholedrcpt", "joe@ours.test\r\n", 2, &["error: blackholedrcpt:1: ends in CR, which is part of the entry"]),
    ("badmailpatterns", "!*@ours.test\n", 1, &["warning: badmailpatterns: has only exceptions"]),
    (
        "badip",
        "192.168.\n10.0.0.0/8\n10.*\n",
        2,
        &[
            "error: badip:1: `192.168.` never matches: write `192.168.*`",
            "error: badip:2: `10.0.0.0/8` never matches: there are no networks",
            "warning: badip: is not read here: tcp.smtp or the run script must set BADIPCHECK",
        ],
    ),
    (
        "hostaccess",
        "a.test:10.\nb.test 10.\nc.test:10.0.0.1/8\n*:*\n<>:1?.2-.*.4\n",
        2,
        &[
            "error: hostaccess:2: `b.test 10.` says nothing",
            "error: hostaccess:3: `c.test:10.0.0.1/8` cannot be read: ",
        ],
    ),
    ("accesslist", "rcpt:a@b:c@d\nto:a@b:c@d\n", 2, &["error: accesslist:2: `to:a@b:c@d` says nothing"]),
    ("badmailfrom.sql", "a:b:c:d:e\n", 1, &["warning: badmailfrom.sql: can be read by everyone on this host"]),
    ("relaylevel", "opne\n", 2, &["error: relaylevel:1: `opne` is no level"]),
    ("relaylevel", "open\n", 2, &["error: relaylevel:1: `open`: everyone may relay"]),
    ("relaylevel", "none\n", 0, &[]),
    ("relaytext", "Go \u{201c}away\u{201d}\n", 1, &["warning: relaytext: has typographic quotes"]),
];

#[test]
fn lines_of_relaying_are_examined() {
    for (file, text, code, expected) in LINES {
        check(&home(&[(file, text)]), &[], *code, expected);
    }
}

#[test]
fn lists_of_expressions_are_examined_as_such() {
    let files = [("badhost", "\\.dyn\\.\n[\n"), ("goodrcptto", "^joe@\n[\n"), ("badrcptpatterns", "*\n")];
    let expected = [
        "error: badhost:2: `[` is no regular expression",
        "warning: badrcptpatterns: is not read, because QREGEX",
        "error: goodrcptto:2: `[` is no regular expression",
    ];
    check(&home(&files), &["--env", "QREGEX=1", "--env", "BADHOSTCHECK="], 2, &expected);
}

#[test]
fn findings_are_told_to_programs_too() {
    let home = home(&[("relayclients", "10.\n10.1.\n")]);
    let mut command = Command::new(program("postern"));
    command.args(["lint", "--json", "--gateway", NO_GATEWAY, "--control"]).arg(home.control()).env_clear();
    let rows: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    assert_eq!((&rows[0]["severity"], &rows[0]["line"]), (&Value::from("warning"), &Value::from(2)));
}

#[test]
fn settings_without_effect_are_told() {
    let all = [("relaylevel", "none\n"), ("relayclients", "10.\n"), ("relaydomains", ".a.test\n")];
    let unused = ["warning: relayclients: is not used, because relaylevel", "warning: relaydomains: is not used"];
    let unconfirmed = ["warning: relaydomains:1: `.a.test` lets whoever publishes such a name"];
    check(&home(&all), &[], 1, &[&unused[..], &unconfirmed].concat());
    let with_variable = [&unused[..], &["warning: RELAYCLIENT: is not used"], &unconfirmed].concat();
    check(&home(&all), &["--env", "RELAYCLIENT="], 1, &with_variable);
    let named = home(&[("relayclients", "10.\n"), ("mine", "10.\n10.1.\n")]);
    let expected = [
        "warning: RELAYCLIENTS: names the list mine of who may relay; the original does not know this variable",
        "warning: mine:2: `10.1.` is covered by line 1",
        "warning: relayclients: is not read, because RELAYCLIENTS names mine",
    ];
    check(&named, &["--env", "RELAYCLIENTS=mine"], 1, &expected);
    check(
        &home(&[]),
        &["--env", "RELAYMAILFROM=none"],
        1,
        &[
            "warning: RELAYMAILFROM: names the list none of who may relay",
            "warning: RELAYMAILFROM: names the list none, which does not exist",
        ],
    );
    check(
        &home(&[("senders", "@a.test\n")]),
        &["--env", "RELAYMAILFROM=senders"],
        1,
        &[
            "warning: RELAYMAILFROM: names the list senders of who may relay",
            "warning: senders:1: `@a.test` lets everyone relay",
        ],
    );
    check(
        &home(&[("hosts", "*.a.test\n")]),
        &["--env", "RELAYDOMAINS=hosts"],
        2,
        &["warning: RELAYDOMAINS: names the list hosts of who may relay", "error: hosts:1: `*.a.test` never matches"],
    );
    check(&home(&[]), &["--env", "RELAYMX_ANYONE=1"], 1, &["warning: RELAYMX_ANYONE: is set and confirms nothing"]);
    check(&home(&[]), &["--env", "TZ=UTC0"], 0, &[]);
    check(&home(&[]), &["--env", "TZ=Mars/Phobos"], 1, &["warning: TZ: TZ=Mars/Phobos names no time zone"]);
}

#[test]
fn grants_to_whoever_looks_like_a_gateway_are_told() {
    let home = home(&[("relayclients", "172.16.0.0/12\n"), ("relaymailfrom", "@a.test&172.17.0.0/16\n")]);
    let lists = [
        "warning: relayclients:1: `172.16.0.0/12` holds 172.17.0.1, a gateway: containers,",
        "warning: relaymailfrom:1: `@a.test&172.17.0.0/16` holds 172.17.0.1, a gateway",
    ];
    check(&home, &["--gateway", "192.168.0.1", "--gateway", "172.17.0.1"], 1, &lists);
    check(&home, &["--gateway", "192.168.0.1"], 0, &[]);
    home.write("relayclients", "172.16.0.0/12\n!172.17.0.1\n");
    check(&home, &["--gateway", "172.17.0.1"], 1, &lists[1..]);
    fs::remove_file(home.control().join("relaymailfrom")).unwrap();
    let cdb = rules(&home, "172.16.0.0/12:allow,RELAYCLIENT=\"\"\n:allow\n");
    let expected = format!("warning: {cdb}: rule `172.17.` holds 172.17.0.1, a gateway");
    check(&home, &["--gateway", "172.17.0.1", "--rules", &cdb], 1, &[&expected]);
    let cdb = rules(&home, "172.16.0.0/12:allow,RELAYCLIENT=\"\"\n172.17.0.1:allow\n:allow\n");
    check(&home, &["--gateway", "172.17.0.1", "--rules", &cdb], 0, &[]);
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
fn rules_that_let_half_of_the_internet_relay_are_told() {
    let home = home(&[]);
    let open = rules(&home, "0.0.0.0/1:allow,RELAYCLIENT=\"\"\n");
    check(&home, &["--rules", "/nonexist"], 2, &["error: /nonexist: cannot be read: file does not exist"]);
    check(&home, &["--rules", &open], 1, &[&format!("warning: {open}: 126 rules such as `11.:` set RELAYCLIENT")]);
    let open = rules(&home, "0.0.0.0/1:allow,RELAYCLIENT=\"\"\n128.0.0.0/1:allow,RELAYCLIENT=\"\"\n");
    let expected = format!("error: {open}: 254 rules such as `11.:` set RELAYCLIENT");
    let (code, found) = lint(&home, &["--rules", &open]);
    assert!(code == Some(2) && found[0].starts_with(&expected), "{found:?}");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o646)).unwrap();
    let (_, found) = lint(&home, &["--rules", &open]);
    assert!(found.iter().any(|finding| finding.ends_with("can be changed by everyone: chmod o-w")), "{found:?}");
}

#[test]
fn compiled_lists_of_clients_are_compared_with_their_text() {
    let home = home(&[("relayclients", "10.\n")]);
    let (list, compiled) = (home.control().join("relayclients"), home.control().join("relayclients.cdb"));
    let compile = || {
        let mut command = Command::new(program("qmail-cdb"));
        assert!(command.arg("relayclients").env("CONTROLDIR", home.control()).status().unwrap().success());
    };
    compile();
    check(&home, &[], 0, &[]);
    fs::set_permissions(&compiled, fs::Permissions::from_mode(0o666)).unwrap();
    check(&home, &[], 2, &["error: relayclients.cdb: can be changed by everyone"]);
    compile();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    fs::write(&list, "11.1.\n").unwrap();
    File::options().append(true).open(&list).unwrap().set_modified(long_ago).unwrap();
    check(&home, &[], 1, &["warning: relayclients.cdb: is made of another source and not used"]);
    let later = SystemTime::now() + Duration::from_secs(60);
    File::options().append(true).open(&list).unwrap().set_modified(later).unwrap();
    check(&home, &[], 1, &["warning: relayclients.cdb: is older than its source and not used"]);
    fs::remove_file(&list).unwrap();
    check(&home, &[], 1, &["warning: relayclients.cdb: is not used without its text"]);
    fs::write(&compiled, "xx").unwrap();
    check(&home, &[], 2, &["error: relayclients.cdb: is damaged"]);
}

#[test]
fn names_are_looked_up_only_when_told() {
    let home = home(&[
        ("relayclients", "@gw.test\n@none.test\n!@gone.test\n=gw.test\n=none.test\n=.any.test\n@broken.test\n10.\n"),
        ("relaymailfrom", "@a.test&@nowhere.test\n"),
    ]);
    check(&home, &[], 0, &[]);
    let server = dns::DnsServer::start("gw.test. A 192.0.2.1\n");
    let resolver = format!("DNSCACHEIP={}", server.address());
    let expected = [
        "warning: relayclients:2: `@none.test` matches nobody",
        "error: relayclients:3: `!@gone.test` has no addresses, so nobody can say whom it excepts",
        "warning: relayclients:5: `=none.test` matches nobody",
        "warning: relayclients:7: `broken.test` cannot be looked up now",
        "warning: relaymailfrom:1: `@nowhere.test` matches nobody",
    ];
    check(&home, &["--dns", "--env", &resolver], 2, &expected);
    home.write("relayclients", "@a.broken.test\n@b.broken.test\n@c.broken.test\n@d.broken.test\n@gw.test\n");
    fs::remove_file(home.control().join("relaymailfrom")).unwrap();
    let unanswered = |line: u32| format!("warning: relayclients:{line}: ");
    let (code, found) = lint(&home, &["--dns", "--env", &resolver]);
    assert_eq!((code, found.len()), (Some(1), 4), "{found:?}");
    assert!((1..).zip(&found).all(|(line, finding)| finding.starts_with(&unanswered(line))), "{found:?}");
    assert!(found[3].contains("were not looked up"), "{found:?}");
}

#[test]
fn a_list_of_a_hundred_thousand_lines_is_examined() {
    let lines: String =
        (0..100_000u32).map(|number| format!("10.{}.{}.{}\n", number >> 16, number >> 8 & 255, number & 255)).collect();
    let home = home(&[("relayclients", &lines)]);
    check(&home, &[], 0, &[]);
    home.write("relayclients", lines + "10.\n");
    let (code, found) = lint(&home, &[]);
    assert_eq!((code, found.len()), (Some(1), 101));
    assert!(
        found[0].ends_with("relayclients:1: `10.0.0.0` is covered by line 100001, `10.`: remove it"),
        "{}",
        found[0]
    );
    assert_eq!(found[100], "warning: relayclients: 99900 more lines could go: mend these first");
}
