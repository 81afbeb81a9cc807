//! DATA and the message: played as smtpd does, but for the queue program, which is never started.

use crate::errno::words;
use crate::message::unstuff::Stop;
use crate::message::{Content, Flaw};
use crate::operator::explain::in_force::{InForce, command, counted};
use crate::operator::explain::message::Message;
use crate::operator::explain::steps::{Consulted, Outcome, Step, Until, Why, step};
use crate::policy::verdict::{Answer, Banned, LookupFailed, Reason};
use crate::queue::log_filter::LogFilter;
use crate::queue::program::startable;
use crate::screen::passage::Passage;
use crate::screen::rules::Lists;
use crate::session::{self, Delivery, Session, Turn};

/// A message that would be received now.
pub(super) struct Arrival<'a> {
    /// The session that DATA was said in.
    pub session: &'a Session<'a>,
    /// What the transaction has become.
    pub delivery: &'a Delivery,
    /// Its settings.
    pub in_force: InForce<'a>,
    /// When, in seconds since 1970.
    pub now_seconds: u64,
}

/// What is known when the client may send.
struct Ready {
    lists: Lists,
    passage: Passage,
    /// Who gets the message; none where it is thrown away.
    program: Option<String>,
}

impl Arrival<'_> {
    /// The steps of DATA and of the message; DATA itself has been heard by the session.
    pub fn explained(&self, mut data: Step, until: Until<'_>) -> Vec<Step> {
        let recipients = self.delivery.envelope.recipients().len();
        let said = format!("{} of the message", counted(recipients, "recipient"));
        data.consulted.insert(0, Consulted { source: "RCPT", said, answer: None });
        data.consulted.extend(self.in_force.rules_of_others());
        let ready = self.ready(&mut data.consulted);
        if !matches!(until, Until::Message(_)) {
            data.consulted.extend(self.limits());
        }
        match (ready, until) {
            (Err(turn), _) => vec![step(&data.command, &turn, data.consulted, data.notes)],
            (Ok(ready), Until::Message(message)) => vec![data, self.message(message, ready)],
            (Ok(_), Until::Rcpt | Until::Data) => vec![data],
        }
    }

    /// What counts for any message.
    fn limits(&self) -> [Consulted; 5] {
        let in_force = &self.in_force;
        [
            in_force.bare_line_feed(None),
            in_force.bare_carriage_return(None),
            in_force.hops(None),
            in_force.databytes(None),
            in_force.notice(None),
        ]
    }

    /// What smtpd looks at before it says 354, in its order; else what it says.
    fn ready(&self, consulted: &mut Vec<Consulted>) -> Result<Ready, Box<Turn>> {
        let setup = self.in_force.setup;
        let unscreened = |consulted: &mut Vec<Consulted>, failed: LookupFailed| {
            consulted.push(Consulted {
                source: "lists of content",
                said: format!("cannot tell: {failed}"),
                answer: Some(Err(failed.clone())),
            });
            Box::new(self.session.unscreened(failed))
        };
        let lists = Lists::of(setup).map_err(|failed| unscreened(consulted, failed))?;
        consulted.push(self.in_force.list("signatures", "VIRUSCHECK", lists.signatures.as_ref()));
        consulted.push(self.in_force.list("bodycheck", "BODYCHECK", lists.bodycheck.as_ref()));
        let passage = Passage::new(setup).map_err(|failed| unscreened(consulted, failed))?;
        let filter = LogFilter::of(setup).map_err(|error| {
            let said = format!("no file for what the queue program says: {}", words(&error));
            consulted.push(Consulted { source: "LOGFILTER", said, answer: None });
            Box::new(self.session.no_temporary_files(&words(&error)))
        })?;
        consulted.extend([self.in_force.log_filter(filter.is_some()), self.in_force.spam_filter()]);
        if self.delivery.is_blackholed() {
            let said = "not started: the message is thrown away".to_string();
            consulted.push(Consulted { source: "QMAILQUEUE", said, answer: None });
            return Ok(Ready { lists, passage, program: None });
        }
        let program = startable(setup);
        consulted.push(self.in_force.queue(&program));
        match program {
            Ok(words) => Ok(Ready { lists, passage, program: words.as_deref().map(command) }),
            Err(error) => Err(Box::new(self.settled(&session::Outcome::NotStarted(error.to_string())))),
        }
    }

    /// What becomes of the message.
    fn message(&self, message: &Message, ready: Ready) -> Step {
        let Ready { lists, mut passage, program } = ready;
        let course = Course::of(message, &mut passage);
        let mut consulted = self.line_ends(&course);
        if let Stop::BareLf | Stop::BareCr = course.stop {
            return step("message", &self.session.broken_off(course.stop), consulted, course.notes());
        }
        let outcome = passage.outcome();
        consulted.extend(self.content(&course, &passage, &lists, outcome.as_ref(), program.is_some()));
        let outcome = match (outcome, program) {
            (Some(outcome), _) => outcome,
            (None, None) => session::Outcome::Blackholed,
            (None, Some(program)) => {
                let (reply, notes) = (format!("goes to {program}, which has the last word"), course.notes());
                let (command, outcome, why, change) = ("message".to_string(), Outcome::Accept, None, None);
                return Step { command, outcome, code: None, reply, closes: false, why, consulted, notes, change };
            }
        };
        // Where the content is not why, all recipients have the same reason.
        let first = || self.delivery.recipients().next().map(|(_, reason)| reason.clone());
        let why: Option<Reason> = outcome.reason(self.delivery).or_else(first);
        let settled = step("message", &self.settled(&outcome), consulted, course.notes());
        Step { why: why.map(Why::Policy), ..settled }
    }

    fn settled(&self, outcome: &session::Outcome) -> Turn {
        self.session.settle(outcome, self.now_seconds, nix::unistd::getpid().as_raw())
    }

    fn line_ends(&self, course: &Course) -> Vec<Consulted> {
        let alone = |what: &str| Some(format!("line {} has a {what} alone", course.lines()));
        match course.stop {
            Stop::BareLf => vec![self.in_force.bare_line_feed(alone("line feed"))],
            Stop::BareCr => {
                vec![self.in_force.bare_line_feed(None), self.in_force.bare_carriage_return(alone("carriage return"))]
            }
            Stop::EndOfMessage => vec![self.in_force.bare_line_feed(None), self.in_force.bare_carriage_return(None)],
        }
    }

    /// What was asked about the content, as far as it did not decide.
    fn content(
        &self,
        course: &Course,
        passage: &Passage,
        lists: &Lists,
        outcome: Option<&session::Outcome>,
        has_program: bool,
    ) -> Vec<Consulted> {
        let in_force = &self.in_force;
        if let Some(session::Outcome::Banned(banned)) = outcome {
            let line = passage.found_at().map(|at| course.line_of(at)).unwrap_or_default();
            return vec![about_line(banned, line, lists)];
        }
        let of_lists = [("signatures", "VIRUSCHECK", &lists.signatures), ("bodycheck", "BODYCHECK", &lists.bodycheck)];
        let mut consulted: Vec<Consulted> = of_lists
            .into_iter()
            .map(|(source, variable, list)| {
                let consulted = in_force.list(source, variable, list.as_ref());
                let none = if list.is_some() { "; none is about the message" } else { "" };
                Consulted { said: consulted.said + none, ..consulted }
            })
            .collect();
        consulted.push(in_force.hops(Some((passage.hops(), course.last_hop))));
        if matches!(outcome, Some(session::Outcome::Flawed(Flaw::TooManyHops))) {
            return consulted;
        }
        consulted.push(in_force.databytes(Some(passage.octets())));
        if matches!(outcome, Some(session::Outcome::Flawed(Flaw::TooBig))) {
            // Without a queue program nobody gets a notice either.
            let notice = self.session.notice(self.delivery, passage.octets(), "").filter(|_| has_program);
            let told = notice.as_ref().map(|notice| notice.envelope.recipients()).unwrap_or_default();
            consulted.push(in_force.notice(Some(told)));
        }
        consulted
    }
}

/// The line of a list that is about a line of the message.
fn about_line(banned: &Banned, line: usize, lists: &Lists) -> Consulted {
    let is_signature = lists.signatures.as_ref().is_some_and(|list| list.file == banned.evidence.file);
    let source = if is_signature { "signatures" } else { "bodycheck" };
    let thrown = if banned.blackholed { ": the message is thrown away" } else { "" };
    let said = format!("{} is about line {line}{thrown}", banned.evidence);
    Consulted { source, said, answer: Some(Ok(Answer::Yes(banned.evidence.clone()))) }
}

/// How a message has passed, line by line.
struct Course {
    stop: Stop,
    /// How many octets of text were stored in front of each line so far.
    starts: Vec<u64>,
    /// The number of the line with the last trace line.
    last_hop: usize,
    /// Lines behind the end of the message.
    rest: usize,
}

impl Course {
    fn of(message: &Message, passage: &mut Passage) -> Self {
        let (mut starts, mut last_hop, mut lines) = (Vec::new(), 0, message.lines());
        let mut stop = None;
        while stop.is_none()
            && let Some(line) = lines.next()
        {
            starts.push(passage.octets());
            let hops = passage.hops();
            stop = passage.take(&mut [&[0; Content::HEADROOM], line].concat()).stop;
            if passage.hops() > hops {
                last_hop = starts.len();
            }
        }
        Self { stop: stop.unwrap_or(Stop::EndOfMessage), starts, last_hop, rest: lines.count() }
    }

    /// The lines that were looked at.
    fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The number of the line behind so many octets of text, from 1.
    fn line_of(&self, at: u64) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// What a sender may not expect.
    fn notes(&self) -> Vec<String> {
        let end = || format!("line {} ends the message: what follows would be heard as commands", self.lines());
        (self.rest > 0 && self.stop == Stop::EndOfMessage).then(end).into_iter().collect()
    }
}
