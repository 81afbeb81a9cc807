//! tcprules, tcprulescheck and qmail-cdb where the observations end: mistakes, crashes, the stock tools beside ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;
#[path = "support/tools.rs"]
mod tools;

use std::{
    cell::Cell,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select};
use support::program;
use tools::*;

const STOCK_TCPRULES: &str = "/usr/bin/tcprules";
const STOCK_TCPRULESCHECK: &str = "/usr/bin/tcprulescheck";

fn check(directory: &Path, env: &[(&str, &str)]) -> String {
    let output = run(directory, &["tcprulescheck", "rules.cdb"], env, Stdio::null());
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    String::from_utf8(output.stdout).unwrap()
}

/// N-01, N-02.
#[test]
fn octet_prefixes_match_whole_octets() {
    let dir = tempfile::tempdir().unwrap();
    let rules = b"127.0.0.:allow,RELAYCLIENT=\"\"\n10.1.1.:allow,RELAYCLIENT=\"\"\n:deny\n";
    assert!(tcprules(dir.path(), rules).status.success());
    let granted = |key| format!("rule {key}:\nset environment variable RELAYCLIENT=\nallow connection\n");
    assert_eq!(check(dir.path(), &[("TCPREMOTEIP", "127.0.0.9")]), granted("127.0.0."));
    assert_eq!(check(dir.path(), &[("TCPREMOTEIP", "10.1.1.7")]), granted("10.1.1."));
    assert_eq!(check(dir.path(), &[("TCPREMOTEIP", "10.1.10.7")]), "rule :\ndeny connection\n");
}

/// N-03: the old decision until the rebuild, the new one after it.
#[test]
fn a_rebuild_changes_the_decision() {
    let dir = tempfile::tempdir().unwrap();
    assert!(tcprules(dir.path(), b"192.0.2.:deny\n").status.success());
    let client = [("TCPREMOTEIP", "192.0.2.1")];
    assert_eq!(check(dir.path(), &client), "rule 192.0.2.:\ndeny connection\n");
    assert_eq!(tcprules(dir.path(), b"192.0.2.:dney\n").status.code(), Some(100));
    assert_eq!(check(dir.path(), &client), "rule 192.0.2.:\ndeny connection\n");
    assert!(tcprules(dir.path(), b"192.0.2.:allow\n").status.success());
    assert_eq!(check(dir.path(), &client), "rule 192.0.2.:\nallow connection\n");
}

#[test]
fn ipv6_clients_find_their_rule_however_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let rules =
        b"2001:DB8::1:allow,A=\"host\"\n2001:db8:7::deny\njoe@2001:db8::2:deny\n::ffff:127.0.0.:allow,!B\n:allow\n";
    assert!(tcprules(dir.path(), rules).status.success());
    let host = |key| format!("rule {key}:\nset environment variable A=host\nallow connection\n");
    for ip in ["2001:db8::1", "2001:0DB8:0:0:0:0:0:1"] {
        let key = if ip == "2001:db8::1" { ip } else { "2001:db8::1" };
        assert_eq!(check(dir.path(), &[("TCPREMOTEIP", ip)]), host(key));
    }
    assert_eq!(check(dir.path(), &[("TCPREMOTEIP", "2001:db8:7::9")]), "rule 2001:db8:7::\ndeny connection\n");
    let joe = [("TCPREMOTEIP", "2001:db8::2"), ("TCPREMOTEINFO", "joe")];
    assert_eq!(check(dir.path(), &joe), "rule joe@2001:db8::2:\ndeny connection\n");
    assert_eq!(
        check(dir.path(), &[("TCPREMOTEIP", "::ffff:127.0.0.1")]),
        "rule ::ffff:127.0.0.:\nunset environment variable B\nallow connection\n"
    );
    assert_eq!(check(dir.path(), &[("TCPREMOTEIP", "2001:db9::1")]), "rule :\nallow connection\n");
}

/// N-18, and the other mistakes an operator makes: the second line names place, cause and remedy.
#[test]
fn mistakes_are_named() {
    let cases: &[(&str, &str)] = &[
        ("127.:allow,RELAYCLIENT=””", "the quotes are typographic ones"),
        ("127.:allow,RELAYCLIENT=“”,B=\"x\"", "the quotes are typographic ones"),
        ("127.:allow,RELAYCLIENT=&quot;&quot;", "the quotes are typographic ones"),
        ("127.:dney", "\"dney\" is no instruction"),
        ("127.:", "nothing follows the colon"),
        ("127.: allow", "\" allow\" is no instruction"),
        ("127.:allow\r", "carriage return"),
        ("127.:allow,A=\"x\"\r", "carriage return"),
        ("127.:allow # see http://x.example/", "a comment needs a line of its own"),
        ("127.:allow,", "a comma ends the line"),
        ("127.:allow,A", "the variable \"A\" has no value: write A=\"\" to set it, or !A to remove it"),
        ("127.:allow,A=", "the value of \"A\" has no quotes"),
        ("127.:allow,A=\"x", "begins with \" as its quote and has no second one"),
        ("127.:allow,A=\"x\"B=\"y\"", "not \"B=\"y\"\""),
        ("127.:allow,!", "! needs the name"),
        ("127.:allow,!A=\"x\"", "takes no value: write !A"),
        ("127.0.0.a-b:allow", "no numbers"),
        ("127.0.0.5-3:allow", "the range 5 to 3 in \"127.0.0.5-3\" is empty"),
        ("10.1.2.3/8:allow", "did you mean 10.0.0.0/8?"),
        ("10.0.0.0/33:allow", "a number from 0 to 32"),
        ("10.0.0.0/x:allow", "no address, network or name"),
        ("joe@10.0.0.1/8:allow", "did you mean 10.0.0.0/8"),
        ("joe@10.0.0.0/8:allow", "behind info@ there are only whole addresses"),
        ("10.0.0-1.1/24:allow", "a range of octets and a prefix length"),
        ("192.168.43-40.*:allow", "the range is reversed; did you mean 40-43?"),
        ("192.168.1-2.5-3:allow", "the range is reversed; did you mean 3-5?"),
        ("11.22.33/24:allow", "did you mean 11.22.33.0/24?"),
        ("010.0.0.0/8:allow", "a leading zero (010)"),
        ("10.*.:allow", "did you mean 10.*.*.*?"),
        ("$(10.0.0.0:allow", "write $(192.0.2.0/24)"),
        ("*.example.org:allow", "did you mean =.example.org?"),
        ("2001:db8::1/32:deny", "did you mean 2001:db8::/32?"),
        ("[2001:db8::1]/32:deny", "did you mean 2001:db8::/32?"),
        ("[2001:db8::/32:deny", "write [2001:db8::1]"),
        ("${2001:db8::/129}:deny", "from 0 to 128"),
        ("2000::/3:deny", "more than 4096 keys"),
        ("::/0:deny", "::/0 has IPv4 clients in it"),
        ("2001:db8::/32:dney", "\"dney\" is no instruction"),
        ("2001:db8::g:deny", "is no IPv6 address"),
        ("2001:db8::1:dney", "\"dney\" is no instruction"),
        ("10::deny", "is no IPv6 address"),
        ("1.2.3.4:deny:allow", "is no IPv6 address"),
        ("  # note: x", "at the very start of the line"),
    ];
    for (line, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let output = tcprules(dir.path(), format!("# one\n:allow\n{line}\n:deny\n").as_bytes());
        let said = String::from_utf8(output.stderr).unwrap();
        let first = format!("tcprules: fatal: unable to parse this line: {line}\n");
        let second = said.strip_prefix(&first).unwrap_or_else(|| panic!("{said}"));
        assert!(second.starts_with("standard input:3: ") && second.contains(words), "{said}");
        assert_eq!((output.status.code(), second.lines().count()), (Some(100), 1), "{said}");
        assert!(names(dir.path()).is_empty(), "{line}");
    }
}

#[test]
fn the_file_is_named_when_it_has_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tcp.smtp");
    fs::write(&path, ":allow\n1.2.3.4\n:oops\n").unwrap();
    let rules = fs::File::open(&path).unwrap();
    let output = run(dir.path(), &["tcprules", "rules.cdb", "rules.tmp"], &[], rules);
    let said = String::from_utf8(output.stderr).unwrap();
    let path = path.canonicalize().unwrap();
    assert!(said.starts_with(&format!("tcprules: warning: {}:2: ", path.display())), "{said}");
    assert!(said.contains(&format!("\n{}:3: \"oops\" is no instruction", path.display())), "{said}");
}

#[test]
fn many_warnings_are_summed_up() {
    let dir = tempfile::tempdir().unwrap();
    let output = tcprules(dir.path(), "no colon\n".repeat(250).as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 101));
    assert!(said.ends_with("tcprules: warning: 150 more lines like these\n"), "{said}");
}

#[test]
fn help_and_version_are_answered_and_wrong_usage_is_classic() {
    let dir = tempfile::tempdir().unwrap();
    let usages = [
        ("tcprules", "tcprules: usage: tcprules rules.cdb rules.tmp\n"),
        ("tcprulescheck", "tcprulescheck: usage: tcprulescheck rules.cdb\n"),
        ("qmail-cdb", "qmail-cdb: usage: qmail-cdb [-c] [-v] [-m] NAME, or qmail-cdb -r [-m] [NAME]\n"),
    ];
    for (name, usage) in usages {
        let help = run(dir.path(), &[name, "--help"], &[], Stdio::null());
        assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains(&format!("Usage: {name}")));
        let version = run(dir.path(), &[name, "--version"], &[], Stdio::null());
        assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        for argv in [&[name][..], &[name, "--nonsense"]] {
            let wrong = run(dir.path(), argv, &[], Stdio::null());
            assert_eq!((wrong.status.code(), String::from_utf8(wrong.stderr).unwrap().as_str()), (Some(100), usage));
        }
    }
}

/// A disk that takes no more: the old cdb stays, nothing else is left.
#[test]
fn a_full_disk_leaves_the_old_cdb() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rules.cdb"), "old").unwrap();
    fs::write(dir.path().join("list"), "a@b.example\n".repeat(5000)).unwrap();
    let limited = |argv: &[&str], rules: &[u8]| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""]).arg(program(argv[0])).args(&argv[1..]);
        command.current_dir(dir.path()).env("CONTROLDIR", dir.path()).stdin(input(rules)).output().unwrap()
    };
    let rules: String = (0..5000).map(|number| format!("10.0.{}.{}:allow\n", number / 256, number % 256)).collect();
    let output = limited(&["tcprules", "rules.cdb", "rules.tmp"], rules.as_bytes());
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"tcprules: fatal: unable to write to rules.tmp: file too big\n");
    let output = limited(&["qmail-cdb", "list"], b"");
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"qmail-cdb: fatal: unable to write to list.tmp: file too big\n");
    assert_eq!(names(dir.path()), ["list", "rules.cdb"]);
    assert_eq!(fs::read(dir.path().join("rules.cdb")).unwrap(), b"old");
}

/// Killed at any moment, tcprules leaves the old cdb or the whole new one, and the next run is not hindered. Readers
/// meanwhile never miss the file (N-03).
#[test]
fn a_killed_build_leaves_a_whole_cdb() {
    let dir = tempfile::tempdir().unwrap();
    let rules = |text: &str| -> Vec<u8> {
        (0..20_000).flat_map(|n| format!("10.{}.{}.{}:{text}\n", n >> 16, n >> 8 & 255, n & 255).into_bytes()).collect()
    };
    let versions = [rules("allow"), rules("deny")];
    let wholes = versions.each_ref().map(|rules| {
        assert!(tcprules(dir.path(), rules).status.success());
        fs::read(dir.path().join("rules.cdb")).unwrap()
    });
    let done = AtomicBool::new(false);
    let killed = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                assert!(wholes.contains(&fs::read(dir.path().join("rules.cdb")).unwrap()), "half a cdb");
                reads += 1;
            }
        });
        let mut killed = 0;
        for round in 0..60_u32 {
            let mut command = Command::new(program("tcprules"));
            command.args(["rules.cdb", "rules.tmp"]).current_dir(dir.path()).stdin(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let rules = &versions[round as usize % 2];
            // Some are killed while they read, some while they write and rename.
            let share = if round % 3 == 0 { rules.len() / 60 * round as usize } else { rules.len() };
            stdin.write_all(&rules[..share]).unwrap();
            let open = Some(stdin).filter(|_| share < rules.len());
            thread::sleep(Duration::from_micros(u64::from(round) * 100));
            let _ = child.kill();
            drop(open);
            killed += usize::from(child.wait().unwrap().code().is_none());
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        killed
    });
    assert!(killed >= 20, "only {killed} runs were killed in time");
    println!("{killed} of 60 runs were killed before they ended");
    assert!(tcprules(dir.path(), b":deny\n").status.success());
    assert_eq!(names(dir.path()), ["rules.cdb"]);
    assert_eq!(check(dir.path(), &[]), "rule :\ndeny connection\n");
}

#[test]
fn qmail_cdb_says_what_it_cannot_do() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let said = |argv: &[&str], control: &str| {
        let output = run(dir.path(), argv, &[("CONTROLDIR", control), ("SYSCONFDIR", home)], Stdio::null());
        assert_eq!(output.status.code(), Some(111));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(said(&["qmail-cdb", "none"], home), "qmail-cdb: fatal: unable to read none: file does not exist\n");
    fs::create_dir(dir.path().join("d")).unwrap();
    assert_eq!(said(&["qmail-cdb", "d"], home), "qmail-cdb: fatal: unable to read d: is a directory\n");
    let missing = "qmail-cdb: fatal: unable to change to /nonexistent: file does not exist\n";
    assert_eq!(said(&["qmail-cdb", "x"], "/nonexistent"), missing);
    assert!(said(&["qmail-cdb", "-r"], home).ends_with("/users: file does not exist\n"));
    assert_eq!(names(dir.path()), ["d"]);
    // Without CONTROLDIR the lists are in control; recipients is the name that -r compiles by itself.
    fs::create_dir(dir.path().join("control")).unwrap();
    fs::write(dir.path().join("control/list"), "A@b\n").unwrap();
    fs::create_dir(dir.path().join("users")).unwrap();
    fs::write(dir.path().join("users/recipients"), "A@b\n").unwrap();
    for argv in [&["qmail-cdb", "list"][..], &["qmail-cdb", "-mr"]] {
        assert!(run(dir.path(), argv, &[("SYSCONFDIR", home)], Stdio::null()).status.success());
    }
    assert_eq!(records(&dir.path().join("control/list.cdb")), [(b"a@b".to_vec(), vec![])]);
    assert_eq!(records(&dir.path().join("users/recipients.cdb")), [(b":a@b".to_vec(), vec![])]);
    assert_eq!(names(&dir.path().join("users")), ["recipients.bak", "recipients.cdb"]);
}

fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..4).prop_map(|pieces| pieces.concat())
}

/// Lines of every kind, most of them nearly right.
fn line() -> impl Strategy<Value = String> {
    let address =
        pieces(&["1.2.3.", "10.", "4", "7", "=", "=h.example", ".example", "joe@", "-", "2-3", "/8", "300", " "]);
    let action = select(&["allow", "deny", "allow", "deny", "", "alow", "Deny", " allow", "allow ", "denyx"][..]);
    let change =
        pieces(&[",", ",A=\"1\"", ",B=/x,y/", ",C=", "\"", ",!D", "!", "=", ",E=\"x:allow\"", "\0", "#", " ", "é"]);
    let colon = select(&[":", ":", ":", ":", ":", ":", "", "::"][..]);
    let end = select(&["\n", "\n", "\n", " \t\n", "\r\n", ""][..]);
    (address, colon, action, change, end).prop_map(|(a, c, i, v, e)| format!("{a}{c}{i}{v}{e}"))
}

/// Random rules, through the stock tools and ours: the same cdb, or a refusal that is decided.
#[test]
fn the_stock_tools_agree() {
    if !Path::new(STOCK_TCPRULES).exists() {
        println!("left out: {STOCK_TCPRULES} is not installed");
        return;
    }
    let (same, refused_by_both) = (Cell::new(0), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&vec(line(), 0..3).prop_map(|lines| lines.concat()), |rules| {
            let (ours, stock) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let our = tcprules(ours.path(), rules.as_bytes());
            let arguments = ["rules.cdb", "rules.tmp"];
            let stocks = run_program(Path::new(STOCK_TCPRULES), stock.path(), &arguments, &[], input(rules.as_bytes()));
            let said = String::from_utf8_lossy(&our.stderr).into_owned();
            // D37 and D41.
            let network = rules.lines().any(is_network);
            let decided = said.contains("is empty: write the lower") || network || rules.contains(",!");
            match (our.status.code(), stocks.status.code()) {
                (Some(0), Some(0)) if !rules.contains(",!") => {
                    let cdb = |dir: &Path| fs::read(dir.join("rules.cdb")).unwrap();
                    if !network {
                        prop_assert_eq!(cdb(ours.path()), cdb(stock.path()));
                    }
                    same_answers(ours.path())?;
                    same.set(same.get() + 1);
                }
                (Some(100), Some(100)) => {
                    let first = |said: &[u8]| said.split(|octet| *octet == b'\n').next().unwrap().to_vec();
                    let our_first =
                        our.stderr.split(|octet| *octet == b'\n').find(|line| !line.starts_with(b"tcprules: w"));
                    if !decided {
                        prop_assert_eq!(our_first.unwrap(), first(&stocks.stderr));
                    }
                    refused_by_both.set(refused_by_both.get() + 1);
                }
                (Some(100), Some(0)) => prop_assert!(decided, "{said}"),
                (ours, stocks) => prop_assert!(rules.contains(",!"), "{ours:?} {stocks:?} {said}"),
            }
            Ok(())
        })
        .unwrap();
    let (same, refused_by_both) = (same.get(), refused_by_both.get());
    assert!(same > 20 && refused_by_both > 20, "{same} {refused_by_both}");
    println!("{same} random files gave the same cdb as the stock tool, {refused_by_both} were refused by both");
}

/// Whether the address of a line, without `=`, has a prefix length or two ranges.
fn is_network(line: &str) -> bool {
    let address = line.split(':').next().unwrap();
    let client = address.rsplit('@').next().unwrap();
    !address.contains('=') && (client.contains('/') || client.matches('-').count() > 1)
}

/// Both readers give the same answers about some clients.
fn same_answers(directory: &Path) -> Result<(), TestCaseError> {
    let client = [("TCPREMOTEIP", "1.2.3.4"), ("TCPREMOTEHOST", "h.example"), ("TCPREMOTEINFO", "joe")];
    for set in [&client[..1], &client[..2], &client[..]] {
        let ours = run(directory, &["tcprulescheck", "rules.cdb"], set, Stdio::null());
        let stock = run_program(Path::new(STOCK_TCPRULESCHECK), directory, &["rules.cdb"], set, Stdio::null());
        prop_assert_eq!(ours, stock);
    }
    Ok(())
}
