//! Rule files, line by line: what says nothing, what nobody can understand, what a rule cannot change.

use std::path::Path;

use crate::control::rules::{Assignment, Rule};
use crate::control::settings::{SETTINGS, State, variable};
use crate::control::text::entries;
use crate::lookup::ere::Expression;
use crate::operator::finding::Finding;
use crate::operator::lint::list::{of_any_list, shown};
use crate::smtp::printable::printable;

/// The findings in a rule file; in some of them patterns may be regular expressions.
pub(super) fn lint_rules(path: &Path, text: &[u8], has_expressions: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(text) {
        let mut error = |text: String| findings.push(Finding::error(path, text).in_line(entry.line));
        if let Some(problem) = of_any_list(&entry) {
            error(problem);
            continue;
        }
        let Some(rule) = Rule::parse(entry.text) else {
            error(format!("`{}` says nothing: write `pattern:VARIABLE=value,VARIABLE=value`", shown(&entry)));
            continue;
        };
        if let Some(bad) = Expression::new(rule.pattern).err().filter(|_| has_expressions && !rule.pattern.is_empty()) {
            error(format!("`{}` is no regular expression: {bad}; this rule is passed over", text_of(rule.pattern)));
        }
        for assignment in rule.assignments() {
            match assignment {
                Ok(assignment) => findings
                    .extend(in_vain(&assignment).map(|problem| Finding::warning(path, problem).in_line(entry.line))),
                Err(part) => findings.push(
                    Finding::error(path, format!("`{}` does nothing: write `VARIABLE=value`", text_of(&part)))
                        .in_line(entry.line),
                ),
            }
        }
    }
    findings
}

/// What a rule cannot do with a variable of ours.
fn in_vain(assignment: &Assignment) -> Option<String> {
    let name = text_of(&assignment.name);
    if assignment.name.ends_with(b" ") || assignment.name.ends_with(b"\t") {
        return Some(format!("`{name}` ends in a blank, which is part of the variable's name: remove it"));
    }
    if variable(&assignment.name).is_some_and(|known| !known.key.is_of_rules()) {
        return Some(format!(
            "{name} is read when the connection starts: a rule changes it for the queue program alone"
        ));
    }
    let row = SETTINGS.iter().find(|row| row.variable.as_bytes() == assignment.name)?;
    match row.state {
        State::NotYet(what) => Some(format!("{name} does nothing: it comes with {what}; do not rely on it")),
        State::NoEffect(why) => Some(format!("{name} has no effect here: {why}")),
        State::Works(_) | State::OnDemand => None,
    }
}

fn text_of(octets: &[u8]) -> String {
    String::from_utf8_lossy(&printable(octets)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_cannot_do_is_found() {
        let text =
            b"*@a:DATABYTES=5,QUEUEDIR=/q\nno rule\n[:A=1\n*:WORD\n*:RELAYCLIENT=\n*:A =1\n*:SPFBEHAVIOR=3\n:B=1\r\n";
        let found = |has_expressions| -> Vec<String> {
            lint_rules(Path::new("from.envrules"), text, has_expressions).iter().map(ToString::to_string).collect()
        };
        let wildcards = found(false);
        let lines = |found: &[String]| -> Vec<u32> {
            found.iter().map(|text| text.split(':').nth(2).unwrap().parse().unwrap()).collect()
        };
        assert_eq!(lines(&wildcards), [2, 4, 5, 6, 7, 8], "{wildcards:?}");
        assert!(lines(&found(true)).contains(&3));
        assert!(wildcards[2].starts_with("warning: from.envrules:5: RELAYCLIENT is read when"), "{wildcards:?}");
    }
}
