//! Plays a situation through the very code of smtpd, and notes every rule that was consulted and what it said.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::control::Setup;
use crate::control::load::LoadError;
use crate::control::zone::Zone;
use crate::errno::words;
use crate::lookup::{Known, Lookups};
use crate::message::date::rfc5322;
use crate::operator::ended::Ended;
use crate::operator::explain::change::Turnaround;
use crate::operator::explain::data::Arrival;
use crate::operator::explain::in_force::InForce;
use crate::operator::explain::message::Message;
use crate::operator::explain::words::{answer_in_words, opinion_in_words};
use crate::operator::situation::Situation;
use crate::operator::surroundings::Surroundings;
use crate::policy::Opinion;
use crate::policy::listing::Listing;
use crate::policy::verdict::{Answer, LookupFailed, Question, Reason};
use crate::session::{Session, Then, Turn};
use crate::smtp::printable::printable;
use crate::smtp::reply;

/// What becomes of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// 250.
    Accept,
    /// 4yz.
    Temp,
    /// 5yz, or no smtpd at all.
    Reject,
}

impl Outcome {
    fn of_code(code: u16) -> Self {
        match code {
            500.. => Outcome::Reject,
            400..500 => Outcome::Temp,
            _ => Outcome::Accept,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Accept => "accept",
            Outcome::Temp => "temp",
            Outcome::Reject => "reject",
        })
    }
}

/// Why something was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// As the log of smtpd says it.
    Policy(Reason),
    /// The rules of tcpserver close the connection; there is no smtpd.
    Denied {
        /// The rule.
        rule: String,
        /// The compiled rules.
        path: PathBuf,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Policy(reason) => reason.fmt(f),
            Why::Denied { rule, .. } => write!(f, "deny:{rule}"),
        }
    }
}

/// A rule that was consulted, and what it said.
#[derive(Debug, Clone)]
pub struct Consulted {
    /// The name of the rule, as in smtpd(8).
    pub source: &'static str,
    /// What it said, with file and line, or why it did not grant.
    pub said: String,
    /// The answer that it got, if it asked.
    pub answer: Option<Result<Answer, LookupFailed>>,
}

/// One thing that was decided.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the client did, as `RCPT TO:<user@domain>`.
    pub command: String,
    /// Whether the session goes on as it should.
    pub outcome: Outcome,
    /// The code of the reply; none if there is no smtpd.
    pub code: Option<u16>,
    /// The lines of the reply.
    pub reply: String,
    /// The session ends here.
    pub closes: bool,
    /// Why, where something was decided.
    pub why: Option<Why>,
    /// Every rule that was consulted, in order.
    pub consulted: Vec<Consulted>,
    /// What was noticed about the lists.
    pub notes: Vec<String>,
    /// What would turn the decision around, if that was looked for.
    pub change: Option<Turnaround>,
}

impl Step {
    /// What ends a session before it begins.
    fn at_connect(outcome: Outcome, code: Option<u16>, reply: String, why: Option<Why>) -> Self {
        let (consulted, notes) = (Vec::new(), Vec::new());
        Self { command: "connect".to_string(), outcome, code, reply, closes: true, why, consulted, notes, change: None }
    }
}

/// How far a situation is played.
#[derive(Debug, Clone, Copy)]
pub enum Until<'m> {
    /// Who may send to whom.
    Rcpt,
    /// What is said to DATA, and what counts for the message.
    Data,
    /// What becomes of this message.
    Message(&'m Message),
}

/// All that happened in a situation.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Connect, EHLO, MAIL, then a RCPT for each recipient, as far as the session went.
    pub steps: Vec<Step>,
    /// DATA, then the message if there is one, if the session went so far.
    pub data: Vec<Step>,
    /// What becomes of a message is asked, too.
    pub counts_data: bool,
}

/// The steps before the first RCPT.
const STEPS_BEFORE_RCPT: usize = 3;

impl Explanation {
    /// The step that decides about the recipient of that number: its RCPT, or what went wrong before.
    #[must_use]
    pub fn decision(&self, recipient: usize) -> Option<&Step> {
        self.steps.get(self.decided_at(recipient))
    }

    /// The number of that step.
    #[must_use]
    pub fn decided_at(&self, recipient: usize) -> usize {
        let before = self.steps.iter().take(STEPS_BEFORE_RCPT).position(|step| step.outcome != Outcome::Accept);
        // A session that ended is decided by its end.
        before.unwrap_or_else(|| self.steps.len().saturating_sub(1).min(STEPS_BEFORE_RCPT + recipient))
    }

    /// The same for each of so many recipients.
    pub fn decisions(&self, recipients: usize) -> impl Iterator<Item = &Step> {
        (0..recipients).filter_map(|recipient| self.decision(recipient))
    }

    /// The worst of them, and of what became of the message, if that is asked and anybody shall get it.
    #[must_use]
    pub fn outcome(&self, recipients: usize) -> Outcome {
        let decided = || self.decisions(recipients).map(|step| step.outcome);
        let counts_data = self.counts_data && decided().any(|outcome| outcome == Outcome::Accept);
        let of_data = self.data.iter().filter(|_| counts_data).map(|step| step.outcome);
        decided().chain(of_data).max().unwrap_or(Outcome::Reject)
    }
}

/// What happens in a situation, from the rules of tcpserver on; `supposed` are variables that nobody need set.
///
/// # Errors
///
/// The rules of tcpserver cannot be read.
pub fn explain(
    surroundings: &mut Surroundings,
    situation: &Situation,
    supposed: &[(Vec<u8>, Vec<u8>)],
    until: Until<'_>,
) -> Result<Explanation, Ended> {
    let connection = surroundings.connection(situation, supposed)?;
    if connection.denied {
        let rule = connection.rule.unwrap_or_default();
        let path = surroundings.rules_path().map(PathBuf::from).unwrap_or_default();
        return Ok(ended(vec![denied(rule, path)], until));
    }
    Ok(match surroundings.setup(connection.environment) {
        Ok(setup) => {
            let mut known = Known::from(surroundings.dns(&setup));
            play(&setup, situation, &mut known, until)
        }
        Err(error) => ended(vec![not_loaded(error)], until),
    })
}

/// What happened where nothing follows.
fn ended(steps: Vec<Step>, until: Until<'_>) -> Explanation {
    Explanation { steps, data: Vec::new(), counts_data: matches!(until, Until::Message(_)) }
}

fn denied(rule: String, path: PathBuf) -> Step {
    let reply = format!("rule `{rule}` denies: tcpserver closes the connection");
    let why = Some(Why::Denied { rule, path });
    Step::at_connect(Outcome::Reject, None, reply, why)
}

/// smtpd would say so and end.
fn not_loaded(error: LoadError) -> Step {
    let note = error.to_string();
    let failed = match error {
        LoadError::Directory { path, error } => {
            LookupFailed::Unreadable { file: "control".into(), path, error: words(&error).into_owned() }
        }
        LoadError::File { name, path, error } => {
            LookupFailed::Unreadable { file: name.into(), path, error: words(&error).into_owned() }
        }
    };
    let code = reply::NO_CONTROLS.code();
    let why = Some(Why::Policy(Reason::LookupFailed(failed)));
    let step = Step::at_connect(Outcome::of_code(code), Some(code), text_of(&reply::NO_CONTROLS), why);
    Step { notes: vec![note], ..step }
}

/// Plays a situation through a session of smtpd; it ends where the session ends. What is learned of the world is kept.
#[must_use]
pub fn play(setup: &Setup, situation: &Situation, known: &mut Known, until: Until<'_>) -> Explanation {
    let heard =
        Heard { setup, asks_dns: known.dns.is_some(), asked: RefCell::default(), consulted: RefCell::default() };
    let witness = |rule: &'static str, opinion: &Opinion| heard.rule(rule, opinion);
    let mut session = Session::new(setup).supposing(situation.credentials.clone()).witnessed_by(&witness);
    let mut lookups = Lookups::with_known(setup, std::mem::take(known)).at(situation.at_seconds);
    let (zone, no_zone) = match Zone::of(&setup.environment) {
        Ok(zone) => (zone, None),
        Err(no_zone) => (Zone::default(), Some(no_zone.to_string())),
    };
    let now_seconds = situation.at_seconds.unwrap_or_else(now_seconds);
    let mut asked = |by: &Setup, question: Question<'_>| {
        let answer = lookups.answer_by(by, question);
        heard.answer(question, &answer);
        answer
    };
    let greeting = session.greet(&rfc5322(now_seconds, &zone), &mut asked);
    let notes = no_zone.into_iter().chain(lookups.take_notes()).collect();
    let mut explanation = ended(vec![step("connect", &greeting, heard.consulted.take(), notes)], until);
    let mut hear = |session: &mut Session<'_>, line: &[u8]| {
        lookups.begin_command();
        let turn = session.hear(line, &mut |by: &Setup, question: Question<'_>| {
            let answer = lookups.answer_by(by, question);
            heard.answer(question, &answer);
            answer
        });
        let command = String::from_utf8_lossy(&printable(line)).into_owned();
        let step = step(&command, &turn, heard.consulted.take(), lookups.take_notes());
        (turn, step)
    };
    let ehlo = [b"EHLO ", situation.helo().as_slice()].concat();
    let mail = [b"MAIL FROM:<", situation.sender.as_slice(), b">"].concat();
    let rcpt = situation.recipients.iter().map(|recipient| [b"RCPT TO:<", recipient.as_slice(), b">"].concat());
    let mut commands = [ehlo, mail].into_iter().chain(rcpt);
    let steps = &mut explanation.steps;
    while !steps.last().is_some_and(|step| step.closes)
        && let Some(line) = commands.next()
    {
        steps.push(hear(&mut session, &line).1);
    }
    if !matches!(until, Until::Rcpt) && !steps.last().is_some_and(|step| step.closes) {
        let (turn, step) = hear(&mut session, b"DATA");
        explanation.data = if let Then::Receive(delivery) = &turn.then {
            let in_force = InForce::new(delivery, setup, steps, &step);
            Arrival { session: &session, delivery, in_force, now_seconds }.explained(step, until)
        } else {
            vec![step]
        };
    }
    *known = lookups.into_known();
    explanation
}

/// What rules and lists have said since it was taken.
struct Heard<'s> {
    setup: &'s Setup,
    asks_dns: bool,
    asked: RefCell<Option<(String, Result<Answer, LookupFailed>)>>,
    consulted: RefCell<Vec<Consulted>>,
}

impl Heard<'_> {
    /// A list has answered; the rule that asked is told of soon.
    fn answer(&self, question: Question<'_>, answer: &Result<Answer, LookupFailed>) {
        let said = answer_in_words(question, answer, self.setup, self.asks_dns);
        match question {
            // No rule asks this, but the reading of an address.
            // Nor these: they change nothing of the decision themselves.
            Question::OwnAddress(_)
            | Question::OwnCertificate
            | Question::Listed(Listing::SpamIgnore, _)
            | Question::Rules(_, _) => {
                self.add(question.source_name(), said, Some(answer.clone()));
            }
            Question::OwnDomain(_)
            | Question::TlsClients(_)
            | Question::RelayClients(_)
            | Question::RelayDomains
            | Question::RelayMailFrom(_, _)
            | Question::RelayTable(_)
            | Question::RelayMx(_)
            | Question::HostAccess(_)
            | Question::AccessList { .. }
            | Question::BadHost
            | Question::Mailbox { .. }
            | Question::Sender(_)
            | Question::SameDomain(_, _)
            | Question::Listed(_, _) => {
                let before = self.asked.take().map(|(before, _)| format!("{before}; {}: ", question.source_name()));
                *self.asked.borrow_mut() = Some((before.unwrap_or_default() + &said, answer.clone()));
            }
        }
    }

    /// A rule has spoken, or was silent.
    fn rule(&self, rule: &'static str, opinion: &Opinion) {
        let (said, answer) = match self.asked.take() {
            Some((said, answer)) => (said, Some(answer)),
            None => (opinion_in_words(rule, opinion), None),
        };
        // The second time, with DNS, is worth telling only if DNS made a difference.
        let first = rule.strip_suffix(", by DNS");
        let told = |first| self.consulted.borrow().iter().any(|other| other.source == first && other.said == said);
        if !first.is_some_and(told) {
            self.add(rule, said, answer);
        }
    }

    fn add(&self, source: &'static str, said: String, answer: Option<Result<Answer, LookupFailed>>) {
        self.consulted.borrow_mut().push(Consulted { source, said, answer });
    }
}

pub(super) fn step(command: &str, turn: &Turn, consulted: Vec<Consulted>, notes: Vec<String>) -> Step {
    let code = turn.reply.code();
    Step {
        command: command.to_string(),
        outcome: Outcome::of_code(code),
        code: Some(code),
        reply: text_of(&turn.reply),
        closes: matches!(turn.then, Then::Close { .. }),
        why: turn.reason.clone().map(Why::Policy),
        consulted,
        notes,
        change: None,
    }
}

fn text_of(reply: &reply::Reply) -> String {
    let lines: Vec<String> = reply.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    lines.join(" / ").trim_end().to_string()
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
