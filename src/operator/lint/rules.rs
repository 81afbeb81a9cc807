//! Rule files, line by line: what says nothing, what nobody can understand, what a rule cannot change.

use std::path::Path;

use crate::control::rules::{Assignment, Rule};
use crate::control::settings::variable;
use crate::control::text::{Entry, entries};
use crate::lookup::ere::Expression;
use crate::lookup::wildmat;
use crate::operator::finding::Finding;
use crate::operator::lint::Circumstances;
use crate::operator::lint::list::{of_any_list, shown, unclosed};
use crate::operator::lint::values::text_of;

/// Variables that are read before there is a transaction, beside those of [`variable`].
const OF_CONNECTION: [&str; 9] = [
    "RELAYCLIENTS",
    "RELAYDOMAINS",
    "RELAYMAILFROM",
    "BADIP",
    "BADIPCHECK",
    "BADHOST",
    "BADHOSTCHECK",
    "BADHELO",
    "BADHELOCHECK",
];

/// The findings in a rule file; `name` is its usual one.
pub(super) fn lint_rules(path: &Path, name: &str, text: &[u8], circumstances: &Circumstances<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(text) {
        let Some(rule) = Rule::parse(entry.text) else {
            let problem = of_any_list(&entry).unwrap_or_else(|| {
                format!("`{}` says nothing: write `pattern:VARIABLE=value,VARIABLE=value`", shown(&entry))
            });
            findings.push(Finding::error(path, problem).in_line(entry.line));
            continue;
        };
        let of_line = of_carriage_return(&entry).or_else(|| of_any_list(&entry));
        let problem = of_line.or_else(|| of_pattern(&entry, rule.pattern, name, circumstances));
        findings.extend(problem.map(|problem| Finding::error(path, problem).in_line(entry.line)));
        for assignment in rule.assignments() {
            let finding = match assignment {
                Ok(assignment) => in_vain(&assignment).map(|problem| Finding::warning(path, problem)),
                Err(part) => {
                    Some(Finding::error(path, format!("`{}` does nothing: write `VARIABLE=value`", text_of(&part))))
                }
            };
            findings.extend(finding.map(|finding| finding.in_line(entry.line)));
        }
    }
    findings
}

/// A rule is about whom it is about; what it sets last has the CR.
fn of_carriage_return(entry: &Entry<'_>) -> Option<String> {
    let text = "ends in CR, which is part of the last value: save the file with LF line ends";
    entry.text.ends_with(b"\r").then(|| text.to_owned())
}

/// A pattern that is none, or that nobody can match.
fn of_pattern(entry: &Entry<'_>, pattern: &[u8], name: &str, circumstances: &Circumstances<'_>) -> Option<String> {
    let has_expressions = circumstances.regular_expressions && name != "domainqueue";
    let shown_pattern = text_of(pattern);
    if matches!(pattern, b"" | b"<>") {
        let advice = "the domain of a recipient is never empty; write `*` for all";
        return (name == "domainqueue").then(|| format!("`{}` never applies: {advice}", shown(entry)));
    }
    if has_expressions {
        let bad = Expression::new(pattern).err()?;
        return Some(format!("`{shown_pattern}` is no regular expression: {bad}; this rule is passed over"));
    }
    if !circumstances.file_names && !wildmat::is_whole(pattern) {
        return Some(unclosed(entry));
    }
    let is_wildcard = wildmat::is_pattern(pattern);
    let advice = match name {
        "auth.envrules" if !wildmat::matches(pattern, b"") => {
            "these rules are about clients, not addresses; write `*`".to_owned()
        }
        "domainqueue" if pattern.contains(&b'@') => {
            let domain = shown_pattern.rsplit('@').next().unwrap_or_default();
            format!("a rule is about the domain of a recipient; write `{domain}`")
        }
        "from.envrules" if !is_wildcard && !pattern.contains(&b'@') && pattern.contains(&b'.') => {
            format!("it is compared with the whole sender; write `*@{shown_pattern}`")
        }
        "from.envrules" if pattern.starts_with(b"@") => {
            format!("it is compared with the whole sender; write `*{shown_pattern}`")
        }
        _ => return None,
    };
    Some(format!("`{shown_pattern}` never applies: {advice}"))
}

/// Whether a rule for a transaction changes what smtpd does.
pub(super) fn can_change(name: &[u8]) -> bool {
    variable(name).is_none_or(|known| known.key.is_of_rules())
        && !OF_CONNECTION.iter().any(|of_connection| of_connection.as_bytes() == name)
}

/// What a rule cannot do with a variable of ours.
fn in_vain(assignment: &Assignment) -> Option<String> {
    let name = text_of(&assignment.name);
    if assignment.name.ends_with(b" ") || assignment.name.ends_with(b"\t") {
        return Some(format!("`{name}` ends in a blank, which is part of the variable's name: remove it"));
    }
    (!can_change(&assignment.name))
        .then(|| format!("{name} is read when the connection starts: a rule changes it for the queue program alone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::lint::assigned::Assignments;

    fn lint(name: &str, text: &[u8], regular_expressions: bool) -> Vec<String> {
        let assignments = Assignments::default();
        let circumstances = Circumstances::new(&assignments, regular_expressions, &[]);
        lint_rules(Path::new(name), name, text, &circumstances).iter().map(ToString::to_string).collect()
    }

    fn lines(found: &[String]) -> Vec<u32> {
        found.iter().map(|text| text.split(':').nth(2).unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn what_a_rule_cannot_do_is_found() {
        let text =
            b"*@a:DATABYTES=5,QUEUEDIR=/q\nno rule\n[:A=1\n*:WORD\n*:RELAYCLIENT=\n*:A =1\n*:BADHELO=x\n:B=1\r\n";
        let wildcards = lint("from.envrules", text, false);
        assert_eq!(lines(&wildcards), [2, 3, 4, 5, 6, 7, 8], "{wildcards:?}");
        let expressions = lint("from.envrules", b"@a:A=1\n[:A=1\n", true);
        assert!(expressions[0].starts_with("error: from.envrules:2: `[` is no regular expression"), "{expressions:?}");
        assert!(wildcards[3].starts_with("warning: from.envrules:5: RELAYCLIENT is read when"), "{wildcards:?}");
    }

    #[test]
    fn patterns_that_nobody_matches_are_found() {
        for (name, text, expected) in [
            (
                "from.envrules",
                "*:A=1\n:A=1\n<>:A=1\njoe@a.ex:A=1\n*@a.ex:A=1\nroot:A=1\na.ex:A=1\n@a.ex:A=1\n",
                &[7, 8][..],
            ),
            ("auth.envrules", "*:A=1\n:A=1\n<>:A=1\njoe@a.ex:A=1\n", &[4]),
            ("domainqueue", "*:A=1\n:A=1\na.ex:A=1\n*.ex:A=1\njoe@a.ex:A=1\n", &[2, 5]),
        ] {
            let found = lint(name, text.as_bytes(), false);
            assert_eq!(lines(&found), expected, "{found:?}");
        }
    }
}
