//! Who has a mailbox: what `recipients` names and where it is missing, and how recipients and senders are checked.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cdb::read::Cdb;
use crate::control::environment::Environment;
use crate::control::text::{entries, signed};
use crate::control::working_directory;
use crate::errno::words;
use crate::lookup::accounts::mailbox::has_database;
use crate::lookup::recipients::{Source, source};
use crate::operator::finding::Finding;
use crate::operator::lint::assigned::Assignments;

/// What follows a source that cannot tell.
const DEFERS: &str = "whoever is not found elsewhere gets 451";

/// The findings about mailboxes, if recipients or senders are checked or there is anything to check them with.
pub(super) fn lint_mailboxes(directory: &Path, environment: &Environment, assignments: &Assignments) -> Vec<Finding> {
    let path = directory.join("recipients");
    let text = fs::read(&path);
    let mut findings = Vec::new();
    let why_asked = |value: &[u8]| match signed(value) {
        Some(1) if has_database(directory, environment) => None,
        Some(1) => has_domain_beyond_locals(directory)
            .then_some("without a database CHECKRECIPIENT 1 asks it for domains that are not in locals"),
        Some(_) | None => Some("CHECKRECIPIENT asks it"),
    };
    let is_missing = matches!(&text, Err(error) if error.kind() == io::ErrorKind::NotFound);
    let why = assignments.of("CHECKRECIPIENT").find_map(|check| why_asked(&check.value));
    if let Some(why) = why.filter(|_| is_missing) {
        findings.push(Finding::error(&path, format!("is missing, and {why}: {DEFERS}")));
    }
    let working = working_directory(environment, directory);
    for entry in entries(&text.unwrap_or_default()) {
        if let Some(problem) = problem_of(entry.text, working) {
            findings.push(Finding::error(&path, problem).in_line(entry.line));
        }
    }
    findings
}

/// Whether mail is accepted for a domain whose users are not those of this host.
fn has_domain_beyond_locals(directory: &Path) -> bool {
    let read = |name: &str| fs::read(directory.join(name)).ok();
    let locals = read("locals").or_else(|| read("me")).unwrap_or_default();
    let locals: BTreeSet<_> = entries(&locals).map(|entry| entry.text.to_ascii_lowercase()).collect();
    let rcpthosts = read("rcpthosts").unwrap_or_default();
    entries(&rcpthosts).any(|entry| !locals.contains(&entry.text.to_ascii_lowercase()))
}

fn problem_of(line: &[u8], working: &Path) -> Option<String> {
    match source(line) {
        Source::Anybody => None,
        Source::Unusable(why) => Some(format!("`{}` cannot be used: {why}; {DEFERS}", line.escape_ascii())),
        Source::Cdb(path) => {
            let path = working.join(OsStr::from_bytes(&path));
            let error = Cdb::open(&path).err()?;
            Some(format!("{}: {}; {DEFERS}", path.display(), words(&error)))
        }
        Source::Program(text) => {
            let name = text.split(|octet| octet.is_ascii_whitespace()).find(|word| !word.is_empty())?;
            let path = working.join(OsStr::from_bytes(name));
            // Who has no slash is found via PATH, or is a variable.
            let is_missing = name.contains(&b'/') && !name.starts_with(b"$") && !path.exists();
            is_missing.then(|| format!("{}: there is no such program; {DEFERS}", path.display()))
        }
    }
}
