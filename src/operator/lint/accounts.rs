//! Accounts and lists in a database: where they are, who may read the passwords, and what stands in the way of an answer.

use std::path::Path;

use crate::account_table::assign::Assign;
use crate::account_table::layout::Tables;
use crate::control::environment::Environment;
use crate::control::load::Places;
use crate::control::settings::SETTINGS;
use crate::control::text::signed;
use crate::lookup::accounts::database::PROGRAM;
use crate::lookup::accounts::mailbox::has_database;
use crate::lookup::companion::program;
use crate::operator::finding::Finding;
use crate::operator::lint::relay_table::{lint_database, open_secret};
use crate::relay_table::sources::Sources;
use crate::relay_table::timeout::{list_timeout, timeout};
use crate::relay_table::trouble::Trouble;

/// What follows a setting that is none.
const DEFERS: &str = "whoever needs it gets 451 until this is mended";

/// The accounts, where somebody asks for them, and every `.sql` file of a list.
pub(super) fn lint_accounts(directory: &Path, environment: &Environment) -> Vec<Finding> {
    let places =
        Places { working: directory.parent().unwrap_or(directory).to_path_buf(), control: directory.to_path_buf() };
    let sources = Sources { environment, places: &places };
    let check = environment.get(b"CHECKRECIPIENT").and_then(signed);
    let asks_accounts = matches!(check, Some(1 | 2)) || environment.get(b"CHECKSENDER").is_some();
    let asks_accounts = asks_accounts && has_database(directory, environment);
    let mut findings = Vec::new();
    if asks_accounts {
        findings.extend(lint_sources(&sources));
    }
    let lists: Vec<&str> = SETTINGS.iter().filter_map(|row| row.file.strip_suffix(".sql")).collect();
    let lists: Vec<&str> = lists.into_iter().filter(|list| directory.join(format!("{list}.sql")).exists()).collect();
    for list in &lists {
        let path = directory.join(format!("{list}.sql"));
        findings.extend(open_secret(&path));
        findings
            .extend(sources.of_list(list.as_bytes()).err().map(|trouble| of_trouble(&format!("{list}.sql"), &trouble)));
    }
    if !lists.is_empty() {
        findings.extend(list_timeout(environment).err().map(|trouble| of_trouble("MYSQL_TIMEOUT", &trouble)));
    }
    if (asks_accounts || !lists.is_empty()) && !program(PROGRAM).is_absolute() {
        let text = "is not beside postern: smtpd looks for it beside itself, then along PATH; without it whoever needs an answer gets 451";
        findings.push(Finding::warning(PROGRAM, text));
    }
    findings
}

fn lint_sources(sources: &Sources<'_>) -> Vec<Finding> {
    let mut findings = lint_database(sources);
    findings.extend(timeout(sources.environment).err().map(|trouble| of_trouble("RELAY_DB_TIMEOUT", &trouble)));
    findings.extend(Tables::of(sources).err().map(|trouble| of_trouble("accounts", &trouble)));
    findings.extend(sources.central().err().map(|trouble| of_trouble("host.cntrl", &trouble)));
    findings.extend(sources.members(b"").err().map(|trouble| of_trouble("mcdinfo", &trouble)));
    let assign = Assign::find(sources.environment, &sources.places.working);
    if let Some(error) = assign.and_then(|assign| assign.domain(b"x").err()) {
        let advice = "set ASSIGNDIR, to nothing where no domain has two names";
        findings.push(Finding::error("users/cdb", format!("{error}; {DEFERS}: {advice}")));
    }
    findings
}

fn of_trouble(what: &str, trouble: &Trouble) -> Finding {
    Finding::error(what, format!("{trouble}; {DEFERS}"))
}
