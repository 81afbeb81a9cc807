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
            // Quirk: subjects are compared in upper case, and this letter is not (relay/escaped-small-letter.smtp).
            b'a'..=b'z' => self.set(&Set::of(|_| false)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(expression: &[u8], text: &[u8]) -> Result<bool, &'static str> {
        Expression::new(expression).map(|expression| expression.is_match(&Subject::new(text))).map_err(|error| error.0)
    }

    /// The answers of glibc 2.36 in the C locale.
    #[test]
    fn expressions_mean_what_they_mean_to_the_c_library() {
        let cases: &[(&[u8], &[u8], &[u8])] = &[
            // Expression, a text that matches, one that does not.
            (b"^a{,2}$", b"aa", b"aaa"),
            (b"^a{1,}b", b"AAB", b"b"),
            (b"^a{2}{2}$", b"aaaa", b"aaa"),
            (b"^(a{2}?)$", b"", b"a"),
            (b"^a*?$", b"aa", b"b"),
            (b"^(|a)b$", b"ab", b"aab"),
            (b"^(a||b)c$", b"c", b"abc"),
            (b"^a)$", b"a)", b"a"),
            (b"^a}]$", b"a}]", b"a"),
            (b"^\\(a\\{1\\}\\)\\|\\+$", b"(a{1})|+", b"a"),
            (b"a$b|c^d|x", b"x", b"a$b c^d"),
            (b"^^a", b"ab", b"ba"),
            (b"(^a|b$)", b"cb", b"bac"),
            (b"^.$", b"\xfc", b"\xc3\xbc"),
            (b"^\xfc$", b"\xfc", b"\xdc"),
            (b"^[\xe0-\xff]$", b"\xfc", b"u"),
            (b"^[^\xe0-\xff]$", b"\xdf", b"\xe0"),
            (b"^[^A]$", b"b", b"a"),
            (b"^[a-C]$", b"B", b"d"),
            (b"^[Z-_]$", b"z", b"a"),
            (b"^[]a-]$", b"-", b"b"),
            (b"^[^]a-]$", b"b", b"]"),
            (b"^[%--]$", b"+", b"."),
            (b"^[a\\]$", b"\\", b"\\]"),
            (b"^[\\]]$", b"\\]", b"]"),
            (b"^[[a]$", b"[", b"b"),
            (b"^[[.].]a]$", b"]", b"."),
            (b"^[[.a.]-c]$", b"b", b"."),
            (b"^[[=b=]]$", b"B", b"="),
            (b"^[[:upper:]]+$", b"abc", b"ab1"),
            (b"^[^[:alnum:][:space:]]$", b"@", b"\x0b"),
            (b"^[[:punct:][:digit:]]+$", b"@1~", b"a"),
            (b"^[[:print:]]+$", b"a ~", b"\x7f"),
            (b"^[[:xdigit:][:blank:]]+$", b"F \t", b"g"),
            (b"^\\w+\\W\\w$", b"a_1-b", b"a-\xfc"),
            (b"^\\S+\\s\\S$", b"a\x0bb", b"a-b"),
            (b"\\bcat\\b", b"a cat!", b"cats"),
            (b"\\Bcat", b"xcat", b"a cat"),
            (b"\\<cat\\>", b"cat", b"acat"),
            (b"\\`a|b\\'", b"ab", b"bac"),
            (b"a\\.b", b"A.B", b"aab"),
            (b"()*x(){3}", b"x", b"y"),
            (b"[^[:cntrl:][:print:]\x80-\xff]|x", b"x", b"y"),
        ];
        for (expression, matching, other) in cases {
            assert_eq!(answer(expression, matching), Ok(true), "{}", expression.escape_ascii());
            assert_eq!(answer(expression, other), Ok(false), "{}", expression.escape_ascii());
        }
    }

    #[test]
    fn what_the_c_library_refuses_is_refused_in_its_words() {
        let repetition = "Invalid preceding regular expression";
        let bracket = "Unmatched [, [^, [:, [., or [=";
        let cases: &[(&str, &[&str])] = &[
            (
                repetition,
                &["*", "+", "?", "{1}", "^*", "$+", "a|*b", "(*a)", "(^?a)", "(?:a)", "\\b*", "\\`+", "\\b{1}"],
            ),
            ("Unmatched \\{", &["a{", "a{1", "a{x", "a{1,", "a{1,2", "a{1,}{"]),
            ("Invalid content of \\{\\}", &["a{}", "a{2,1}", "a{ 1}", "a{1 }", "a{+1}", "a{-1}", "a{1,2,3}"]),
            ("Regular expression too big", &["a{32768}", "a{99999999999,}"]),
            ("Unmatched ( or \\(", &["(", "a(b", "((a)"]),
            ("Trailing backslash", &["\\", "a\\"]),
            ("Invalid regular expression", &["[", "[^"]),
            (bracket, &["[a", "[]", "[^]", "[[:alpha:]", "[[:alpha", "[[:", "[[:]", "[[.]", "[[=", "[a-"]),
            (
                "Invalid range end",
                &["[b-a]", "[a-c-e]", "[a--]", "[_-a]", "[a-[:digit:]]", "[[:digit:]-z]", "[[=a=]-c]"],
            ),
            ("Invalid character class name", &["[[:foo:]]", "[[:UPPER:]]", "[[::]]"]),
            ("Invalid collation character", &["[[.hyphen.]]", "[[=ab=]]", "[[..]]", "[[==]]"]),
            ("back-references are not supported", &["(a)\\1"]),
        ];
        for (message, expressions) in cases {
            for expression in *expressions {
                assert_eq!(answer(expression.as_bytes(), b"a"), Err(*message), "{expression}");
            }
        }
    }

    #[test]
    fn size_is_bounded() {
        assert_eq!(answer(&b"a".repeat(EXPRESSION_OCTETS_MAX), b"a"), Ok(false));
        assert_eq!(answer(&b"a".repeat(EXPRESSION_OCTETS_MAX + 1), b"a"), Err(TOO_BIG.0));
        assert_eq!(answer(b"((a{1000}){1000}){1000}", b"a"), Err(TOO_BIG.0));
        assert_eq!(answer(b"(((){1000}){1000}){1000}", b"a"), Err(TOO_BIG.0));
        assert_eq!(answer(&[b"(".repeat(1_000), b")".repeat(1_000)].concat(), b"a"), Err(TOO_BIG.0));
        assert_eq!(answer(b"(a*)*b", &b"a".repeat(10_000)), Ok(false));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_may_be_an_expression_and_a_text(expression: Vec<u8>, text: Vec<u8>) {
            let _either = answer(&expression, &text);
            let literal: Vec<u8> = text
                .iter()
                .flat_map(|&byte| if byte == b'^' { vec![b'\\', byte] } else { vec![b'[', byte, b']'] })
                .collect();
            proptest::prop_assert_eq!(answer(&[b"(", literal.as_slice(), b")$"].concat(), &text), Ok(true));
        }
    }

    #[test]
    fn an_escaped_small_letter_without_meaning_matches_nothing() {
        let table: [(&[u8], &[u8], bool); 6] = [
            (b"^\\d", b"d@x", false),
            (b"^\\d", b"D@x", false),
            (b"^\\d*@", b"@x", true),
            (b"^\\D", b"d@x", true),
            (b"^\\w\\@", b"d@x", true),
            (b"^\\x|d", b"d@x", true),
        ];
        for (expression, text, expected) in table {
            let found = Expression::new(expression).unwrap().is_match(&Subject::new(text));
            assert_eq!(found, expected, "{} {}", expression.escape_ascii(), text.escape_ascii());
        }
    }
}
