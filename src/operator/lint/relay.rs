//! Settings about relaying that contradict each other: set and without effect, or with more effect than meant.

use std::path::{Path, PathBuf};

use crate::control::environment::Environment;
use crate::control::settings::{Form, Role, SETTINGS, Setting};
use crate::control::{RelayLevel, Setup, file_named};
use crate::lookup::is_null_device;
use crate::operator::finding::Finding;
use crate::operator::lint::not_yet;
use crate::operator::lint::values::text_of;

/// What `relaylevel none` sets aside.
const GRANTS: [&str; 6] = ["relayclients", "relaydomains", "relaymailfrom", "relaymailfrom.cdb", "relaydb", "relaymx"];

/// The file that a setting is read from, which a variable may have renamed; and its name.
pub(super) fn file_of(setting: &Setting, directory: &Path, environment: &Environment) -> PathBuf {
    directory.join(renamed(setting, directory, environment).unwrap_or_else(|| setting.file.to_owned()))
}

/// Another name that a variable gives to a list.
fn renamed(setting: &Setting, directory: &Path, environment: &Environment) -> Option<String> {
    if setting.role != Role::FileName || not_yet(setting).is_some() {
        return None;
    }
    let named = environment.get(setting.variable.as_bytes()).filter(|named| !named.is_empty())?;
    let name = file_named(named, environment, directory);
    // D91: a BODYCHECK that names no file means the usual one.
    let is_usual = setting.variable == "BODYCHECK" && matches!(directory.join(&name).try_exists(), Ok(false));
    Some(name).filter(|_| !is_usual)
}

/// A variable that names another list: that it exists, and that its own list is not read.
pub(super) fn lint_renamed(setting: &Setting, directory: &Path, environment: &Environment) -> Vec<Finding> {
    let Some(name) = renamed(setting, directory, environment).filter(|name| name != setting.file) else {
        return Vec::new();
    };
    let variable = setting.variable;
    let value = environment.get(variable.as_bytes()).unwrap_or_default();
    let missing = missing_list(setting, value, directory, environment);
    let mut findings: Vec<Finding> = missing.into_iter().map(|text| Finding::warning(variable, text)).collect();
    let is_off = directory.join(&name).metadata().is_ok_and(|metadata| is_null_device(&metadata));
    let advice = if is_off { "unset that" } else { "move its lines there" };
    let compiled = format!("{}.cdb", setting.file);
    for file in [setting.file, &compiled].map(|file| directory.join(file)) {
        if file.exists() {
            let text = format!("is not read, because {variable} names {name}: {advice}, or remove it");
            findings.push(Finding::warning(file, text));
        }
    }
    findings
}

/// Whether the variable of a setting names a list in place of the usual one.
pub(super) fn names_list(setting: &Setting) -> bool {
    setting.role == Role::FileName
        && matches!(setting.form, Form::Lines | Form::Addresses | Form::Patterns | Form::Rules)
}

/// A name of a list that is none.
pub(super) fn missing_list(
    setting: &Setting,
    value: &[u8],
    directory: &Path,
    environment: &Environment,
) -> Option<String> {
    let (name, variable) = (file_named(value, environment, directory), setting.variable);
    // What BODYCHECK asks for where it names no list is told with the list that it means then.
    let is_missing =
        !value.is_empty() && variable != "BODYCHECK" && matches!(directory.join(&name).try_exists(), Ok(false));
    is_missing
        .then(|| format!("names the list {name}, which does not exist: it has no effect; make it, or unset {variable}"))
}

/// What relaylevel says, and what it makes useless.
pub(super) fn lint_level(
    setup: &Setup,
    directory: &Path,
    environment: &Environment,
    rules: Option<&Path>,
) -> Vec<Finding> {
    let path = directory.join("relaylevel");
    match &setup.control.relay_level {
        RelayLevel::Normal => {
            // With something behind each recipient it may be meant for a gateway.
            let is_open = environment.get(b"RELAYCLIENT") == Some(b"") && environment.get(b"REQUIREAUTH").is_none();
            let text =
                "lets every client relay, this is an open relay: set it in tcp.smtp, for your own networks alone";
            is_open.then(|| Finding::error("RELAYCLIENT", text)).into_iter().collect()
        }
        RelayLevel::Open => {
            let text =
                "`open`: everyone may relay, this is an open relay; write `normal`, and name clients in relayclients";
            vec![Finding::error(path, text).in_line(1)]
        }
        RelayLevel::Unknown(word) => {
            let word = text_of(word);
            let text = format!("`{word}` is no level, so whoever needs a grant gets 451: write normal, none or open");
            vec![Finding::error(path, text).in_line(1)]
        }
        RelayLevel::None => {
            let by = "is not used, because relaylevel is `none`: remove it, or write `normal` into relaylevel";
            let lists = SETTINGS.iter().filter(|setting| GRANTS.contains(&setting.file));
            let files = lists.map(|setting| file_of(setting, directory, environment)).filter(|file| file.exists());
            let variable = environment.get(b"RELAYCLIENT").map(|_| PathBuf::from("RELAYCLIENT"));
            let by_rules =
                rules.map(|_| "what rules of tcp.smtp grant with RELAYCLIENT does not count: relaylevel is `none`");
            let unused = files.chain(variable).map(|file| Finding::warning(file, by));
            unused.chain(by_rules.map(|text| Finding::warning(&path, text))).collect()
        }
    }
}

/// Whether a setting is a list of clients, as relayclients.
pub(super) fn is_list_of_clients(setting: &Setting) -> bool {
    setting.form == Form::Lines && matches!(setting.file, "relayclients" | "relaymx")
}

/// Whether a setting is the compiled form of such a list.
pub(super) fn is_compiled_of_clients(setting: &Setting) -> bool {
    setting.form == Form::Cdb && matches!(setting.file, "relayclients.cdb" | "relaymx.cdb")
}
