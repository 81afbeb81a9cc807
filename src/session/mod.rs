//! The conversation: what is heard, what is said. No I/O.

mod auth;
mod data;
mod greet;
mod helo;
mod mail;
mod mechanisms;
mod notice;
mod rcpt;
mod starttls;

use crate::auth::Channel;
use crate::control::Setup;
use crate::message::received::{Encryption, Protocol};
use crate::policy::client::Gate;
use crate::policy::rules::{Applied, RuleFile};
use crate::policy::verdict::{Answer, Evidence, LookupFailed, Question, Reason};
use crate::policy::{Credentials, Witness};
use crate::session::auth::Auth;
use crate::smtp::command::Command;
use crate::smtp::parameter::MailParameters;
use crate::smtp::printable::loggable;
use crate::smtp::reply::{self, Reply};

pub use crate::session::auth::{Attempt, Opening};
pub use crate::session::data::{Delivery, Outcome};
pub use crate::session::notice::Notice;

/// Gated commands that are answered before the connection is closed (D15).
const GATED_COMMANDS_MAX: u32 = 20;

/// How a session asks: what policy asks, by the settings of the transaction or of the connection.
pub type AskBy<'a> = dyn FnMut(&Setup, Question<'_>) -> Result<Answer, LookupFailed> + 'a;

/// One connection's conversation.
pub struct Session<'s> {
    setup: &'s Setup,
    gate: Option<Gate>,
    gated_commands: u32,
    helo: Greeted,
    credentials: Credentials,
    /// How the connection is encrypted, if it is.
    encryption: Option<Encryption>,
    /// What TLS gives to bind an exchange of AUTH to.
    channel: Channel,
    auth: Auth,
    witness: Option<&'s Witness<'s>>,
    stage: Stage,
}

/// How the client has begun. Quirk: HELO is not required, but a refused one has to be mended (mail/mail-after-refused-helo.smtp).
#[derive(Debug, Clone)]
enum Greeted {
    /// Without HELO and EHLO.
    Silently,
    /// With one that was refused.
    Badly,
    /// Not since STARTTLS.
    NotAgain,
    /// With this one.
    With(Helo),
}

/// What the client said of itself.
#[derive(Debug, Clone)]
struct Helo {
    name: Vec<u8>,
    extended: bool,
}

/// Where in a mail transaction we are (RFC 5321, 3.3); what belongs to it lives and dies with it.
#[derive(Debug, Default)]
enum Stage {
    /// No transaction.
    #[default]
    Idle,
    /// MAIL was accepted.
    Mail(Transaction),
}

/// What a mail transaction has so far.
#[derive(Debug)]
struct Transaction {
    sender: Vec<u8>,
    parameters: MailParameters,
    recipients: Vec<Recipient>,
    /// How many recipients had no mailbox.
    invalid_recipients: u32,
    /// The line that has all of it thrown away, if one has.
    blackholed: Option<Evidence>,
    /// The settings, where they differ for this transaction: by its sender.
    setup: Option<Box<Setup>>,
    /// What domainqueue makes of them for its recipients, once there is one.
    by_recipient: Option<Option<Box<Setup>>>,
}

impl Transaction {
    /// The settings from here on; none are those of the connection.
    fn settings(&self) -> Option<&Setup> {
        self.by_recipient.iter().flatten().next().or(self.setup.as_ref()).map(AsRef::as_ref)
    }
}

/// A recipient and why it was accepted.
#[derive(Debug, Clone)]
struct Recipient {
    address: Vec<u8>,
    reason: Reason,
}

/// All that a session can do: say something, log something, and name what follows.
#[must_use]
pub struct Turn {
    /// What the client hears.
    pub reply: Reply,
    /// Why, where something was decided.
    pub reason: Option<Reason>,
    /// Lines for the log, without prefix; the line about a decision ends in its reason (D25).
    pub log: Vec<Vec<u8>>,
    /// Seconds to wait before the reply is said.
    pub delay_seconds: u32,
    /// What follows.
    pub then: Then,
}

/// What follows a [`Turn`].
#[derive(Debug)]
pub enum Then {
    /// Wait for a command.
    Listen,
    /// Start the queue program, say the reply, and take the content.
    Receive(Delivery),
    /// Begin TLS, for [`Session::encrypted`]; the reply is said before the handshake.
    Encrypt,
    /// Ask chance and the clock, for [`Session::drawn`]; the reply is for when there is none.
    Draw(Opening),
    /// Ask the checker of passwords, for [`Session::checked`]; the reply is for when it cannot be asked.
    Check(Box<Attempt>),
    /// Say the reply, then this one, and exit with 1.
    Dismiss(Reply),
    /// Say the reply and exit with this code.
    Close {
        /// 0 after QUIT, else 1.
        exit: u8,
    },
}

impl Turn {
    fn say(reply: Reply) -> Self {
        Self { reply, reason: None, log: Vec::new(), delay_seconds: 0, then: Then::Listen }
    }

    fn log(mut self, line: Vec<u8>) -> Self {
        self.log.push(line);
        self
    }

    fn delayed(mut self, seconds: u32) -> Self {
        self.delay_seconds = seconds;
        self
    }

    fn close(mut self, exit: u8) -> Self {
        self.then = Then::Close { exit };
        self
    }

    /// A lookup failed on which what this command does depends.
    fn cannot_tell(command: &[u8], failed: LookupFailed) -> Self {
        Turn::say(failed.reply()).because(command.to_vec(), Reason::LookupFailed(failed))
    }

    /// A line for the log in front of the others.
    fn after(mut self, line: Option<Vec<u8>>) -> Self {
        self.log.splice(0..0, line);
        self
    }

    /// A decision: its log line ends in its reason. A failed lookup says more in the log, and may end the session.
    fn because(mut self, mut line: Vec<u8>, reason: Reason) -> Self {
        if let Reason::LookupFailed(failed) = &reason {
            if !matches!(failed, LookupFailed::Exception { .. }) {
                self.log.push(loggable(failed.to_string().as_bytes()));
            }
            if failed.ends_session() {
                self.then = Then::Close { exit: 1 };
            }
        }
        line = with_reason(line, &reason);
        self.reason = Some(reason);
        self.log(line)
    }
}

/// A log line about a decision, ending in its reason (D25).
fn with_reason(mut line: Vec<u8>, reason: &Reason) -> Vec<u8> {
    line.extend_from_slice(format!(" reason={reason}").as_bytes());
    line
}

/// What these rules make of the settings of a transaction, if any applies.
fn ruled(
    rules: RuleFile,
    subject: &[u8],
    setup: &Setup,
    ask: &mut AskBy<'_>,
) -> Result<Option<Box<Applied>>, LookupFailed> {
    match ask(setup, Question::Rules(rules, subject))? {
        Answer::Applied(applied) => Ok(Some(applied)),
        Answer::Absent | Answer::No | Answer::Excepted(_) | Answer::NeedsDns | Answer::Unfit(_) | Answer::Yes(_) => {
            Ok(None)
        }
    }
}

/// The log line about rules that apply: EnvRule or DomainQueue.
fn rules_line(kind: &str, applied: &Applied, about: &[u8]) -> Vec<u8> {
    let (number, evidence) = (applied.number, &applied.evidence);
    let about = String::from_utf8_lossy(about);
    format!("Setting {kind} No {number}: MAIL from <{about}> reason={evidence}").into_bytes()
}

impl<'s> Session<'s> {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(setup: &'s Setup) -> Self {
        let control = &setup.control;
        // What has taken TLS off before us counts only where the operator says so: it is no more than a variable.
        let tls = control.trusts_tls_provider && control.tls_provider.is_some();
        Self {
            setup,
            gate: None,
            gated_commands: 0,
            helo: Greeted::Silently,
            credentials: Credentials { tls, ..Credentials::default() },
            encryption: None,
            channel: Channel::default(),
            auth: Auth::default(),
            witness: None,
            stage: Stage::Idle,
        }
    }

    /// The same conversation with a client that has proved these things: what `postern explain` supposes.
    #[must_use]
    pub fn supposing(self, credentials: Credentials) -> Self {
        let tls = credentials.tls || self.credentials.tls;
        Self { credentials: Credentials { tls, ..credentials }, ..self }
    }

    /// The same conversation, of which somebody hears what each rule says.
    #[must_use]
    pub fn witnessed_by(self, witness: &'s Witness<'s>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// The whole protocol: one line from the client, without its line end, and what to do about it.
    pub fn hear(&mut self, line: &[u8], ask: &mut AskBy<'_>) -> Turn {
        if let Some(exchange) = self.auth.exchange.take() {
            return self.respond(*exchange, line);
        }
        let setup = self.setup;
        match Command::parse(line) {
            Command::Helo(name) => self.helo(name, false, &mut |question| ask(setup, question)),
            Command::Ehlo(name) => self.helo(name, true, &mut |question| ask(setup, question)),
            Command::Mail(argument) => self.mail(argument, ask),
            Command::Rcpt(argument) => self.rcpt(argument, ask),
            Command::Data(argument) => self.data(argument, ask),
            Command::Auth(argument) => self.auth(argument),
            Command::StartTls { verb, argument } => self.starttls(verb, argument),
            Command::Rset(b"") => {
                self.stage = Stage::Idle;
                Turn::say(reply::FLUSHED)
            }
            Command::Noop(b"") => self.gated().unwrap_or_else(|| Turn::say(reply::OK)),
            Command::Rset(_) | Command::Noop(_) => Turn::say(reply::NO_PARAMETERS),
            Command::Vrfy if !self.setup.control.verify => Turn::say(reply::VRFY_DISABLED),
            Command::Vrfy => self.gated().unwrap_or_else(|| Turn::say(reply::CANNOT_VERIFY)),
            Command::Help if !self.setup.control.help => Turn::say(reply::HELP_DISABLED),
            Command::Help => Turn::say(reply::help(self.setup.checker.is_some(), self.setup.control.verify)),
            Command::Quit => Turn::say(reply::bye(&self.setup.control.greeting)).close(0),
            Command::Unknown { verb, argument } => Turn::say(reply::unknown(verb, argument)),
        }
    }

    /// The answer of a closed gate to a command that it holds back, after the penalty.
    fn gated(&mut self) -> Option<Turn> {
        let gate = self.gate.as_ref()?;
        let control = &self.setup.control;
        self.gated_commands = self.gated_commands.saturating_add(1);
        let turn = Turn::say(gate.refusal(control, &self.setup.client));
        let turn = turn.because(gate.log_line(&self.setup.client), gate.reason());
        let turn = match gate {
            Gate::Shutdown => turn,
            Gate::BadIp(_) | Gate::BadHost(_) | Gate::OpenRelay | Gate::Paranoid | Gate::NoName => {
                turn.delayed(control.penalty_seconds)
            }
        };
        Some(if self.gated_commands >= GATED_COMMANDS_MAX { turn.close(1) } else { turn })
    }

    /// SIGTERM: the last words.
    pub fn terminated(&self) -> Turn {
        Turn::say(reply::going_down(&self.setup.control.greeting)).log(b"going down on SIGTERM".to_vec()).close(1)
    }

    /// The name the client gave; without HELO it is the name from DNS, as in the original.
    fn helo_name(&self) -> &[u8] {
        match &self.helo {
            Greeted::With(helo) => &helo.name,
            Greeted::Silently | Greeted::Badly | Greeted::NotAgain => self.setup.client.shown_name(),
        }
    }

    fn protocol(&self, parameters: MailParameters) -> Protocol {
        let has_authenticated = self.auth.mechanism.is_some();
        let is_extended = matches!(&self.helo, Greeted::With(helo) if helo.extended);
        // AUTH is part of ESMTP (RFC 3848), whatever the greeting was.
        if !is_extended && !has_authenticated {
            return Protocol::Smtp;
        }
        let tls = self.credentials.tls || self.setup.control.tls_provider.is_some();
        Protocol::of_esmtp(parameters.smtputf8, tls, has_authenticated)
    }

    /// How the log tells of TLS: its version, else what TLS_PROVIDER says before its first comma, else `No`.
    fn tls_word(&self) -> String {
        match (&self.encryption, &self.setup.control.tls_provider) {
            (Some(encryption), _) => encryption.version.to_owned(),
            (None, Some(provider)) => {
                let end = memchr::memchr(b',', provider).unwrap_or(provider.len());
                let word = provider.get(..end).unwrap_or_default();
                if word.is_empty() { "Yes".to_owned() } else { String::from_utf8_lossy(&loggable(word)).into_owned() }
            }
            (None, None) => "No".to_owned(),
        }
    }
}
