//! The project's rules as tests: what a reviewer would otherwise have to look for.
#![allow(clippy::disallowed_methods, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

/// Fails with every finding, each on a line of its own: where, what, and what to do.
#[track_caller]
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} found\n{}", findings.len(), findings.join("\n"));
}
