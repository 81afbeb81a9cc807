//! Files and variables of other smtpds: they do nothing here, and what they asked for has another name, or is lost in silence.

use std::collections::BTreeSet;
use std::path::Path;

use crate::control::settings::SETTINGS;
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::assigned::Assignments;
use crate::operator::lint::values::text_of;

/// Files, and what does the same here; the text that another file is compiled from is among them.
const FILES: [(&str, &str); 6] = [
    ("badmailto", "write its lines into badrcptto"),
    ("badloadertypes", "signatures does this, where VIRUSCHECK asks for it"),
    ("badmimetypes", "signatures does this, where VIRUSCHECK asks for it"),
    ("tlsserverciphers", "servercipherlist does this"),
    ("validrcptto.cdb", "recipients does this, where CHECKRECIPIENT asks for it"),
    ("morercpthosts", "only morercpthosts.cdb counts: make it with `qmail-cdb morercpthosts`"),
];

/// Beginnings of variables, and what does the same here.
const VARIABLES: [(&str, &str); 8] = [
    ("CHKUSER_", "CHECKRECIPIENT looks whether recipients exist, MAX_RCPT_ERRCOUNT and MAXRECIPIENTS limit them"),
    ("BADMIMETYPE", "VIRUSCHECK and the list signatures do this"),
    ("BADLOADERTYPE", "VIRUSCHECK and the list signatures do this"),
    ("BADMAILFROMPATTERNS", "the variable is BADMAILPATTERNS"),
    ("SPAMIGNOREPATTERNS", "write the patterns into spamignore"),
    ("BLACKHOLEDPATTERNS", "write the patterns into blackholedsender"),
    ("BLACKHOLEDRCPTPATTERNS", "write the patterns into blackholedrcpt"),
    ("USE_SPFIPV6", "the variable is SPFIPV6"),
];

/// Examines what is in the control directory, and what is set anywhere: each is told once, where it comes first.
pub(super) fn lint_foreign(directory: &Path, assignments: &Assignments) -> Vec<Finding> {
    let is_there = |name: &str| directory.join(name).exists();
    let is_compiled = |name: &str| name == "morercpthosts" && is_there("morercpthosts.cdb");
    let files = FILES.iter().filter(|(name, _)| is_there(name) && !is_compiled(name));
    let mut findings: Vec<Finding> =
        files.map(|(name, advice)| Finding::warning(directory.join(name), format!("is not read: {advice}"))).collect();
    let mut told = BTreeSet::new();
    for assigned in assignments.iter().filter(|assigned| assigned.setting().is_none()) {
        let Some(advice) = advice(&assigned.name) else { continue };
        if told.insert(advice.clone()) {
            let problem = format!("does nothing here: {advice}");
            findings.push(assigned.place.finding(Severity::Warning, &text_of(&assigned.name), &problem));
        }
    }
    findings
}

/// What to do about a variable that is none of ours.
fn advice(name: &[u8]) -> Option<String> {
    let known = VARIABLES.iter().find(|(begins, _)| name.starts_with(begins.as_bytes()));
    let alike = || {
        let setting = SETTINGS.iter().find(|setting| alike(setting.variable.as_bytes(), name))?;
        Some(format!("the variable is {}", setting.variable))
    };
    known.map(|(_, advice)| (*advice).to_owned()).or_else(alike)
}

/// Whether two names differ only in `_` and in an `S` at their end.
fn alike(one: &[u8], other: &[u8]) -> bool {
    let letters = |name: &[u8]| -> Vec<u8> {
        let letters = name.iter().copied().filter(|octet| *octet != b'_').collect::<Vec<u8>>();
        letters.strip_suffix(b"S").map(<[u8]>::to_vec).unwrap_or(letters)
    };
    !one.is_empty() && letters(one) == letters(other)
}
