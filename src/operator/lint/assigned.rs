//! What is set for smtpd, to what and where: by its environment, by rules of tcpserver, by the lines of rule files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::client::cause::shown;
use crate::client::rules::{Item, items};
use crate::control::environment::Environment;
use crate::control::file_named;
use crate::control::rules::{Assignment, Rule};
use crate::control::settings::{Form, SETTINGS, Setting};
use crate::control::text::entries;
use crate::operator::finding::{Finding, Severity};
use crate::operator::lint::compiled::VALUE_OCTETS_MAX;
use crate::operator::lint::relay::{file_of, names_list};
use crate::operator::lint::rules::can_change;

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

impl Assigned {
    /// The setting that it is, if it is one of ours.
    pub fn setting(&self) -> Option<&'static Setting> {
        SETTINGS.iter().find(|row| !row.variable.is_empty() && row.variable.as_bytes() == self.name)
    }

    /// Whether it changes what smtpd does: much is settled before there is a transaction whose rules could change it.
    pub fn counts(&self) -> bool {
        !matches!(self.place, Place::Line(_, _)) || can_change(&self.name)
    }
}

impl Assignments {
    /// What the environment sets, the compiled rules of tcpserver, and the rule files of a control directory.
    pub fn find(directory: &Path, environment: &Environment, rules: Option<&Path>) -> Self {
        let mut all = Self::of_environment(environment);
        all.0.extend(rules.map(of_cdb).unwrap_or_default());
        for setting in SETTINGS.iter().filter(|setting| setting.form == Form::Rules) {
            let mut paths: BTreeSet<PathBuf> = all.lists_of(setting, directory, environment).collect();
            paths.insert(file_of(setting, directory, environment));
            for path in paths {
                all.0.extend(of_rule_file(&path, &fs::read(&path).unwrap_or_default()));
            }
        }
        all
    }

    /// The lists that tcpserver's rules and rule files name, each with the setting that it is one of; not those that are
    /// examined in any case.
    pub fn lists_of_rules(&self, directory: &Path, environment: &Environment) -> BTreeMap<PathBuf, &'static Setting> {
        let all = SETTINGS.iter().filter(|setting| names_list(setting)).flat_map(|setting| {
            let usual = file_of(setting, directory, environment);
            let named = self.lists_of(setting, directory, environment).filter(move |path| *path != usual);
            named.map(move |path| (path, setting))
        });
        all.collect()
    }

    /// The lists that are named anywhere in place of a usual one.
    fn lists_of(
        &self,
        setting: &'static Setting,
        directory: &Path,
        environment: &Environment,
    ) -> impl Iterator<Item = PathBuf> {
        let counts = |assigned: &&Assigned| !assigned.value.is_empty() && assigned.counts();
        let named = self.of(setting.variable).filter(counts);
        named.map(|assigned| directory.join(file_named(&assigned.value, environment, directory)))
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
