//! Why a list gave no answer: it then neither grants nor refuses for good.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::cdb::read::CdbError;
use crate::lookup::ere::BadExpression;

/// A list that exists and cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub error: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to read {}: {}", self.path.display(), self.error)
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A question that could not be answered now.
#[derive(Debug)]
pub enum Undecided {
    /// A text list or a compiled one cannot be read.
    Unreadable(Unreadable),
    /// A compiled list is damaged.
    Compiled {
        /// The cdb file.
        path: PathBuf,
        /// What is wrong with it.
        error: CdbError,
    },
    /// D05: a line is no regular expression, and no other line matches.
    Expression {
        /// The list.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: u32,
        /// What is wrong with it.
        error: BadExpression,
    },
}

impl fmt::Display for Undecided {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(out),
            Self::Compiled { path, error } => write!(out, "unable to read {}: {error}", path.display()),
            Self::Expression { path, line, error } => write!(out, "{}:{line}: {error}", path.display()),
        }
    }
}

impl Error for Undecided {}

impl From<Unreadable> for Undecided {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}
