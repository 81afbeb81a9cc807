//! HELO and EHLO.

use crate::policy::helo::lacks_dot;
use crate::policy::verdict::Reason;
use crate::session::{Helo, Session, Stage, Turn};
use crate::smtp::printable::loggable;
use crate::smtp::reply;

impl Session<'_> {
    /// Either verb ends the transaction, even when it is refused (RFC 5321, 4.1.4).
    pub(super) fn helo(&mut self, name: &[u8], extended: bool) -> Turn {
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
        if lacks_dot(control, client, stored) {
            let line = [b"non-FQDN HELO: ".as_slice(), &loggable(stored)].concat();
            let reason = Reason::Setting("ENFORCE_FQDN_HELO");
            return Turn::say(reply::NON_FQDN_HELO).because(line, reason).close(1);
        }
        self.helo = Some(Helo { name: stored.to_vec(), extended });
        if extended {
            Turn::say(reply::extensions(control.greeting.first().map_or(b"", Vec::as_slice), told, &self.extensions()))
        } else {
            Turn::say(reply::hello(&control.greeting, told))
        }
    }

    fn extensions(&self) -> Vec<Vec<u8>> {
        let control = &self.setup.control;
        let mut lines = vec![b"PIPELINING".to_vec(), b"8BITMIME".to_vec()];
        if let Some(checker) = &self.setup.checker {
            lines.splice(0..0, self.auth_extensions(checker));
        }
        if control.databytes > 0 {
            lines.push(format!("SIZE {}", control.databytes).into_bytes());
        }
        if control.smtputf8 {
            lines.push(b"SMTPUTF8".to_vec());
        }
        lines
    }
}
