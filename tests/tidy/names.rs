//! Names that must stand elsewhere too: settings, numbered differences, transcripts.

use postern::control::settings::SETTINGS;
use regex_lite::Regex;

use crate::none;
use crate::source::{File, root, rust_files, src_files};

/// Variables of programs that have no control directory.
const VARIABLES_OF_TOOLS: &[(&str, &str)] = &[
    ("QUEUE_MAILDIR", "src/bin/queue-maildir.rs"),
    ("NORELAY", "src/bin/opensmtp.rs"),
    ("IP", "src/bin/opensmtp.rs"),
    ("TCPREMOTEIP", "src/bin/tcprulescheck.rs"),
    ("TCPREMOTEHOST", "src/bin/tcprulescheck.rs"),
    ("TCPREMOTEINFO", "src/bin/tcprulescheck.rs"),
];
/// Reasons of refusals that no setting changes.
const REASONS_WITHOUT_SETTING: &[(&str, &str)] = &[
    ("bounce", "a bounce has one recipient, always"),
    ("queue", "the queue program's own refusal"),
    ("barelf", "a line feed alone is refused unless ALLOW_BARELF"),
];

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.file == name || setting.variable == name)
}

/// The first group of every match in the code of `file`, with its line.
fn named<'f>(file: &'f File, pattern: &Regex) -> Vec<(usize, &'f str)> {
    let of_line = |(number, line): (usize, &'f str)| {
        pattern.captures_iter(line).map(move |found| (number, found.get(1).unwrap().as_str())).collect::<Vec<_>>()
    };
    file.code().flat_map(of_line).collect()
}

#[test]
fn every_variable_that_is_read_is_a_setting() {
    let read = Regex::new(r#"(?:\bget|\bnamed|\bvar|\bvar_os|\bvariable)\(b?"([A-Za-z0-9_]+)"\)"#).unwrap();
    let (mut findings, mut found) = (Vec::new(), 0);
    for file in src_files() {
        for (number, name) in named(&file, &read) {
            found += 1;
            let is_of_tool = VARIABLES_OF_TOOLS.iter().any(|(known, tool)| *known == name && *tool == file.path);
            if !is_setting(name) && !is_of_tool {
                findings.push(format!("{}:{number}: {name} is no row of SETTINGS, so it does not exist", file.path));
            }
        }
    }
    assert!(found > 5, "only {found} places that read a variable were found: has the way to read one changed?");
    none(findings);
}

#[test]
fn every_reason_that_names_a_setting_names_one_that_exists() {
    let reason = Regex::new(r#"(?:Reason::Setting\(|refused_by\(|\breason=)"?([A-Za-z0-9_]+)\b"#).unwrap();
    let mut findings = Vec::new();
    for file in src_files().iter().filter(|file| !file.path.starts_with("src/operator/")) {
        let is_a_variable = |name: &str| matches!(name, "_" | "setting" | "name" | "gate");
        for (number, name) in named(file, &reason) {
            let is_known = is_setting(name) || REASONS_WITHOUT_SETTING.iter().any(|(known, _)| *known == name);
            if !is_known && !is_a_variable(name) {
                findings.push(format!("{}:{number}: reason={name} names no setting", file.path));
            }
        }
    }
    none(findings);
}

#[test]
fn every_quirk_names_what_shows_it() {
    let shown = Regex::new(r"\(([a-z0-9-]+/[A-Za-z0-9-]+\.smtp|tests/[a-z/.-]+: [a-z0-9-]+)\)").unwrap();
    let (mut findings, mut found) = (Vec::new(), 0);
    for file in src_files() {
        for (number, line) in (1..).zip(file.text.lines()).filter(|(_, line)| line.contains("Quirk:")) {
            found += 1;
            let is_shown = shown.captures(line).is_some_and(|found| exists(found.get(1).unwrap().as_str()));
            if !is_shown {
                let path = &file.path;
                findings.push(format!(
                    "{path}:{number}: name the transcript (rcpt/x.smtp) or the observed case (tests/data/x.json: case)"
                ));
            }
        }
    }
    assert!(found > 0, "no quirk was found: has the word for it changed?");
    none(findings);
}

/// Whether there is such a transcript, or such a case in a file of observed ones.
fn exists(shown: &str) -> bool {
    match shown.split_once(": ") {
        None => root().join("tests/transcripts").join(shown).is_file(),
        Some((file, case)) => {
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            text.contains(&format!("\"case\": \"{case}\""))
        }
    }
}

/// That each of them is shown by a transcript is for tests/transcripts.rs.
#[test]
fn every_numbered_difference_stands_in_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let row = Regex::new(r"(?m)^\| D(\d\d) \| .+\. \|$").unwrap();
    let told: Vec<usize> = row.captures_iter(&readme).map(|row| row[1].parse().unwrap()).collect();
    assert_eq!(
        told,
        (1..=told.len()).collect::<Vec<_>>(),
        "README: rows `| D07 | Sentence. |`, numbered without a gap"
    );
    assert!(told.len() >= 32, "README lists only {} differences", told.len());

    let number = Regex::new(r"\bD(\d\d)\b").unwrap();
    let mut findings = Vec::new();
    for file in rust_files() {
        for (line_number, line) in (1..).zip(file.text.lines()) {
            for difference in number.captures_iter(line) {
                if !told.contains(&difference[1].parse().unwrap()) {
                    findings.push(format!("{}:{line_number}: README does not tell {}", file.path, &difference[0]));
                }
            }
        }
    }
    none(findings);
}
