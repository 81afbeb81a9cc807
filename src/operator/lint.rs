//! `postern lint`: what is wrong with a control directory and with the rules of tcpserver.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cdb::read::{Cdb, CdbError};
use crate::client::rules::{Item, items};
use crate::control::Setup;
use crate::control::environment::Environment;
use crate::control::settings::{Form, SETTINGS, Setting, State};
use crate::control::text::{first_line, signed, unsigned};
use crate::operator::list_lint::lint_list;

pub use crate::operator::finding::{Finding, Severity};

/// The longest value of a rule that is looked at, in octets.
const VALUE_OCTETS_MAX: usize = 65_536;

/// Examines a control directory, the variables that smtpd will have, and the compiled rules of tcpserver if there are any.
#[must_use]
pub fn lint(directory: &Path, environment: &Environment, rules: Option<&Path>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => return vec![Finding::error(directory, format!("cannot be examined: {error}"))],
    };
    findings.extend(world_writable(directory, &metadata));
    let setup = Setup::load(environment.clone(), directory, None);
    if let Err(error) = &setup {
        findings.push(Finding::error(directory, format!("smtpd cannot start: {error}")));
    }
    let regular_expressions = setup.is_ok_and(|setup| setup.control.regular_expressions);
    for setting in SETTINGS {
        findings.extend(lint_variable(setting, environment));
        if !setting.file.is_empty() {
            findings.extend(lint_file(setting, directory, regular_expressions));
            findings.extend(lint_other_forms(setting, directory));
        }
    }
    if matches!(directory.join("rcpthosts").try_exists(), Ok(false)) {
        let text = "is missing, so every recipient that needs it gets 451: write the domains of this host into it";
        findings.push(Finding::error(directory.join("rcpthosts"), text));
    }
    findings.extend(rules.map(lint_rules).unwrap_or_default());
    findings
}

/// The exit code: 0 nothing found, 1 warnings, 2 errors.
#[must_use]
pub fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.severity).max() {
        None => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Error) => 2,
    }
}

fn lint_variable(setting: &Setting, environment: &Environment) -> Option<Finding> {
    let value = environment.get(setting.variable.as_bytes()).filter(|_| !setting.variable.is_empty())?;
    let problem = not_yet(setting).or_else(|| bad_number(setting, value))?;
    Some(Finding::warning(setting.variable, problem))
}

fn lint_file(setting: &Setting, directory: &Path, regular_expressions: bool) -> Vec<Finding> {
    let path = directory.join(setting.file);
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![unreadable(&path, &error)],
    };
    let mut findings: Vec<_> = world_writable(&path, &metadata).into_iter().collect();
    if let Some(problem) = not_yet(setting) {
        findings.push(Finding::warning(path, problem));
        return findings;
    }
    if setting.form == Form::Cdb {
        findings.extend(lint_cdb(&path));
        return findings;
    }
    match fs::read(&path) {
        Ok(text) => {
            findings.extend(bad_number(setting, &text).map(|problem| Finding::warning(&path, problem).in_line(1)));
            if matches!(setting.form, Form::Lines | Form::Addresses) {
                findings.extend(lint_list(&path, setting.file, &text, regular_expressions));
            }
        }
        Err(error) => findings.push(unreadable(&path, &error)),
    }
    findings
}

/// A list may also stand in NAME.cdb or NAME.sql; a form that is not read must not go unnoticed.
fn lint_other_forms(setting: &Setting, directory: &Path) -> Vec<Finding> {
    if setting.form != Form::Addresses {
        return Vec::new();
    }
    let unread = |form: &str| !SETTINGS.iter().any(|row| row.file == form && not_yet(row).is_none());
    ["cdb", "sql"]
        .map(|form| format!("{}.{form}", setting.file))
        .into_iter()
        .filter(|form| unread(form) && directory.join(form).exists())
        .map(|form| Finding::warning(directory.join(form), "is there and is not read yet; do not rely on it"))
        .collect()
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    Finding::error(path, format!("cannot be read ({error}): smtpd answers 451 when it needs it"))
}

fn not_yet(setting: &Setting) -> Option<String> {
    match setting.state {
        State::NotYet(what) => Some(format!("is set and does nothing: it comes with {what}; do not rely on it")),
        State::Works(_) | State::OnDemand => None,
    }
}

fn bad_number(setting: &Setting, text: &[u8]) -> Option<String> {
    let line = first_line(text);
    let is_number = match setting.form {
        Form::Number => signed(line).is_some(),
        Form::Unsigned => unsigned(line).is_some(),
        Form::Switch
        | Form::Text
        | Form::Line
        | Form::Address
        | Form::Path
        | Form::Lines
        | Form::Addresses
        | Form::Patterns
        | Form::Rules
        | Form::Cdb => true,
    };
    let default = setting.default;
    (!is_number).then(|| format!("`{}` is no number: {default} is used", String::from_utf8_lossy(line)))
}

fn world_writable(path: &Path, metadata: &Metadata) -> Option<Finding> {
    let sticky = metadata.is_dir() && metadata.permissions().mode() & 0o1000 != 0;
    if metadata.permissions().mode() & 0o002 == 0 || sticky {
        return None;
    }
    Some(Finding::error(path, "can be changed by everyone: chmod o-w"))
}

/// A compiled list must be whole, and not older than its source.
fn lint_cdb(path: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let damaged = match Cdb::open(path) {
        Ok(cdb) => cdb.iter(VALUE_OCTETS_MAX).find_map(Result::err),
        Err(error) => Some(CdbError::from(error)),
    };
    if let Some(error) = damaged {
        findings.push(Finding::error(path, format!("is damaged ({error}): make it again")));
    }
    let source = path.with_extension("");
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    // Without a source nothing is newer.
    if changed(&source) > changed(path) {
        findings.push(Finding::warning(path, format!("is older than {}: make it again", source.display())));
    }
    findings
}

/// The variables that rules set, and whether the rule for everyone lets everyone relay.
fn lint_rules(path: &Path) -> Vec<Finding> {
    let mut findings = lint_cdb(path);
    let Ok(cdb) = Cdb::open(path) else { return findings };
    let mut before = Vec::new();
    for (key, value) in cdb.iter(VALUE_OCTETS_MAX).filter_map(Result::ok) {
        // A network has become many keys with one value (D41); its first key stands for all of them.
        if value == before && !key.is_empty() {
            continue;
        }
        before.clone_from(&value);
        let shown = String::from_utf8_lossy(&key).into_owned();
        for item in items(&value) {
            let Item::Set(text) = item else { continue };
            let name = text.split(|&byte| byte == b'=').next().unwrap_or_default();
            if key.is_empty() && name == b"RELAYCLIENT" {
                let text = "the rule for everyone (the empty address) sets RELAYCLIENT: this is an open relay";
                findings.push(Finding::error(path, text));
            }
            let known = SETTINGS.iter().find(|setting| setting.variable.as_bytes() == name);
            if let Some(problem) = known.and_then(not_yet) {
                let name = String::from_utf8_lossy(name);
                findings.push(Finding::warning(path, format!("rule `{shown}`: {name} {problem}")));
            }
        }
    }
    findings
}
