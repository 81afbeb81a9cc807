//! Where header blocks begin and end: of the message, of its MIME parts, of messages in it, of what qmail's bounces quote.

use memchr::memmem;

/// How deep parts lie in parts; those further in are text of the one around them.
const DEPTH_MAX: usize = 64;
/// How the text of a bounce begins that quotes a message behind a line of dashes.
const BOUNCES: [&[u8]; 2] = [b"Hi. This is the ", b"This message was created automatically by mail delivery software"];

/// What a line of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A line of a header block, which the line behind it may continue.
    Header,
    /// The empty line behind a header block.
    EndOfHeader,
    /// The first line behind a header block.
    First,
    /// Another line of text, and every boundary.
    Text,
}

/// The place in a message.
#[derive(Debug)]
pub struct Parts {
    place: Place,
    /// The boundaries of the parts around this place, the outermost first.
    boundaries: Vec<Vec<u8>>,
    /// What the header block has said of its own body.
    boundary: Option<Vec<u8>>,
    is_message: bool,
    is_bounce: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    First,
    Text,
}

impl Default for Parts {
    /// The beginning of a message.
    fn default() -> Self {
        let boundaries = Vec::new();
        Self { place: Place::Header, boundaries, boundary: None, is_message: false, is_bounce: false }
    }
}

impl Parts {
    /// Whether all that follows is text until the next boundary.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.place == Place::Text
    }

    /// Where in whole lines of text the next one begins that may be a boundary.
    #[must_use]
    pub fn next_boundary(&self, lines: &[u8]) -> Option<usize> {
        if self.boundaries.is_empty() && !self.is_bounce {
            return None;
        }
        if lines.starts_with(b"--") { Some(0) } else { memmem::find(lines, b"\n--").map(|at| at + 1) }
    }

    /// Takes the next line, without its end; header lines that were continued have been told by [`Self::header`] before.
    pub fn line(&mut self, line: &[u8]) -> Line {
        let place = self.place;
        match place {
            Place::Header if line.is_empty() => {
                self.end_header();
                Line::EndOfHeader
            }
            Place::Header => Line::Header,
            Place::First | Place::Text if self.is_boundary(line) => Line::Text,
            Place::First => {
                self.place = Place::Text;
                self.is_bounce |= BOUNCES.iter().any(|begin| line.starts_with(begin));
                Line::First
            }
            Place::Text => Line::Text,
        }
    }

    /// A header field with all its lines.
    pub fn header(&mut self, field: &[u8]) {
        let name = b"content-type:";
        let Some(value) = field.get(name.len()..).filter(|_| begins_with(field, name)) else { return };
        self.is_message = begins_with(value.trim_ascii_start(), b"message/rfc822");
        self.boundary = boundary_of(value);
    }

    fn end_header(&mut self) {
        self.place = if std::mem::take(&mut self.is_message) { Place::Header } else { Place::First };
        if let Some(boundary) = self.boundary.take().filter(|_| self.boundaries.len() < DEPTH_MAX) {
            self.boundaries.push(boundary);
        }
    }

    /// Whether a line is a boundary; then another place begins behind it.
    fn is_boundary(&mut self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"--") else { return false };
        let of = |(depth, boundary): (usize, &Vec<u8>)| Some((depth, rest.strip_prefix(boundary.as_slice())?));
        match self.boundaries.iter().enumerate().rev().find_map(of) {
            Some((depth, behind)) if behind.starts_with(b"--") => {
                self.boundaries.truncate(depth);
                self.place = Place::Text;
                true
            }
            Some((depth, _)) => {
                self.boundaries.truncate(depth + 1);
                self.begin_header();
                true
            }
            None if self.is_bounce && rest.starts_with(b"-") => {
                self.begin_header();
                true
            }
            None => false,
        }
    }

    fn begin_header(&mut self) {
        (self.place, self.boundary, self.is_message) = (Place::Header, None, false);
    }
}

/// The boundary that a Content-Type names, as a lenient reader of mail finds it: blanks may stand around `=`, and in quotes a
/// backslash stands for the octet behind it.
fn boundary_of(value: &[u8]) -> Option<Vec<u8>> {
    let (lower, name) = (value.to_ascii_lowercase(), b"boundary");
    let behind = |at: usize| value.get(at + name.len()..)?.trim_ascii_start().strip_prefix(b"=");
    let text = memmem::find_iter(&lower, name).find_map(behind)?.trim_ascii_start();
    let boundary: Vec<u8> = match text.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => {
            text.iter().copied().take_while(|octet| !matches!(octet, b';' | b' ' | b'\t' | b'\r' | b'\n')).collect()
        }
    };
    Some(boundary).filter(|boundary| !boundary.is_empty())
}

/// A quoted string behind its first quote (RFC 5322, 3.2.4).
fn unquoted(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::new(), text.iter());
    while let Some(octet) = rest.next().filter(|octet| **octet != b'"') {
        plain.extend(if *octet == b'\\' { rest.next() } else { Some(octet) });
    }
    plain
}

fn begins_with(text: &[u8], lower: &[u8]) -> bool {
    text.get(..lower.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter for each line: header, end of it, first line, text.
    fn kinds(message: &str) -> String {
        let mut parts = Parts::default();
        let letter = |line: &str| {
            let kind = parts.line(line.as_bytes());
            if kind == Line::Header {
                parts.header(line.as_bytes());
            }
            match kind {
                Line::Header => 'h',
                Line::EndOfHeader => 'e',
                Line::First => 'f',
                Line::Text => 't',
            }
        };
        message.lines().map(letter).collect()
    }

    #[test]
    fn each_header_block_is_followed_by_a_first_line() {
        let table = [
            ("Subject: a\n\nfirst\ntext", "heft"),
            (
                "Content-Type: multipart/mixed; boundary=\"x y\"\n\npre\n--x y\nA: b\n\none\ntwo\n--x y--\nend",
                "heftheftt t",
            ),
            ("content-type: Multipart/mixed; BOUNDARY=b;c=d\n\n--b\n\none\n--b\nA: b\n\ntwo", "hetefthef"),
            ("Content-Type: multipart/mixed; boundary = \"b\\1\"\n\n--b1\n\none\n--b1--\nend", "heteftt"),
            ("Content-Type: a/b; no-boundary; boundary =b\n\n--b\n\none", "hetef"),
            ("Content-Type: a/b; boundary=b (c); x=y\n\n--b\n\none\n--b--\nend", "heteftt"),
            ("Content-Type: message/rfc822\n\nSubject: in\n\nfirst\ntext", "hehef t"),
            ("A: b\n\nHi. This is the x\ntext\n--- below\nSubject: q\n\nfirst\n--", "heftt hef t"),
            (
                "Content-Type: multipart/a; boundary=o\n\n--o\nContent-Type: multipart/b; boundary=i\n\n--i\n\nx\n--o\n\ny\n--i\n--o--\nz",
                "hethetefteft tt",
            ),
        ];
        for (message, expected) in table {
            assert_eq!(kinds(message), expected.replace(' ', ""), "{message}");
        }
    }
}
