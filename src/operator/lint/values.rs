//! The values of variables, wherever they are set: numbers that are none, programs and lists that are not there.

use std::path::Path;

use crate::control::environment::Environment;
use crate::control::settings::{Form, Setting, State};
use crate::control::text::{first_line, signed, unsigned};
use crate::control::zone::Zone;
use crate::lookup::accounts::mailbox::over_quota;
use crate::lookup::accounts::system::places;
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::assigned::{Assigned, Assignments, Place};
use crate::operator::lint::list::{TYPOGRAPHIC, has_typographic_quotes};
use crate::operator::lint::relay::{missing_list, names_list};
use crate::operator::lint::{not_yet, queue};
use crate::smtp::printable::printable;

/// The variables that name lists of who may relay.
const GRANTS_BY_NAME: [&str; 3] = ["RELAYCLIENTS", "RELAYDOMAINS", "RELAYMAILFROM"];

/// What is wrong, and how bad it is.
pub(super) type Problem = (Severity, String);

/// Examines the value of every variable of ours.
pub(super) fn lint_values(assignments: &Assignments, directory: &Path, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What a rule cannot change is said where its line is examined.
    for assigned in assignments.iter().filter(|assigned| assigned.counts()) {
        let Some(setting) = assigned.setting() else { continue };
        let found = problems(setting, assigned, directory, environment);
        findings.extend(
            found.into_iter().map(|(severity, text)| assigned.place.finding(severity, setting.variable, &text)),
        );
    }
    findings
}

fn problems(setting: &Setting, assigned: &Assigned, directory: &Path, environment: &Environment) -> Vec<Problem> {
    if let Some(problem) = not_yet(setting) {
        return vec![(Severity::Warning, problem)];
    }
    let value = assigned.value.as_slice();
    let warning = |text: String| (Severity::Warning, text);
    let of_value = match setting.variable {
        "QMAILQUEUE" => queue::of_queue_program(value, directory, environment),
        "LOGFILTER" => queue::of_log_filter(value).map(warning),
        "VIRUSCHECK" => of_virus_check(value).map(warning),
        "CHECKRECIPIENT" => of_check_recipient(value).map(warning),
        "LOCAL_USERS" => places(value).err().map(of_accounts),
        "ACCOUNT_OVERQUOTA" => over_quota(value).err().map(of_accounts),
        "TZ" => Zone::of(&with(environment, b"TZ", value)).err().map(|no_zone| warning(no_zone.to_string())),
        _ => bad_number(setting, value, otherwise(setting)).map(warning),
    };
    let mut problems: Vec<Problem> = of_value.into_iter().collect();
    if has_typographic_quotes(value) {
        problems.push(warning(TYPOGRAPHIC.to_owned()));
    }
    let is_told_with_its_line = matches!(assigned.place, Place::Line(_, _));
    if value.ends_with(b"\r") && !is_told_with_its_line {
        problems.push(warning("ends in CR, which is part of the value: remove it".to_owned()));
    }
    if names_list(setting) {
        problems.extend(of_list_name(setting, assigned, directory, environment).into_iter().map(warning));
    }
    problems
}

/// The name of another list: that it grants where the original would not (D98), and that it may not exist.
fn of_list_name(setting: &Setting, assigned: &Assigned, directory: &Path, environment: &Environment) -> Vec<String> {
    let mut problems = Vec::new();
    let value = assigned.value.as_slice();
    if GRANTS_BY_NAME.contains(&setting.variable) && !value.is_empty() {
        let (file, shown) = (setting.file, text_of(value));
        problems.push(format!(
            "names the list {shown} of who may relay; the original does not know this variable and reads {file}: see that it is meant"
        ));
    }
    // In the environment it is told together with the list that is not read instead.
    if assigned.place != Place::Environment {
        problems.extend(missing_list(setting, value, directory, environment));
    }
    problems
}

/// What is used where the text of a variable is no number.
fn otherwise(setting: &Setting) -> &'static str {
    match setting.state {
        State::Works(_) => "0",
        State::OnDemand | State::NotYet(_) | State::NoEffect(_) => setting.default,
    }
}

/// A text that should be a number: it is none, or has something behind it.
pub(super) fn bad_number(setting: &Setting, text: &[u8], otherwise: &str) -> Option<String> {
    let line = first_line(text).trim_ascii_end();
    let number = match setting.form {
        Form::Number => signed(line).map(|number| number.to_string()),
        Form::Unsigned => unsigned(line).map(|number| number.to_string()),
        Form::Switch
        | Form::Text
        | Form::Line
        | Form::Address
        | Form::Path
        | Form::Lines
        | Form::Addresses
        | Form::Patterns
        | Form::Rules
        | Form::Cdb => return None,
    };
    let shown = text_of(line);
    let digits = line.trim_ascii_start();
    let digits = digits.strip_prefix(b"-").or_else(|| digits.strip_prefix(b"+")).unwrap_or(digits);
    match number {
        None => Some(format!("`{shown}` is no number: {otherwise} is used")),
        Some(_) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => None,
        Some(number) => Some(format!("`{shown}` counts as {number}: write the number alone")),
    }
}

fn of_accounts(wrong: String) -> Problem {
    (Severity::Error, format!("is {wrong}; whoever it is about gets 451"))
}

fn of_virus_check(value: &[u8]) -> Option<String> {
    let line = first_line(value).trim_ascii_end();
    let is_known = line.is_empty() || matches!(signed(line), Some(1..=7));
    (!is_known).then(|| {
        let shown = text_of(line);
        format!("is `{shown}`, with which nothing is looked for: 1 to 4 use signatures, 2 to 7 scanners of the queue program")
    })
}

fn of_check_recipient(value: &[u8]) -> Option<String> {
    let is_known = value.is_empty() || matches!(signed(value), Some(1..=3));
    (!is_known).then(|| format!("is `{}`, which counts as 3: write 1, 2 or 3", text_of(value)))
}

/// The same environment with another value of one variable.
fn with(environment: &Environment, name: &[u8], value: &[u8]) -> Environment {
    let others = environment.iter().filter(|(other, _)| *other != name);
    let all = others.chain([(name, value)]);
    all.map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

pub(super) fn text_of(octets: &[u8]) -> String {
    String::from_utf8_lossy(&printable(octets)).into_owned()
}
