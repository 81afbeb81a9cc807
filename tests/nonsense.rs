//! A line that an accident turns into nonsense lets nobody in: an octet more, less or another, in each list that grants.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::net::IpAddr;

use postern::cdb::make::Maker;
use postern::cdb::read::Cdb;
use postern::client::line::Line;
use postern::client::rule;
use postern::client::rules::{self, Client, Item, Manner};
use postern::control::Setup;
use postern::control::text::entries;
use postern::lookup::Lookups;
use postern::lookup::sender_line::SenderLine;
use postern::policy::verdict::{Answer, Question, Using};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// Accidents to each list.
const ACCIDENTS: u32 = 1_000;

/// What happens to a line.
#[derive(Clone, Debug)]
enum Accident {
    Insert(Index, u8),
    Delete(Index),
    Replace(Index, u8),
    Swap(Index, Index),
    /// The file ends in the middle of its last line.
    Truncate(Index),
}

fn accident() -> impl Strategy<Value = Accident> {
    let octet = || prop_oneof![3 => select(&b"0123456789./-*!:#&@=$(){}[]|, \t\r\n\0\xff"[..]), 1 => any::<u8>()];
    let place = any::<Index>;
    prop_oneof![
        (place(), octet()).prop_map(|(at, octet)| Accident::Insert(at, octet)),
        place().prop_map(Accident::Delete),
        (place(), octet()).prop_map(|(at, octet)| Accident::Replace(at, octet)),
        (place(), place()).prop_map(|(one, other)| Accident::Swap(one, other)),
        place().prop_map(Accident::Truncate),
    ]
}

impl Accident {
    fn happens_to(&self, line: &str) -> Vec<u8> {
        let mut line = line.as_bytes().to_vec();
        match self {
            Accident::Insert(at, octet) => line.insert(at.index(line.len() + 1), *octet),
            Accident::Delete(at) => drop(line.remove(at.index(line.len()))),
            Accident::Replace(at, octet) => {
                let at = at.index(line.len());
                line[at] = *octet;
            }
            Accident::Swap(one, other) => {
                let (one, other) = (one.index(line.len()), other.index(line.len()));
                line.swap(one, other);
            }
            Accident::Truncate(at) => line.truncate(at.index(line.len())),
        }
        line
    }
}

/// A list that grants, and how it is asked.
struct List {
    name: &'static str,
    /// Who asks: a client, and a sender where that matters.
    askers: &'static [(&'static str, &'static str)],
    /// What its entries are.
    entries: fn(&[u8]) -> Vec<&[u8]>,
    /// Whether an entry means anything; a comment or nothing is no entry.
    is_sound: fn(&[u8]) -> bool,
    /// Whether an entry takes grants away.
    excepts: fn(&[u8]) -> bool,
    /// Whom of the askers it lets relay; none if the list as a whole is refused.
    granted: fn(&[u8], &List) -> Option<Vec<bool>>,
}

const CLIENTS: &[(&str, &str)] = &[
    ("10.0.0.0", ""),
    ("10.0.0.1", ""),
    ("10.0.1.1", ""),
    ("10.0.1.2", ""),
    ("10.0.3.3", ""),
    ("10.1.0.1", ""),
    ("1.0.0.1", ""),
    ("2001:db8::1", ""),
    ("2001:db8::2", ""),
    ("2001:db9::1", ""),
];
const SENDERS: &[(&str, &str)] = &[
    ("10.0.0.1", "a@b.ex"),
    ("10.0.1.1", "x@b.ex"),
    ("1.0.0.1", "a@b.ex"),
    ("1.0.0.1", "x@b.ex"),
    ("1.0.0.1", "x@y.ex"),
    ("1.0.0.1", "root@mx.test"),
    ("10.0.0.1", "root@mx.test"),
    ("1.0.0.1", "@b.ex&10.0.0."),
    ("1.0.0.1", "=localhosts"),
];

const RELAYCLIENTS: List = List {
    name: "relayclients",
    askers: CLIENTS,
    entries: |text| entries(text).map(|entry| entry.text).collect(),
    is_sound: |entry| Line::parse(entry).pattern.is_ok(),
    excepts: |entry| Line::parse(entry).exception,
    granted: by_lookups,
};
const RELAYMX: List = List { name: "relaymx", ..RELAYCLIENTS };
const RELAYMAILFROM: List = List {
    name: "relaymailfrom",
    askers: SENDERS,
    entries: RELAYCLIENTS.entries,
    is_sound: |entry| !matches!(SenderLine::parse(entry), SenderLine::Malformed { .. }),
    excepts: |entry| entry.starts_with(b"!"),
    granted: by_lookups,
};
const RULES: List = List {
    name: "tcp.smtp",
    askers: CLIENTS,
    // A NUL is an octet like others.
    entries: |text| text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii_end).collect(),
    is_sound: |entry| matches!(rule::parse(entry), Ok(rule::Line::Rule(_) | rule::Line::Blank)),
    excepts: |entry| !entry.windows(11).any(|word| word == b"RELAYCLIENT"),
    granted: by_rules,
};

fn by_lookups(text: &[u8], list: &List) -> Option<Vec<bool>> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("me"), "mx.test\n").unwrap();
    fs::write(directory.path().join(list.name), text).unwrap();
    let mut setup = Setup::load(std::iter::empty().collect(), directory.path(), None).unwrap();
    let granted = list.askers.iter().map(|(ip, sender)| {
        let ip: IpAddr = ip.parse().unwrap();
        setup.client.set_address(ip);
        let literal = if ip.is_ipv4() { format!("[{ip}]") } else { format!("[IPv6:{ip}]") };
        let question = match list.name {
            "relayclients" => Question::RelayClients(Using::Dns),
            "relaymx" => Question::RelayMx(literal.as_bytes()),
            _ => Question::RelayMailFrom(sender.as_bytes(), Using::Dns),
        };
        matches!(Lookups::without_dns(&setup).answer(question), Ok(Answer::Yes(_)))
    });
    Some(granted.collect())
}

/// What `tcprules --strict` makes of it; it keeps the old rules where it refuses the new ones.
fn by_rules(text: &[u8], list: &List) -> Option<Vec<bool>> {
    let mut maker = Maker::new(Cursor::new(Vec::new()));
    rules::compile(text, Manner::Strict, &mut maker, |_, _, _| {}).ok()?;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), maker.finish().unwrap().into_inner()).unwrap();
    let cdb = Cdb::open(file.path()).unwrap();
    let granted = list.askers.iter().map(|(ip, _)| {
        let client = Client { ip: ip.as_bytes(), ..Client::default() };
        let value = client.rule(&cdb).unwrap().map(|(_, value)| value).unwrap_or_default();
        let mut items = rules::items(&value);
        let sets = items.any(|item| matches!(item, Item::Set(setting) if setting.starts_with(b"RELAYCLIENT=")));
        sets && !value.starts_with(b"D")
    });
    Some(granted.collect())
}

/// Patterns of few clients, so that lines meet.
fn pattern() -> impl Strategy<Value = String> {
    let octet = || 0u8..4;
    prop_oneof![
        3 => (octet(), octet()).prop_map(|(c, d)| format!("10.0.{c}.{d}")),
        3 => octet().prop_map(|c| format!("10.0.{c}.")),
        2 => Just("10.".to_string()),
        2 => octet().prop_map(|c| format!("10.0.{c}.0/24")),
        1 => octet().prop_map(|c| format!("$(10.0.{c}.1/23)")),
        2 => (octet(), octet()).prop_map(|(c, d)| format!("10.0.{c}-{}.{d}-{}", c + 1, d + 2)),
        1 => (0u8..3).prop_map(|d| format!("2001:db8::{d}")),
        1 => Just("2001:db8::/32".to_string()),
    ]
}

fn client_line() -> impl Strategy<Value = String> {
    let name = select(&["=host.b.ex", "=.b.ex", "@gw.ex", "[2001:db8::1]", "${2001:db8::1/64}"][..]);
    let pattern = prop_oneof![12 => pattern(), 1 => name.prop_map(str::to_string)];
    (prop::bool::weighted(0.4), pattern, select(&["", "", ":", ":@gw.ex"][..]))
        .prop_map(|(exception, pattern, suffix)| if exception { format!("!{pattern}") } else { pattern + suffix })
}

fn sender_line() -> impl Strategy<Value = String> {
    let words = &["a@b.ex", "@b.ex", "=localhosts", "=localusers", "x@y.ex", "root@mx.test"][..];
    let old = &["*@y.ex", "!x@*", "a&b@b.ex", "!*@mx.test", "r*@mx.tes?"][..];
    prop_oneof![
        3 => (select(words), pattern()).prop_map(|(sender, pattern)| format!("{sender}&{pattern}")),
        1 => select(words).prop_map(str::to_string),
        1 => select(old).prop_map(str::to_string),
    ]
}

fn rule_line() -> impl Strategy<Value = String> {
    let instruction = [":allow,RELAYCLIENT=\"\"", ":allow,RELAYCLIENT='@gw.ex',A=\"b\"", ":deny", ":allow"];
    (pattern(), select(instruction.to_vec())).prop_map(|(pattern, instruction)| pattern + instruction)
}

/// Where a list refused before the accident and accepts after it, the line that it made of another one says so.
fn accidents_happen(list: &List, line: impl Strategy<Value = String>) {
    let counts = RefCell::new(BTreeMap::<&str, u32>::new());
    let count = |what: &'static str| *counts.borrow_mut().entry(what).or_default() += 1;
    let config = Config { cases: ACCIDENTS, failure_persistence: None, ..Config::default() };
    let cases = (prop::collection::vec(line, 1..6), any::<Index>(), accident());
    let outcome = TestRunner::new(config).run(&cases, |(lines, which, accident)| {
        let which = if matches!(accident, Accident::Truncate(_)) { lines.len() - 1 } else { which.index(lines.len()) };
        let old = &lines[which];
        let new = accident.happens_to(old);
        let mut broken: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        broken[which] = &new;
        let Some(before) = (list.granted)(lines.join("\n").as_bytes(), list) else { return Ok(()) };
        let nonsense = (list.entries)(&new).into_iter().any(|entry| !(list.is_sound)(entry));
        let sound = (list.entries)(&new).into_iter().any(list.is_sound);
        count(if nonsense { "nonsense" } else { "another line" });
        let Some(after) = (list.granted)(&broken.join(&b'\n'), list) else {
            count("refused as a whole");
            return Ok(());
        };
        let alone = (list.granted)(&new, list).unwrap();
        let told = format!("{lines:?}: {old:?} becomes {}", new.escape_ascii());
        prop_assert!(sound || !alone.contains(&true), "nonsense lets in: {told}");
        for (number, asker) in list.askers.iter().enumerate() {
            // A comment or another sound line is what somebody wrote; and without its `!` no line looks like an exception.
            let is_gone = sound || !nonsense || !new.contains(&b'!');
            let lost_exception = is_gone && (list.excepts)(old.as_bytes());
            match (before[number], after[number]) {
                (false, true) if alone[number] => count("granted by the new line"),
                (false, true) => {
                    prop_assert!(lost_exception, "{asker:?} is let in: {told}");
                    count("granted because an exception is another line now");
                }
                (true, false) => count("no longer granted"),
                (true, true) => count("granted as before"),
                (false, false) => count("refused as before"),
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{}: {error}", list.name);
    }
    let counts = counts.into_inner();
    println!("{}: {ACCIDENTS} accidents: {counts:#?}", list.name);
    for what in ["nonsense", "another line", "refused as before", "no longer granted", "granted as before"] {
        assert!(counts.get(what).is_some_and(|count| *count > 50), "too seldom: {what} of {counts:#?}");
    }
}

#[test]
fn in_relayclients() {
    accidents_happen(&RELAYCLIENTS, client_line());
}

#[test]
fn in_relaymx() {
    accidents_happen(&RELAYMX, client_line());
}

#[test]
fn in_relaymailfrom() {
    accidents_happen(&RELAYMAILFROM, sender_line());
}

#[test]
fn in_the_rules_of_tcpserver() {
    accidents_happen(&RULES, rule_line());
}
