//! `postern lint`: what is wrong with a control directory and with the rules of tcpserver.

mod accounts;
mod assigned;
mod checker;
mod clients;
mod compiled;
mod foreign;
mod gates;
mod ladder;
mod list;
mod mailboxes;
mod names;
mod queue;
mod relay;
mod relay_table;
mod rules;
mod senders;
mod tls;
mod together;
mod told;
mod values;

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::control::Setup;
use crate::control::environment::Environment;
use crate::control::settings::{Form, SETTINGS, Setting, State};
use crate::dns::Dns;
use crate::lookup::is_null_device;
use crate::operator::host::Gateway;
use crate::operator::lint::assigned::Assignments;
use crate::operator::lint::list::{TYPOGRAPHIC, byte_order_mark, has_typographic_quotes, lint_list, lint_patterns};
use crate::operator::lint::names::Named;
use crate::operator::lint::values::bad_number;

pub use crate::operator::finding::{Finding, Severity};

/// What is examined, and what of the world is known or may be asked.
#[derive(Debug)]
pub struct Examination<'a> {
    /// The control directory.
    pub directory: &'a Path,
    /// The variables that smtpd will have.
    pub environment: &'a Environment,
    /// The compiled rules of tcpserver.
    pub rules: Option<&'a Path>,
    /// Addresses that stand for many clients.
    pub gateways: &'a [Gateway],
    /// The arguments of smtpd, which may name checkers of passwords.
    pub arguments: &'a [Vec<u8>],
    /// Whom to ask for names; nobody where the network must not be asked.
    pub dns: Option<Dns>,
}

/// What the meaning of a list depends on.
struct Circumstances<'a> {
    assignments: &'a Assignments,
    regular_expressions: bool,
    /// Wildcards of names are those of file names, where a bracket need not be closed.
    file_names: bool,
    gateways: &'a [Gateway],
}

impl<'a> Circumstances<'a> {
    fn new(assignments: &'a Assignments, regular_expressions: bool, gateways: &'a [Gateway]) -> Self {
        Self { assignments, regular_expressions, file_names: assignments.has("USE_FNMATCH"), gateways }
    }
}

/// Examines a control directory, the variables that smtpd will have, and the compiled rules of tcpserver if there are any.
#[must_use]
pub fn lint(mut examination: Examination<'_>) -> Vec<Finding> {
    let Examination { directory, environment, rules, gateways, .. } = examination;
    let mut findings = Vec::new();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => return vec![Finding::error(directory, format!("cannot be examined: {error}"))],
    };
    findings.extend(world_writable(directory, &metadata));
    let setup = Setup::load(environment.clone(), directory, None);
    match &setup {
        Ok(setup) => findings.extend(relay::lint_level(setup, directory, environment, rules)),
        Err(error) => findings.push(Finding::error(directory, format!("smtpd cannot start: {error}"))),
    }
    findings.extend(checker::lint_checker(examination.arguments, directory, environment));
    let assignments = Assignments::find(directory, environment, rules);
    findings.extend(values::lint_values(&assignments, directory, environment));
    let regular_expressions = setup.as_ref().is_ok_and(|setup| setup.control.regular_expressions);
    let circumstances = Circumstances::new(&assignments, regular_expressions, gateways);
    for setting in SETTINGS.iter().filter(|setting| !setting.file.is_empty()) {
        let path = relay::file_of(setting, directory, environment);
        findings.extend(lint_file(setting, &path, &circumstances, examination.dns.as_mut()));
        findings.extend(relay::lint_renamed(setting, directory, environment));
    }
    for (path, setting) in assignments.lists_of_rules(directory, environment) {
        findings.extend(lint_file(setting, &path, &circumstances, examination.dns.as_mut()));
    }
    findings.extend(together::lint_together(&assignments, directory, environment));
    findings.extend(list::lint_switched_off(directory, &assignments));
    findings.extend(foreign::lint_foreign(directory, &assignments));
    findings.extend(tls::lint_tls(directory, environment));
    findings.extend(relay_table::lint_relay_table(directory, environment, &assignments));
    findings.extend(mailboxes::lint_mailboxes(directory, environment, &assignments));
    findings.extend(accounts::lint_accounts(directory, environment, &assignments, setup.ok().as_ref()));
    if matches!(directory.join("rcpthosts").try_exists(), Ok(false)) {
        let text = "is missing, so every recipient that needs it gets 451: write the domains of this host into it";
        findings.push(Finding::error(directory.join("rcpthosts"), text));
    }
    findings.extend(rules.map(|rules| compiled::lint_rules(rules, gateways)).unwrap_or_default());
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

fn lint_file(setting: &Setting, path: &Path, circumstances: &Circumstances<'_>, dns: Option<&mut Dns>) -> Vec<Finding> {
    if relay::is_compiled_of_clients(setting) {
        return Vec::new(); // It is examined with its text, whatever name that has.
    }
    let is_of_clients = relay::is_list_of_clients(setting);
    let mut findings = if is_of_clients { compiled::lint_compiled_clients(path) } else { Vec::new() };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return findings,
        Err(error) => {
            findings.push(unreadable(path, &error));
            return findings;
        }
    };
    if is_null_device(&metadata) {
        return findings; // The list is switched off.
    }
    findings.extend(world_writable(path, &metadata));
    if let Some(problem) = not_yet(setting) {
        findings.push(Finding::warning(path, problem));
        return findings;
    }
    if setting.form == Form::Cdb {
        findings.extend(compiled::lint_cdb(path));
        return findings;
    }
    match fs::read(path) {
        Ok(text) => findings.extend(lint_text(setting, path, &text, circumstances, dns)),
        Err(error) => findings.push(unreadable(path, &error)),
    }
    findings
}

fn lint_text(
    setting: &Setting,
    path: &Path,
    text: &[u8],
    circumstances: &Circumstances<'_>,
    dns: Option<&mut Dns>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = byte_order_mark(path, text).into_iter().collect();
    let number = bad_number(setting, text, setting.default);
    findings.extend(number.map(|problem| Finding::warning(path, problem).in_line(1)));
    if relay::is_list_of_clients(setting) {
        let (found, lines) = clients::lint_clients(path, setting.file, text, circumstances);
        findings.extend(found);
        findings.extend(of_names(path, lines.iter().map(clients::Read::named), dns));
    } else if setting.file == "relaymailfrom" {
        let (found, conditions) = senders::lint_senders(path, text, circumstances);
        findings.extend(found);
        findings.extend(of_names(path, conditions.iter().map(senders::Condition::named), dns));
    } else if matches!(setting.form, Form::Lines | Form::Addresses) {
        findings.extend(lint_list(path, setting.file, text, circumstances));
    } else if setting.form == Form::Patterns {
        findings.extend(lint_patterns(path, setting.file, text, circumstances));
    } else if setting.form == Form::Rules {
        findings.extend(rules::lint_rules(path, setting.file, text, circumstances));
    } else {
        findings.extend(lint_value(path, text));
    }
    let compiled = compiled::compiled_path(path);
    // The compiled form of the usual name has a row of its own.
    if setting.form == Form::Addresses && path.file_name() != Some(setting.file.as_ref()) && compiled.exists() {
        findings.extend(compiled::lint_cdb(&compiled));
    }
    findings
}

fn of_names<'t>(path: &Path, lines: impl Iterator<Item = Named<'t>>, dns: Option<&mut Dns>) -> Vec<Finding> {
    dns.map(|dns| names::lint_names(path, lines, dns)).unwrap_or_default()
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    Finding::error(path, format!("cannot be read ({error}): smtpd answers 451 when it needs it"))
}

fn not_yet(setting: &Setting) -> Option<String> {
    match setting.state {
        State::NotYet(what) => Some(format!("is set and does nothing: it comes with {what}; do not rely on it")),
        State::NoEffect(why) => Some(format!("is set and has no effect here: {why}")),
        State::Works(_) | State::OnDemand => None,
    }
}

/// A file that has a value, not a list of entries.
fn lint_value(path: &Path, text: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((number, _)) = (1..).zip(text.split(|octet| *octet == b'\n')).find(|(_, line)| line.ends_with(b"\r")) {
        let advice = "ends in CR, as lines of DOS do: save the file with LF line ends";
        findings.push(Finding::warning(path, advice).in_line(number));
    }
    if has_typographic_quotes(text) {
        findings.push(Finding::warning(path, TYPOGRAPHIC));
    }
    findings
}

fn world_writable(path: &Path, metadata: &Metadata) -> Option<Finding> {
    let sticky = metadata.is_dir() && metadata.permissions().mode() & 0o1000 != 0;
    if metadata.permissions().mode() & 0o002 == 0 || sticky {
        return None;
    }
    Some(Finding::error(path, "can be changed by everyone: chmod o-w"))
}
