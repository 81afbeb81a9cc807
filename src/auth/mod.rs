//! AUTH: mechanisms as state machines without I/O (RFC 4954), what a checker of passwords is asked, and who asks it.

mod channel;
pub mod checker;
mod cram;
mod login;
mod mechanism;
mod plain;
mod scram;
pub mod users;
mod verifier;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use crate::auth::channel::{Binding, Channel};
pub use crate::auth::mechanism::{Convention, Mechanism};
pub use crate::auth::verifier::Verifier;

/// The longest name of a user.
pub const USER_OCTETS_MAX: usize = 255;
/// The longest password.
pub const PASSWORD_OCTETS_MAX: usize = 1024;

/// Octets that are wiped when they are given back.
pub type Secret = Zeroizing<Vec<u8>>;

/// What a mechanism needs of the world: chance and the time.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Random octets, fresh for each exchange.
    pub octets: [u8; Self::OCTETS],
    /// The time in seconds since 1970.
    pub now_seconds: u64,
}

impl Chance {
    /// How many random octets an exchange gets.
    pub const OCTETS: usize = 18;
}

/// What a checker of passwords is asked: whether this is the user.
pub struct Claim {
    /// How the client claims it.
    pub mechanism: Mechanism,
    /// Who the client says it is: not empty, without control octets.
    pub user: Vec<u8>,
    /// The password; the challenge of CRAM-MD5; nothing for SCRAM, which asks for the user's verifier.
    evidence: Secret,
    /// The client's digest of CRAM-MD5.
    digest: Secret,
}

impl fmt::Debug for Claim {
    /// Without the secrets.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Claim({:?}, {:?})", self.mechanism, String::from_utf8_lossy(&self.user))
    }
}

impl Claim {
    /// The octets on descriptor 3. No field contains a NUL, so that none can be mistaken for several.
    #[must_use]
    pub fn record(&self, convention: Convention) -> Secret {
        let mut record = Secret::new(Vec::with_capacity(USER_OCTETS_MAX + PASSWORD_OCTETS_MAX + 8));
        let (evidence, digest) = (self.evidence.as_slice(), self.digest.as_slice());
        let (second, third) = match (convention, self.mechanism) {
            (Convention::Vpopmail, Mechanism::CramMd5) => (digest, evidence),
            (_, _) => (evidence, digest),
        };
        for field in [self.user.as_slice(), second, third] {
            record.extend_from_slice(field);
            record.push(0);
        }
        if convention == Convention::IndiMail {
            record.extend_from_slice(&[self.mechanism.number(), 0]);
        }
        record
    }
}

/// What follows what was heard.
#[derive(Debug)]
pub enum Step {
    /// The client is sent this, in base64, and answers.
    Challenge(Vec<u8>),
    /// A checker is asked; where it says yes, PLAIN, LOGIN and CRAM-MD5 are through, and SCRAM goes on with the verifier.
    Check(Claim),
    /// The client has proved who it is.
    Proven,
    /// The client has cancelled the exchange.
    Cancelled,
    /// This is no message of the mechanism.
    Malformed,
    /// It is one, and cannot be right.
    Refused,
}

/// An exchange that has begun.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    Login(login::Login),
    Cram(cram::Cram),
    Scram(Box<scram::Scram>),
}

impl Exchange {
    /// Begins: `host` names this server in challenges, `binding` is for SCRAM, `initial` is the initial response as it was sent.
    #[must_use]
    pub fn begin(
        mechanism: Mechanism,
        chance: &Chance,
        host: &[u8],
        binding: Binding,
        initial: Option<&[u8]>,
    ) -> (Self, Step) {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::Login(login::Login::new()),
            Mechanism::CramMd5 => State::Cram(cram::Cram::new(chance, host)),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                State::Scram(Box::new(scram::Scram::new(mechanism, chance, binding)))
            }
        };
        let mut exchange = Self { mechanism, state };
        let step = match (initial, &exchange.state) {
            // Here the server speaks first: an initial response is an error (RFC 4954, 4).
            (Some(_), State::Cram(_)) => Step::Malformed,
            (Some(b"="), _) => exchange.take(&[]),
            (Some(initial), _) => exchange.decode(initial),
            (None, State::Plain | State::Scram(_)) => Step::Challenge(Vec::new()),
            (None, State::Login(_)) => Step::Challenge(login::ASK_USER.to_vec()),
            (None, State::Cram(cram)) => Step::Challenge(cram.challenge().to_vec()),
        };
        (exchange, step)
    }

    /// Hears the client's next line.
    #[must_use]
    pub fn hear(&mut self, line: &[u8]) -> Step {
        if line == b"*" { Step::Cancelled } else { self.decode(line) }
    }

    /// Goes on with what the checker has said about a user of SCRAM; none if that is no verifier.
    #[must_use]
    pub fn verify_with(&mut self, said: &[u8]) -> Option<Step> {
        match &mut self.state {
            State::Scram(scram) => scram.verify_with(Verifier::parse(said)?),
            State::Plain | State::Login(_) | State::Cram(_) => None,
        }
    }

    /// The mechanism.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Who the client says it is, as far as it has said it in a message that could be read.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        match &self.state {
            State::Login(login) => login.user(),
            State::Scram(scram) => scram.user(),
            State::Plain | State::Cram(_) => b"",
        }
    }

    fn decode(&mut self, line: &[u8]) -> Step {
        // The buffer has room for all of it, so that no copy is left behind.
        let mut message = Secret::new(Vec::with_capacity(line.len()));
        match STANDARD.decode_vec(line, &mut message) {
            Ok(()) => self.take(&message),
            Err(_) => Step::Malformed,
        }
    }

    fn take(&mut self, message: &[u8]) -> Step {
        match &mut self.state {
            State::Plain => plain::take(message),
            State::Login(login) => login.take(message),
            State::Cram(cram) => cram.take(message),
            State::Scram(scram) => scram.take(message),
        }
    }
}

/// The checker is asked whether `password` is the user's.
fn password_claim(mechanism: Mechanism, user: &[u8], password: &[u8]) -> Step {
    match name_fault(user) {
        Some(fault) => fault,
        None if password.is_empty() || password.contains(&0) => Step::Malformed,
        None if password.len() > PASSWORD_OCTETS_MAX => Step::Refused,
        None => {
            let evidence = Secret::new(password.to_vec());
            Step::Check(Claim { mechanism, user: user.to_vec(), evidence, digest: Secret::default() })
        }
    }
}

/// What is wrong with the name of a user. A NUL would forge fields for the checker, a line end lines of the log.
fn name_fault(user: &[u8]) -> Option<Step> {
    let is_control = |byte: &u8| byte.is_ascii_control();
    if user.is_empty() || user.iter().any(is_control) {
        return Some(Step::Malformed);
    }
    (user.len() > USER_OCTETS_MAX).then_some(Step::Refused)
}

#[cfg(test)]
mod tests;
