//! STARTTLS (RFC 3207), and what is left of a session when the connection is encrypted: nothing that the client said in clear.

use crate::auth::Channel;
use crate::message::received::Encryption;
use crate::policy::Certificate;
use crate::policy::verdict::{Answer, Ask, Question, Reason};
use crate::session::{Greeted, Session, Stage, Then, Turn};
use crate::smtp::printable::loggable;
use crate::smtp::reply;

/// The port of ODMR, which has no STARTTLS.
const ODMR_PORT: &[u8] = b"366";

impl Session<'_> {
    /// STARTTLS was heard. The first of these that holds is the reply.
    pub(super) fn starttls(&mut self, verb: &[u8], argument: &[u8]) -> Turn {
        if self.encryption.is_some() {
            return Turn::say(reply::ALREADY_ENCRYPTED);
        }
        if !self.has_starttls() {
            return Turn::say(reply::unknown(verb, argument));
        }
        if !argument.is_empty() {
            return Turn::say(reply::NO_PARAMETERS_OF_STARTTLS);
        }
        if let Some(turn) = self.gated() {
            return turn;
        }
        if matches!(self.stage, Stage::Mail(_)) {
            return Turn::say(reply::NO_STARTTLS_IN_TRANSACTION);
        }
        Turn { then: Then::Encrypt, ..Turn::say(reply::READY_FOR_TLS) }
    }

    /// EHLO says STARTTLS: the same question, and whether there is a certificate.
    pub(super) fn offers_starttls(&self, ask: &mut Ask<'_>) -> bool {
        self.encryption.is_none() && self.has_starttls() && matches!(ask(Question::OwnCertificate), Ok(Answer::Yes(_)))
    }

    fn has_starttls(&self) -> bool {
        let environment = &self.setup.environment;
        let port = || environment.get(b"TCPLOCALPORT").or_else(|| environment.get(b"TCP6LOCALPORT"));
        self.setup.control.starttls && port() != Some(ODMR_PORT)
    }

    /// TLS cannot begin, and the session goes on in clear.
    pub fn cannot_encrypt(&self, why: &str) -> Turn {
        Turn::say(reply::NO_TLS).log(loggable(why.as_bytes()))
    }

    /// There was something in clear behind STARTTLS. Under STARTTLS_STRICT that is the end; else it is dropped (D82).
    pub fn clear_behind_starttls(&self) -> Option<Turn> {
        self.setup.environment.get(b"STARTTLS_STRICT")?;
        let line = b"SMTP Protocol violation - clear text behind STARTTLS".to_vec();
        Some(Turn::say(reply::CLEAR_BEHIND_STARTTLS).because(line, Reason::Setting("STARTTLS_STRICT")).close(1))
    }

    /// The client was told to begin. D81: the session begins anew, and the client has to greet again (RFC 3207, 4.2); only what
    /// counts against it stays.
    pub fn start_over(&mut self) {
        *self = Session {
            gate: self.gate.take(),
            gated_commands: self.gated_commands,
            auth: self.auth.after_starttls(),
            helo: Greeted::NotAgain,
            witness: self.witness,
            ..Session::new(self.setup)
        };
    }

    /// The connection is encrypted, in this way.
    pub fn encrypted(&mut self, encryption: Encryption, channel: Channel, certificate: Option<Certificate>) {
        self.encryption = Some(encryption);
        self.channel = channel;
        self.credentials.tls = true;
        self.credentials.certificate = certificate;
    }
}
