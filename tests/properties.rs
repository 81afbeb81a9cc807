//! No sequence of commands relays without a grant: random sessions in random worlds, against a model that knows no rules.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "properties/lists.rs"]
mod lists;
#[path = "properties/model.rs"]
mod model;
#[path = "properties/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use postern::control::Setup;
use postern::lookup::Lookups;
use postern::session::{AskBy, Session, Then};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use model::{Expected, Model, Step, step};
use world::{Is, World, world};

/// Sessions whose lists are the world itself.
const SESSIONS: u32 = 40_000;
/// Sessions whose lists are real files, as a daemon reads them.
const SESSIONS_WITH_FILES: u32 = 4_000;
/// Lines of the longest session.
const STEPS_MAX: usize = 40;

/// What who has no grant is told.
const NO_GRANT: &str = "sorry, that domain isn't allowed to be relayed thru this MTA without authentication #5.7.1";

/// How often each thing happened: a property that nothing ever puts to the test holds, too.
type Tally = RefCell<BTreeMap<String, u32>>;

#[test]
fn nothing_is_relayed_without_a_grant() {
    let tally = run(SESSIONS, |world, steps, tally| {
        let setup = world.setup();
        converse(world, &setup, &mut |_, question| world.answer(question), steps, tally)
    });
    let grounds = ["local", "own domain", "AUTH", "open", "RELAYCLIENT", "client", "name", "sender"];
    let grounds = grounds
        .iter()
        .chain(&["login", "client by DNS", "sender by DNS", "mx"])
        .map(|ground| format!("grounds: {ground}"));
    let words = ["normal", "none"].iter().map(|word| format!("refused by relaylevel: {word}"));
    let others = ["refused: Never", "refused: Later", "refused in the operator's words", "messages"];
    let more = ["recipients of a message: 3", "refused beside: mx", "refused beside: own domain"];
    let others = others.iter().chain(&more).map(|other| (*other).to_string());
    often(&tally, grounds.chain(words).chain(others), SESSIONS / 1000);
    often(&tally, endings(), SESSIONS / 4000);
}

/// Who had a grant of a transaction or of a recipient, is refused later, whatever ended that transaction.
fn endings() -> impl Iterator<Item = String> {
    let ended = ["HELO", "EHLO", "RSET", "MAIL", "a bad MAIL", "DATA"];
    ["sender", "login", "mx"].iter().flat_map(move |ground| ended.map(|by| format!("refused after: {ground}, {by}")))
}

fn often(tally: &BTreeMap<String, u32>, all: impl Iterator<Item = String>, least: u32) {
    for what in all {
        assert!(tally.get(&what).is_some_and(|count| *count > least), "too seldom: {what} of {tally:#?}");
    }
}

#[test]
fn nor_when_the_lists_are_files() {
    let tally = run(SESSIONS_WITH_FILES, |world, steps, tally| {
        let directory = tempfile::tempdir().unwrap();
        // Nobody asks DNS here, and so it cannot tell.
        let world = World { dns: Is::Later, ..world.clone() };
        world.write(directory.path());
        let setup = Setup::load(world.environment(), directory.path(), None).unwrap();
        let mut lookups = Lookups::without_dns(&setup);
        converse(&world, &setup, &mut |setup, question| lookups.answer_by(setup, question), steps, tally)
    });
    let grounds = ["local", "own domain", "AUTH", "open", "RELAYCLIENT", "client", "name", "sender", "login", "mx"];
    let grounds = grounds.iter().map(|ground| format!("grounds: {ground}"));
    let others = ["refused: Never", "refused: Later", "refused in the operator's words", "messages"];
    often(&tally, grounds.chain(others.iter().map(|other| (*other).to_string())), SESSIONS_WITH_FILES / 400);
    let after = |ground: &str| {
        endings().filter(|ending| ending.contains(ground)).filter_map(|ending| tally.get(&ending)).sum::<u32>()
    };
    assert!(after("sender") > 10 && after("login") > 10 && after("mx") > 10, "{tally:#?}");
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
    ask: &mut AskBy<'_>,
    steps: &[Step],
    tally: &Tally,
) -> Result<(), TestCaseError> {
    let count = |what: String| *tally.borrow_mut().entry(what).or_default() += 1;
    let mut session = Session::new(setup).supposing(world.credentials());
    let mut model = Model::new(world);
    for step in steps {
        let line = step.line();
        let turn = session.hear(&line, ask);
        let expected = model.hear(step, &count);
        let said = (turn.reply.code(), expected);
        match turn.then {
            Then::Listen => match expected {
                Expected::Code(code) => prop_assert_eq!(turn.reply.code(), code, "{}: {:?}", line.escape_ascii(), step),
                Expected::NoGrant => {
                    let told = String::from_utf8(turn.reply.lines().collect::<Vec<_>>().concat()).unwrap();
                    let text = world.relay_text.map_or(NO_GRANT.to_string(), |text| format!("{text} (#5.7.1)"));
                    prop_assert_eq!((turn.reply.code(), told), (553, text), "{}: {:?}", line.escape_ascii(), step);
                    world.relay_text.iter().for_each(|_| count("refused in the operator's words".to_string()));
                }
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
            Then::Encrypt => prop_assert!(false, "STARTTLS is not set"),
            Then::Draw(_) | Then::Check(_) | Then::Dismiss(_) => prop_assert!(false, "nobody checks passwords here"),
            Then::Close { .. } => {
                let because_unreadable = expected == Expected::Code(451) && world.is_unreadable();
                prop_assert!(expected == Expected::Close || because_unreadable, "{}: {:?}", line.escape_ascii(), said);
                return Ok(());
            }
        }
    }
    Ok(())
}
