//! Accounts and lists in a database: where they are, who may read the passwords, and what stands in the way of an answer.

use std::path::Path;

use crate::account_table::assign::Assign;
use crate::account_table::layout::{Layout, Tables};
use crate::account_table::question::{Asked, Counts, Question};
use crate::control::Setup;
use crate::control::environment::Environment;
use crate::control::load::Places;
use crate::control::settings::SETTINGS;
use crate::control::text::signed;
use crate::lookup::accounts::database::PROGRAM;
use crate::lookup::accounts::mailbox::has_database;
use crate::lookup::companion::{ask, no_answer, program};
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::assigned::Assignments;
use crate::operator::lint::relay_table::{lint_database, open_secret};
use crate::relay_table::sources::Sources;
use crate::relay_table::timeout::{list_timeout, timeout};
use crate::relay_table::trouble::Trouble;

/// What follows a setting that is none.
const DEFERS: &str = "whoever needs it gets 451 until this is mended";

/// The accounts, where somebody asks for them, and every `.sql` file of a list. `setup` is none where smtpd cannot start.
pub(super) fn lint_accounts(
    directory: &Path,
    environment: &Environment,
    assignments: &Assignments,
    setup: Option<&Setup>,
) -> Vec<Finding> {
    let places =
        Places { working: directory.parent().unwrap_or(directory).to_path_buf(), control: directory.to_path_buf() };
    let sources = Sources { environment, places: &places };
    let has_database = has_database(directory, environment);
    let checks_senders = has_database && assignments.has("CHECKSENDER");
    let checks_recipients = assignments.of("CHECKRECIPIENT").any(|check| matches!(signed(&check.value), Some(1 | 2)));
    let asks_accounts = has_database && (checks_senders || checks_recipients);
    let mut findings = Vec::new();
    if asks_accounts {
        findings.extend(lint_sources(&sources));
    }
    // An error would only be said twice.
    if checks_senders && findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(setup.and_then(|setup| lint_flags(setup, &sources)));
    }
    let lists: Vec<&str> = SETTINGS.iter().filter_map(|row| row.file.strip_suffix(".sql")).collect();
    let lists: Vec<&str> = lists.into_iter().filter(|list| directory.join(format!("{list}.sql")).exists()).collect();
    for list in &lists {
        let path = directory.join(format!("{list}.sql"));
        findings.extend(open_secret(&path));
        let trouble = sources.of_list(list.as_bytes()).err();
        findings.extend(trouble.map(|trouble| Finding::error(&path, format!("{trouble}; {DEFERS}")).in_line(1)));
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

/// The flags that forbid sending, or did so once, in each layout.
fn flags_of(layout: Layout) -> &'static [(u64, &'static str)] {
    match layout {
        Layout::IndiMail | Layout::IndiMailLarge => {
            &[(0x100, "forbids sending in IndiMail since May 2024"), (0x200, "forbade it before")]
        }
        Layout::Vpopmail | Layout::VpopmailDomains => &[(0x800, "forbids sending in vpopmail")],
    }
}

/// Accounts that have been forbidden to send by a flag that does not count; and what each choice of the flag would do.
fn lint_flags(setup: &Setup, sources: &Sources<'_>) -> Option<Finding> {
    let tables = Tables::of(sources).ok()?;
    let flags = flags_of(tables.layout);
    let warning =
        |problem: String| Some(Finding::warning("NO_SMTP_BITS", format!("is {:#x}: {problem}", tables.no_smtp_bits)));
    let is_left_out = |flag: u64| tables.no_smtp_bits & flag == 0;
    if flags.len() > 1 && !flags.iter().any(|(flag, _)| is_left_out(*flag)) {
        return warning("no IndiMail forbids sending with both flags; write the one of yours".to_owned());
    }
    let counts = match count(setup, flags.iter().map(|(flag, _)| *flag).collect()) {
        Ok(counts) => counts,
        Err(error) => return Some(Finding::warning("accounts", format!("cannot be counted now: {error}; {DEFERS}"))),
    };
    let (mut told, mut choices) = (Vec::new(), Vec::new());
    for ((flag, meaning), count) in flags.iter().zip(counts) {
        let accounts = if count == 1 { "account" } else { "accounts" };
        let may = if is_left_out(*flag) { "may send" } else { "may not send" };
        told.push(format!("{count} {accounts} with {flag:#x}, which {meaning}, {may}"));
        if is_left_out(*flag) && count > 0 {
            choices.push(format!("with NO_SMTP_BITS={flag:#x} those with {flag:#x} could not, and all others could"));
        }
    }
    if choices.is_empty() { None } else { warning([told, choices].concat().join("; ")) }
}

/// How many accounts carry each flag, as checkaddress tells.
fn count(setup: &Setup, flags: Vec<u64>) -> Result<Vec<u64>, String> {
    let wanted = flags.len();
    let question = Question { asked: Asked::Flags(flags), address: Vec::new() };
    let time = timeout(&setup.environment).map_err(|trouble| trouble.to_string())?;
    let answer = ask(setup, PROGRAM, &question.to_octets(), time)?;
    let counts = Counts::of(&answer.first_line(), answer.code, wanted);
    counts.map(|Counts(counts)| counts).ok_or_else(|| no_answer(PROGRAM, &answer))
}

fn of_trouble(what: &str, trouble: &Trouble) -> Finding {
    Finding::error(what, format!("{trouble}; {DEFERS}"))
}
