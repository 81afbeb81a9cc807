//! The table of POP before SMTP: where it is, who may write it, and who may read the password of its database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::control::environment::Environment;
use crate::control::load::Places;
use crate::lookup::companion::program;
use crate::lookup::relay_table::PROGRAM;
use crate::operator::finding::Finding;
use crate::operator::lint::assigned::Assignments;
use crate::relay_table::age::Window;
use crate::relay_table::place::{FILE, Place};
use crate::relay_table::sources::{Endpoint, Purpose, Sources};
use crate::relay_table::timeout::timeout;
use crate::relay_table::trouble::Trouble;

/// Files that may have a password in them.
const SECRETS: [&str; 5] = ["host.mysql", "host.master", "host.cntrl", "vpopmail.mysql", "mcdinfo"];
/// What follows a setting that is none.
const DEFERS: &str = "whoever needs the table gets 451 until this is mended";

/// The table, if it is asked or one is named; and the files with passwords, whoever reads them.
pub(super) fn lint_relay_table(directory: &Path, environment: &Environment, assignments: &Assignments) -> Vec<Finding> {
    let places =
        Places { working: directory.parent().unwrap_or(directory).to_path_buf(), control: directory.to_path_buf() };
    let mut findings: Vec<Finding> = SECRETS.iter().filter_map(|file| open_secret(&directory.join(file))).collect();
    findings.extend(open_secret(&places.working.join("indimail.cnf")));
    if !assignments.has("CHECKRELAY") && !directory.join(FILE).exists() {
        return findings;
    }
    let mut none = |name: &str, trouble: &Trouble| findings.push(Finding::error(name, format!("{trouble}; {DEFERS}")));
    if let Err(trouble) = Window::of(environment) {
        none("RELAY_CLEAR_MINUTES", &trouble);
    }
    if let Err(trouble) = timeout(environment) {
        none("RELAY_DB_TIMEOUT", &trouble);
    }
    match Place::find(directory) {
        Err(trouble) => none(FILE, &trouble),
        Ok(Place::Directory(path)) => findings.extend(lint_directory(&path)),
        Ok(Place::MySql) => {
            findings.extend(lint_database(&Sources { environment, places: &places }));
            findings.extend(lint_program());
        }
    }
    findings
}

/// Whoever may write into the directory may let anybody relay.
fn lint_directory(path: &Path) -> Option<Finding> {
    match fs::metadata(path) {
        Err(error) => {
            let text = format!("cannot be read ({error}); {DEFERS}: make it, for the user who records logins");
            Some(Finding::error(path, text))
        }
        Ok(metadata) if !metadata.is_dir() => Some(Finding::error(path, format!("is no directory; {DEFERS}"))),
        Ok(metadata) if metadata.permissions().mode() & 0o002 != 0 => {
            Some(Finding::error(path, "can be written by everyone, so everyone may let anybody relay: chmod o-w"))
        }
        Ok(metadata) if metadata.permissions().mode() & 0o005 != 0 => {
            let text =
                "everyone on this host may see who has read mail, and may hold the lock that logins need: chmod o-rx";
            Some(Finding::warning(path, text))
        }
        Ok(_) => None,
    }
}

pub(super) fn lint_database(sources: &Sources<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for purpose in [Purpose::Read, Purpose::Write] {
        match sources.server(purpose) {
            Err(trouble) => findings.push(Finding::error("host.mysql", format!("{trouble}; {DEFERS}"))),
            Ok(server) => {
                let far = server.endpoints.iter().find(|endpoint| is_far(endpoint));
                if let Some(far) = far.filter(|_| server.tls.is_none() && server.password.is_some()) {
                    let text =
                        format!("answers of {far} cross the network in the clear: write `ssl` into the fifth field");
                    findings.push(Finding::warning("host.mysql", text));
                }
            }
        }
    }
    findings.dedup();
    findings
}

fn lint_program() -> Option<Finding> {
    let text = "is not beside postern: smtpd looks for it beside itself, then along PATH; without it whoever needs the table gets 451";
    (!program(PROGRAM).is_absolute()).then(|| Finding::warning(PROGRAM, text))
}

fn is_far(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Socket(_) => false,
        Endpoint::Tcp(host, _) => {
            host != "localhost" && !host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

pub(super) fn open_secret(path: &Path) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    let text = "can be read by everyone on this host, and may have a password in it: chmod o-r";
    (metadata.permissions().mode() & 0o004 != 0).then(|| Finding::warning(path, text))
}
