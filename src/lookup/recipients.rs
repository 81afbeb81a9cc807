//! The `recipients` file: where the accounts of a domain are, in compiled lists or known to programs.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::control::text;
use crate::lookup::pieces::{self, ListFile};

/// A line that speaks for a domain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The number of the line, from 1.
    pub line: u32,
    /// Who knows the accounts.
    pub source: Source,
}

/// Who knows the accounts.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody: the line, as `!domain`, lets every recipient pass.
    Anybody,
    /// The compiled list of this path.
    Cdb(Vec<u8>),
    /// The program of this command line.
    Program(Vec<u8>),
    /// The line cannot be used, because.
    Unusable(&'static str),
}

/// Whom a line speaks for.
enum Scope<'t> {
    Everywhere,
    /// `@domain`.
    Exactly(&'t [u8]),
    /// `domain`, and what is below it.
    Within(&'t [u8]),
}

/// The lines that speak for `domain`, in order; none at all if there is no such file.
///
/// # Errors
/// Whatever else keeps the file from being read.
pub(super) fn rules_for(path: &Path, domain: &[u8]) -> io::Result<Option<Vec<Rule>>> {
    let Some(list) = ListFile::open(path)? else { return Ok(None) };
    let mut rules = Vec::new();
    pieces::each_piece(&list.file, list.chunk_octets(), |piece| {
        for entry in text::entries(piece.lines()) {
            let (scope, source) = parse(entry.text);
            if scope.holds(domain) {
                rules.push(Rule { line: piece.line.saturating_add(entry.line - 1), source });
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Some(rules))
}

/// Who knows the accounts, by one line.
#[must_use]
pub fn source(entry: &[u8]) -> Source {
    parse(entry).1
}

fn parse(entry: &[u8]) -> (Scope<'_>, Source) {
    if let Some(domain) = entry.strip_prefix(b"!") {
        let scope = if domain == b"*" { Scope::Everywhere } else { Scope::Exactly(domain) };
        return if domain.is_empty() { unusable("no domain behind the !") } else { (scope, Source::Anybody) };
    }
    let Some(at) = memchr::memchr2(b':', b'|', entry) else {
        return (Scope::Everywhere, Source::Cdb(entry.to_vec()));
    };
    let (scope, rest) = entry.split_at_checked(at).unwrap_or_default();
    let scope = match scope {
        b"" | b"@" => return unusable("no domain before the colon or bar"),
        b"*" => Scope::Everywhere,
        [b'@', domain @ ..] => Scope::Exactly(domain),
        domain => Scope::Within(domain),
    };
    let source = match rest {
        [_] | [] => Source::Unusable("nothing behind the colon or bar"),
        [b'|', program @ ..] => Source::Program(program.to_vec()),
        [_, path @ ..] => Source::Cdb(path.to_vec()),
    };
    (scope, source)
}

/// Nobody knows whom such a line should speak for.
fn unusable(why: &'static str) -> (Scope<'static>, Source) {
    (Scope::Everywhere, Source::Unusable(why))
}

impl Scope<'_> {
    fn holds(&self, domain: &[u8]) -> bool {
        match self {
            Scope::Everywhere => true,
            Scope::Exactly(wanted) => domain.eq_ignore_ascii_case(wanted),
            Scope::Within(wanted) => {
                let start = domain.len().wrapping_sub(wanted.len());
                let is_label = start == 0 || domain.get(start.wrapping_sub(1)) == Some(&b'.');
                is_label && domain.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(wanted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENTS: &[u8] = b"# users\n\
        !open.ex\n\
        @A.ex:users/a.cdb\n\
        B.ex:/srv/b:c|d\n\
        @p.ex|prog 'a:b' c\n\
        sub.p.ex|sub\n\
        *:all\n\
        *|every $X\n\
        \n\
        plain.cdb\n\
        !*\n";

    #[test]
    fn each_line_speaks_for_its_domain() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recipients");
        assert_eq!(rules_for(&path, b"a.ex").unwrap(), None);
        assert!(rules_for(dir.path(), b"a.ex").is_err());
        std::fs::write(&path, RECIPIENTS).unwrap();
        let cdb = |path: &str| Source::Cdb(path.into());
        let program = |line: &str| Source::Program(line.into());
        let cases = [
            ("open.ex", Some((2, Source::Anybody))),
            ("x.open.ex", None),
            ("a.EX", Some((3, cdb("users/a.cdb")))),
            ("x.a.ex", None),
            ("b.ex", Some((4, cdb("/srv/b:c|d")))),
            ("x.y.b.Ex", Some((4, cdb("/srv/b:c|d")))),
            ("xb.ex", None),
            ("ex", None),
            ("p.ex", Some((5, program("prog 'a:b' c")))),
            ("sub.p.ex", Some((6, program("sub")))),
        ];
        let everywhere = || {
            let sources = [cdb("all"), program("every $X"), cdb("plain.cdb"), Source::Anybody];
            [7, 8, 10, 11].into_iter().zip(sources)
        };
        for (domain, first) in cases {
            let expected: Vec<Rule> =
                first.into_iter().chain(everywhere()).map(|(line, source)| Rule { line, source }).collect();
            assert_eq!(rules_for(&path, domain.as_bytes()).unwrap(), Some(expected), "{domain}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_used_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recipients");
        std::fs::write(&path, "!\n:x\n|x\n@:x\n@a.ex:\na.ex|\n@b.ex:\n").unwrap();
        let lines: Vec<u32> = rules_for(&path, b"a.ex")
            .unwrap()
            .unwrap()
            .into_iter()
            .map(|rule| {
                assert!(matches!(rule.source, Source::Unusable(_)), "{rule:?}");
                rule.line
            })
            .collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
    }
}
