//! What comes from elsewhere: dependencies and their licences; and the shell scripts.

use std::process::Command;

use crate::none;
use crate::source::{File, files, root};

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "Unlicense",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CDLA-Permissive-2.0", // Of data: the certificates of authorities that everybody knows.
];

#[test]
fn every_dependency_says_why_it_is_there() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let (mut is_in_dependencies, mut is_explained) = (false, false);
        for (number, line) in (1..).zip(file.text.lines()) {
            match line.trim() {
                section if section.starts_with('[') => is_in_dependencies = section.ends_with("dependencies]"),
                "" => is_explained = false,
                comment if comment.starts_with('#') => is_explained = comment.ends_with('.'),
                // One sentence may be about several that follow each other.
                _ if is_explained || !is_in_dependencies => {}
                line => {
                    findings.push(format!("{}:{number}: say above `{line}` in a sentence why it is there", file.path));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn every_licence_is_allowed() {
    // Packages for other systems need not have been fetched.
    let compiler = Command::new("rustc").arg("-vV").output().unwrap();
    let compiler = String::from_utf8(compiler.stdout).unwrap();
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host]);
    let output = command.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 10, "cargo metadata names only {} packages", packages.len());
    let refused = |package: &serde_json::Value| {
        let licence = package["license"].as_str().unwrap_or("no licence");
        let (name, version) = (&package["name"], &package["version"]);
        (!is_allowed(licence)).then(|| format!("{name} {version}: {licence} is not among LICENCES: do without it"))
    };
    none(packages.iter().filter_map(refused).collect());
}

/// Reads `A OR (B AND C)`, and `A/B` as it was written once.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let inner = expression.trim();
    let inner = match inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(stripped) if !stripped.contains(['(', ')']) => stripped,
        Some(_) | None => inner,
    };
    match (parts(inner, " AND "), parts(inner, " OR ")) {
        (_, either) if either.len() > 1 => either.iter().any(|part| is_allowed(part)),
        (all, _) if all.len() > 1 => all.iter().all(|part| is_allowed(part)),
        (_, _) => LICENCES.contains(&inner),
    }
}

/// What stands between the `separator`s that are in no bracket.
fn parts<'e>(expression: &'e str, separator: &str) -> Vec<&'e str> {
    let is_outside = |at: usize| expression[..at].matches('(').count() == expression[..at].matches(')').count();
    let (mut parts, mut start) = (Vec::new(), 0);
    for (at, _) in expression.match_indices(separator).filter(|(at, _)| is_outside(*at)) {
        parts.push(&expression[start..at]);
        start = at + separator.len();
    }
    parts.push(&expression[start..]);
    parts
}

#[test]
fn licences_are_read() {
    for (expression, expected) in [
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND (GPL-3.0 OR LGPL-3.0)", false),
        ("no licence", false),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}

#[test]
fn every_shell_script_can_be_read_by_the_shell() {
    let scripts: Vec<File> = files().into_iter().filter(is_shell).collect();
    assert!(scripts.len() > 5, "only {} shell scripts were found", scripts.len());
    let wrong = |file: &File| {
        let output = Command::new("bash").arg("-n").arg(root().join(&file.path)).output().unwrap();
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    none(scripts.iter().filter_map(wrong).collect());
}

fn is_shell(file: &File) -> bool {
    let first = file.text.lines().next().unwrap_or_default();
    let is_run_by_shell = first.starts_with("#!") && first.ends_with("sh");
    // What is sourced has no such line.
    is_run_by_shell || file.path == "scripts/common" || file.path.ends_with(".bash")
}
