//! Replays what was observed of the original's lists, patterns and control files (tests/data/matching-observed.json).
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "matching/access.rs"]
mod access;
#[path = "matching/differences.rs"]
mod differences;
#[path = "matching/recipients.rs"]
mod recipients;

use std::fs::{self, File};
use std::path::Path;

use differences::DIFFERENCES;
use serde_json::Value;

use postern::cdb::make::Maker;
use postern::control::text;
use postern::lookup::address::{AddressList, Match, Syntax};
use postern::lookup::compile::{self, Keys};
use postern::lookup::ere::{Expression, Subject};
use postern::lookup::hosts::{Host, Hosts};
use postern::lookup::keyed::KeyedList;
use postern::lookup::list::{Found, List};
use postern::lookup::undecided::Undecided;
use postern::lookup::wildmat;

/// What is not replayed here: the group, how many entries, and why.
const ELSEWHERE: &[(&str, usize, &str)] =
    &[("qmail_newu", 4, "users/cdb is written by qmail's own tool"), ("qmail_cdb", 7, "replayed by tests/tools.rs")];

/// Single cases of a replayed group that are not replayed here.
const CASES_ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "control_readfile",
        "missing, caller wants me as default, me=host.example",
        "the setting has the default, not the list",
    ),
    ("control_readfile", "present but empty, caller wants me as default", "the setting has the default, not the list"),
    ("rcpthosts", "rcpthosts: u", "a recipient without @ is decided before any list is asked"),
    ("rcpthosts", "rcpthosts: ", "a recipient without @ is decided before any list is asked"),
];

#[test]
fn every_observed_answer_is_given_or_its_difference_is_listed() {
    let observed: Value = serde_json::from_slice(include_bytes!("data/matching-observed.json")).unwrap();
    let mut replay = Replay { observed: observed.clone(), ..Replay::default() };
    let groups: &[(&'static str, Play)] = &[
        ("control_readfile", control_readfile),
        ("control_readline", control_readline),
        ("control_numbers", control_numbers),
        ("keyed_list_lookup", keyed_list_lookup),
        ("wildmat", wildmat),
        ("regex", regex),
        ("address_match", address_match),
        ("rcpthosts", rcpthosts),
        ("hostaccess", access::host_access),
        ("accesslist", access::access_list),
        ("recipients", recipients::recipients),
        ("envrules", access::env_rules),
        ("domainqueue", access::domain_queue),
    ];
    let mut entries_replayed = 0;
    for &(group, play) in groups {
        let entries = observed[group].as_array().unwrap();
        replay.group = group;
        entries.iter().enumerate().for_each(|(number, entry)| play(&mut replay, number, entry));
        entries_replayed += entries.len();
    }
    for (group, entries, why) in ELSEWHERE {
        assert_eq!(observed[group].as_array().unwrap().len(), *entries, "{group}");
        println!("left out: {entries} entries of {group}: {why}");
    }
    let lists = observed.as_object().unwrap().values().filter_map(Value::as_array);
    let entries_elsewhere: usize = ELSEWHERE.iter().map(|group| group.1).sum();
    assert_eq!(lists.map(Vec::len).sum::<usize>(), entries_replayed + entries_elsewhere, "a group is in neither table");
    replay.finish(entries_replayed);
}

/// Replays one entry, given its number in its group.
type Play = fn(&mut Replay, usize, &Value);

#[derive(Default)]
struct Replay {
    observed: Value,
    group: &'static str,
    same: usize,
    differing: Vec<&'static str>,
    left_out: usize,
}

impl Replay {
    /// Whether the case is replayed elsewhere.
    fn leaves_out(&mut self, case: &str) -> bool {
        let row = CASES_ELSEWHERE.iter().find(|row| row.0 == self.group && row.1 == case);
        if let Some((group, case, why)) = row {
            println!("left out: {group} {case:?}: {why}");
            self.left_out += 1;
        }
        row.is_some()
    }

    fn compare(&mut self, case: &str, original: &str, ours: &str) {
        let row = DIFFERENCES.iter().find(|row| row.group == self.group && row.case == case);
        match row {
            None => {
                assert_eq!(ours, original, "{} {case:?}", self.group);
                self.same += 1;
            }
            Some(row) => {
                assert_eq!((original, ours), (row.original, row.ours), "{} {case:?}", self.group);
                println!("differs: {} {case:?}: {original:?}, ours {ours:?}: {}", self.group, row.why);
                self.differing.push(row.case);
            }
        }
    }

    fn finish(&self, entries: usize) {
        let never: Vec<_> = DIFFERENCES.iter().filter(|row| !self.differing.contains(&row.case)).collect();
        assert!(
            never.is_empty(),
            "differences that do not occur: {:?}",
            never.iter().map(|row| row.case).collect::<Vec<_>>()
        );
        assert_eq!(self.left_out, CASES_ELSEWHERE.len());
        let (same, differing) = (self.same, self.differing.len());
        println!(
            "replayed {entries} entries: {same} answers as observed, {differing} differ on purpose, {} left out",
            self.left_out
        );
    }
}

fn control_readfile(replay: &mut Replay, _: usize, entry: &Value) {
    let case = plain(&entry["case"]);
    if replay.leaves_out(case) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    let file = entry.get("file").map(|file| octets(file.as_str().unwrap()));
    match (&file, case) {
        (Some(file), _) => fs::write(&path, file).unwrap(),
        (None, "missing, no default") => {}
        (None, "path is a directory") => fs::create_dir(&path).unwrap(),
        (None, case) => panic!("unknown case {case}"),
    }
    let original: Vec<_> = entry["entries"].as_array().unwrap().iter().map(|entry| octets(plain(entry))).collect();
    let status = match List::new(path.clone()).find_any(&[b"no entry"]) {
        Ok(Found::Absent) => 0,
        Ok(Found::No) => 1,
        Ok(Found::Yes { line, .. }) => panic!("{case}: line {line}"),
        Err(_) => -1,
    };
    let ours: Vec<_> = text::entries(file.as_deref().unwrap_or_default()).map(|entry| entry.text.to_vec()).collect();
    replay.compare(case, &format!("{} {original:?}", entry["status"]), &format!("{status} {ours:?}"));
    for original in original {
        let found = List::new(path.clone()).find_any(&[&original]).unwrap();
        assert!(matches!(found, Found::Yes { .. }), "{case}: {}", original.escape_ascii());
    }
}

fn control_readline(replay: &mut Replay, _: usize, entry: &Value) {
    let file = octets(plain(&entry["file"]));
    let (original, ours) = (octets(plain(&entry["value"])), text::first_line(&file));
    replay.compare(plain(&entry["file"]), &original.escape_ascii().to_string(), &ours.escape_ascii().to_string());
}

fn control_numbers(replay: &mut Replay, _: usize, entry: &Value) {
    let line = plain(&entry["line"]);
    let observed = |parser: &str| entry[parser].as_str().map_or(entry[parser].to_string(), str::to_owned);
    let ours = |number: Option<String>| number.unwrap_or("left unchanged".into());
    let signed = ours(text::signed(line.as_bytes()).map(|number| number.to_string()));
    let unsigned = ours(text::unsigned(line.as_bytes()).map(|number| number.to_string()));
    replay.compare(&format!("{line} signed"), &observed("int"), &signed);
    replay.compare(&format!("{line} unsigned"), &observed("ulong"), &unsigned);
}

fn keyed_list_lookup(replay: &mut Replay, number: usize, entry: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    fs::write(&path, octets(plain(&entry["file"]))).unwrap();
    let list = KeyedList::new(path);
    for (key, value) in entry["lookup_value"].as_object().unwrap() {
        let original = value.as_str().map_or("absent".into(), |value| format!("value {value}"));
        let ours = match list.find_keyed(&[key.as_bytes()]).unwrap() {
            Found::Yes { value, .. } => format!("value {}", value.escape_ascii()),
            Found::No => "absent".into(),
            Found::Absent => panic!("the list is there"),
        };
        replay.compare(&format!("{number}: {key}"), &original, &ours);
    }
}

fn wildmat(replay: &mut Replay, _: usize, entry: &Value) {
    let (pattern, text) = (plain(&entry["pattern"]), plain(&entry["text"]));
    let ours = wildmat::matches(pattern.as_bytes(), text.as_bytes());
    replay.compare(&format!("{pattern} on {text}"), &entry["match"].to_string(), &ours.to_string());
}

fn regex(replay: &mut Replay, _: usize, entry: &Value) {
    let (pattern, text) = (plain(&entry["pattern"]), plain(&entry["text"]));
    let original = entry.get("error_text").map_or(plain(&entry["result"]), plain);
    let ours = match Expression::new(pattern.as_bytes()) {
        Ok(expression) => yes_or_no(expression.is_match(&Subject::new(text.as_bytes()))).to_owned(),
        Err(error) => format!("{text}: {pattern}: {error}"),
    };
    replay.compare(&format!("{pattern} on {text}"), original, &ours);
}

fn address_match(replay: &mut Replay, _: usize, entry: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut list = AddressList::new(dir.path(), "list");
    if let Some(text) = entry["list"].as_str() {
        fs::write(path("list"), text).unwrap();
        if entry["cdb_built_from_list"] == true {
            compile(text, &path("list.cdb"));
        }
        if entry.get("text_list_removed_after_build").is_some() {
            fs::remove_file(path("list")).unwrap();
        }
    }
    if let Some(patterns) = entry.get("patterns") {
        fs::write(path("patterns"), plain(patterns)).unwrap();
        list = list.with_patterns(dir.path(), "patterns");
    }
    let qregex = entry["QREGEX"].as_str().and_then(|value| text::signed(value.as_bytes())).unwrap_or(0);
    let syntax = if qregex == 0 { Syntax::Wildcards } else { Syntax::Expressions };
    let address = plain(&entry["address"]);
    let ours = match list.find(address.as_bytes(), syntax) {
        Ok(Match::Yes { .. }) => "match".to_owned(),
        Ok(Match::No) => "no match".to_owned(),
        Ok(Match::Absent) if entry["list"].is_null() => "no match".to_owned(),
        Ok(Match::Absent) => "no list".to_owned(),
        Err(undecided) => {
            format!("undecided: {}", undecided.to_string().replace(path("list").to_str().unwrap(), "LIST"))
        }
    };
    replay.compare(&format!("{}: {address}", plain(&entry["case"])), plain(&entry["result"]), &ours);
}

fn rcpthosts(replay: &mut Replay, _: usize, entry: &Value) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in entry["files"].as_object().unwrap() {
        fs::write(dir.path().join(name), plain(text)).unwrap();
        if name == "morercpthosts" {
            compile(plain(text), &dir.path().join("morercpthosts.cdb"));
        }
    }
    let mut hosts = Hosts::new(dir.path());
    let case = entry.get("case").map_or("rcpthosts", plain);
    for (address, original) in entry["results"].as_object().unwrap() {
        let case = format!("{case}: {address}");
        if replay.leaves_out(&case) {
            continue;
        }
        let (_, domain) = address.rsplit_once('@').unwrap();
        let ours = match hosts.find(domain.as_bytes()) {
            Ok(Host::Listed(_) | Host::Compiled) => "allowed",
            Ok(Host::No) => "not allowed",
            Ok(Host::NoFile) => "no file",
            Err(Undecided::Compiled { .. }) => "error",
            Err(error) => panic!("{error}"),
        };
        replay.compare(&case, plain(original), ours);
    }
}

fn compile(text: &str, path: &Path) {
    let mut maker = Maker::new(File::create(path).unwrap());
    compile::compile(text.as_bytes(), Keys::Entry, &mut maker).unwrap();
    maker.finish().unwrap();
}

fn yes_or_no(matches: bool) -> &'static str {
    if matches { "match" } else { "no match" }
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Undoes `\xNN` and `\\`.
fn octets(escaped: &str) -> Vec<u8> {
    let mut rest = escaped.bytes();
    let mut octets = Vec::new();
    while let Some(byte) = rest.next() {
        octets.push(match (byte, if byte == b'\\' { rest.next() } else { None }) {
            (b'\\', Some(b'x')) => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', other) => panic!("unknown escape {other:?}"),
            (byte, _) => byte,
        });
    }
    octets
}
