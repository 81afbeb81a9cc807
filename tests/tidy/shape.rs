//! The shape of files: what they begin with, and how long they and their functions may be.

use crate::none;
use crate::source::{File, rust_files};

/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// The most lines of a file, without its unit tests.
const FILE_LINES_MAX: usize = 400;

/// What may be longer, and why: a file, or a function as `file: name`.
const LONGER: &[(&str, &str)] = &[("src/control/settings.rs", "it is a table")];

#[test]
fn every_file_says_in_one_sentence_what_it_is_for() {
    let says = |file: &File| file.text.lines().next().is_some_and(|line| line.starts_with("//! ") && ends(line));
    let ends = |file: File| format!("{}:1: begin the file with `//!` and one sentence, on one line", file.path);
    none(rust_files().into_iter().filter(|file| !says(file)).map(ends).collect());
}

fn ends(line: &str) -> bool {
    line.ends_with(['.', '?'])
}

#[test]
fn files_and_functions_are_short() {
    let mut longer: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    for file in rust_files() {
        let lines = file.lines_without_tests().count();
        if lines > FILE_LINES_MAX {
            longer.push(file.path.clone());
            findings
                .push((file.path.clone(), format!("{}: {lines} lines; at most {FILE_LINES_MAX}: split it", file.path)));
        }
        for (number, name, lines) in functions(&file) {
            if lines > FUNCTION_LINES_MAX {
                longer.push(format!("{}: {name}", file.path));
                let what = format!("{}:{number}: {name} has {lines} lines; at most {FUNCTION_LINES_MAX}", file.path);
                findings.push((format!("{}: {name}", file.path), what));
            }
        }
    }
    let is_excused = |what: &String| LONGER.iter().any(|(excused, _)| what == excused);
    let mut findings: Vec<String> =
        findings.into_iter().filter(|(what, _)| !is_excused(what)).map(|(_, finding)| finding).collect();
    let unneeded = LONGER.iter().filter(|(excused, _)| !longer.iter().any(|what| what == excused));
    findings.extend(unneeded.map(|(excused, _)| format!("{excused} is short now: remove it from LONGER")));
    none(findings);
}

/// Number of the first line, name and number of lines of each function, as rustfmt lays them out.
fn functions(file: &File) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let Some(name) = function_name(line) else { continue };
        let end = format!("{indent}}}");
        let is_short = line.ends_with(['}', ';']);
        let length =
            if is_short { Some(1) } else { lines[at..].iter().position(|line| *line == end).map(|last| last + 1) };
        functions.extend(length.map(|length| (at + 1, name, length)));
    }
    functions
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "unsafe", "async", "extern", "\"C\""];
    let is_declaration = before.split_whitespace().all(|word| qualifiers.contains(&word));
    is_declaration.then(|| after.split(|character: char| !character.is_alphanumeric() && character != '_').next())?
}

#[test]
fn functions_are_measured() {
    let text = "fn one() {}\nimpl X {\n    pub(super) fn two(\n        a: A,\n    ) -> B {\n        if a {\n        }\n    }\n}\n// fn no() {\n";
    let file = File { path: String::new(), text: text.to_owned() };
    assert_eq!(functions(&file), [(1, "one", 1), (3, "two", 6)]);
}
