//! Makes tests/ROWS.md from the rows.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::notation::{Block, EACH, Row, Verdict};
use crate::{FILES, play};

const HEAD: &str = "\
# Who may relay: five mail systems, row by row

Every decision that one of these systems could make, how it is written in our control files, and the test that plays it
through `smtpd` and through `postern explain`. Made from `tests/rows/` by `tests/rows.rs`; a test keeps it up to date, and
another sees that what \"comes later\" really fails today. A result counts the cases of a test that end so.
";

/// Fails when the table is not up to date; writes it if UPDATE is set.
pub fn check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ROWS.md");
    let fresh = table();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == fresh, "tests/ROWS.md is not what the rows say: UPDATE=1 cargo test --test rows table");
}

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (file, system) in FILES {
        let _ = write!(
            text,
            "\n## {system}\n\n| Row | What it says | Written as | Test | Result |\n|---|---|---|---|---|\n"
        );
        for row in play::file(file) {
            let test = row.id.to_lowercase().replace('-', "_");
            let says = match &row.also {
                Some(also) => format!("{} {also}", row.says),
                None => row.says.clone(),
            };
            let _ =
                writeln!(text, "| {} | {} | {} | `{test}` | {} |", row.id, cell(&says), written(&row), result(&row));
        }
    }
    text
}

/// The lines that a site would write.
fn written(row: &Row) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in &row.blocks {
        for line in of_block(block) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    match lines.is_empty() {
        true => "nothing".to_owned(),
        false => lines.join("<br>"),
    }
}

fn of_block(block: &Block) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, content) in &block.control {
        // Alternatives stand side by side.
        let each = block.each.iter().map(|line| code(line)).collect::<Vec<_>>().join(" or ");
        let shown: Vec<String> =
            content.iter().map(|line| if line == EACH { each.clone() } else { code(line) }).collect();
        let shown = if shown.is_empty() { "empty".to_owned() } else { shown.join(", ") };
        lines.push(format!("{name}: {shown}"));
    }
    lines.extend(block.cdb.iter().map(|(name, keys)| {
        let keys: Vec<String> = keys.iter().map(|key| code(key)).collect();
        format!("{name}.cdb: {}", keys.join(", "))
    }));
    lines.extend(block.rules.iter().map(|line| format!("tcp.smtp: {}", code(line))));
    lines.extend(block.env.iter().map(|(name, value)| format!("variable: {}", code(&format!("{name}={value}")))));
    lines
}

fn result(row: &Row) -> String {
    let mut results: Vec<String> = Vec::new();
    for block in row.blocks.iter().filter(|block| !block.sessions.is_empty()) {
        let told = match &block.todo {
            Some((_, lacks)) => format!("{}: needs {lacks}, comes later", counted(block)),
            None => counted(block),
        };
        results.push(told);
    }
    match (results.is_empty(), row.also.is_some()) {
        (true, _) => "passes".to_owned(),
        (false, true) => format!("{}; passes", sum(&results)),
        (false, false) => sum(&results),
    }
}

/// The same result of several sets is told once.
fn sum(results: &[String]) -> String {
    let mut told: Vec<&str> = Vec::new();
    for result in results {
        if !told.contains(&result.as_str()) {
            told.push(result);
        }
    }
    told.join("; ")
}

/// `2 ACCEPT, 1 REJECT`.
fn counted(block: &Block) -> String {
    let kinds =
        [(Verdict::Accept, "ACCEPT"), (Verdict::Reject, "REJECT"), (Verdict::Temp, "TEMP"), (Verdict::Deny, "DENY")];
    let count = |kind| block.sessions.iter().flatten().filter(|case| case.verdict == Some(kind)).count();
    let some = kinds.iter().map(|(kind, word)| (count(*kind), word)).filter(|(count, _)| *count > 0);
    some.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn cell(text: &str) -> String {
    text.replace("<home>/", "").replace('|', "\\|")
}
