//! START HERE: greet, then read a line, hear it, say the reply, do what follows.

mod date;
mod settle;

use std::time::Duration;

use crate::auth::Chance;
use crate::auth::checker::{self, Checked};
use crate::connection::date::{now_seconds, zone_of};
use crate::control::load::LoadError;
use crate::control::zone::Zone;
use crate::control::{Control, Setup};
use crate::errno::words;
use crate::log::Log;
use crate::lookup::Lookups;
use crate::message::Flaw;
use crate::message::unstuff::Stop;
use crate::queue::log_filter::LogFilter;
use crate::queue::program::Program;
use crate::queue::status::QueueStatus;
use crate::screen::passage::Passage;
use crate::session::{Attempt, Delivery, Outcome, Session, Then, Turn};
use crate::smtp::reply;
use crate::tls::{Server, Unusable};
use crate::wire::{Awaited, Broken, Wire};

/// One connection from greeting to good-bye.
struct Connection<'s> {
    setup: &'s Setup,
    wire: Wire,
    log: Log,
    /// Of dates.
    zone: Zone,
    session: Session<'s>,
    lookups: Lookups<'s>,
    /// A message was queued: what breaks now loses nothing.
    has_queued: bool,
}

/// Why a connection ends without QUIT.
enum Ended {
    /// The connection, or we, cannot go on.
    Broken(Broken),
    /// The content breaks the rules about line ends.
    Bare(Stop),
    /// The handshake of TLS has failed.
    Handshake(Broken),
    /// TLS from the first octet is asked for, and cannot begin.
    WithoutTls(Unusable),
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        Ended::Broken(broken)
    }
}

/// Serves the client on descriptors 0 and 1 and returns the exit code: 0 after QUIT, else 1. The remarks are logged first.
#[must_use]
pub fn serve(setup: &Setup, remarks: &[String]) -> u8 {
    let mut log = Log::new(setup);
    log.lines(remarks);
    let wire = match Wire::new(&setup.control) {
        Ok(wire) => wire,
        Err(error) => {
            log.lines(&[format!("unable to wait for signals: {}", words(&error.into()))]);
            return 1;
        }
    };
    let zone = zone_of(setup, &mut log);
    let (session, lookups) = (Session::new(setup), Lookups::new(setup));
    let mut connection = Connection { setup, wire, log, zone, session, lookups, has_queued: false };
    match connection.converse() {
        Ok(exit) => exit,
        Err(ended) => {
            connection.last_words(&ended);
            1
        }
    }
}

/// Tells log and client that the control files cannot be loaded, and returns the exit code.
#[must_use]
pub fn turn_away(setup: &Setup, error: &LoadError) -> u8 {
    let mut log = Log::new(setup);
    log.lines(&[error.to_string()]);
    log.flush();
    if let Ok(mut wire) = Wire::new(&Control::default()) {
        wire.say_last(&reply::NO_CONTROLS);
    }
    1
}

impl Connection<'_> {
    fn converse(&mut self) -> Result<u8, Ended> {
        if self.setup.control.smtps {
            let server = Server::prepare(self.setup).map_err(Ended::WithoutTls)?;
            self.shake_hands(server)?;
        }
        let mut turn = self.greeting()?;
        loop {
            let then = self.take_turn(turn)?;
            turn = match then {
                Then::Listen => {
                    if !self.wire.has_line() {
                        self.log.flush();
                    }
                    self.hear()?
                }
                Then::Receive(delivery) => self.receive(delivery)?,
                Then::Encrypt => match self.encrypt()? {
                    Some(turn) => turn,
                    None => self.hear()?,
                },
                Then::Draw(opening) => match chance() {
                    Ok(chance) => self.session.drawn(&opening, &chance),
                    Err(error) => self.session.undrawn(&opening, &error.to_string()),
                },
                Then::Check(attempt) => self.check(*attempt)?,
                Then::Dismiss(reply) => {
                    self.log.flush();
                    self.wire.say(&reply)?;
                    self.wire.finish()?;
                    return Ok(1);
                }
                Then::Close { exit } => {
                    self.log.flush();
                    self.wire.finish()?;
                    return Ok(exit);
                }
            };
        }
    }

    fn hear(&mut self) -> Result<Turn, Broken> {
        let is_in_exchange = self.session.is_in_exchange();
        let mut may_be_secret = is_in_exchange;
        let lookups = &mut self.lookups;
        lookups.begin_command();
        let awaited = if is_in_exchange { Awaited::Response } else { Awaited::Command };
        let turn = match self.wire.line(awaited)? {
            Some(line) => {
                may_be_secret |= line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"));
                self.session.hear(line, &mut |setup, question| lookups.answer_by(setup, question))
            }
            None => self.session.too_long(),
        };
        self.log.lines(&lookups.take_notes());
        if may_be_secret {
            self.wire.forget_used();
        }
        Ok(turn)
    }

    /// STARTTLS: what TLS needs is read before 220 is said, so that the session can go on in clear without it. D82: what the
    /// client has sent in clear behind STARTTLS is nobody's.
    fn encrypt(&mut self) -> Result<Option<Turn>, Ended> {
        let server = match Server::prepare(self.setup) {
            Ok(server) => server,
            Err(unusable) => return Ok(Some(self.session.cannot_encrypt(&unusable.to_string()))),
        };
        let octets = self.wire.forget_clear()?;
        if octets > 0 {
            self.log.lines(&[format!("STARTTLS: {octets} plaintext octets discarded")]);
            if let Some(turn) = self.session.clear_behind_starttls() {
                return Ok(Some(turn));
            }
        }
        self.wire.say(&reply::READY_FOR_TLS)?;
        self.wire.flush()?;
        self.session.start_over();
        self.shake_hands(server)?;
        Ok(None)
    }

    fn shake_hands(&mut self, server: Server) -> Result<(), Ended> {
        self.log.lines(&server.remarks);
        self.log.flush();
        let tls = self.wire.encrypt(server).map_err(Ended::Handshake)?;
        let (channel, remarks) = tls.channel();
        let encryption = tls.encryption();
        self.log.lines(&remarks);
        self.log.lines(&[format!("ssl-version={}", encryption.version)]);
        self.session.encrypted(encryption, channel, tls.certificate());
        Ok(())
    }

    /// Asks the checker of passwords.
    fn check(&mut self, attempt: Attempt) -> Result<Turn, Broken> {
        self.log.flush();
        self.wire.flush()?;
        let checked = checker::check(self.setup, &attempt.claim);
        if matches!(checked, Checked::CannotTell(_)) {
            // It may have been SIGTERM that ended the wait.
            self.wire.pause(Duration::from_millis(1))?;
        }
        Ok(self.session.checked(attempt, checked))
    }

    /// Logs, waits, and says; but what precedes content is said by [`Self::receive`], once the queue program runs, and what
    /// follows AUTH is not known yet.
    fn take_turn(&mut self, turn: Turn) -> Result<Then, Broken> {
        self.log.lines(&turn.log);
        if turn.delay_seconds > 0 {
            self.log.flush();
            self.wire.pause(Duration::from_secs(turn.delay_seconds.into()))?;
        }
        match &turn.then {
            Then::Receive(_) | Then::Encrypt | Then::Draw(_) | Then::Check(_) => {}
            Then::Listen | Then::Dismiss(_) | Then::Close { .. } => self.wire.say(&turn.reply)?,
        }
        Ok(turn.then)
    }

    fn greeting(&mut self) -> Result<Turn, Broken> {
        let delay = self.setup.control.greet_delay_seconds;
        let patience = Duration::from_secs(delay.unsigned_abs().into());
        if delay < 0 {
            if self.wire.is_early_talker(patience)? {
                return Ok(self.session.early_talker());
            }
        } else if delay > 0 {
            self.wire.pause(patience)?;
        }
        let date = self.date(self.setup);
        let lookups = &mut self.lookups;
        Ok(self.session.greet(&date, &mut |setup, question| lookups.answer_by(setup, question)))
    }

    fn receive(&mut self, delivery: Delivery) -> Result<Turn, Ended> {
        // Before 354, so that a queue that cannot start is said instead.
        let setup = delivery.setup().unwrap_or(self.setup);
        let mut passage = match Passage::new(setup) {
            Ok(passage) => passage,
            Err(failed) => return Ok(self.session.unscreened(failed)),
        };
        let mut filter = match LogFilter::of(setup) {
            Ok(filter) => filter,
            Err(error) => return Ok(self.session.no_temporary_files(&words(&error))),
        };
        let started = if delivery.is_blackholed() {
            Ok(None)
        } else {
            Program::start(setup, &self.session.exported(delivery.certified()), filter.as_ref())
        };
        let mut program = match started {
            Ok(program) => program,
            Err(error) => {
                let outcome = Outcome::NotStarted(error.to_string());
                return Ok(self.settle(&delivery, 0, &outcome, None));
            }
        };
        self.log.flush();
        self.wire.say(&reply::GO_AHEAD)?;
        if let Some(program) = &mut program {
            let date = self.date(setup);
            program.write(&self.session.trace_header(&delivery, &date));
        }
        match self.stream(&mut passage, program.as_mut())? {
            Stop::EndOfMessage => {}
            stop @ (Stop::BareLf | Stop::BareCr) => return Err(Ended::Bare(stop)),
        }
        let outcome = match (passage.outcome(), program) {
            (Some(outcome), program) => {
                drop(program); // and with it the message
                outcome
            }
            (None, Some(program)) => Outcome::Handed(program.hand_over(&delivery.envelope)),
            (None, None) => Outcome::Blackholed,
        };
        let is_queued = matches!(outcome, Outcome::Handed(QueueStatus::Queued { .. }));
        self.has_queued |= is_queued || matches!(outcome, Outcome::Blackholed);
        if matches!(outcome, Outcome::Flawed(Flaw::TooBig)) {
            self.notify(&delivery, passage.octets());
        }
        Ok(self.settle(&delivery, passage.octets(), &outcome, filter.as_mut()))
    }

    /// Streams the content to the queue program, if there is one. It is told to discard if this fails: it is dropped.
    fn stream(&mut self, passage: &mut Passage, mut program: Option<&mut Program>) -> Result<Stop, Broken> {
        let mut pace = self.wire.pace();
        loop {
            let window = self.wire.window();
            let settled = passage.take(window);
            if let Some(program) = program.as_mut().filter(|_| !passage.is_lost()) {
                program.write(window.get(settled.text).unwrap_or_default());
            }
            self.wire.use_up(settled.used);
            match settled.stop {
                Some(stop) => return Ok(stop),
                None => self.wire.read_content(&mut pace)?,
            }
        }
    }

    /// What is logged, and said if anybody still listens, when a connection ends without QUIT.
    fn last_words(&mut self, ended: &Ended) {
        let after = if self.has_queued { " after mail queue" } else { "" };
        let (line, words) = match ended {
            Ended::Bare(stop) => return self.last_turn(&self.session.broken_off(*stop)),
            Ended::WithoutTls(unusable) => (unusable.to_string(), Some(reply::NO_TLS)),
            // Nothing can be said: not in clear any more, and not in TLS yet.
            Ended::Handshake(broken) => (format!("TLS handshake failed: {}", told(broken)), None),
            Ended::Broken(broken @ Broken::Timeout) => (told(broken), Some(reply::TIMEOUT)),
            Ended::Broken(broken @ Broken::Closed) => (format!("read error{after}: {}", told(broken)), None),
            Ended::Broken(broken @ (Broken::Read(_) | Broken::Tls(_))) => {
                (format!("read error{after}: {}", told(broken)), Some(reply::UNABLE_TO_READ))
            }
            Ended::Broken(broken @ Broken::Write(_)) => (format!("write error{after}: {}", told(broken)), None),
            Ended::Broken(broken @ Broken::TooLong) => (told(broken), Some(reply::TOO_LONG)),
            Ended::Broken(Broken::Terminated) => return self.last_turn(&self.session.terminated()),
        };
        self.log.lines(&[line]);
        self.log.flush();
        if let Some(words) = words {
            self.wire.say_last(&words);
        }
    }

    fn last_turn(&mut self, turn: &Turn) {
        self.log.lines(&turn.log);
        self.log.flush();
        self.wire.say_last(&turn.reply);
    }
}

/// What has broken a connection, in the words of the log.
fn told(broken: &Broken) -> String {
    match broken {
        Broken::Timeout => "timeout reached reading data from client".to_string(),
        Broken::Closed => "client dropped connection".to_string(),
        Broken::Read(error) => words(&(*error).into()).into_owned(),
        Broken::Write(error) => format!("unable to write to client: {}", words(&(*error).into())),
        Broken::Terminated => "going down on SIGTERM".to_string(),
        Broken::TooLong => "command too long reason=maxcmdlen".to_string(),
        Broken::Tls(fault) => fault.to_string(),
    }
}

/// What an exchange of AUTH needs.
fn chance() -> Result<Chance, getrandom::Error> {
    let mut octets = [0; Chance::OCTETS];
    getrandom::fill(&mut octets)?;
    Ok(Chance { octets, now_seconds: now_seconds() })
}
