//! Lists of addresses, such as `relaymailfrom`: compiled, plain, as wildcards or as regular expressions.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::control::text;
use crate::lookup::compiled::Compiled;
use crate::lookup::ere::{BadExpression, Subject};
use crate::lookup::list::{Found, List};
use crate::lookup::pieces::{self, ListFile, Piece};
use crate::lookup::shape::Expressions;
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
    expressions: Expressions,
    /// Lines that are no addresses but something else: they do not count here.
    is_other: fn(&[u8]) -> bool,
}

impl AddressList {
    /// The list `name` and `name.cdb` of a control directory.
    #[must_use]
    pub fn new(control: &Path, name: &str) -> Self {
        let compiled = Compiled::new(control.join(format!("{name}.cdb")));
        let listed = List::new(control.join(name));
        Self {
            name: name.to_owned(),
            compiled,
            listed,
            patterns: None,
            rules: None,
            expressions: Expressions::default(),
            is_other: |_| false,
        }
    }

    /// The same without the lines that are something else, however they would match.
    #[must_use]
    pub fn without(self, is_other: fn(&[u8]) -> bool) -> Self {
        Self { is_other, ..self }
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
        // A client can call itself by the text of any line.
        let is_literal = |key: &&[u8]| !key.is_empty() && !(self.is_other)(key);
        let literals: Vec<&[u8]> = [address.as_slice(), domain].into_iter().filter(is_literal).collect();
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
        let wanted = |entry: &[u8]| is_rule(entry) && !(self.is_other)(entry);
        let lines = Rules::read(self.listed.path(), may_hold_rule, wanted)?;
        Ok(Rules { file: self.name.clone(), lines: lines.unwrap_or_default() })
    }

    fn find_expression(&mut self, address: &[u8]) -> Result<Match, Undecided> {
        let subject = Subject::new(address);
        let (mut counting, mut bad) = (None, None);
        let expressions = &mut self.expressions;
        let see = |line, text: &[u8]| {
            if (self.is_other)(text) {
                return ControlFlow::Continue(());
            }
            match counts(text, &subject, expressions) {
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
fn counts(line: &[u8], subject: &Subject, expressions: &mut Expressions) -> Result<bool, BadExpression> {
    let (negated, expression) = split_negation(line);
    // The original puts `.*` before a leading `@`; in an expression that may match anywhere it changes nothing.
    Ok(expressions.compiled(expression)?.is_match(subject) != negated)
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
pub(super) fn each_entry(
    path: &Path,
    may_hold: impl Fn(&Piece<'_>) -> bool,
    mut see: impl FnMut(u32, &[u8]) -> ControlFlow<()>,
) -> Result<Option<()>, Unreadable> {
    let mut read = || -> io::Result<Option<()>> {
        let Some(list) = ListFile::open(path)? else { return Ok(None) };
        let each_piece = pieces::each_piece(&list.file, list.chunk_octets(), |piece| {
            let lines = if may_hold(piece) { piece.lines() } else { b"" };
            text::entries(lines).try_for_each(|entry| see(piece.line.saturating_add(entry.line - 1), entry.text))
        });
        each_piece.map(Some)
    };
    read().map_err(|error| Unreadable { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use crate::cdb::make::Maker;

    use super::*;
    use Syntax::{Expressions, Wildcards};

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn compile(path: &Path, keys: &[&str]) {
        let mut maker = Maker::new(File::create(path).unwrap());
        keys.iter().for_each(|key| maker.add(key.as_bytes(), b"").unwrap());
        maker.finish().unwrap();
    }

    fn find(dir: &tempfile::TempDir, address: &str, syntax: Syntax) -> Match {
        AddressList::new(dir.path(), "list").find(address.as_bytes(), syntax).unwrap()
    }

    fn yes(file: &str, line: impl Into<Option<u32>>) -> Match {
        Match::Yes { file: file.to_owned(), line: line.into() }
    }

    #[test]
    fn the_line_that_decided_is_named() {
        let dir =
            directory(&[("list", "# who\nJoe@d1.ex\n@D2.ex\n*@d3.ex\n!bad@d3.ex\nbad@*3.ex\n!x?@d3.ex\n!*@d4.ex\n")]);
        let cases = [
            ("JOE@D1.EX", yes("list", 2)),
            ("x@d2.ex", yes("list", 3)),
            ("x@sub.d2.ex", Match::No),
            ("", Match::No),
            ("ok@d3.ex", yes("list", 4)),
            ("bad@d3.ex", yes("list", 6)),
            ("xy@d3.ex", Match::No),
            ("a@d4.ex", Match::No),
        ];
        for (address, expected) in cases {
            assert_eq!(find(&dir, address, Wildcards), expected, "{address}");
        }
    }

    #[test]
    fn upper_case_in_a_pattern_is_of_use() {
        let dir = directory(&[("list", "*@Example.ORG\n!Bad@[A-F]xample.org\n")]);
        assert_eq!(find(&dir, "x@example.org", Wildcards), yes("list", 1));
        assert_eq!(find(&dir, "BAD@example.org", Wildcards), Match::No);
    }

    #[test]
    fn a_few_patterns_are_found_in_a_large_list() {
        let mut text: String = (1..=9_000).map(|line| format!("user{line}@host{line}.example\n")).collect();
        text.insert_str(0, "!user7*@*\n");
        let dir = directory(&[("list", &(text + "*@host7?.example\n"))]);
        let mut list = AddressList::new(dir.path(), "list");
        for _ in 0..12 {
            assert_eq!(list.find(b"user7@host7.example", Wildcards).unwrap(), yes("list", 8));
            assert_eq!(list.find(b"new@host77.example", Wildcards).unwrap(), yes("list", 9_002));
            assert_eq!(list.find(b"new@host7.example", Wildcards).unwrap(), Match::No);
        }
        assert_eq!(list.rules.unwrap().lines.len(), 2);
    }

    #[test]
    fn an_exception_counts_however_far_behind_its_wildcard() {
        let others: String = (1..=9_000).map(|line| format!("user{line}@host{line}.example\n")).collect();
        let dir = directory(&[("list", &format!("*@d.ex\n{others}!no@d.ex\n"))]);
        assert_eq!(find(&dir, "a@d.ex", Wildcards), yes("list", 1));
        assert_eq!(find(&dir, "no@d.ex", Wildcards), Match::No);
    }

    #[test]
    fn a_backslash_makes_a_pattern() {
        assert_eq!(find(&directory(&[("list", "jo\\e@d.ex\n")]), "joe@d.ex", Wildcards), yes("list", 1));
    }

    #[test]
    fn the_compiled_list_is_asked_first_and_knows_domains() {
        let dir = directory(&[("list", "a@x.ex\nb@x.ex\n")]);
        compile(&dir.path().join("list.cdb"), &["a@x.ex", "@y.ex", "", "*@z.ex"]);
        for syntax in [Wildcards, Expressions] {
            assert_eq!(find(&dir, "A@x.ex", syntax), yes("list.cdb", None));
            assert_eq!(find(&dir, "any@Y.ex", syntax), yes("list.cdb", None));
            assert_eq!(find(&dir, "b@x.ex", syntax), yes("list", 2));
            for address in ["", "c", "a@z.ex"] {
                assert_eq!(find(&dir, address, syntax), Match::No, "{address}");
            }
        }
        fs::remove_file(dir.path().join("list")).unwrap();
        assert_eq!(find(&dir, "b@x.ex", Wildcards), Match::No);
        assert_eq!(find(&dir, "b@x.ex", Expressions), Match::No);
        fs::remove_file(dir.path().join("list.cdb")).unwrap();
        assert_eq!(find(&dir, "b@x.ex", Wildcards), Match::Absent);
        assert_eq!(find(&dir, "b@x.ex", Expressions), Match::Absent);
    }

    #[test]
    fn a_list_of_patterns_takes_the_place_of_the_wildcards() {
        let dir = directory(&[("list", "a@x.ex\n*@y.ex\n"), ("patterns", "*@z.ex\nlit@w.ex\n!no@z.ex\n")]);
        let find = |address: &str| {
            let mut list = AddressList::new(dir.path(), "list").with_patterns(dir.path(), "patterns");
            list.find(address.as_bytes(), Wildcards).unwrap()
        };
        assert_eq!(find("a@x.ex"), yes("list", 1));
        assert_eq!(find("b@y.ex"), Match::No);
        assert_eq!(find("b@z.ex"), yes("patterns", 1));
        assert_eq!(find("no@z.ex"), Match::No);
        assert_eq!(find("Lit@w.ex"), yes("patterns", 2));
        fs::remove_file(dir.path().join("list")).unwrap();
        assert_eq!(find("b@y.ex"), Match::No);
        fs::remove_file(dir.path().join("patterns")).unwrap();
        assert_eq!(find("b@y.ex"), Match::Absent);
    }

    #[test]
    fn a_bad_expression_grants_nothing_and_is_named() {
        let dir = directory(&[("list", "# no\njoe@a\\.ex\n[\n![\n!@\n")]);
        assert_eq!(find(&dir, "xJOE@a.ex.org", Expressions), yes("list", 2));
        assert_eq!(find(&dir, "nobody", Expressions), yes("list", 5));
        let error = AddressList::new(dir.path(), "list").find(b"u@d", Expressions).unwrap_err();
        assert!(error.to_string().ends_with("/list:3: Invalid regular expression"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_decides_nothing() {
        for name in ["list", "list.cdb", "patterns"] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join(name)).unwrap();
            let mut list = AddressList::new(dir.path(), "list").with_patterns(dir.path(), "patterns");
            assert!(matches!(list.find(b"a@b", Wildcards), Err(Undecided::Unreadable(_))), "{name}");
        }
        let dir = directory(&[("list", "a@b\n"), ("list.cdb", "xx")]);
        let damaged = AddressList::new(dir.path(), "list").find(b"a@b", Wildcards);
        assert!(matches!(damaged, Err(Undecided::Compiled { .. })));
    }
}
