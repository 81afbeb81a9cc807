//! Lists of addresses, such as `relaymailfrom`: compiled, plain, as wildcards or as regular expressions.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::control::text;
use crate::lookup::compiled::Compiled;
use crate::lookup::ere::{BadExpression, Expression, Subject};
use crate::lookup::list::{Found, List};
use crate::lookup::pieces::{self, CHUNK_OCTETS, Piece};
use crate::lookup::undecided::{Undecided, Unreadable};
use crate::lookup::wildmat;

/// How the lines of a text list are read: `QREGEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Addresses, `@domain`, and wildcards with `!` as negation; the last line that applies wins.
    Wildcards,
    /// Regular expressions; with `!` in front it counts when it does not match. Any line that counts is a match.
    Expressions,
}

/// What a list says about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// There is no such list in any form.
    Absent,
    /// It does not match.
    No,
    /// It matches.
    Yes {
        /// The name of the file, such as `relaymailfrom.cdb`.
        file: String,
        /// The line, counted from 1; a compiled list has none.
        line: Option<u32>,
    },
}

/// A list of addresses in all its forms. Each is read when it is first needed.
#[derive(Debug)]
pub struct AddressList {
    name: String,
    compiled: Compiled,
    listed: List,
    /// The separate list of patterns: name and path.
    patterns: Option<(String, PathBuf)>,
    rules: Option<Rules>,
}

impl AddressList {
    /// The list `name` and `name.cdb` of a control directory.
    #[must_use]
    pub fn new(control: &Path, name: &str) -> Self {
        let compiled = Compiled::new(control.join(format!("{name}.cdb")));
        Self { name: name.to_owned(), compiled, listed: List::new(control.join(name)), patterns: None, rules: None }
    }

    /// The same with a list of its own for wildcards; while that exists, no line of the list itself is one.
    #[must_use]
    pub fn with_patterns(self, control: &Path, name: &str) -> Self {
        Self { patterns: Some((name.to_owned(), control.join(name))), ..self }
    }

    /// What the list says about an address, ASCII case ignored: the compiled one first.
    ///
    /// # Errors
    /// [`Undecided`]: what cannot be read, and a line that is no expression when no other line matches.
    pub fn find(&mut self, address: &[u8], syntax: Syntax) -> Result<Match, Undecided> {
        let address = address.to_ascii_lowercase();
        let domain = memchr::memrchr(b'@', &address).and_then(|at| address.get(at..)).unwrap_or_default();
        let literals: Vec<&[u8]> = [address.as_slice(), domain].into_iter().filter(|key| !key.is_empty()).collect();
        // D30: `@domain` counts in the compiled list as well.
        let compiled = self.compiled.contains_any(&literals)?;
        if compiled == Some(true) {
            return Ok(Match::Yes { file: format!("{}.cdb", self.name), line: None });
        }
        let text = match syntax {
            Syntax::Wildcards => self.find_wildcard(&address, &literals)?,
            Syntax::Expressions => self.find_expression(&address)?,
        };
        Ok(if text == Match::Absent && compiled.is_some() { Match::No } else { text })
    }

    fn find_wildcard(&mut self, address: &[u8], literals: &[&[u8]]) -> Result<Match, Undecided> {
        let found = self.listed.find_any(literals)?;
        if let Found::Yes { line, .. } = found {
            return Ok(Match::Yes { file: self.name.clone(), line: Some(line) });
        }
        if self.rules.is_none() {
            self.rules = Some(self.read_rules()?);
        }
        let rules = self.rules.as_ref();
        let absent = found == Found::Absent && rules.is_none_or(|rules| rules.file == self.name);
        let otherwise = if absent { Match::Absent } else { Match::No };
        Ok(rules.and_then(|rules| rules.find(address)).unwrap_or(otherwise))
    }

    fn read_rules(&self) -> Result<Rules, Unreadable> {
        if let Some((name, path)) = &self.patterns
            && let Some(lines) = Rules::read(path, |_| true, |_| true)?
        {
            return Ok(Rules { file: name.clone(), lines });
        }
        // The other lines of the list have been compared already; a large list has few that are worth a look.
        let lines = Rules::read(self.listed.path(), may_hold_rule, is_rule)?;
        Ok(Rules { file: self.name.clone(), lines: lines.unwrap_or_default() })
    }

    fn find_expression(&self, address: &[u8]) -> Result<Match, Undecided> {
        let subject = Subject::new(address);
        let (mut counting, mut bad) = (None, None);
        let see = |line, text: &[u8]| {
            match counts(text, &subject) {
                Ok(true) => counting = Some(line),
                Ok(false) => {}
                Err(error) => bad = bad.or(Some((line, error))),
            }
            if counting.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let read = each_entry(self.listed.path(), |_| true, see)?;
        match (read, counting, bad) {
            (_, Some(line), _) => Ok(Match::Yes { file: self.name.clone(), line: Some(line) }),
            (_, None, Some((line, error))) => {
                Err(Undecided::Expression { path: self.listed.path().to_owned(), line, error })
            }
            (Some(()), None, None) => Ok(Match::No),
            (None, None, None) => Ok(Match::Absent),
        }
    }
}

/// Whether a line under `QREGEX` speaks for the address. D05: one that does not compile never does, negated or not.
fn counts(line: &[u8], subject: &Subject) -> Result<bool, BadExpression> {
    let (negated, expression) = split_negation(line);
    // The original puts `.*` before a leading `@`; in an expression that may match anywhere it changes nothing.
    Ok(Expression::new(expression)?.is_match(subject) != negated)
}

/// The lines that are tried as wildcards, in order.
#[derive(Debug)]
struct Rules {
    file: String,
    lines: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    line: u32,
    negated: bool,
    /// In lower case, as the addresses it is compared with: unlike in the original, `*@Example.org` is of use.
    pattern: Vec<u8>,
}

impl Rules {
    /// The entries that are `wanted`, of the pieces that `may_hold` one; `None` if there is no such file.
    fn read(
        path: &Path,
        may_hold: impl Fn(&Piece<'_>) -> bool,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<Rule>>, Unreadable> {
        let mut rules = Vec::new();
        let read = each_entry(path, may_hold, |line, text| {
            if wanted(text) {
                let (negated, pattern) = split_negation(text);
                rules.push(Rule { line, negated, pattern: pattern.to_ascii_lowercase() });
            }
            ControlFlow::Continue(())
        })?;
        Ok(read.map(|()| rules))
    }

    /// The last line that applies decides; a line that could not change the verdict is not tried.
    fn find(&self, address: &[u8]) -> Option<Match> {
        let matching = self.lines.iter().fold(None, |verdict: Option<u32>, rule| {
            if rule.negated == verdict.is_some() && wildmat::matches(&rule.pattern, address) {
                (!rule.negated).then_some(rule.line)
            } else {
                verdict
            }
        });
        matching.map(|line| Match::Yes { file: self.file.clone(), line: Some(line) })
    }
}

fn split_negation(line: &[u8]) -> (bool, &[u8]) {
    line.strip_prefix(b"!").map_or((false, line), |rest| (true, rest))
}

/// Whether an entry says more than its literal text.
fn is_rule(entry: &[u8]) -> bool {
    entry.starts_with(b"!") || wildmat::is_pattern(entry)
}

fn may_hold_rule(piece: &Piece<'_>) -> bool {
    wildmat::is_pattern(piece.framed) || memmem::find(piece.framed, b"\n!").is_some() || piece.has_nul()
}

/// Shows `see` line number and text of each entry until it has seen enough; `None` if there is no such file.
fn each_entry(
    path: &Path,
    may_hold: impl Fn(&Piece<'_>) -> bool,
    mut see: impl FnMut(u32, &[u8]) -> ControlFlow<()>,
) -> Result<Option<()>, Unreadable> {
    let mut read = || -> io::Result<Option<()>> {
        let Some(file) = pieces::open(path)? else { return Ok(None) };
        let each_piece = pieces::each_piece(file, CHUNK_OCTETS, |piece| {
            let lines = if may_hold(piece) { piece.lines() } else { b"" };
            text::entries(lines).try_for_each(|entry| see(piece.line.saturating_add(entry.line - 1), entry.text))
        });
        each_piece.map(Some)
    };
    read().map_err(|error| Unreadable { path: path.to_owned(), error })
}
