//! What is set for smtpd, to what and where: by its environment, by rules of tcpserver, by the lines of rule files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::client::cause::shown;
use crate::client::rules::{Item, items};
use crate::control::environment::Environment;
use crate::control::rules::{Assignment, Rule};
use crate::control::settings::{Form, SETTINGS};
use crate::control::text::entries;
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::compiled::VALUE_OCTETS_MAX;
use crate::operator::lint::relay::file_of;

/// Where a variable is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the environment of smtpd.
    Environment,
    /// By a rule of tcpserver: the cdb, and the key of the rule.
    Rule(PathBuf, Vec<u8>),
    /// By a line of a rule file.
    Line(PathBuf, u32),
}

/// A variable, and its value.
#[derive(Debug)]
pub(super) struct Assigned {
    pub place: Place,
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// All that is set anywhere; what a line unsets is not here.
#[derive(Debug, Default)]
pub(super) struct Assignments(Vec<Assigned>);

impl Place {
    /// What is wrong with a variable that is set here.
    pub fn finding(&self, severity: Severity, variable: &str, problem: &str) -> Finding {
        let (path, line, text) = match self {
            Place::Environment => (PathBuf::from(variable), None, problem.to_owned()),
            Place::Rule(cdb, key) => (cdb.clone(), None, format!("rule `{}`: {variable} {problem}", shown(key))),
            Place::Line(file, line) => (file.clone(), Some(*line), format!("{variable} {problem}")),
        };
        Finding { severity, path, line, text }
    }
}

impl Assignments {
    /// What the environment sets, the compiled rules of tcpserver, and the rule files of a control directory.
    pub fn find(directory: &Path, environment: &Environment, rules: Option<&Path>) -> Self {
        let mut all = Self::of_environment(environment);
        all.0.extend(rules.map(of_cdb).unwrap_or_default());
        for setting in SETTINGS.iter().filter(|setting| setting.form == Form::Rules) {
            let path = file_of(setting, directory, environment);
            let text = fs::read(&path).unwrap_or_default();
            all.0.extend(of_rule_file(&path, &text));
        }
        all
    }

    /// What the environment alone sets.
    pub fn of_environment(environment: &Environment) -> Self {
        let assigned = |(name, value): (&[u8], &[u8])| Assigned {
            place: Place::Environment,
            name: name.to_vec(),
            value: value.to_vec(),
        };
        Self(environment.iter().map(assigned).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Assigned> {
        self.0.iter()
    }

    /// What one variable is set to.
    pub fn of(&self, name: &str) -> impl Iterator<Item = &Assigned> {
        self.iter().filter(move |assigned| assigned.name == name.as_bytes())
    }

    /// Whether a variable is set anywhere.
    pub fn has(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }
}

fn of_cdb(path: &Path) -> Vec<Assigned> {
    let Ok(cdb) = Cdb::open(path) else { return Vec::new() };
    let (mut all, mut before) = (Vec::new(), Vec::new());
    for (key, value) in cdb.iter(VALUE_OCTETS_MAX).filter_map(Result::ok) {
        // A network has become many keys with one value (D41); its first key stands for all of them.
        if value == before && !key.is_empty() {
            continue;
        }
        for item in items(&value) {
            let Item::Set(text) = item else { continue };
            let (name, value) = text.split_at(memchr::memchr(b'=', text).unwrap_or(text.len()));
            let value = value.get(1..).unwrap_or_default().to_vec();
            all.push(Assigned { place: Place::Rule(path.to_path_buf(), key.clone()), name: name.to_vec(), value });
        }
        before = value;
    }
    all
}

fn of_rule_file(path: &Path, text: &[u8]) -> Vec<Assigned> {
    let mut all = Vec::new();
    for entry in entries(text) {
        let Some(rule) = Rule::parse(entry.text) else { continue };
        let set = rule.assignments().flatten().filter_map(|Assignment { name, value }| Some((name, value?)));
        all.extend(set.map(|(name, value)| Assigned {
            place: Place::Line(path.to_path_buf(), entry.line),
            name,
            value,
        }));
    }
    all
}
