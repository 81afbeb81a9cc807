//! No sequence of commands relays without a grant: random sessions in random worlds, against a model that knows no rules.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "properties/checks.rs"]
mod checks;
#[path = "properties/grounds.rs"]
mod grounds;
#[path = "properties/lists.rs"]
mod lists;
#[path = "properties/model.rs"]
mod model;
#[path = "properties/rules.rs"]
mod rules;
#[path = "properties/steps.rs"]
mod steps;
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

use model::{Expected, Message, Model};
use steps::{FROM, Step, TO, step};
use world::{Is, World, world};

/// Sessions whose lists are the world itself.
const SESSIONS: u32 = 40_000;
/// Sessions whose lists are real files, as a daemon reads them.
const SESSIONS_WITH_FILES: u32 = 4_000;
/// Transactions that are looked at before and after what cannot tell is mended.
const TRANSACTIONS: u32 = 20_000;
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
        converse(world, &setup, &mut |setup, question| world.answer(setup, question), steps, tally)
    });
    let grounds = ["local", "own domain", "AUTH", "open", "RELAYCLIENT", "client", "name", "sender"];
    let grounds = grounds
        .iter()
        .chain(&["login", "client by DNS", "sender by DNS", "mx"])
        .map(|ground| format!("grounds: {ground}"));
    let words = ["normal", "none"].iter().map(|word| format!("refused by relaylevel: {word}"));
    let others = ["refused: Never", "refused: Later", "refused in the operator's words", "messages for somebody"];
    let more = ["recipients of a message: 3", "refused beside: mx", "refused beside: own domain"];
    let others = others.iter().chain(&more).map(|other| (*other).to_string());
    often(&tally, grounds.chain(words).chain(others), SESSIONS / 1000);
    often(&tally, endings(), SESSIONS / 10_000);
    often(&tally, checked(), SESSIONS / 40_000);
}

/// Who had a grant of a transaction or of a recipient, is refused later, whatever ended that transaction.
fn endings() -> impl Iterator<Item = String> {
    let ended = ["HELO", "EHLO", "RSET", "MAIL", "a bad MAIL", "DATA"];
    ["sender", "login", "mx"].iter().flat_map(move |ground| ended.map(|by| format!("refused after: {ground}, {by}")))
}

/// Every check refuses, for now and for good; lists of blackholes drop; every rule gives; and nothing is left of rules.
fn checked() -> impl Iterator<Item = String> {
    let refusing = ["hostaccess, 553", "badmailfrom, 553", "CUGMAIL, 553", "badrcptto, 553", "accesslist, 553"];
    let later = ["hostaccess", "badmailfrom", "CUGMAIL", "CHECKSENDER", "blackholedsender", "from.envrules"];
    let more = ["badrcptto", "accesslist", "CHECKRECIPIENT", "blackholedrcpt", "domainqueue"];
    let others = ["CHECKSENDER, 530", "CHECKSENDER, 553", "REQUIREAUTH, 530", "MAX_RCPT_ERRCOUNT, 421"];
    let limits = ["CHECKRECIPIENT, 550", "maxrecipients, 557", "bounce, 553", "domainqueue, 452"];
    let for_good = refusing.into_iter().chain(others).chain(limits).map(str::to_string);
    let for_now = later.into_iter().chain(more).map(|check| format!("{check}, 451"));
    let checks = for_good.chain(for_now).map(|check| format!("check: {check}"));
    let given = [1001, 1002, 1003, 1005, 2001, 2002, 2003, 3001].map(|given| format!("settings of a message: {given}"));
    let ended = ["HELO", "EHLO", "RSET", "MAIL", "a bad MAIL", "DATA"].map(|by| format!("after rules: {by}"));
    checks.chain(given).chain(ended).chain(["messages for nobody".to_string(), "dropped beside others".to_string()])
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
        let world = World { dns: Is::Later, checks: world.checks.of_files(), ..world.clone() };
        world.write(directory.path());
        let setup = Setup::load(world.environment(), directory.path(), None).unwrap();
        let mut lookups = Lookups::without_dns(&setup);
        converse(&world, &setup, &mut |setup, question| lookups.answer_by(setup, question), steps, tally)
    });
    let grounds = ["local", "own domain", "AUTH", "open", "RELAYCLIENT", "client", "name", "sender", "login", "mx"];
    let grounds = grounds.iter().map(|ground| format!("grounds: {ground}"));
    let others = ["refused: Never", "refused: Later", "refused in the operator's words", "messages for somebody"];
    often(&tally, grounds.chain(others.iter().map(|other| (*other).to_string())), SESSIONS_WITH_FILES / 400);
    let refusing = ["badmailfrom, 553", "badmailfrom, 451", "badrcptto, 553", "accesslist, 553", "hostaccess, 451"];
    let others = ["hostaccess, 553", "CHECKRECIPIENT, 550", "CHECKRECIPIENT, 451", "domainqueue, 452"];
    let checks = refusing.iter().chain(&others).map(|check| format!("check: {check}"));
    often(&tally, checks.chain(["after rules: MAIL".to_string()]), SESSIONS_WITH_FILES / 4000);
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
                let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
                let message = Message {
                    sender: text(delivery.envelope.sender()),
                    recipients: delivery.envelope.recipients().iter().map(|one| text(one)).collect(),
                    is_dropped: delivery.is_blackholed(),
                    databytes: delivery.setup().unwrap_or(setup).control.databytes,
                };
                prop_assert_eq!(&message, &model.take_message(&count));
                count(format!("messages for {}", if message.is_dropped { "nobody" } else { "somebody" }));
                count(format!("recipients of a message: {}", message.recipients.len()));
                count(format!("settings of a message: {}", message.databytes));
            }
            Then::Encrypt => prop_assert!(false, "STARTTLS is not set"),
            Then::Draw(_) | Then::Check(_) | Then::Dismiss(_) => prop_assert!(false, "nobody checks passwords here"),
            Then::Close { .. } => {
                let because_unreadable = expected == Expected::Code(451) && world.is_unreadable();
                let may_close = expected == Expected::Close || expected == Expected::Code(421) || because_unreadable;
                let has_code = |code| expected == Expected::Close || expected == Expected::Code(code);
                prop_assert!(may_close && has_code(turn.reply.code()), "{}: {:?}", line.escape_ascii(), said);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What becomes of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Delivered,
    ThrownAway,
    Refused,
    Later,
}

/// One transaction with one recipient.
fn outcome(world: &World, sender: usize, recipient: usize) -> Outcome {
    let setup = world.setup();
    let mut session = Session::new(&setup).supposing(world.credentials());
    let refused = |code| if code == 451 { Outcome::Later } else { Outcome::Refused };
    for step in [Step::Mail(sender), Step::Rcpt(recipient), Step::Data] {
        let turn = session.hear(&step.line(), &mut |setup, question| world.answer(setup, question));
        match (turn.then, turn.reply.code()) {
            (Then::Receive(delivery), _) if delivery.is_blackholed() => return Outcome::ThrownAway,
            (Then::Receive(_), _) => return Outcome::Delivered,
            (_, 250) => {}
            (_, code) => return refused(code),
        }
    }
    unreachable!("DATA says 250 before the content")
}

/// A failure is never a grant, and never refuses or throws away for good: what is said while something cannot tell
/// remains true whatever that will say.
#[test]
fn what_is_said_in_doubt_holds_without_it() {
    let tally = Tally::default();
    let config = Config { cases: TRANSACTIONS, failure_persistence: None, ..Config::default() };
    let cases = (world(), world(), 0..FROM.len(), 0..TO.len());
    let result = TestRunner::new(config).run(&cases, |(world, other, sender, recipient)| {
        let mended = world.mended(&other);
        let (before, after) = (outcome(&world, sender, recipient), outcome(&mended, sender, recipient));
        *tally.borrow_mut().entry(format!("{before:?}, then {after:?}")).or_default() += 1;
        prop_assert!(before == Outcome::Later || before == after, "{before:?} became {after:?} with {mended:#?}");
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    println!("{tally:#?}");
    let all = ["Later, then Delivered", "Later, then ThrownAway", "Later, then Refused", "Delivered, then Delivered"];
    let others = ["ThrownAway, then ThrownAway", "Refused, then Refused"];
    often(&tally, all.iter().chain(&others).map(|what| (*what).to_string()), TRANSACTIONS / 1000);
}
