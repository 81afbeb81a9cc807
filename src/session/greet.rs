//! The greeting: a welcome, or the words of a closed gate.

use crate::policy::Facts;
use crate::policy::client::closed_gate;
use crate::policy::verdict::{Question, Reason};
use crate::session::{AskBy, Session, Turn};
use crate::smtp::reply;

impl Session<'_> {
    /// The first words, at the given time in the form of RFC 5322. Here it is decided which gate is closed.
    pub fn greet(&mut self, date: &str, ask: &mut AskBy<'_>) -> Turn {
        let setup = self.setup;
        let control = &setup.control;
        let ask = &mut |question: Question<'_>| ask(setup, question);
        self.gate = match closed_gate(&Facts::new(self.setup, &self.credentials), ask, self.witness) {
            Ok(gate) => gate,
            // D61: nobody knows whether this client is welcome, so it comes again later.
            Err(failed) => {
                return Turn::say(failed.reply()).because(b"connect".to_vec(), Reason::LookupFailed(failed)).close(1);
            }
        };
        if let Some(gate) = &self.gate {
            let reason = Some(gate.reason());
            return Turn { reason, ..Turn::say(gate.greeting(control, &self.setup.client)) };
        }
        let extra = format!(" (NO UCE) ESMTP Postern {} {date}", env!("CARGO_PKG_VERSION")); // D24
        Turn::say(reply::greeting(&control.greeting, control.extra_greeting.then_some(extra.as_str())))
    }

    /// The client spoke first, and `greetdelay` is negative.
    pub fn early_talker(&self) -> Turn {
        let line = b"SMTP Protocol violation - Early Talking".to_vec();
        Turn::say(reply::EARLY_TALKER).because(line, Reason::Setting("greetdelay")).close(1)
    }
}
