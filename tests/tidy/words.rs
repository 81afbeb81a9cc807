//! Words that do not belong into the project.

use regex_lite::Regex;

use crate::none;
use crate::source::{File, files};

/// What must stand in no file, and what to do instead. Each is cut in two, so that this table is not found.
const BANNED: &[(&str, &str, &str)] = &[
    (r"/wor", r"k/", "name no place of the machine it was written on"),
    (r"/tmp/", r"p/", "name no place of the machine it was written on"),
    (r"\bfar", r"m-", "name no machine"),
    (r"sub", r"agent", "name nobody who wrote it"),
    (r"(?i)\bsession ", r"\d", "say what was done, not when it was"),
    (r"\btodo", r"!\(", "do it, or leave it out: no stubs"),
    (r"\bunimple", r"mented!\(", "do it, or leave it out: no stubs"),
    (r"\bdbg", r"!\(", "remove what served to find a mistake"),
    (r"\b(FIX", r"ME|XXX)\b", "mend it, or file an issue"),
    (r"crates", r"\.io", "name no registry: the ordinary clients know theirs"),
    (r"\bpypi", r"\.org|python", "name no registry: the ordinary clients know theirs"),
    (r"npm", r"js\.(org|com)", "name no registry: the ordinary clients know theirs"),
    (r"proxy\.go", r"lang", "name no registry: the ordinary clients know theirs"),
    (r"deb\.deb", r"ian\.org", "name no registry: the ordinary clients know theirs"),
];

#[test]
fn no_file_has_a_banned_word() {
    let banned: Vec<(Regex, &str)> = BANNED
        .iter()
        .map(|(start, end, instead)| (Regex::new(&format!("{start}(?:{end})")).unwrap(), *instead))
        .collect();
    let findings = |file: File| -> Vec<String> {
        // Cargo writes this into every lock file.
        let standard = concat!("registry+https://github.com/rust-lang/crates", ".io-index");
        let of_line = |(number, line): (usize, &str)| -> Option<String> {
            let line = line.replace(standard, "");
            let (found, instead) = banned.iter().find_map(|(word, instead)| Some((word.find(&line)?, instead)))?;
            Some(format!("{}:{number}: {}: {instead}", file.path, found.as_str()))
        };
        (1..).zip(file.text.lines()).filter_map(of_line).collect()
    };
    none(files().into_iter().filter(|file| !is_generated(file)).flat_map(findings).collect());
}

/// Octets that a fuzzer made mean nothing.
fn is_generated(file: &File) -> bool {
    file.path.starts_with("tests/fuzz/seeds/")
}
