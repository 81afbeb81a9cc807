//! The files of the project, and Rust text without what the compiler does not read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that is tracked.
pub struct File {
    /// From the root of the project.
    pub path: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What git tracks; without git, everything but what is built.
pub fn files() -> Vec<File> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let mut paths: Vec<String> = match listed {
        Ok(listed) if listed.status.success() => {
            let text = String::from_utf8(listed.stdout).unwrap();
            text.split_terminator('\0').map(str::to_owned).filter(|path| root().join(path).exists()).collect()
        }
        Ok(_) | Err(_) => walk(root()),
    };
    paths.sort();
    assert!(paths.len() > 50, "only {} files were found in {}", paths.len(), root().display());
    let read = |path: &String| String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned();
    paths.into_iter().filter(|path| !root().join(path).is_dir()).map(|path| File { text: read(&path), path }).collect()
}

fn walk(directory: &Path) -> Vec<String> {
    const BUILT: [&str; 7] = [
        ".git",
        "target",
        "run",
        "tests/fuzz/corpus",
        "tests/fuzz/found",
        "tests/fuzz/target",
        "tests/fuzz/Cargo.lock",
    ];
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let kept = entries.filter(|path| !BUILT.iter().any(|built| *path == root().join(built)));
    let paths: Vec<PathBuf> = kept.collect();
    let below = |path: &PathBuf| match path.is_dir() {
        true => walk(path),
        false => vec![path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()],
    };
    paths.iter().flat_map(below).collect()
}

/// The files of Rust.
pub fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// The files of the library and the programs.
pub fn src_files() -> Vec<File> {
    rust_files().into_iter().filter(|file| file.path.starts_with("src/")).collect()
}

impl File {
    /// The lines before `mod tests`, numbered from 1.
    pub fn lines_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// The same, each without its comment.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines_without_tests().map(|(number, line)| (number, without_comment(line)))
    }

    /// Every path that code names, as `crate::smtp::reply` or `std::fs`, those in a `use` with braces written out.
    pub fn paths(&self) -> Vec<(usize, String)> {
        let mut paths = Vec::new();
        let mut statement: Option<(usize, String)> = None;
        for (number, line) in self.code() {
            let start = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            if statement.is_none() && start.starts_with("use ") {
                statement = Some((number, String::new()));
            }
            match &mut statement {
                Some((first, text)) => {
                    text.push_str(line);
                    if line.trim_end().ends_with(';') {
                        let used = text.split_once("use ").unwrap().1.trim_end().trim_end_matches(';');
                        paths.extend(written_out(used).into_iter().map(|path| (*first, path)));
                        statement = None;
                    }
                }
                None => paths.extend(paths_in_line(line).map(|path| (number, path))),
            }
        }
        paths
    }
}

fn without_comment(line: &str) -> &str {
    let is_outside_quotes = |at: &usize| line[..*at].matches('"').count().is_multiple_of(2);
    line.match_indices("//").map(|(at, _)| at).find(is_outside_quotes).map_or(line, |at| &line[..at])
}

/// Words joined by `::` outside of `use`.
fn paths_in_line(line: &str) -> impl Iterator<Item = String> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let words = line.split(move |character| !is_part(character)).filter(|word| word.contains("::"));
    words.map(|word| word.trim_matches(':').to_owned())
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn written_out(used: &str) -> Vec<String> {
    let used: String =
        used.split(" as ").next().unwrap().chars().filter(|character| !character.is_whitespace()).collect();
    let Some((head, inner)) = used.split_once('{') else { return vec![used] };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in inner.chars() {
        match character {
            ',' if depth == 0 => parts.push(String::new()),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                parts.last_mut().unwrap().push(other);
            }
        }
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| written_out(part)).map(|path| format!("{head}{path}")).collect()
}

#[test]
fn uses_are_written_out() {
    let text = "use std::{\n    fs::{self, File},\n    io,\n};\nlet a = crate::smtp::reply(b\"x://\"); // crate::no\n#[cfg(test)]\nuse crate::no;\n";
    let file = File { path: "x.rs".to_owned(), text: text.to_owned() };
    let paths: Vec<String> = file.paths().into_iter().map(|(number, path)| format!("{number} {path}")).collect();
    assert_eq!(paths, ["1 std::fs::self", "1 std::fs::File", "1 std::io", "5 crate::smtp::reply"]);
}
