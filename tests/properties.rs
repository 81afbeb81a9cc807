//! No sequence of commands relays without a grant: random sessions in random worlds, against a model that knows no rules.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "properties/model.rs"]
mod model;
#[path = "properties/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use postern::control::Setup;
use postern::lookup::Lookups;
use postern::policy::verdict::Ask;
use postern::session::{Session, Then};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use model::{Expected, Model, Step, step};
use world::{World, world};

/// Sessions whose lists are the world itself.
const SESSIONS: u32 = 30_000;
/// Sessions whose lists are real files, as a daemon reads them.
const SESSIONS_WITH_FILES: u32 = 1_500;
/// Lines of the longest session.
const STEPS_MAX: usize = 40;

/// How often each thing happened: a property that nothing ever puts to the test holds, too.
type Tally = RefCell<BTreeMap<String, u32>>;

#[test]
fn nothing_is_relayed_without_a_grant() {
    let tally = run(SESSIONS, |world, steps, tally| {
        let setup = world.setup();
        converse(world, &setup, &mut |question| world.answer(question), steps, tally)
    });
    let all = ["grounds: local", "grounds: own domain", "grounds: RELAYCLIENT", "grounds: client", "grounds: name"];
    let more = ["grounds: sender", "refused: Never", "refused: Later", "messages", "recipients of a message: 3"];
    for what in all.iter().chain(&more) {
        assert!(tally.get(*what).is_some_and(|count| *count > SESSIONS / 1000), "too seldom: {what} of {tally:#?}");
    }
}

#[test]
fn nor_when_the_lists_are_files() {
    let tally = run(SESSIONS_WITH_FILES, |world, steps, tally| {
        let directory = tempfile::tempdir().unwrap();
        world.write(directory.path());
        let setup = Setup::load(world.environment(), directory.path(), None).unwrap();
        let mut lookups = Lookups::new(&setup);
        converse(world, &setup, &mut |question| lookups.answer(question), steps, tally)
    });
    assert!(tally.get("messages").is_some_and(|count| *count > SESSIONS_WITH_FILES / 20), "{tally:#?}");
    assert!(tally.get("refused: Never").is_some_and(|count| *count > SESSIONS_WITH_FILES / 20), "{tally:#?}");
}

fn run(cases: u32, case: impl Fn(&World, &[Step], &Tally) -> Result<(), TestCaseError>) -> BTreeMap<String, u32> {
    let tally = Tally::default();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let sessions = (world(), vec(step(), 1..STEPS_MAX));
    let outcome = TestRunner::new(config).run(&sessions, |(world, steps)| case(&world, &steps, &tally));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    println!("{cases} sessions: {tally:#?}");
    tally
}

/// One session: every reply has the code that the model expects, every message the recipients that it granted.
fn converse(
    world: &World,
    setup: &Setup,
    ask: &mut Ask<'_>,
    steps: &[Step],
    tally: &Tally,
) -> Result<(), TestCaseError> {
    let count = |what: String| *tally.borrow_mut().entry(what).or_default() += 1;
    let mut session = Session::new(setup);
    let mut model = Model::new(world);
    for step in steps {
        let line = step.line();
        let turn = session.hear(&line, ask);
        let expected = model.hear(step, &count);
        let said = (turn.reply.code(), expected);
        match turn.then {
            Then::Listen => match expected {
                Expected::Code(code) => prop_assert_eq!(turn.reply.code(), code, "{}: {:?}", line.escape_ascii(), step),
                Expected::Message | Expected::Close => prop_assert!(false, "{}: {:?}", line.escape_ascii(), said),
            },
            Then::Receive(delivery) => {
                prop_assert_eq!(expected, Expected::Message);
                let (sender, recipients) = model.take_message();
                prop_assert_eq!(delivery.envelope.sender(), sender.as_bytes());
                let stored: Vec<&[u8]> = delivery.envelope.recipients().iter().map(Vec::as_slice).collect();
                prop_assert_eq!(stored, recipients.iter().map(String::as_bytes).collect::<Vec<_>>());
                count("messages".to_string());
                count(format!("recipients of a message: {}", recipients.len()));
            }
            Then::Close { .. } => {
                let because_unreadable = expected == Expected::Code(451) && world.is_unreadable();
                prop_assert!(expected == Expected::Close || because_unreadable, "{}: {:?}", line.escape_ascii(), said);
                return Ok(());
            }
        }
    }
    Ok(())
}
