//! The greeting: a welcome, or the words of a closed gate.

use crate::policy::verdict::Reason;
use crate::session::{Session, Turn};
use crate::smtp::reply;

impl Session<'_> {
    /// The first words, at the given time in the form of RFC 5322.
    pub fn greet(&self, date: &str) -> Turn {
        let control = &self.setup.control;
        if let Some(gate) = self.gate {
            let reason = Some(Reason::Setting(gate.setting()));
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
