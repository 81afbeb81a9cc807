//! AUTH: mechanisms as state machines without I/O (RFC 4954), what a checker of passwords is asked, and who asks it.

mod channel;
pub mod checker;
mod cram;
mod cram_context;
mod login;
mod mechanism;
mod plain;
mod scram;
pub mod users;
mod verifier;
mod xoauth2;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

pub use crate::auth::channel::{Binding, Channel};
pub use crate::auth::cram_context::CramContext;
pub use crate::auth::mechanism::{Digest, Hash, Mechanism};
pub use crate::auth::verifier::Verifier;
pub use crate::auth::xoauth2::TOKEN_OCTETS_MAX;
use crate::control::checker::Convention;

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
    /// The password or token; the challenge of CRAM; nothing for SCRAM, which asks for the user's verifier.
    evidence: Secret,
    /// The client's digest of CRAM.
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
        let (evidence, digest) = (self.evidence.as_slice(), self.digest.as_slice());
        // There is room for all of it from the beginning, so that no copy is left behind.
        let mut record = Secret::new(Vec::with_capacity(self.user.len() + evidence.len() + digest.len() + 5));
        let (second, third) = match (convention, self.mechanism) {
            (Convention::Vpopmail, Mechanism::Cram(_)) => (digest, evidence),
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
    /// A checker is asked; where it says yes, SCRAM goes on with the verifier, and all others are through.
    Check(Claim),
    /// The client has proved who it is.
    Proven,
    /// The client has heard why its token is refused, and now hears that it is.
    Over,
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
    Xoauth2,
    /// XOAUTH2, and the checker has said no.
    Over,
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
            Mechanism::Xoauth2 => State::Xoauth2,
            Mechanism::Cram(digest) => State::Cram(cram::Cram::new(digest, chance, host)),
            Mechanism::Scram(_) | Mechanism::ScramPlus(_) => {
                State::Scram(Box::new(scram::Scram::new(mechanism, chance, binding)))
            }
        };
        let mut exchange = Self { mechanism, state };
        let step = match (initial, &exchange.state) {
            // Here the server speaks first: an initial response is an error (RFC 4954, 4).
            (Some(_), State::Cram(_)) => Step::Malformed,
            (Some(b"="), _) => exchange.take(&[]),
            (Some(initial), _) => exchange.decode(initial),
            (None, State::Plain | State::Xoauth2 | State::Over | State::Scram(_)) => Step::Challenge(Vec::new()),
            (None, State::Login(_)) => Step::Challenge(login::ASK_USER.to_vec()),
            (None, State::Cram(cram)) => Step::Challenge(cram.challenge().to_vec()),
        };
        (exchange, step)
    }

    /// Hears the client's next line.
    #[must_use]
    pub fn hear(&mut self, line: &[u8]) -> Step {
        match (line, &self.state) {
            (_, State::Over) => Step::Over,
            (b"*", _) => Step::Cancelled,
            (line, _) => self.decode(line),
        }
    }

    /// Goes on with what the checker has said about a user of SCRAM; none if that is no verifier.
    #[must_use]
    pub fn verify_with(&mut self, said: &[u8]) -> Option<Step> {
        match (&mut self.state, self.mechanism.scram_hash()) {
            (State::Scram(scram), Some(hash)) => scram.verify_with(Verifier::parse(hash, said)?),
            (_, _) => None,
        }
    }

    /// The checker has said no: the challenge by which XOAUTH2 tells the client for what its token would have to be; none where
    /// the mechanism has nothing to tell.
    #[must_use]
    pub fn refuse(&mut self, scope: &str) -> Option<Vec<u8>> {
        let tells = matches!(self.state, State::Xoauth2);
        tells.then(|| {
            self.state = State::Over;
            xoauth2::refusal(scope)
        })
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
            State::Plain | State::Xoauth2 | State::Over | State::Cram(_) => b"",
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
            State::Xoauth2 => xoauth2::take(message),
            State::Over => Step::Over,
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
