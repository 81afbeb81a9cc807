//! The smallest change that turns a decision around: candidates are tried in a private directory until one does.

use serde_json::{Value, json};

use crate::control::Setup;
use crate::lookup::{Known, list_name};
use crate::operator::explain::candidates::{Candidate, Means, to_accept, to_refuse};
use crate::operator::explain::overlay::Overlay;
use crate::operator::explain::steps::{Explanation, Outcome, Until, Why, play};
use crate::operator::situation::Situation;
use crate::operator::surroundings::Connection;
use crate::policy::verdict::{FileName, Reason};

/// What becomes of a recipient after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turnaround {
    /// This change turns the decision around: it was tried.
    By {
        /// What would become of the recipient.
        outcome: Outcome,
        /// The change.
        candidate: Candidate,
    },
    /// None of the changes that were tried does.
    None {
        /// How many were tried.
        tried: usize,
    },
    /// Nothing could be tried, because of this.
    NotTried(String),
}

impl Turnaround {
    /// The change in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Turnaround::By { outcome: Outcome::Accept, candidate } => format!("would be accepted if {candidate}"),
            Turnaround::By { outcome: Outcome::Temp, candidate } => format!("would be refused for now if {candidate}"),
            Turnaround::By { outcome: Outcome::Reject, candidate } => format!("would be refused if {candidate}"),
            Turnaround::NotTried(error) => format!("no change could be tried: {error}"),
            Turnaround::None { tried: 0 } => "no change of the control files turns this around".to_string(),
            Turnaround::None { tried } => format!("no single change turns this around; changes tried: {tried}"),
        }
    }

    /// The change for programs.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let (outcome, candidate) = match self {
            Turnaround::By { outcome, candidate } => (Some(outcome.to_string()), candidate.as_json()),
            Turnaround::None { .. } | Turnaround::NotTried(_) => (None, Value::Null),
        };
        json!({"to": outcome, "by": candidate, "words": self.in_words()})
    }
}

/// Where changes are tried.
pub struct Trials<'a> {
    /// What tcpserver makes of the client.
    pub connection: &'a Connection,
    /// The settings as they are.
    pub setup: &'a Setup,
    /// The situation.
    pub situation: &'a Situation,
    /// What DNS and the relay table answered, and will again.
    pub known: Known,
    /// Where files are changed.
    pub overlay: Overlay,
}

impl Trials<'_> {
    /// The smallest change for the recipient of that number; none where nothing needs to be turned around: mail for
    /// ourselves.
    pub fn turnaround(&mut self, explanation: &Explanation, recipient: usize) -> Option<Turnaround> {
        let step = explanation.decision(recipient)?;
        let address = self.situation.recipients.get(recipient)?;
        let wanted = match step.outcome {
            Outcome::Accept => Outcome::Reject,
            Outcome::Temp | Outcome::Reject => Outcome::Accept,
        };
        let candidates = match (&step.why, wanted) {
            (Some(Why::Policy(reason)), Outcome::Reject) if reason.is_local() => return None,
            (Some(Why::Policy(Reason::Probe)) | None, _) => Vec::new(),
            (Some(_), Outcome::Reject) => to_refuse(step, self.connection, self.situation, &self.overlay),
            (Some(_), Outcome::Accept | Outcome::Temp) => {
                to_accept(step, self.situation, address, &self.overlay, &self.list())
            }
        };
        let tried = candidates.len();
        let mut for_now = None;
        for candidate in candidates {
            match self.outcome_after(&candidate, recipient) {
                Some(outcome) if outcome == wanted => return Some(Turnaround::By { outcome, candidate }),
                // Where another source cannot tell, a relay that loses its grant is refused for now.
                Some(outcome @ Outcome::Temp) if wanted == Outcome::Reject && for_now.is_none() => {
                    for_now = Some(Turnaround::By { outcome, candidate });
                }
                Some(Outcome::Accept | Outcome::Temp | Outcome::Reject) | None => {}
            }
        }
        Some(for_now.unwrap_or(Turnaround::None { tried }))
    }

    /// The list of clients that may relay.
    fn list(&self) -> FileName {
        list_name(self.setup, "RELAYCLIENTS", "relayclients")
    }

    /// What would become of the recipient.
    fn outcome_after(&mut self, candidate: &Candidate, recipient: usize) -> Option<Outcome> {
        let mut situation = self.situation.clone();
        let mut environment = self.connection.environment.clone();
        // Relative paths begin where they did.
        if environment.get(b"SYSCONFDIR").is_none() {
            let working = self.overlay.working().as_os_str().as_encoded_bytes().to_vec();
            environment = and(&environment, (b"SYSCONFDIR".to_vec(), working));
        }
        let mut edit = None;
        match &candidate.means {
            Means::File { file, edit: wanted } => edit = Some((file.clone(), wanted.clone())),
            Means::Unset { variable } => environment = without(&environment, variable.as_bytes()),
            Means::Allowed { .. } => {}
            Means::Authenticated(is_so) => situation.credentials.user = is_so.then(|| b"somebody".to_vec()),
            Means::Encrypted => situation.credentials.tls = true,
        }
        let control = self.overlay.control();
        let known = &mut self.known;
        let judge = || {
            let setup = Setup::load(environment, control, None).ok()?;
            let explanation = play(&setup, &situation, known, Until::Rcpt);
            explanation.decision(recipient).map(|step| step.outcome)
        };
        match edit {
            Some((file, edit)) => self.overlay.tried(&file, &edit, judge)?,
            None => judge(),
        }
    }
}

type Environment = crate::control::environment::Environment;

fn and(environment: &Environment, pair: (Vec<u8>, Vec<u8>)) -> Environment {
    pairs(environment).chain([pair]).collect()
}

fn without(environment: &Environment, name: &[u8]) -> Environment {
    pairs(environment).filter(|(other, _)| other != name).collect()
}

fn pairs(environment: &Environment) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    environment.iter().map(|(name, value)| (name.to_vec(), value.to_vec()))
}
