//! Replays what the classic tcprules, tcprulescheck and qmail-cdb were seen to do, through our programs.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "tools/differ.rs"]
mod differ;
mod support;
#[path = "support/tools.rs"]
mod tools;

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use differ::{
    Instead::{Expand, ExpandAndWarn, Refuse, Store, Warn},
    RULES_DIFFER,
};
use serde_json::Value;
use support::program;
use tools::*;

/// Every rule file, through our tcprules. Beyond the table, two things always differ: the temporary file is never
/// left behind, and a second line says where the mistake is and what to do.
#[test]
fn rule_files() {
    let cases = observed("tcprules-observed.json", "tcprules_cases");
    for case in &cases {
        let name = text(&case["case"]);
        let classic = &case["results"]["classic"];
        let differs = RULES_DIFFER.iter().find(|(differing, ..)| *differing == name).map(|(_, _, instead)| instead);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.cdb"), "old").unwrap();
        let output = tcprules(dir.path(), &from_base64(text(&case["input_b64"])));
        let said = String::from_utf8_lossy(&output.stderr);
        let cdb = fs::read(dir.path().join("rules.cdb")).unwrap();

        assert_eq!(names(dir.path()), ["rules.cdb"], "{name}: the temporary file is left");
        assert!(output.stdout.is_empty(), "{name}");
        match differs {
            Some(Store(expected)) => {
                assert_eq!((output.status.code(), &*said), (Some(0), ""), "{name}");
                let stored = records(&dir.path().join("rules.cdb"));
                let expected: Vec<_> =
                    expected.iter().map(|(k, v)| (k.as_bytes().into(), v.as_bytes().into())).collect();
                assert_eq!(stored, expected, "{name}");
            }
            Some(Expand(count, first, last) | ExpandAndWarn(count, first, last)) => {
                let warned = usize::from(matches!(differs, Some(ExpandAndWarn(..))));
                assert_eq!((output.status.code(), said.lines().count()), (Some(0), warned), "{name}: {said}");
                let stored = records(&dir.path().join("rules.cdb"));
                let keys: Vec<_> = stored.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect();
                assert_eq!((keys.len(), &*keys[0], &*keys[keys.len() - 1]), (*count, *first, *last), "{name}");
            }
            Some(Refuse(words)) => {
                assert_eq!((output.status.code(), &*cdb), (Some(100), b"old".as_slice()), "{name}");
                let (first, second) = said.split_once('\n').unwrap();
                assert!(first.starts_with("tcprules: fatal: unable to parse this line: "), "{name}: {said}");
                assert!(second.contains(words), "{name}: {said}");
            }
            Some(Warn(words)) => {
                assert_eq!(output.status.code(), Some(0), "{name}: {said}");
                assert!(said.starts_with("tcprules: warning: standard input:1: ") && said.contains(words), "{said}");
                assert_eq!(said.lines().count(), 1, "{name}: {said}");
                assert_eq!(sha256(&cdb), text(&classic["sha256"]), "{name}");
                assert_strict_refuses(name, &from_base64(text(&case["input_b64"])));
            }
            None => assert_classic(name, classic, output.status.code(), &output.stderr, &cdb),
        }
    }
    for (name, ..) in RULES_DIFFER {
        assert!(cases.iter().any(|case| text(&case["case"]) == *name), "no case is called {name}");
    }
    println!("{} rule files, {} of them differ by decision", cases.len(), RULES_DIFFER.len());
}

fn assert_classic(name: &str, classic: &Value, exit: Option<i32>, stderr: &[u8], cdb: &[u8]) {
    assert_eq!(exit.map(i64::from), classic["exit"].as_i64(), "{name}: {}", String::from_utf8_lossy(stderr));
    let expected = unescaped(text(&classic["stderr"]));
    let rest = stderr.strip_prefix(expected.as_slice()).unwrap_or_else(|| panic!("{name}: {}", stderr.escape_ascii()));
    if classic["installed"].as_bool().unwrap() {
        assert!(rest.is_empty(), "{name}: {}", rest.escape_ascii());
        assert_eq!(
            (cdb.len() as u64, sha256(cdb)),
            (classic["size"].as_u64().unwrap(), text(&classic["sha256"]).into())
        );
    } else {
        let rest = std::str::from_utf8(rest).unwrap();
        assert!(rest.starts_with("standard input:") && rest.lines().count() == 1, "{name}: {rest}");
        assert_eq!(cdb, b"old", "{name}");
    }
}

fn assert_strict_refuses(name: &str, rules: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["tcprules", "--strict", "rules.cdb", "rules.tmp"], &[], input(rules));
    assert_eq!(output.status.code(), Some(100), "{name}");
    assert!(output.stderr.starts_with(b"tcprules: fatal: unable to parse this line: "), "{name}");
    assert!(names(dir.path()).is_empty(), "{name}");
}

/// D37: command lines of tcprules that end otherwise: why, our stderr if it is another, files and modes afterwards.
type Ending = (&'static str, &'static str, Option<&'static str>, &'static [(&'static str, u32)]);
const COMMANDS_DIFFER: &[Ending] = &[
    ("target in a missing directory", "the temporary file is removed", None, &[]),
    ("target is a directory", "the temporary file is removed", None, &[("d", 0o755)]),
    ("standard input closed", "the temporary file is removed", None, &[]),
    ("standard input is a directory", "the temporary file is removed", None, &[]),
    (
        "temporary file is a symbolic link",
        "a link is replaced, not followed",
        None,
        &[("rules.cdb", 0o644), ("victim", 0o644)],
    ),
    ("temporary file exists with mode 0600", "the new file is always fresh", None, &[("rules.cdb", 0o644)]),
    (
        "temporary file cannot take data (/dev/full)",
        "a device is neither written nor replaced",
        Some("tcprules: fatal: unable to create /dev/full: file already exists\n"),
        &[],
    ),
];

#[test]
fn tcprules_command_lines() {
    let cases = observed("tcprules-observed.json", "tcprules_command_line");
    for case in &cases {
        let (name, result) = (text(&case["case"]), &case["result"]);
        let differs = COMMANDS_DIFFER.iter().find(|(differing, ..)| *differing == name);
        let dir = tempfile::tempdir().unwrap();
        set_up(name, dir.path());
        let argv: Vec<_> = case["argv"].as_array().unwrap().iter().map(text).collect();
        let output = match text(&case["stdin"]) {
            "closed" => Command::new("/bin/sh")
                .args(["-c", "exec \"$0\" \"$@\" <&-"])
                .arg(program(argv[0]))
                .args(&argv[1..])
                .current_dir(dir.path())
                .output()
                .unwrap(),
            "directory" => run(dir.path(), &argv, &[], File::open(dir.path()).unwrap()),
            rules => run(dir.path(), &argv, &[], input(&unescaped(rules))),
        };
        assert_eq!(output.status.code().map(i64::from), result["exit"].as_i64(), "{name}");
        assert_eq!(output.stdout, b"", "{name}");
        let said = differs.and_then(|(_, _, said, _)| *said).unwrap_or(text(&result["stderr"]));
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{name}");

        let mode = |file: &str| fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o7777;
        let after: Vec<_> = names(dir.path()).iter().map(|file| (file.clone(), mode(file))).collect();
        let expected: Vec<_> = match differs {
            Some((.., files)) => files.iter().map(|(file, mode)| ((*file).to_owned(), *mode)).collect(),
            None => modes(&result["modes_after"]),
        };
        assert_eq!(after, expected, "{name}");
    }
    for (name, ..) in COMMANDS_DIFFER {
        assert!(cases.iter().any(|case| text(&case["case"]) == *name), "no case is called {name}");
    }
    println!("{} command lines of tcprules, {} of them differ by decision", cases.len(), COMMANDS_DIFFER.len());
}

fn set_up(case: &str, dir: &Path) {
    match case {
        "target is a directory" | "temporary file is a directory" => fs::create_dir(dir.join("d")).unwrap(),
        "temporary file exists and is longer" => fs::write(dir.join("rules.tmp"), [b'x'; 9000]).unwrap(),
        "temporary file is a symbolic link" => {
            fs::write(dir.join("victim"), "precious").unwrap();
            symlink("victim", dir.join("rules.tmp")).unwrap();
        }
        "temporary file exists with mode 0600" => {
            fs::write(dir.join("rules.tmp"), "").unwrap();
            fs::set_permissions(dir.join("rules.tmp"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        _ => {}
    }
}

fn modes(modes: &Value) -> Vec<(String, u32)> {
    let octal = |mode: &Value| u32::from_str_radix(text(mode).trim_start_matches("0o"), 8).unwrap();
    modes.as_object().unwrap().iter().map(|(file, mode)| (file.clone(), octal(mode))).collect()
}

#[test]
fn tcprulescheck_answers() {
    let cases = observed("tcprules-observed.json", "tcprulescheck_cases");
    let mut left_out = 0;
    for case in &cases {
        let (name, classic) = (text(&case["case"]), &case["results"]["classic"]);
        if classic.is_null() {
            left_out += 1;
            continue;
        }
        let env: Vec<_> = case["env"].as_object().unwrap().iter().map(|(k, v)| (k.as_str(), text(v))).collect();
        let dir = tempfile::tempdir().unwrap();
        assert!(tcprules(dir.path(), text(&case["rules"]).as_bytes()).status.success(), "{name}");
        let output = run(dir.path(), &["tcprulescheck", "rules.cdb"], &env, Stdio::null());
        assert_eq!(output.status.code().map(i64::from), classic["exit"].as_i64(), "{name} {env:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), text(&classic["stdout"]), "{name} {env:?}");
        assert_eq!(output.stderr, b"", "{name} {env:?}");
    }
    assert_eq!(left_out, 28, "answers for which the classic tool was not asked");
    println!(
        "{} answers of tcprulescheck, {left_out} left out: networks and IPv6, not asked of the classic tool",
        cases.len() - left_out
    );
}

#[test]
fn tcprulescheck_command_lines() {
    let cases = observed("tcprules-observed.json", "tcprulescheck_command_line");
    for case in &cases {
        let name = text(&case["case"]);
        let dir = tempfile::tempdir().unwrap();
        let argv: Vec<_> = case["argv"].as_array().unwrap().iter().map(text).collect();
        match name {
            "empty file" => fs::write(dir.path().join("e"), "").unwrap(),
            "100 zero bytes" => fs::write(dir.path().join("z"), [0; 100]).unwrap(),
            "2048 zero bytes" => fs::write(dir.path().join("z"), [0; 2048]).unwrap(),
            "a directory" => fs::create_dir(dir.path().join("dd")).unwrap(),
            _ => assert!(tcprules(dir.path(), b"192.0.2.:allow,A=\"1\"\n:allow,B=\"2\"\n").status.success()),
        }
        if let Some(octets) = name.strip_prefix("cut after ").and_then(|rest| rest.strip_suffix(" bytes")) {
            let file = File::options().write(true).open(dir.path().join("rules.cdb")).unwrap();
            file.set_len(octets.parse().unwrap()).unwrap();
        }
        let env: Vec<_> = case["env"].as_object().unwrap().iter().map(|(k, v)| (k.as_str(), text(v))).collect();
        let output = run(dir.path(), &argv, &env, Stdio::null());
        // D38: the classic tool crashes on a directory.
        let (exit, said) = match name {
            "a directory" => (Some(111), "tcprulescheck: fatal: unable to read dd: is a directory\n"),
            _ => (case["exit"].as_i64(), text(&case["stderr"])),
        };
        assert_eq!(output.status.code().map(i64::from), exit, "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), text(&case["stdout"]), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{name}");
    }
    println!("{} command lines of tcprulescheck, 1 of them differs: no crash", cases.len());
}

#[test]
fn qmail_cdb_lists() {
    let cases = observed("matching-observed.json", "qmail_cdb");
    for case in &cases {
        let name = text(&case["case"]);
        let argv: Vec<_> = case["argv"].as_array().unwrap().iter().map(text).collect();
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("users")).unwrap();
        let place = if argv.contains(&"-r") { dir.path().join("users") } else { dir.path().to_path_buf() };
        fs::write(place.join("f"), unescaped(text(&case["input"]))).unwrap();
        // An earlier backup, which the original destroys whenever it runs.
        fs::write(place.join("f.bak"), "backup").unwrap();
        let home = dir.path().to_str().unwrap();
        let output = run(dir.path(), &argv, &[("CONTROLDIR", home), ("SYSCONFDIR", home)], Stdio::null());

        assert_eq!(output.status.code().map(i64::from), case["exit"].as_i64(), "{name}");
        assert_eq!((output.stdout, String::from_utf8_lossy(&output.stderr)), (Vec::new(), "".into()), "{name}");
        let cdb = fs::read(place.join("f.cdb")).unwrap();
        assert_eq!((cdb.len() as u64, sha256(&cdb)), (case["size"].as_u64().unwrap(), text(&case["sha256"]).into()));
        let mut files: Vec<_> =
            case["files_after"].as_array().unwrap().iter().map(|file| text(file).to_owned()).collect();
        if !argv.contains(&"-m") {
            assert_eq!(fs::read(place.join("f.bak")).unwrap(), b"backup", "{name}");
            files.push("f.bak".to_owned());
            files.sort();
        }
        assert_eq!(names(&place), files, "{name}");
        let mode = fs::metadata(place.join("f.cdb")).unwrap().permissions().mode();
        assert_eq!(format!("0o{:o}", mode & 0o7777), text(&case["mode"]), "{name}");
    }
    println!("{} lists through qmail-cdb", cases.len());
}
