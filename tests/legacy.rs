//! A control directory of IndiMail keeps its meaning: random old directories against an oracle that knows the old rules only.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "legacy/directory.rs"]
mod directory;
#[path = "legacy/lines.rs"]
mod lines;
#[path = "legacy/oracle.rs"]
mod oracle;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use postern::cdb::make::Maker;
use postern::cdb::read::Cdb;
use postern::client::rules::{self, Item, Manner};
use postern::control::Setup;
use postern::control::environment::Environment;
use postern::lookup::Lookups;
use postern::session::{Session, Then};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use directory::{CALLERS_OF_FORMS, Caller, Directory, NEW_FORMS, caller, directory};
use oracle::Said;

/// Directories, each asked by several callers.
const DIRECTORIES: u32 = 1_500;
const CALLERS: usize = 6;

#[test]
fn no_old_line_is_read_as_one_of_the_new_forms() {
    let counts = RefCell::new(BTreeMap::<String, u32>::new());
    let count = |what: String| *counts.borrow_mut().entry(what).or_default() += 1;
    let config = Config { cases: DIRECTORIES, failure_persistence: None, ..Config::default() };
    let cases = (directory(), prop::collection::vec(caller(), CALLERS));
    let outcome = TestRunner::new(config).run(&cases, |(all, callers)| {
        let old = all.without_new_forms();
        let (all_home, old_home) = (home(&all), home(&old));
        for caller in &callers {
            let expected = oracle::verdict(&old, caller);
            // What we call new never said anything. Under QREGEX it was an expression, that of `=localhosts@d1.ex` or of all
            // that have no `&`.
            if !all.regular_expressions {
                prop_assert_eq!(&oracle::verdict(&all, caller), &expected, "{:?}", caller);
            }
            prop_assert_eq!(&ours(old_home.path(), &old, caller), &expected, "{:?}", caller);
            count(format!("{expected:?}"));
            if ours(all_home.path(), &all, caller) != expected {
                prop_assert!(!all.new_forms().is_empty(), "{:?}", caller);
                count("changed by a new form".to_string());
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let counts = counts.into_inner();
    println!("{DIRECTORIES} directories, {CALLERS} callers each: {counts:#?}");
    let verdicts = ["Refused", "Denied", "Later", "Granted(\"\")", "Granted(\"@gw.ex\")", "changed by a new form"];
    for what in verdicts {
        assert!(counts.get(what).is_some_and(|count| *count > 20), "too seldom: {what} of {counts:#?}");
    }
}

/// No form is listed that changes nothing.
#[test]
fn every_new_form_says_something_now() {
    for form in NEW_FORMS {
        let changes = form.directories().into_iter().any(|directory| {
            let home = home(&directory);
            CALLERS_OF_FORMS
                .iter()
                .any(|caller| ours(home.path(), &directory, caller) != oracle::verdict(&directory, caller))
        });
        assert!(changes, "{}", form.name);
    }
}

/// The directory as files.
fn home(directory: &Directory) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[String]| {
        fs::write(home.path().join(name), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    };
    write("me", &["mx.test".to_string()]);
    write("rcpthosts", &["own.ex".to_string()]);
    let lists = [
        ("relayclients", &directory.clients),
        ("relaydomains", &directory.names),
        ("relaymailfrom", &directory.senders),
    ];
    for (name, lines) in lists {
        lines.iter().for_each(|lines| write(name, lines));
    }
    if let Some(keys) = &directory.compiled_senders {
        let mut maker = Maker::new(File::create(home.path().join("relaymailfrom.cdb")).unwrap());
        keys.iter().for_each(|key| maker.add(key.to_ascii_lowercase().as_bytes(), b"").unwrap());
        maker.finish().unwrap();
    }
    let mut maker = Maker::new(File::create(home.path().join("tcp.smtp.cdb")).unwrap());
    let text: String = directory.rules.iter().map(|line| format!("{line}\n")).collect();
    rules::compile(text.as_bytes(), Manner::Classic, &mut maker, |_, _, _| {}).unwrap();
    maker.finish().unwrap();
    home
}

/// What tcpserver and we do, end to end: the environment, a session, the envelope.
fn ours(home: &Path, directory: &Directory, caller: &Caller) -> Said {
    let mut variables: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut set = |name: &str, value: &[u8]| variables.insert(name.into(), value.to_vec());
    set("TCPREMOTEIP", caller.ip.as_bytes());
    caller.name.iter().for_each(|name| drop(set("TCPREMOTEHOST", name.as_bytes())));
    if directory.regular_expressions {
        set("QREGEX", b"1");
    }
    let client = rules::Client {
        ip: caller.ip.as_bytes(),
        host: caller.name.map(str::as_bytes),
        info: caller.info.map(str::as_bytes),
    };
    let cdb = Cdb::open(&home.join("tcp.smtp.cdb")).unwrap();
    let value = client.rule(&cdb).unwrap().map(|(_, value)| value).unwrap_or_default();
    for item in rules::items(&value) {
        match item {
            Item::Deny => return Said::Denied,
            Item::Set(setting) => {
                let equals = setting.iter().position(|byte| *byte == b'=').unwrap();
                variables.insert(setting[..equals].to_vec(), setting[equals + 1..].to_vec());
            }
            Item::Unset(name) => drop(variables.remove(name)),
        }
    }
    let environment: Environment = variables.into_iter().collect();
    let setup = Setup::load(environment, home, None).unwrap();
    let mut lookups = Lookups::without_dns(&setup);
    let mut session = Session::new(&setup);
    let mut hear =
        |line: &str| session.hear(line.as_bytes(), &mut |setup, question| lookups.answer_by(setup, question));
    assert_eq!(hear(&format!("MAIL FROM:<{}>", caller.sender)).reply.code(), 250, "{caller:?}");
    match hear("RCPT TO:<u@far.ex>").reply.code() {
        250 => match hear("DATA").then {
            Then::Receive(delivery) => {
                let stored = String::from_utf8(delivery.envelope.recipients()[0].clone()).unwrap();
                Said::Granted(stored.strip_prefix("u@far.ex").unwrap().to_string())
            }
            Then::Listen | Then::Encrypt | Then::Draw(_) | Then::Check(_) | Then::Dismiss(_) | Then::Close { .. } => {
                panic!("{caller:?}")
            }
        },
        451 => Said::Later,
        553 => Said::Refused,
        code => panic!("{code} {caller:?}"),
    }
}
