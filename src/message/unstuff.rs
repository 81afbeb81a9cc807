//! Dots and line ends: where the message ends, and what of it is stored.

use std::ops::Range;

use crate::message::Settled;

/// What a CR or LF that is not part of a CR LF means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bare {
    /// ALLOW_BARELF: a bare LF is data, and never takes part in ending the message (D11).
    pub lf: bool,
    /// A bare CR is data, as in the original; FORBID_BARE_CR refuses it (D12).
    pub cr: bool,
}

/// Why reading the content ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// CR LF `.` CR LF: the message is complete.
    EndOfMessage,
    /// LF without CR.
    BareLf,
    /// CR without LF.
    BareCr,
}

/// Where in a line we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the beginning of the message or behind CR LF.
    LineStart,
    /// Within a line.
    Text,
    /// Behind a CR that is held back.
    Cr,
    /// Behind a dot at the beginning of a line; the dot is dropped unless a CR follows.
    Dot,
    /// Behind dot and CR at the beginning of a line, both held back.
    DotCr,
}

/// The state machine of RFC 5321, 4.5.2. Only CR LF ends a line, so only CR LF `.` CR LF ends a message.
#[derive(Debug)]
pub struct Unstuff {
    at: At,
    bare: Bare,
}

impl Unstuff {
    /// The most octets that can be held back at the end of a buffer.
    pub const HEADROOM: usize = 2;

    /// The beginning of a message.
    #[must_use]
    pub fn new(bare: Bare) -> Self {
        Self { at: At::LineStart, bare }
    }

    /// Takes the octets of `buffer` behind [`Self::HEADROOM`] and moves the text to store to the front of the buffer.
    ///
    /// Nothing grows: what is held back fits into the headroom, so the place of writing never passes the place of reading.
    pub fn take(&mut self, buffer: &mut [u8]) -> Settled {
        let mut read = Self::HEADROOM;
        let mut written = 0;
        while let Some(&byte) = buffer.get(read) {
            if self.at == At::Text || (self.at == At::LineStart && byte != b'.') {
                let line = run(buffer, read);
                let octets = line.len();
                buffer.copy_within(line, written);
                written += octets;
                read += octets;
                if octets > 0 {
                    self.at = At::Text;
                    continue;
                }
            }
            read += 1;
            let (next, settled): (At, &[u8]) = match (self.at, byte) {
                (At::DotCr, b'\n') => return settled_at(written, read, Some(Stop::EndOfMessage)),
                (At::Cr, b'\n') => (At::LineStart, b"\n"),
                (At::LineStart | At::Text | At::Dot, b'\n') if !self.bare.lf => {
                    return settled_at(written, read, Some(Stop::BareLf));
                }
                (At::Cr | At::DotCr, _) if !self.bare.cr => return settled_at(written, read, Some(Stop::BareCr)),
                // D11: a bare LF is data in the midst of a line.
                (At::LineStart | At::Text | At::Dot, b'\n') => (At::Text, b"\n"),
                (At::LineStart, b'.') => (At::Dot, b""),
                (At::LineStart | At::Text, b'\r') => (At::Cr, b""),
                (At::Dot, b'\r') => (At::DotCr, b""),
                (At::Cr, b'\r') => (At::Cr, b"\r"),
                (At::DotCr, b'\r') => (At::Cr, b".\r"),
                (At::Cr, _) => (At::Text, &[b'\r', byte]),
                (At::DotCr, _) => (At::Text, &[b'.', b'\r', byte]),
                (At::LineStart | At::Text | At::Dot, _) => (At::Text, &[byte]),
            };
            if let Some(place) = buffer.get_mut(written..written + settled.len()) {
                place.copy_from_slice(settled);
            }
            written += settled.len();
            self.at = next;
        }
        settled_at(written, read, None)
    }
}

/// The octets from `start` to the next CR or LF.
fn run(buffer: &[u8], start: usize) -> Range<usize> {
    let rest = buffer.get(start..).unwrap_or_default();
    let octets = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
    start..start + octets
}

fn settled_at(written: usize, used: usize, stop: Option<Stop>) -> Settled {
    Settled { text: 0..written, used, stop }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Bare = Bare { lf: false, cr: true };
    const TOLERANT: Bare = Bare { lf: true, cr: true };
    const STRICTEST: Bare = Bare { lf: false, cr: false };

    /// The text stored, what was left unread, and why it stopped, with the input cut into chunks of `step` octets.
    fn through(bare: Bare, input: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, Option<Stop>) {
        let mut unstuff = Unstuff::new(bare);
        let mut text = Vec::new();
        for (number, chunk) in input.chunks(step).enumerate() {
            let mut buffer = [&[0; Unstuff::HEADROOM], chunk].concat();
            let settled = unstuff.take(&mut buffer);
            text.extend_from_slice(&buffer[settled.text.clone()]);
            if settled.stop.is_some() {
                let used = number * step + settled.used - Unstuff::HEADROOM;
                return (text, input[used..].to_vec(), settled.stop);
            }
        }
        (text, Vec::new(), None)
    }

    #[test]
    fn content_is_unstuffed_however_it_is_cut() {
        let end = Some(Stop::EndOfMessage);
        let table: &[(Bare, &[u8], &[u8], &[u8], Option<Stop>)] = &[
            (STRICT, b"a\r\n.\r\nQUIT\r\n", b"a\n", b"QUIT\r\n", end),
            (STRICT, b".\r\n", b"", b"", end),
            (STRICT, b"a\rb\r\r\nc\r\r\r\nd\r\n.\rx\r\n..\r\n.y\r\n.\r\n", b"a\rb\r\nc\r\r\nd\n.\rx\n.\ny\n", b"", end),
            (STRICT, b"..dot\r\n.\r\n", b".dot\n", b"", end),
            (STRICT, b"a\n.\n", b"a", b".\n", Some(Stop::BareLf)),
            (STRICT, b"a\r\n.\nb", b"a\n", b"b", Some(Stop::BareLf)),
            (STRICT, b"a\r\n\nb", b"a\n", b"b", Some(Stop::BareLf)),
            (STRICT, b"\0\xff\r\n.\r\r\n", b"\0\xff\n.\r\n", b"", None),
            (TOLERANT, b"a\n.\n.\r\nb\r\n.\nc\r\n.\r\n", b"a\n.\n.\nb\n\nc\n", b"", end),
            (STRICTEST, b"a\rb", b"a", b"", Some(Stop::BareCr)),
            (STRICTEST, b".\rb", b"", b"", Some(Stop::BareCr)),
        ];
        for (bare, input, text, left, stop) in table {
            for step in 1..=input.len() {
                let expected = (text.to_vec(), left.to_vec(), *stop);
                assert_eq!(through(*bare, input, step), expected, "{} by {step}", input.escape_ascii());
            }
        }
    }
}
