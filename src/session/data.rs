//! DATA: the transaction becomes an envelope, and what became of the message is said.

use crate::control::Setup;
use crate::message::Flaw;
use crate::message::received::{Told, trace_header};
use crate::message::unstuff::Stop;
use crate::policy::Facts;
use crate::policy::rules::{RuleFile, is_trusted};
use crate::policy::verdict::{Banned, LookupFailed, Reason};
use crate::queue::envelope::{Envelope, Refused};
use crate::queue::status::QueueStatus;
use crate::session::{AskBy, Session, Stage, Then, Transaction, Turn, ruled, rules_line, with_reason};
use crate::smtp::parameter::MailParameters;
use crate::smtp::printable::loggable;
use crate::smtp::reply;

/// A message that is about to be received: a transaction that has become an envelope.
#[derive(Debug)]
pub struct Delivery {
    /// Who it is from and for.
    pub envelope: Envelope,
    /// Why each recipient of the envelope was accepted, in the same order.
    reasons: Vec<Reason>,
    parameters: MailParameters,
    is_blackholed: bool,
    setup: Option<Box<Setup>>,
}

impl Delivery {
    /// The message is for nobody: it is read and thrown away.
    #[must_use]
    pub fn is_blackholed(&self) -> bool {
        self.is_blackholed
    }

    /// The settings of its transaction, where they are not those of the connection.
    #[must_use]
    pub fn setup(&self) -> Option<&Setup> {
        self.setup.as_deref()
    }

    fn of(transaction: Transaction) -> Result<Self, Refused> {
        let Transaction { sender, parameters, mut recipients, blackholed, setup, by_recipient, .. } = transaction;
        let setup = by_recipient.flatten().or(setup);
        let is_blackholed = blackholed.is_some() || recipients.iter().all(|one| one.reason.is_blackholed());
        // D58: a blackholed recipient loses its own copy, not everybody's.
        recipients.retain(|one| is_blackholed || !one.reason.is_blackholed());
        let why = |reason| match &blackholed {
            Some(evidence) => Reason::Blackholed(evidence.clone(), Box::new(reason)),
            None => reason,
        };
        let addresses = recipients.iter_mut().map(|one| std::mem::take(&mut one.address)).collect();
        // The reasons stay where they are: there may be very many.
        let reasons = recipients.into_iter().map(|one| why(one.reason)).collect();
        Ok(Self { envelope: Envelope::new(sender, addresses)?, reasons, parameters, is_blackholed, setup })
    }

    /// The mail address whose certificate has let a recipient in.
    #[must_use]
    pub fn certified(&self) -> Option<&[u8]> {
        self.reasons.iter().find_map(Reason::certified)
    }

    /// Who it is for, and why each was accepted.
    pub fn recipients(&self) -> impl Iterator<Item = (&[u8], &Reason)> {
        self.envelope.recipients().iter().map(Vec::as_slice).zip(&self.reasons)
    }
}

/// What became of a message whose end was read.
#[derive(Debug)]
pub enum Outcome {
    /// The queue program could not be started; nothing was read.
    NotStarted(String),
    /// The content was not acceptable and the queue program was told to discard it.
    Flawed(Flaw),
    /// The content is refused by a line of a list, or thrown away.
    Banned(Banned),
    /// It was thrown away, as the lists of blackholes or NULLQUEUE ask.
    Blackholed,
    /// The queue program has it, or says why not.
    Handed(QueueStatus),
}

impl Outcome {
    /// Why this became of the message; none where each recipient has a reason of its own.
    #[must_use]
    pub fn reason(&self, delivery: &Delivery) -> Option<Reason> {
        match self {
            Outcome::NotStarted(_) => Some(Reason::Setting("QMAILQUEUE")),
            Outcome::Flawed(Flaw::TooManyHops) => Some(Reason::Setting("maxhops")),
            Outcome::Flawed(Flaw::TooBig) => Some(Reason::Setting("databytes")),
            Outcome::Banned(banned) => Some(Reason::Listed(banned.evidence.clone())),
            Outcome::Handed(QueueStatus::Refused { .. }) => Some(Reason::Setting("queue")),
            Outcome::Blackholed if !delivery.is_blackholed() => Some(Reason::Setting("NULLQUEUE")),
            Outcome::Handed(QueueStatus::Queued { .. }) | Outcome::Blackholed => None,
        }
    }
}

impl Session<'_> {
    pub(super) fn data(&mut self, argument: &[u8], ask: &mut AskBy<'_>) -> Turn {
        if !argument.is_empty() {
            return Turn::say(reply::NO_PARAMETERS);
        }
        match std::mem::take(&mut self.stage) {
            Stage::Idle => Turn::say(reply::WANT_MAIL),
            Stage::Mail(transaction) if transaction.recipients.is_empty() => {
                self.stage = Stage::Mail(transaction); // DATA too early loses nothing
                Turn::say(reply::WANT_RCPT)
            }
            Stage::Mail(mut transaction) => {
                let line = match self.give_rules_of_clients(&mut transaction, ask) {
                    Ok(line) => line,
                    Err(failed) => return Turn::cannot_tell(b"DATA", failed),
                };
                match Delivery::of(transaction) {
                    Ok(delivery) => Turn { then: Then::Receive(delivery), ..Turn::say(reply::GO_AHEAD) }.after(line),
                    Err(refused) => Turn::say(reply::LOCAL_FAILURE).log(format!("{refused:?}").into_bytes()),
                }
            }
        }
    }

    /// Gives the message the settings that auth.envrules has for who may relay (D75: all of them count for this message); the
    /// log line about it, if any.
    fn give_rules_of_clients(
        &self,
        transaction: &mut Transaction,
        ask: &mut AskBy<'_>,
    ) -> Result<Option<Vec<u8>>, LookupFailed> {
        let setup = transaction.settings().unwrap_or(self.setup);
        // A file is sooner read than it is known who may relay; whom it is not about, what is wrong with it does not concern.
        let applied = ruled(RuleFile::OfClients, b"", setup, ask);
        if applied == Ok(None) {
            return Ok(None);
        }
        let facts = Facts { sender: &transaction.sender, ..Facts::new(setup, &self.credentials) };
        let has_grant = transaction.recipients.iter().any(|recipient| recipient.reason.is_grant());
        if !has_grant && !is_trusted(&facts, &mut |question| ask(setup, question), self.witness)? {
            return Ok(None);
        }
        let Some(applied) = applied? else { return Ok(None) };
        let mut about = b"authorized".to_vec();
        if let (Some(user), Some(mechanism)) = (&self.credentials.user, self.auth.mechanism) {
            about = [about.as_slice(), b"> AUTH ", mechanism.name().as_bytes(), b" <", &loggable(user)].concat();
        }
        let line = rules_line("EnvRule", &applied, &about);
        transaction.by_recipient = Some(Some(Box::new(applied.setup)));
        Ok(Some(line))
    }

    /// The lists of content that is refused cannot be read: nobody knows whether this message is.
    pub fn unscreened(&self, failed: LookupFailed) -> Turn {
        Turn::cannot_tell(b"DATA", failed)
    }

    /// LOGFILTER has no file for what the queue program says.
    pub fn no_temporary_files(&self, error: &str) -> Turn {
        Turn::say(reply::NO_TEMPORARY_FILES)
            .log(format!("unable create temporary files: {error}").into_bytes())
            .close(1)
    }

    /// What the fifo of LOGFILTER is told of a message: a line with its end for each recipient.
    #[must_use]
    pub fn filter_lines(&self, delivery: &Delivery, octets: u64, remark: &[u8], pid: i32) -> Vec<Vec<u8>> {
        let prefix = format!("qmail-smtpd: pid {pid} ").into_bytes();
        let remark = loggable(remark);
        let blank: &[u8] = if remark.is_empty() { b"" } else { b" " };
        let line = |(recipient, _)| {
            let told = flawed_line(b"", delivery, recipient, octets);
            let told = told.strip_prefix(b": ").unwrap_or(&told);
            [prefix.as_slice(), told, blank, &remark, b"\n"].concat()
        };
        delivery.recipients().map(line).collect()
    }

    /// The trace header of a message, at the given time in the form of RFC 5322.
    #[must_use]
    pub fn trace_header(&self, delivery: &Delivery, date: &str) -> Vec<u8> {
        let protocol = self.protocol(delivery.parameters);
        let client = &self.setup.client;
        let info = self.auth.mechanism.and(self.credentials.user.as_ref()).or(client.info.as_ref());
        let told = Told {
            client,
            info: info.map(Vec::as_slice),
            helo: self.helo_name(),
            protocol,
            encryption: self.encryption,
            certified: delivery.certified(),
        };
        trace_header(&self.setup.control, &told, date)
    }

    /// The content breaks the rules about line ends: the last words.
    pub fn broken_off(&self, stop: Stop) -> Turn {
        let (reply, line, setting): (_, &[u8], _) = match stop {
            Stop::BareCr => (reply::BARE_CR, b"Bare CR received", "FORBID_BARE_CR"),
            Stop::BareLf | Stop::EndOfMessage => (reply::BARE_LF, b"Bare LF received", "barelf"),
        };
        Turn::say(reply).because(line.to_vec(), Reason::Setting(setting)).close(1)
    }

    /// The reply after the content; for a message that no queue program gets, it shows the number of our own process.
    pub fn settle(&self, outcome: &Outcome, now_seconds: u64, own_pid: i32) -> Turn {
        match outcome {
            Outcome::NotStarted(error) => {
                let line = [b"qqt failure: ".as_slice(), &loggable(error.as_bytes())].concat();
                Turn::say(reply::QUEUE_FAILURE).because(line, Reason::Setting("QMAILQUEUE"))
            }
            Outcome::Flawed(Flaw::TooManyHops) => Turn::say(reply::TOO_MANY_HOPS),
            Outcome::Flawed(Flaw::TooBig) => Turn::say(reply::TOO_BIG),
            Outcome::Banned(Banned { description, blackholed: false, .. }) => Turn::say(reply::banned(description)),
            Outcome::Banned(Banned { blackholed: true, .. }) | Outcome::Blackholed => {
                Turn::say(reply::queued(now_seconds, own_pid))
            }
            Outcome::Handed(QueueStatus::Queued { pid }) => Turn::say(reply::queued(now_seconds, *pid)),
            Outcome::Handed(QueueStatus::Refused { reply, said, .. }) => {
                let turn = Turn::say(reply.clone());
                let said = loggable(said);
                if said.is_empty() { turn } else { turn.log([b"queue program said: ".as_slice(), &said].concat()) }
            }
        }
    }

    /// A log line for each recipient, made when it is asked for: there may be very many.
    /// `remark` is what the queue program has said to LOGFILTER.
    pub fn outcome_lines(
        &self,
        delivery: &Delivery,
        octets: u64,
        outcome: &Outcome,
        remark: &[u8],
    ) -> impl Iterator<Item = Vec<u8>> {
        let remark = if remark.is_empty() { Vec::new() } else { [b" ".as_slice(), &loggable(remark)].concat() };
        let tls = format!(" TLS={}", self.tls_word()).into_bytes();
        let why = outcome.reason(delivery);
        delivery.recipients().filter_map(move |(recipient, reason)| {
            let line = match outcome {
                Outcome::NotStarted(_) => return None,
                Outcome::Flawed(Flaw::TooManyHops) => flawed_line(b"too many hops", delivery, recipient, octets),
                Outcome::Flawed(Flaw::TooBig) => flawed_line(b"data size exceeded", delivery, recipient, octets),
                Outcome::Banned(Banned { description, .. }) => {
                    let what = [b"virus/banned content: ".as_slice(), &loggable(description)].concat();
                    flawed_line(&what, delivery, recipient, octets)
                }
                Outcome::Handed(QueueStatus::Queued { .. }) | Outcome::Blackholed => {
                    [b" ", self.told(delivery, recipient, reason, octets).as_slice(), &tls, &remark].concat()
                }
                Outcome::Handed(QueueStatus::Refused { reply, text, pid, .. }) => {
                    let kind = if reply.is_temporary() { " (temporary): " } else { " (permanent): " };
                    let told = self.told(delivery, recipient, reason, octets);
                    let pid = format!(" qp {pid}");
                    [&loggable(text), kind.as_bytes(), &told, &remark, &tls, pid.as_bytes()].concat()
                }
            };
            Some(with_reason(line, why.as_ref().unwrap_or(reason)))
        })
    }

    /// The part that the lines of accepted and refused messages share.
    fn told(&self, delivery: &Delivery, recipient: &[u8], reason: &Reason, octets: u64) -> Vec<u8> {
        let helo = loggable(self.helo_name());
        let (sender, address) = (loggable(delivery.envelope.sender()), loggable(recipient));
        let right = match (&self.credentials.user, self.auth.mechanism) {
            (Some(user), Some(mechanism)) => {
                let local: &[u8] = if reason.is_local() { b": local-rcpt" } else { b"" };
                [loggable(user).as_slice(), b": AUTH ", mechanism.name().as_bytes(), local].concat()
            }
            (_, _) if reason.is_local() => b"local-rcpt".to_vec(),
            (_, _) => b"auth-ip/pop".to_vec(),
        };
        let size = format!("> Size: {octets}");
        let parts: [&[u8]; 9] =
            [b"HELO <", &helo, b"> MAIL from <", &sender, b"> RCPT <", &address, b"> AUTH <", &right, size.as_bytes()];
        parts.concat()
    }
}

fn flawed_line(what: &[u8], delivery: &Delivery, recipient: &[u8], octets: u64) -> Vec<u8> {
    let (sender, address) = (loggable(delivery.envelope.sender()), loggable(recipient));
    let size = format!("> Size: {octets}");
    [what, b": MAIL from <", &sender, b"> RCPT <", &address, size.as_bytes()].concat()
}
