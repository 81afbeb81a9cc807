//! POSIX extended regular expressions as the GNU C library reads them without regard to case, in linear time.
//!
//! An expression is translated for `regex-lite`. Octets become the characters U+0000 to U+00FF, lower case becomes upper, as there.

use std::error::Error;
use std::fmt::{self, Write};

use regex_lite::{Regex, RegexBuilder};

use crate::lookup::ere_set::{self, Set};

/// The longest expression, in octets.
pub const EXPRESSION_OCTETS_MAX: usize = 4_096;

/// The largest compiled expression, in octets.
pub const COMPILED_OCTETS_MAX: usize = 1 << 20;

/// The most repetitions that can be asked for, as in the C library.
const REPETITIONS_MAX: u32 = 32_767;

const BAD_REPETITION: BadExpression = BadExpression("Invalid preceding regular expression");
const BAD_INTERVAL: BadExpression = BadExpression("Invalid content of \\{\\}");
const TOO_BIG: BadExpression = BadExpression("Regular expression too big");

/// A compiled expression.
#[derive(Debug)]
pub struct Expression(Regex);

/// A text made ready to be searched.
#[derive(Debug)]
pub struct Subject(String);

/// Why an expression is none, in the C library's words where it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadExpression(pub(super) &'static str);

impl fmt::Display for BadExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl Error for BadExpression {}

impl Subject {
    /// Takes any octets.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        Self(text.iter().map(|byte| char::from(byte.to_ascii_uppercase())).collect())
    }
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What the C library refuses; back-references, which take exponential time; what is too long or too big.
    pub fn new(expression: &[u8]) -> Result<Self, BadExpression> {
        if expression.len() > EXPRESSION_OCTETS_MAX {
            return Err(TOO_BIG);
        }
        let translation = Translation::of(expression)?;
        RegexBuilder::new(&translation).size_limit(COMPILED_OCTETS_MAX).build().map(Self).map_err(|_| TOO_BIG)
    }

    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn is_match(&self, subject: &Subject) -> bool {
        self.0.is_match(&subject.0)
    }
}

/// What stands before the place where the translation is: what a repetition would repeat.
#[derive(Clone, Copy)]
enum Before {
    /// The beginning of the expression, a group or a branch; or an anchor.
    Nothing,
    /// Something that begins there in the output.
    Atom(usize),
    /// As `Atom`, repeated already.
    Repeated(usize),
}

struct Translation<'e> {
    rest: &'e [u8],
    output: String,
    before: Before,
    /// Where each open group begins in the output.
    groups: Vec<usize>,
}

impl<'e> Translation<'e> {
    fn of(expression: &'e [u8]) -> Result<String, BadExpression> {
        let output = String::with_capacity(expression.len() * 2);
        let mut translation = Self { rest: expression, output, before: Before::Nothing, groups: Vec::new() };
        while let Some(byte) = translation.next() {
            translation.element(byte)?;
        }
        if translation.groups.is_empty() { Ok(translation.output) } else { Err(BadExpression("Unmatched ( or \\(")) }
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn element(&mut self, byte: u8) -> Result<(), BadExpression> {
        match (byte, self.groups.last().copied()) {
            (b'\\', _) => return self.escape(),
            (b'[', _) => {
                let (set, rest) = ere_set::parse(self.rest)?;
                self.rest = rest;
                self.set(&set);
            }
            (b'(', _) => {
                self.groups.push(self.output.len());
                self.output.push_str("(?:");
                self.before = Before::Nothing;
            }
            (b')', Some(start)) => {
                let _closed = self.groups.pop();
                self.output.push(')');
                self.before = Before::Atom(start);
            }
            (b'|', _) => {
                self.output.push('|');
                self.before = Before::Nothing;
            }
            (b'^', _) => self.anchor("^"),
            (b'$', _) => self.anchor("$"),
            (b'*' | b'+' | b'?', _) => return self.repeat(&char::from(byte).to_string()),
            (b'{', _) => return self.interval(),
            (b'.', _) => self.set(&Set::of(|byte| byte != 0)),
            (literal, _) => self.literal(literal),
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), BadExpression> {
        let byte = self.next().ok_or(BadExpression("Trailing backslash"))?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match byte {
            b'w' => self.set(&Set::of(is_word)),
            b'W' => self.set(&Set::of(|byte| !is_word(byte))),
            b's' => self.set(&Set::of(ere_set::is_space)),
            b'S' => self.set(&Set::of(|byte| !ere_set::is_space(byte))),
            b'b' => self.anchor("(?:\\b)"), // Not bare: `\b{` would be read on.
            b'B' => self.anchor("\\B"),
            b'<' => self.anchor("\\<"),
            b'>' => self.anchor("\\>"),
            b'`' => self.anchor("\\A"),
            b'\'' => self.anchor("\\z"),
            b'1'..=b'9' => return Err(BadExpression("back-references are not supported")),
            literal => self.literal(literal),
        }
        Ok(())
    }

    fn anchor(&mut self, translated: &str) {
        self.output.push_str(translated);
        self.before = Before::Nothing;
    }

    fn literal(&mut self, byte: u8) {
        self.before = Before::Atom(self.output.len());
        push_byte(&mut self.output, byte.to_ascii_uppercase());
    }

    fn set(&mut self, set: &Set) {
        self.before = Before::Atom(self.output.len());
        set.write(&mut self.output);
    }

    /// The brace is read already.
    fn interval(&mut self) -> Result<(), BadExpression> {
        if matches!(self.before, Before::Nothing) {
            return Err(BAD_REPETITION);
        }
        let end = memchr::memchr(b'}', self.rest).ok_or(BadExpression("Unmatched \\{"))?;
        let (content, behind) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = behind.get(1..).unwrap_or_default();
        let (least, most) = match memchr::memchr(b',', content).and_then(|comma| content.split_at_checked(comma)) {
            None => (content, content),
            Some((least, most)) => (if least.is_empty() { b"0" } else { least }, most.get(1..).unwrap_or_default()),
        };
        let least = repetitions(least)?;
        let most = if most.is_empty() { None } else { Some(repetitions(most)?) };
        if most.is_some_and(|most| least > most) {
            return Err(BAD_INTERVAL);
        }
        if most.unwrap_or(least) > REPETITIONS_MAX {
            return Err(TOO_BIG);
        }
        let most = most.map_or(String::new(), |most| most.to_string());
        self.repeat(&format!("{{{least},{most}}}"))
    }

    fn repeat(&mut self, operator: &str) -> Result<(), BadExpression> {
        let start = match self.before {
            Before::Nothing => return Err(BAD_REPETITION),
            Before::Atom(start) => start,
            Before::Repeated(start) => {
                // `a*?` is (a*)? here and not a lazy a*.
                self.output.insert_str(start, "(?:");
                self.output.push(')');
                start
            }
        };
        self.output.push_str(operator);
        self.before = Before::Repeated(start);
        Ok(())
    }
}

/// A number of repetitions; beyond the limit it stays just beyond it.
fn repetitions(digits: &[u8]) -> Result<u32, BadExpression> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BAD_INTERVAL);
    }
    Ok(digits.iter().fold(0, |sum, digit| (sum * 10 + u32::from(digit - b'0')).min(REPETITIONS_MAX + 1)))
}

/// Writes an octet as a character that stands for itself.
pub(super) fn push_byte(output: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() {
        output.push(char::from(byte));
    } else {
        let _infallible = write!(output, "\\x{byte:02X}");
    }
}
