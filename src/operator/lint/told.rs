//! The findings in one file: errors all, warnings of a kind only so many one by one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::operator::finding::Finding;

/// The warnings of one kind that are told one by one; a long list may have thousands.
const TOLD_MAX: u32 = 100;

/// What warnings about lines are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Lines that could go.
    Needless,
    /// Suffixes of exceptions.
    SuffixOfException,
    /// Grants to very many.
    Wide,
    /// Grants to an address that stands for many.
    Gateway,
    /// Grants by what DNS says of a recipient's domain.
    Exchangers,
    /// Grants by the sender alone.
    SenderOnly,
    /// Names that DNS does not know.
    Unresolvable,
}

impl Kind {
    fn in_words(self) -> &'static str {
        match self {
            Kind::Needless => "lines could go",
            Kind::SuffixOfException => "exceptions have a suffix",
            Kind::Wide => "lines grant to very many",
            Kind::Gateway => "lines hold the address of a gateway or bridge",
            Kind::Exchangers => "lines grant by the MX of a domain",
            Kind::SenderOnly => "lines grant by the sender alone",
            Kind::Unresolvable => "names lead nowhere",
        }
    }
}

/// The findings in a file so far.
pub(super) struct Told<'p> {
    path: &'p Path,
    findings: Vec<Finding>,
    counts: BTreeMap<Kind, u32>,
}

impl<'p> Told<'p> {
    pub(super) fn new(path: &'p Path) -> Self {
        Self { path, findings: Vec::new(), counts: BTreeMap::new() }
    }

    pub(super) fn error(&mut self, line: u32, text: String) {
        self.findings.push(Finding::error(self.path, text).in_line(line));
    }

    pub(super) fn warning(&mut self, kind: Kind, line: u32, text: String) {
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        if *count <= TOLD_MAX {
            self.findings.push(Finding::warning(self.path, text).in_line(line));
        }
    }

    /// In the order of lines; last how many more there are.
    pub(super) fn findings(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| finding.line);
        for (kind, count) in self.counts {
            if let Some(more @ 1..) = count.checked_sub(TOLD_MAX) {
                let text = format!("{more} more {}: mend these first", kind.in_words());
                self.findings.push(Finding::warning(self.path, text));
            }
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_warnings_of_a_kind_are_counted() {
        let mut told = Told::new(Path::new("list"));
        (1..=TOLD_MAX + 7).rev().for_each(|line| told.warning(Kind::Needless, line, "x".to_owned()));
        told.error(3, "y".to_owned());
        let findings: Vec<String> = told.findings().iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 102);
        assert_eq!(findings.last().map(String::as_str), Some("warning: list: 7 more lines could go: mend these first"));
        assert!(findings.windows(2).any(|pair| pair == ["error: list:3: y", "warning: list:8: x"]), "{findings:?}");
    }
}
