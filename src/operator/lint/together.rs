//! Variables that need each other, or set each other aside.

use std::path::Path;

use crate::control::environment::Environment;
use crate::control::file_named;
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::assigned::{Assigned, Assignments, Place};
use crate::operator::lint::values::text_of;

/// Examines what is set with regard to what else is set, and which lists there are.
pub(super) fn lint_together(assignments: &Assignments, directory: &Path, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |assigned: &Assigned, text: &str| {
        findings.push(assigned.place.finding(Severity::Warning, &text_of(&assigned.name), text));
    };
    for (name, needed) in [("LOGFILTER", "SPAMFILTER"), ("MASQUERADE", "CHECKSENDER")] {
        let in_vain = assignments.of(name).filter(|_| !assignments.has(needed));
        in_vain.for_each(|assigned| warn(assigned, &format!("does nothing without {needed}")));
    }
    for assigned in assignments.of("QMAILQUEUE").filter(|assigned| !assigned.value.is_empty()) {
        let wins = |null: &Assigned| null.place == assigned.place || null.place == Place::Environment;
        if assignments.of("NULLQUEUE").any(wins) {
            warn(assigned, "is not used: NULLQUEUE wins, which throws every message away");
        }
    }
    let is_there = |list: &str| !matches!(directory.join(list).try_exists(), Ok(false));
    if !is_there("signatures") && !assignments.has("SIGNATURES") {
        let asking = assignments
            .of("VIRUSCHECK")
            .filter(|assigned| matches!(assigned.value.as_slice(), b"" | b"1" | b"2" | b"3" | b"4"));
        asking.for_each(|assigned| {
            warn(assigned, "asks for signatures, and there is no such list: nothing is looked for")
        });
    }
    for assigned in assignments.of("BODYCHECK").filter(|_| !is_there("bodycheck")) {
        let named = file_named(&assigned.value, environment, directory);
        if assigned.value.is_empty() {
            warn(assigned, "asks for bodycheck, and there is no such list: nothing is looked for");
        } else if !is_there(&named) {
            warn(
                assigned,
                &format!("names the list {named}, which does not exist, nor does bodycheck: nothing is looked for"),
            );
        }
    }
    let has_tls = ["STARTTLS", "SMTPS", "TLS_PROVIDER_TRUST"].iter().any(|name| assignments.has(name));
    // What a rule demands may be offered by the run script, which is not known here.
    let of_all = |assigned: &&Assigned| assigned.place == Place::Environment;
    for assigned in assignments.of("FORCE_TLS").filter(of_all).filter(|_| !has_tls) {
        warn(assigned, "refuses everybody: neither STARTTLS nor SMTPS is set, so there is no TLS");
    }
    for assigned in assignments.of("RELAYMX_ANYONE").filter(|_| !is_there("relaymx")) {
        warn(assigned, "is set and confirms nothing, because there is no relaymx: unset it");
    }
    findings
}
