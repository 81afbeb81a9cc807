//! A mistake that `postern lint` found, with where it is and what to do.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, and perhaps not as meant.
    Warning,
    /// It does not work, or lets in who should stay out.
    Error,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file it is in.
    pub path: PathBuf,
    /// The number of the line, from 1, if it is in a line.
    pub line: Option<u32>,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Finding {
    pub(super) fn error(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, path: path.into(), line: None, text: text.into() }
    }

    pub(super) fn warning(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, path: path.into(), line: None, text: text.into() }
    }

    pub(super) fn in_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// The finding for programs.
    #[must_use]
    pub fn as_json(&self) -> Value {
        json!({
            "severity": self.severity.to_string(),
            "file": self.path.display().to_string(),
            "line": self.line,
            "text": self.text,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}:", self.severity, self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.text)
    }
}
