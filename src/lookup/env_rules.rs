//! Rule files: which settings one transaction gets, by its sender, by its client, by the domain of its recipient.

use std::ops::ControlFlow;

use crate::control::Setup;
use crate::control::load::LoadError;
use crate::control::rules::{Assignment, Rule};
use crate::errno::words;
use crate::lookup::address::each_entry;
use crate::lookup::ere::BadExpression;
use crate::lookup::listed::may_have;
use crate::lookup::shape::{Expressions, Shaped};
use crate::lookup::undecided::Undecided;
use crate::lookup::{failed, list_name};
use crate::policy::rules::{Applied, RuleFile};
use crate::policy::verdict::{Answer, Evidence, LookupFailed};

/// What the rules for `subject` make of the settings: the empty one is the null sender's, or that of clients that may relay.
pub(super) fn answer(
    rules: RuleFile,
    subject: &[u8],
    setup: &Setup,
    expressions: &mut Expressions,
    notes: &mut Vec<String>,
) -> Result<Answer, LookupFailed> {
    let names = rules.names();
    if !may_have(setup, names.variable, names.file) {
        return Ok(Answer::Absent);
    }
    let file = list_name(setup, names.variable, names.file);
    let path = setup.control.directory.join(file.as_ref());
    let shaped = match rules {
        RuleFile::BySender | RuleFile::OfClients => Shaped::new(subject, setup),
        RuleFile::ByRecipient => Shaped::without_expressions(subject, setup),
    };
    let (mut number, mut last) = (0u32, None);
    let mut assignments: Vec<Assignment> = Vec::new();
    let read = each_entry(
        &path,
        |_| true,
        |line, entry| {
            let Some(rule) = Rule::parse(entry) else { return ControlFlow::Continue(()) };
            number = number.saturating_add(1);
            match is_about(&rule, &shaped, subject, expressions) {
                Ok(true) => {
                    last = Some((number, line));
                    assignments.extend(rule.assignments().flatten());
                }
                Ok(false) => {}
                // As in the original it is about nobody; there nobody hears of it.
                Err(error) => notes.push(format!("{file}:{line}: {error}; this rule is passed over")),
            }
            ControlFlow::Continue(())
        },
    );
    let read = read.map_err(|unreadable| failed(file.clone(), Undecided::Unreadable(unreadable)))?;
    match (read, last) {
        (None, _) => Ok(Answer::Absent),
        (Some(()), None) => Ok(Answer::No),
        (Some(()), Some((number, line))) => {
            let setup = setup.for_transaction(&assignments).map_err(unloaded)?;
            let names = assignments.into_iter().map(|assignment| assignment.name).collect();
            let evidence = Evidence { file, line: Some(line), suffix: Vec::new() };
            Ok(Answer::Applied(Box::new(Applied { evidence, number, names, setup })))
        }
    }
}

fn is_about(
    rule: &Rule<'_>,
    shaped: &Shaped,
    subject: &[u8],
    expressions: &mut Expressions,
) -> Result<bool, BadExpression> {
    match rule.pattern {
        // D73: as an expression, the empty pattern would be about everybody.
        b"" | b"<>" => Ok(subject.is_empty()),
        pattern => shaped.matches(pattern, expressions),
    }
}

/// A control file that was there when the connection started.
fn unloaded(error: LoadError) -> LookupFailed {
    match error {
        LoadError::Directory { path, error } => {
            LookupFailed::Unreadable { file: "control".into(), path, error: words(&error).into_owned() }
        }
        LoadError::File { name, path, error } => {
            LookupFailed::Unreadable { file: name.into(), path, error: words(&error).into_owned() }
        }
    }
}
