//! tcprules lines: what is read is what is written, and what is refused has a reason that can be shown.

use std::collections::HashMap;
use std::io::Cursor;

use postern::cdb::make::Maker;
use postern::cdb::read::Cdb;
use postern::client::key::PREFIXES_MAX;
use postern::client::rule::{Action, Change, Line, Rule, parse};
use postern::client::rules::{CompileError, Item, Manner, compile, describe, items};

/// Longer files are cut here: a line can make thousands of records.
const RULES_OCTETS_MAX: usize = 200;

/// A file of rules, line by line and as a whole.
pub fn rule(input: &[u8]) {
    let input = &input[..input.len().min(RULES_OCTETS_MAX)];
    let mut records = Vec::new();
    let mut wrong_line = None;
    for (number, line) in input.split(|byte| *byte == b'\n').enumerate() {
        match parse(line) {
            Ok(Line::Blank | Line::NoColon) => {}
            Ok(Line::Rule(rule)) => records.extend(records_of(&rule, line)),
            Err(cause) => {
                presentable(&cause.to_string());
                wrong_line = Some(number as u64 + 1);
                break;
            }
        }
    }
    let mut maker = Maker::new(Cursor::new(Vec::new()));
    match compile(input, Manner::Classic, &mut maker, |_, _, doubt| presentable(&doubt.to_string())) {
        Ok(()) => {
            assert_eq!(wrong_line, None);
            let cdb = Cdb::new(super::file_of(maker.finish().unwrap().get_ref())).unwrap();
            let made: Vec<_> = cdb.iter(usize::MAX).map(Result::unwrap).collect();
            // D41: what is made of shorter prefixes comes later.
            records.sort_by_key(|(slack, _)| *slack);
            let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
            assert_eq!(made, records);
            let mut firsts = HashMap::new();
            for (key, value) in &records {
                let first: &mut &Vec<u8> = firsts.entry(key).or_insert(value);
                assert_eq!(cdb.get(key, usize::MAX).unwrap().as_ref(), Some(*first));
            }
        }
        Err(CompileError::Line { number, .. }) => assert_eq!(Some(number), wrong_line),
        Err(error) => panic!("{error:?}"),
    }
}

fn records_of(rule: &Rule<'_>, line: &[u8]) -> Vec<(u8, (Vec<u8>, Vec<u8>))> {
    if let Some(doubt) = rule.doubt() {
        presentable(&doubt.to_string());
    }
    let mut value = Vec::new();
    rule.write_value(&mut value);
    // A NUL in a line ends an item early; then the items are others, as for the classic tool.
    if !line.contains(&0) {
        let written: Vec<String> = items(&value).map(|item| format!("{item:?}")).collect();
        let deny = matches!(rule.action, Action::Deny).then(|| format!("{:?}", Item::Deny));
        let changes = rule.changes.iter().map(|change| match change {
            Change::Set { name, value } => format!("{:?}", Item::Set(&[name, b"=".as_slice(), value].concat())),
            Change::Unset { name } => format!("{:?}", Item::Unset(name)),
        });
        assert_eq!(written, deny.into_iter().chain(changes).collect::<Vec<_>>());
    }
    let mut records = Vec::new();
    let mut keep = |key: &[u8], slack: u8| -> Result<(), ()> {
        records.push((slack, (key.to_vec(), value.clone())));
        Ok(())
    };
    rule.address.keys(&mut Vec::new(), &mut keep).unwrap();
    // Each of the prefixes in up to four spellings, and for each of the networks a string of bits.
    assert!((1..=5 * PREFIXES_MAX as usize).contains(&records.len()));
    let told = describe(records.first().map(|(_, record)| record));
    assert!(told.ends_with(b"allow connection\n") || told.ends_with(b"deny connection\n"));
    records
}

/// What an operator reads is one line and does not upset the terminal.
pub(super) fn presentable(text: &str) {
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}
