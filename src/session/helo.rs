//! HELO and EHLO.

use std::borrow::Cow;

use crate::policy::verdict::{Ask, Reason, Verdict};
use crate::policy::{Facts, judge_helo};
use crate::session::{Greeted, Helo, Session, Stage, Turn};
use crate::smtp::printable::loggable;
use crate::smtp::reply;

/// The lines of the longest reply to EHLO.
const LINES_MAX: usize = 9;

impl Session<'_> {
    /// Either verb ends the transaction, even when it is refused (RFC 5321, 4.1.4).
    pub(super) fn helo(&mut self, name: &[u8], extended: bool, ask: &mut Ask<'_>) -> Turn {
        self.stage = Stage::Idle;
        if let Some(turn) = self.gated() {
            return turn;
        }
        let Self { setup, .. } = self;
        let (control, client) = (&setup.control, &setup.client);
        // Without an argument the client is called as DNS calls it, and told its address.
        let (stored, told) = match name {
            b"" => (client.shown_name(), Some(client.address_text.as_slice())),
            name => (name, None),
        };
        let facts = Facts { helo: stored, ..Facts::new(setup, &self.credentials) };
        if let Verdict::Refuse(reply, reason) = judge_helo(&facts, ask, self.witness) {
            let closes = reason.setting() == Some("ENFORCE_FQDN_HELO");
            let turn = Turn::say(reply).because(refusal_line(&facts, &reason), reason);
            self.helo = Greeted::Badly;
            return if closes { turn.close(1) } else { turn };
        }
        self.helo = Greeted::With(Helo { name: stored.to_vec(), extended });
        if extended {
            Turn::say(reply::extensions(
                control.greeting.first().map_or(b"", Vec::as_slice),
                told,
                self.extensions(ask),
            ))
        } else {
            Turn::say(reply::hello(&control.greeting, told))
        }
    }

    fn extensions(&self, ask: &mut Ask<'_>) -> Vec<Cow<'static, [u8]>> {
        let control = &self.setup.control;
        let mut lines: Vec<Cow<'static, [u8]>> = Vec::with_capacity(LINES_MAX);
        if let Some(checker) = &self.setup.checker {
            lines.extend(self.auth_extensions(checker).into_iter().map(Cow::Owned));
        }
        lines.extend([b"PIPELINING".as_slice().into(), b"8BITMIME".as_slice().into()]);
        if control.databytes > 0 {
            lines.push(format!("SIZE {}", control.databytes).into_bytes().into());
        }
        if self.offers_starttls(ask) {
            lines.push(b"STARTTLS".into());
        }
        if control.smtputf8 {
            lines.push(b"SMTPUTF8".into());
        }
        lines
    }
}

fn refusal_line(facts: &Facts<'_>, reason: &Reason) -> Vec<u8> {
    let name = loggable(facts.helo);
    match reason.setting() {
        Some("ENFORCE_FQDN_HELO") => [b"non-FQDN HELO: ".as_slice(), &name].concat(),
        Some("BADHELOCHECK") => {
            let host = loggable(&facts.control.local_host);
            let address = loggable(facts.own_address().unwrap_or(b"unknown"));
            [b"invalid HELO greeting: HELO <".as_slice(), &name, b"> for local <", &host, b">, <", &address, b">"]
                .concat()
        }
        _ => {
            let host = loggable(facts.client.shown_name());
            [b"Invalid HELO greeting: HELO <".as_slice(), &name, b"> FQDN <", &host, b">"].concat()
        }
    }
}
