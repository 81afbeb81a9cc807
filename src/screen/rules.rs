//! Which content is refused: the lines of `signatures` and `bodycheck`.

use memchr::memmem::Finder;

use crate::control::Setup;
use crate::control::load::read_list;
use crate::control::text::{Entry, entries, first_line, signed};
use crate::errno::words;
use crate::lookup::ere::{BadExpression, Expression, Subject};
use crate::lookup::ere_literal::literal;
use crate::lookup::list_name;
use crate::policy::verdict::{Banned, Evidence, FileName, LookupFailed};

/// What of each line is looked at, in octets.
pub const LINE_OCTETS_MAX: usize = 1024;

/// The rules for one message.
#[derive(Debug, Default)]
pub struct Rules {
    pub(super) signatures: Vec<Signature>,
    pub(super) patterns: Vec<Pattern>,
}

/// Which lines of a message a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `signatures`: the first line behind each header block; `bodycheck`: every line.
    Usual,
    /// Header fields, with all their lines.
    Header,
    /// The lines of the body.
    Body,
}

/// A line of `signatures`.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) prefix: Vec<u8>,
    pub(super) scope: Scope,
    pub(super) banned: Banned,
}

/// A line of `bodycheck`.
#[derive(Debug)]
pub(super) struct Pattern {
    expression: Expression,
    /// What no line is without that it matches.
    pub(super) literal: Option<Finder<'static>>,
    pub(super) scope: Scope,
    pub(super) banned: Banned,
}

impl Pattern {
    /// Whether it matches a line that is in upper case already.
    pub(super) fn matches(&self, upper: &[u8]) -> bool {
        let may = self.literal.as_ref().is_none_or(|literal| literal.find(upper).is_some());
        may && self.expression.is_match(&Subject::new(upper))
    }
}

/// The parts of a line: what is looked for, what is said of it, and where it is looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    /// A beginning of lines, or an expression.
    pub pattern: Vec<u8>,
    /// What the client is told; without one it is the pattern.
    pub description: Vec<u8>,
    /// Where it is looked for.
    pub scope: Scope,
    /// The message is thrown away instead of refused.
    pub blackholed: bool,
}

impl Parsed {
    /// Reads `pattern:description:-header`; `\:` is a colon of the pattern (D91).
    ///
    /// # Errors
    ///
    /// The option, if it is none.
    pub fn of(entry: &[u8]) -> Result<Self, Vec<u8>> {
        let (pattern, rest) = pattern(entry);
        let rest = rest.unwrap_or_default();
        let (description, option) = match memchr::memchr(b':', rest) {
            Some(colon) => (rest.get(..colon).unwrap_or_default(), rest.get(colon + 1..).unwrap_or_default()),
            None => (rest, b"".as_slice()),
        };
        let (scope, blackholed) = match option {
            b"" => (Scope::Usual, false),
            b"-header" => (Scope::Header, false),
            b"-body" => (Scope::Body, false),
            b"-headerblackhole" => (Scope::Header, true),
            b"-bodyblackhole" => (Scope::Body, true),
            other => return Err(other.to_vec()),
        };
        let description = if description.is_empty() { pattern.clone() } else { description.to_vec() };
        Ok(Self { pattern, description, scope, blackholed })
    }
}

/// What stands before the first colon that is not behind a backslash, and what behind it.
fn pattern(entry: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut pattern = Vec::new();
    let mut rest = entry;
    loop {
        match rest {
            [] => return (pattern, None),
            [b':', behind @ ..] => return (pattern, Some(behind)),
            [b'\\', b':', behind @ ..] => {
                pattern.push(b':');
                rest = behind;
            }
            [b'\\', octet, behind @ ..] => {
                pattern.extend([b'\\', *octet]);
                rest = behind;
            }
            [octet, behind @ ..] => {
                pattern.push(*octet);
                rest = behind;
            }
        }
    }
}

/// The lists that a transaction asks for, read anew for each message.
#[derive(Debug, Default)]
pub struct Lists {
    /// `signatures`, which `VIRUSCHECK` asks for.
    pub signatures: Option<List>,
    /// `bodycheck`, which `BODYCHECK` asks for.
    pub bodycheck: Option<List>,
}

/// A list that is asked for.
#[derive(Debug)]
pub struct List {
    /// Its name.
    pub file: FileName,
    /// Its text; none if there is no such file.
    pub text: Option<Vec<u8>>,
}

impl Lists {
    /// The lists that the settings of a transaction ask for.
    ///
    /// # Errors
    ///
    /// One of them cannot be read: nobody knows what it would refuse.
    pub fn of(setup: &Setup) -> Result<Self, LookupFailed> {
        let variable = |name: &[u8]| setup.environment.get(name).map(first_line);
        let virus_check =
            variable(b"VIRUSCHECK").map(|text| if text.is_empty() { 1 } else { signed(text).unwrap_or(0) });
        let mut lists = Self::default();
        if virus_check.is_some_and(|level| (1..=4).contains(&level)) {
            lists.signatures = Some(List::read(setup, list_name(setup, "SIGNATURES", "signatures"))?);
        }
        if variable(b"BODYCHECK").is_some() {
            let named = List::read(setup, list_name(setup, "BODYCHECK", "bodycheck"))?;
            // D91: a value that names no file means the usual one: the original reads that whatever the value is.
            lists.bodycheck = Some(match named.text {
                Some(_) => named,
                None => List::read(setup, "bodycheck".into())?,
            });
        }
        Ok(lists)
    }
}

impl List {
    fn read(setup: &Setup, file: FileName) -> Result<Self, LookupFailed> {
        let path = setup.control.directory.join(file.as_ref());
        match read_list(&path) {
            Ok(text) => Ok(Self { file, text }),
            Err(error) => Err(LookupFailed::Unreadable { file, path, error: words(&error).into_owned() }),
        }
    }

    /// Its lines.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        entries(self.text.as_deref().unwrap_or_default())
    }
}

impl Rules {
    /// The rules of lists; none where there are none.
    ///
    /// # Errors
    ///
    /// A line is no rule: nobody knows what it would refuse.
    pub fn of(lists: &Lists) -> Result<Option<Self>, LookupFailed> {
        let mut rules = Self::default();
        if let Some(list) = &lists.signatures {
            rules.add_signatures(list)?;
        }
        if let Some(list) = &lists.bodycheck {
            rules.add_patterns(list)?;
        }
        Ok(Some(rules).filter(|rules| !rules.signatures.is_empty() || !rules.patterns.is_empty()))
    }

    fn add_signatures(&mut self, list: &List) -> Result<(), LookupFailed> {
        each(list, |parsed, banned| {
            self.signatures.push(Signature { prefix: parsed.pattern, scope: parsed.scope, banned });
            Ok(())
        })
    }

    fn add_patterns(&mut self, list: &List) -> Result<(), LookupFailed> {
        each(list, |parsed, banned| {
            let expression = Expression::new(&parsed.pattern)?;
            let literal = literal(&parsed.pattern).map(|literal| Finder::new(&literal).into_owned());
            self.patterns.push(Pattern { expression, literal, scope: parsed.scope, banned });
            Ok(())
        })
    }
}

/// Shows `keep` each line of a list.
fn each(list: &List, mut keep: impl FnMut(Parsed, Banned) -> Result<(), BadExpression>) -> Result<(), LookupFailed> {
    let file = &list.file;
    for entry in list.entries() {
        let bad = |error: String| LookupFailed::BadEntry { file: file.clone(), line: entry.line, error };
        let parsed = Parsed::of(entry.text)
            .map_err(|option| bad(format!("`{}` is no option", String::from_utf8_lossy(&option))))?;
        let evidence = Evidence { file: file.clone(), line: Some(entry.line), suffix: Vec::new() };
        let banned = Banned { evidence, description: parsed.description.clone(), blackholed: parsed.blackholed };
        keep(parsed, banned).map_err(|error| bad(error.to_string()))?;
    }
    Ok(())
}
