//! AUTH (RFC 4954): an exchange begins, goes on line by line, and ends in one reply.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::checker::Checked;
use crate::auth::{Binding, Chance, Claim, Exchange, Mechanism, Secret, Step};
use crate::session::mechanisms::Unusable;
use crate::session::{Session, Stage, Then, Turn};
use crate::smtp::printable::loggable;
use crate::smtp::reply::{self, Reply};

/// Failed attempts after which the connection is closed, unless `AUTH_MAXFAIL` says otherwise.
const FAILURES_MAX: u32 = 5;
/// `AUTH_MAXFAIL` cannot say less (RFC 4954, 9).
const FAILURES_MIN: u32 = 3;

/// What AUTH has come to in this session.
#[derive(Debug, Default)]
pub(super) struct Auth {
    /// By which mechanism the client has authenticated itself.
    pub(super) mechanism: Option<Mechanism>,
    failures: u32,
    /// The exchange that waits for the client's next line.
    pub(super) exchange: Option<Box<Underway>>,
}

/// An exchange, and what a checker has already granted to who completes it.
#[derive(Debug)]
pub(super) struct Underway {
    exchange: Exchange,
    without_relay: bool,
}

/// An exchange that cannot begin before chance is asked.
#[derive(Debug)]
pub struct Opening {
    mechanism: Mechanism,
    initial: Option<Secret>,
}

/// An exchange that waits for what a checker says.
#[derive(Debug)]
pub struct Attempt {
    exchange: Exchange,
    /// What the checker is asked.
    pub claim: Claim,
}

/// How the log tells why an attempt failed, in the place of the exit code of a checker.
#[derive(Debug, Clone, Copy)]
enum Status {
    Code(i32),
    Malformed,
    NeedsTls,
    CannotTell,
}

impl Auth {
    /// What is left of it when the connection is encrypted: what counts against the client.
    pub(super) fn after_starttls(&self) -> Self {
        Self { failures: self.failures, ..Self::default() }
    }
}

impl Session<'_> {
    /// AUTH was heard. The first of these that holds is the reply.
    pub(super) fn auth(&mut self, argument: &[u8]) -> Turn {
        if let Some(turn) = self.gated() {
            return turn;
        }
        let Some(checker) = &self.setup.checker else { return Turn::say(reply::NO_AUTH) };
        if self.setup.control.force_tls && !self.credentials.tls {
            return Turn::say(reply::WANT_STARTTLS);
        }
        if self.credentials.user.is_some() {
            return Turn::say(reply::ALREADY_AUTHENTICATED);
        }
        if matches!(self.stage, Stage::Mail(_)) {
            return Turn::say(reply::NO_AUTH_IN_TRANSACTION);
        }
        let blank = argument.iter().position(|octet| *octet == b' ').unwrap_or(argument.len());
        let (name, rest) = argument.split_at(blank);
        let initial = Some(rest.trim_ascii_start()).filter(|initial| !initial.is_empty());
        let Some(mechanism) = Mechanism::of_name(name) else {
            return self.failed(reply::UNKNOWN_MECHANISM, Status::Malformed, None, b"");
        };
        match self.unusable(checker, mechanism) {
            Some(Unusable::Off) => self.failed(reply::UNKNOWN_MECHANISM, Status::Malformed, Some(mechanism), b""),
            Some(Unusable::NeedsTls) => {
                Turn::say(reply::ENCRYPTION_REQUIRED).log(self.attempt_line(Status::NeedsTls, Some(mechanism), b""))
            }
            None if mechanism.needs_chance() => {
                let initial = initial.map(|initial| Secret::new(initial.to_vec()));
                Turn { then: Then::Draw(Opening { mechanism, initial }), ..Turn::say(reply::AUTH_FAILURE) }
            }
            None => {
                let unused = Chance { octets: [0; Chance::OCTETS], now_seconds: 0 };
                self.begin_exchange(mechanism, &unused, initial)
            }
        }
    }

    /// Chance was asked, and the exchange begins.
    pub fn drawn(&mut self, opening: &Opening, chance: &Chance) -> Turn {
        self.begin_exchange(opening.mechanism, chance, opening.initial.as_ref().map(|initial| initial.as_slice()))
    }

    /// There is no chance to be had.
    pub fn undrawn(&mut self, opening: &Opening, why: &str) -> Turn {
        self.cannot_tell(opening.mechanism, b"", why)
    }

    fn begin_exchange(&mut self, mechanism: Mechanism, chance: &Chance, initial: Option<&[u8]>) -> Turn {
        let checker = self.setup.checker.as_ref();
        let host = checker.map_or(b"".as_slice(), |checker| &checker.host);
        let binding = checker.map_or(Binding::Unoffered, |checker| self.binding(checker, mechanism));
        let (exchange, step) = Exchange::begin(mechanism, chance, host, binding, initial);
        self.follow(Underway { exchange, without_relay: false }, step)
    }

    /// The client's next line in an exchange.
    pub(super) fn respond(&mut self, mut underway: Underway, line: &[u8]) -> Turn {
        let step = underway.exchange.hear(line);
        self.follow(underway, step)
    }

    fn follow(&mut self, underway: Underway, step: Step) -> Turn {
        let mechanism = Some(underway.exchange.mechanism());
        match step {
            Step::Challenge(text) => {
                let turn = Turn::say(reply::challenge(&STANDARD.encode(text)));
                self.auth.exchange = Some(Box::new(underway));
                turn
            }
            Step::Check(claim) => {
                let attempt = Box::new(Attempt { exchange: underway.exchange, claim });
                Turn { then: Then::Check(attempt), ..Turn::say(reply::AUTH_FAILURE) }
            }
            Step::Proven => {
                let Underway { exchange, without_relay } = underway;
                self.proven(exchange.mechanism(), exchange.user().to_vec(), without_relay)
            }
            // The failure is counted and logged.
            Step::Over => self.judged(Turn::say(reply::AUTH_REFUSED)),
            Step::Cancelled => {
                self.failed(reply::AUTH_CANCELLED, Status::Malformed, mechanism, underway.exchange.user())
            }
            Step::Malformed => {
                self.failed(reply::MALFORMED_AUTH, Status::Malformed, mechanism, underway.exchange.user())
            }
            Step::Refused => {
                let turn = self.failed(reply::AUTH_REFUSED, Status::Code(1), mechanism, underway.exchange.user());
                turn.delayed(self.setup.control.penalty_seconds)
            }
        }
    }

    /// A checker has spoken.
    pub fn checked(&mut self, attempt: Attempt, checked: Checked) -> Turn {
        let Attempt { mut exchange, claim: Claim { mechanism, user, .. } } = attempt;
        let (said, without_relay) = match checked {
            Checked::Yes(said) => (said, false),
            Checked::WithoutRelay(said) => (said, true),
            Checked::No { code, said } => {
                let turn = match exchange.refuse(&self.scope()) {
                    Some(told) => {
                        self.auth.exchange = Some(Box::new(Underway { exchange, without_relay: false }));
                        let line = self.attempt_line(Status::Code(code), Some(mechanism), &user);
                        self.auth.failures = self.auth.failures.saturating_add(1);
                        Turn::say(reply::challenge(&STANDARD.encode(told))).log(line)
                    }
                    None => self.failed(reply::AUTH_REFUSED, Status::Code(code), Some(mechanism), &user),
                };
                return turn.delayed(self.setup.control.penalty_seconds).also_said(&said);
            }
            Checked::CannotTell(why) => return self.cannot_tell(mechanism, &user, &why),
        };
        if mechanism.scram_hash().is_none() {
            return self.proven(mechanism, user, without_relay);
        }
        match exchange.verify_with(&Secret::new(said)) {
            Some(step) => self.follow(Underway { exchange, without_relay }, step),
            None => self.cannot_tell(mechanism, &user, &format!("it has not written a verifier for {mechanism}")),
        }
    }

    fn cannot_tell(&mut self, mechanism: Mechanism, user: &[u8], why: &str) -> Turn {
        self.failed(reply::AUTH_FAILURE, Status::CannotTell, Some(mechanism), user).also_said(why)
    }

    fn proven(&mut self, mechanism: Mechanism, user: Vec<u8>, without_relay: bool) -> Turn {
        let turn = Turn::say(reply::AUTHENTICATED).log(self.attempt_line(Status::Code(0), Some(mechanism), &user));
        self.auth.mechanism = Some(mechanism);
        self.credentials.user = Some(user);
        self.credentials.without_relay = without_relay;
        turn
    }

    /// The line was longer than any line of an exchange may be (D69), which ends the exchange if there is one.
    pub fn too_long(&mut self) -> Turn {
        let mechanism = self.auth.exchange.take().map(|underway| underway.exchange.mechanism());
        self.failed(reply::AUTH_LINE_TOO_LONG, Status::Malformed, mechanism, b"")
    }

    /// The next line is part of an exchange, and may be a password.
    #[must_use]
    pub fn is_in_exchange(&self) -> bool {
        self.auth.exchange.is_some()
    }

    /// D68: who fails too often is sent away, after the reply.
    fn failed(&mut self, reply: Reply, status: Status, mechanism: Option<Mechanism>, user: &[u8]) -> Turn {
        self.auth.failures = self.auth.failures.saturating_add(1);
        self.judged(Turn::say(reply).log(self.attempt_line(status, mechanism, user)))
    }

    fn judged(&self, turn: Turn) -> Turn {
        let most = self.setup.environment.get(b"AUTH_MAXFAIL").and_then(|text| std::str::from_utf8(text).ok());
        let most = most.and_then(|text| text.trim().parse().ok()).unwrap_or(FAILURES_MAX).max(FAILURES_MIN);
        if self.auth.failures < most {
            return turn;
        }
        Turn { then: Then::Dismiss(reply::TOO_MANY_FAILURES), ..turn }
    }

    /// For what a token of XOAUTH2 would have to be.
    fn scope(&self) -> String {
        match (self.setup.environment.get(b"XOAUTH2_SCOPE"), &self.setup.checker) {
            (Some(scope), _) => String::from_utf8_lossy(scope).into_owned(),
            (None, checker) => {
                let host = checker.as_ref().map_or(b"".as_slice(), |checker| &checker.host);
                format!("https://{}/", String::from_utf8_lossy(host))
            }
        }
    }

    /// The log line about an attempt.
    fn attempt_line(&self, status: Status, mechanism: Option<Mechanism>, user: &[u8]) -> Vec<u8> {
        let mechanism = mechanism.map_or("Unknown", Mechanism::name);
        let tls = self.tls_word();
        let line = match status {
            Status::NeedsTls => format!(" AUTH {mechanism} status=[-2] TLS={tls} auth failure"),
            Status::Code(0) => {
                format!(" AUTH USER [{}] status=[0] AUTH {mechanism} TLS={tls} auth success", escaped(user))
            }
            Status::Code(_) | Status::Malformed | Status::CannotTell => {
                let number = match status {
                    Status::Code(code) => code,
                    Status::Malformed => -1,
                    Status::NeedsTls => -2,
                    Status::CannotTell => -3,
                };
                format!(" AUTH USER [{}] status=[{number}] AUTH {mechanism} TLS={tls} auth failure", escaped(user))
            }
        };
        line.into_bytes()
    }

    /// What the queue program is told of a client that has authenticated itself, or whose certificate is of this address, in the
    /// place of what the environment says.
    #[must_use]
    pub fn exported(&self, certified: Option<&[u8]>) -> Vec<(&'static [u8], Vec<u8>)> {
        let (Some(user), Some(mechanism)) = (&self.credentials.user, self.auth.mechanism) else {
            let certified = certified.map(|_| (b"AUTHENTICATED".as_slice(), b"1".to_vec()));
            return certified.into_iter().collect();
        };
        let mut exported: Vec<(&'static [u8], Vec<u8>)> = vec![
            (b"TCPREMOTEINFO", user.clone()),
            (b"AUTHINFO", user.clone()),
            (b"AUTHENTICATED", b"1".to_vec()),
            (b"SMTPAUTHUSER", user.clone()),
            (b"SMTP_AUTH_USER", user.clone()),
            (b"SMTPAUTHMETHOD", mechanism.name().to_ascii_lowercase().into_bytes()),
        ];
        if !self.credentials.without_relay {
            exported.push((b"RELAYCLIENT", Vec::new()));
        }
        exported
    }
}

impl Turn {
    /// What a checker has said, for the log.
    fn also_said(self, said: &str) -> Self {
        if said.is_empty() { self } else { self.log([b"authpgm: ".as_slice(), &loggable(said.as_bytes())].concat()) }
    }
}

/// A name in a log line: what would end its field, and what cannot be seen, becomes `\xNN`.
fn escaped(name: &[u8]) -> String {
    let harmless = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'[' | b']' | b'<' | b'>' | b'\\');
    let shown = |&octet: &u8| if harmless(octet) { char::from(octet).to_string() } else { format!("\\x{octet:02x}") };
    name.iter().map(shown).collect()
}

#[cfg(test)]
mod tests;
