//! One line per decision on stderr.

use std::io::Write;

use crate::control::Setup;
use crate::smtp::printable::loggable;

/// Lines that wait for one write are written when they reach this.
const PENDING_OCTETS_MAX: usize = 16_384;

/// The log of one connection: every line begins with our name, our pid and the client's address, as log readers know it.
#[derive(Debug)]
pub struct Log {
    prefix: Vec<u8>,
    pending: Vec<u8>,
    silent: bool,
}

impl Log {
    /// The log of this connection; a silent one when it would reach the client (D40).
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let prefix = format!("qmail-smtpd: pid {} from ", std::process::id()).into_bytes();
        let address = loggable(&setup.client.address_text);
        Self {
            prefix: [&prefix, address.as_slice(), b" "].concat(),
            pending: Vec::new(),
            silent: setup.log_is_connection,
        }
    }

    /// Adds lines; they are written before we wait for anything, so that a batch of commands costs one write.
    pub fn lines<T: AsRef<[u8]>>(&mut self, lines: &[T]) {
        for line in lines {
            self.pending.extend_from_slice(&self.prefix);
            self.pending.extend_from_slice(line.as_ref());
            self.pending.push(b'\n');
            if self.pending.len() > PENDING_OCTETS_MAX {
                self.flush();
            }
        }
    }

    /// Writes what was added; a log that cannot be written is no reason to stop.
    pub fn flush(&mut self) {
        if !self.pending.is_empty() && !self.silent {
            let _ = std::io::stderr().write_all(&self.pending);
        }
        self.pending.clear();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}
