//! Looks through content as it passes: signatures of viruses, and regular expressions over its lines. No message is kept.

mod parts;
pub mod passage;
pub mod rules;

use std::ops::Range;

use crate::policy::verdict::Banned;
use crate::screen::parts::{Line, Parts};
use crate::screen::rules::{LINE_OCTETS_MAX, Pattern, Rules, Scope};

/// What of a header field with all its lines is looked at, in octets.
const FIELD_OCTETS_MAX: usize = 16 * LINE_OCTETS_MAX;

/// One message on its way. However the text is cut into buffers, the answer is the same.
#[derive(Debug)]
pub struct Screening {
    rules: Rules,
    parts: Parts,
    /// The octets of text so far; so places are told, too.
    octets: u64,
    /// The beginning of a line whose end has not come yet, and where it begins.
    line: Vec<u8>,
    line_at: u64,
    in_line: bool,
    /// The header field that the next line may continue, and where it begins.
    field: Vec<u8>,
    field_at: u64,
    /// Whole lines in upper case.
    upper: Vec<u8>,
    found: Option<Found>,
}

/// A line that is refused: where in the text it begins, and why.
#[derive(Debug)]
struct Found {
    at: u64,
    banned: Banned,
}

impl Screening {
    /// The beginning of a message.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            parts: Parts::default(),
            octets: 0,
            line: Vec::new(),
            line_at: 0,
            in_line: false,
            field: Vec::new(),
            field_at: 0,
            upper: Vec::new(),
            found: None,
        }
    }

    /// Why the first line is refused that is: of several rules about it the first.
    #[must_use]
    pub fn found(&self) -> Option<&Banned> {
        self.found.as_ref().map(|found| &found.banned)
    }

    /// How many octets of the text stand in front of that line, or of the header field that it belongs to.
    #[must_use]
    pub fn found_at(&self) -> Option<u64> {
        self.found.as_ref().map(|found| found.at)
    }

    /// Takes more of the text as it is stored, with LF at the end of each line.
    pub fn take(&mut self, text: &[u8]) {
        let mut rest = text;
        self.octets += text.len() as u64;
        while self.found.is_none() && !rest.is_empty() {
            let at = self.octets - rest.len() as u64;
            if !self.in_line
                && self.parts.is_text()
                && let Some(last) = memchr::memrchr(b'\n', rest)
            {
                let lines = rest.get(..=last).unwrap_or_default();
                let stop = self.parts.next_boundary(lines).unwrap_or(lines.len());
                if stop > 0 {
                    self.lines(lines.get(..stop).unwrap_or_default(), at);
                    rest = rest.get(stop..).unwrap_or_default();
                    continue;
                }
            }
            let (line, behind) = match memchr::memchr(b'\n', rest) {
                Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..)),
                None => (rest, None),
            };
            if !self.in_line {
                self.line_at = at;
            }
            let room = LINE_OCTETS_MAX.saturating_sub(self.line.len());
            self.line.extend(line.iter().take(room));
            self.in_line = behind.is_none();
            rest = behind.unwrap_or_default();
            if !self.in_line {
                self.end_line();
            }
        }
    }

    /// The text has ended.
    pub fn end(&mut self) {
        if self.found.is_none() && self.in_line {
            self.end_line();
        }
        self.end_field();
    }

    /// The line whose beginning was kept is whole.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let continues = matches!(line.first(), Some(b' ' | b'\t')) && !self.field.is_empty();
        if !continues {
            self.end_field();
        }
        match self.parts.line(&line) {
            Line::Header => {
                if self.field.is_empty() {
                    self.field_at = self.line_at;
                }
                let room = FIELD_OCTETS_MAX.saturating_sub(self.field.len());
                self.field.extend(line.iter().take(room));
            }
            Line::EndOfHeader => {}
            kind @ (Line::First | Line::Text) => {
                if kind == Line::First {
                    self.signature(&line, self.line_at, |scope| matches!(scope, Scope::Usual | Scope::Body));
                }
                self.matched(&line, self.line_at, |scope| scope != Scope::Header);
            }
        }
        self.line = line;
        self.line.clear();
    }

    /// No line continues the header field.
    fn end_field(&mut self) {
        if self.field.is_empty() {
            return;
        }
        let field = std::mem::take(&mut self.field);
        self.parts.header(&field);
        self.signature(&field, self.field_at, |scope| scope == Scope::Header);
        self.matched(&field, self.field_at, |scope| scope != Scope::Body);
    }

    fn signature(&mut self, line: &[u8], at: u64, is_about: impl Fn(Scope) -> bool) {
        let begins = |prefix: &[u8]| line.len() > prefix.len() && line.starts_with(prefix);
        let signatures = &mut self.rules.signatures.iter();
        let signature = signatures.find(|signature| is_about(signature.scope) && begins(&signature.prefix));
        let found = signature.map(|signature| Found { at, banned: signature.banned.clone() });
        self.found = self.found.take().or(found);
    }

    fn matched(&mut self, line: &[u8], at: u64, is_about: impl Fn(Scope) -> bool) {
        if self.rules.patterns.is_empty() || self.found.is_some() {
            return;
        }
        let upper = line.to_ascii_uppercase();
        let pattern = self.rules.patterns.iter().find(|pattern| is_about(pattern.scope) && pattern.matches(&upper));
        self.found = pattern.map(|pattern| Found { at, banned: pattern.banned.clone() });
    }

    /// Whole lines of text in which there is no boundary.
    fn lines(&mut self, lines: &[u8], at: u64) {
        let mut patterns = self.rules.patterns.iter().filter(|pattern| pattern.scope != Scope::Header).peekable();
        if patterns.peek().is_none() {
            return;
        }
        self.upper.clear();
        self.upper.extend_from_slice(lines);
        self.upper.make_ascii_uppercase();
        let mut upper = self.upper.as_slice();
        for pattern in patterns {
            if let Some(line) = first_line_with(pattern, upper) {
                self.found = Some(Found { at: at + line.start as u64, banned: pattern.banned.clone() });
                // Only a line before that one is of interest now.
                upper = upper.get(..line.start).unwrap_or_default();
            }
        }
    }
}

/// The first of whole lines that a pattern matches.
fn first_line_with(pattern: &Pattern, lines: &[u8]) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) {
        let at = match &pattern.literal {
            Some(literal) => from + literal.find(rest)?,
            None => from,
        };
        let start = lines.get(..at).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |end| end + 1);
        let end = lines.get(at..).and_then(|behind| memchr::memchr(b'\n', behind)).map_or(lines.len(), |end| at + end);
        let line = lines.get(start..end.min(start + LINE_OCTETS_MAX)).unwrap_or_default();
        if pattern.matches(line) {
            return Some(start..end);
        }
        from = end + 1;
    }
    None
}

#[cfg(test)]
mod tests;
