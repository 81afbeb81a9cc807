//! A message that is explained: its text as a client would send it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::operator::ended::Ended;

/// The largest message that is read, in octets.
const MESSAGE_OCTETS_MAX: u64 = 1 << 30;
/// What ends a message behind the end of a line.
const END: &[u8] = b".\r\n";

/// What a client sends after 354, with the dot that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: Vec<u8>,
}

impl Message {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is larger than [`MESSAGE_OCTETS_MAX`].
    pub fn read(path: &Path) -> Result<Self, Ended> {
        let is_standard = path == Path::new("-");
        let name = if is_standard { Path::new("standard input") } else { path };
        let all = |reader: &mut dyn Read| {
            let mut text = Vec::new();
            reader.take(MESSAGE_OCTETS_MAX + 1).read_to_end(&mut text).map(|_| text)
        };
        let read = if is_standard {
            all(&mut io::stdin().lock())
        } else {
            File::open(path).and_then(|mut file| all(&mut file))
        };
        let text = read.map_err(|error| Ended::unreadable(name, &error))?;
        if text.len() as u64 > MESSAGE_OCTETS_MAX {
            return Err(Ended::unreadable(name, &format!("it is larger than {MESSAGE_OCTETS_MAX} octets")));
        }
        Ok(Self::of(&text))
    }

    /// The message that a text stands for. Where its first line ends in CR LF it is as on the wire: every line ends as it
    /// stands there; and if its last line is a dot alone, dots are doubled already. Else each line feed stands for CR LF.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let first = memchr::memchr(b'\n', text);
        let is_wire = first.is_some_and(|end| text.get(..end).is_some_and(|line| line.ends_with(b"\r")));
        if is_wire && (text == END || text.ends_with(b"\r\n.\r\n")) {
            return Self { text: text.to_vec() };
        }
        let mut sent = Vec::with_capacity(text.len());
        let mut at_start = true;
        for line in text.split_inclusive(|octet| *octet == b'\n') {
            if at_start && line.starts_with(b".") {
                sent.push(b'.');
            }
            match line.strip_suffix(b"\n") {
                Some(line) if !is_wire && !line.ends_with(b"\r") => {
                    sent.extend_from_slice(line);
                    sent.extend_from_slice(b"\r\n");
                }
                Some(_) | None => sent.extend_from_slice(line),
            }
            // What follows a line feed alone is no new line for the server.
            at_start = sent.ends_with(b"\r\n");
        }
        if !at_start {
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(END);
        Self { text: sent }
    }

    /// Its lines, with the ends that they have; the dot that ends it is one.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|octet| *octet == b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_what_a_client_sends() {
        let table = [
            ("", ".\r\n"),
            ("A: b\n\n.hi\n", "A: b\r\n\r\n..hi\r\n.\r\n"),
            ("A: b\n\nno end", "A: b\r\n\r\nno end\r\n.\r\n"),
            ("A: b\nc\r\n", "A: b\r\nc\r\n.\r\n"),
            ("A: b\r\n\r\n.hi\r\n", "A: b\r\n\r\n..hi\r\n.\r\n"),
            ("A: b\r\n\r\n..hi\r\n.\r\n", "A: b\r\n\r\n..hi\r\n.\r\n"),
            ("A: b\r\n\r\nx\n.y\r\n", "A: b\r\n\r\nx\n.y\r\n.\r\n"),
            (".\r\n", ".\r\n"),
        ];
        for (text, sent) in table {
            let message = Message::of(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&message.text), sent, "{text:?}");
            assert_eq!(message.lines().collect::<Vec<_>>().concat(), sent.as_bytes());
        }
    }
}
