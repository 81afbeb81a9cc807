//! One line per decision on stderr.

use std::io::Write;

/// The log of one connection: every line begins with our name, our pid and the client's address, as log readers know it.
#[derive(Debug)]
pub struct Log {
    prefix: Vec<u8>,
}

impl Log {
    /// A log for a client at this address.
    #[must_use]
    pub fn new(address_text: &[u8]) -> Self {
        let prefix = format!("qmail-smtpd: pid {} from ", std::process::id()).into_bytes();
        Self { prefix: [&prefix, crate::smtp::printable::loggable(address_text).as_slice(), b" "].concat() }
    }

    /// A log for a client that is not known yet.
    #[must_use]
    pub fn without_client() -> Self {
        Self { prefix: format!("qmail-smtpd: pid {} ", std::process::id()).into_bytes() }
    }

    /// Writes lines in one go; a log that cannot be written is no reason to stop.
    pub fn lines<T: AsRef<[u8]>>(&self, lines: &[T]) {
        if lines.is_empty() {
            return;
        }
        let mut text = Vec::with_capacity(lines.len() * 160);
        for line in lines {
            text.extend_from_slice(&self.prefix);
            text.extend_from_slice(line.as_ref());
            text.push(b'\n');
        }
        let _ = std::io::stderr().write_all(&text);
    }
}
