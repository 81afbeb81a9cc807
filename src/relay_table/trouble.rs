//! Why the relay table gave no answer: in words for the log, which never hold a password.

use std::fmt;
use std::io;
use std::path::Path;

use crate::errno::words;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A setting has to be mended.
    Configuration(String),
    /// The table cannot be asked or changed now.
    Table(String),
    /// The system refuses something that has nothing to do with the table.
    System(String),
}

impl Trouble {
    /// The system's refusal about a file or directory of the table.
    #[must_use]
    pub fn at(path: &Path, error: &io::Error) -> Self {
        Self::Table(format!("{}: {}", path.display(), words(error)))
    }

    /// What is wrong with a setting that is read from `path`.
    #[must_use]
    pub fn in_file(path: &Path, error: &str) -> Self {
        Self::Configuration(format!("{}: {error}", path.display()))
    }

    /// The exit code of a program that meets it: 100 when a setting has to be mended, 1 for the table, 111 for the system.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::Configuration(_) => 100,
            Trouble::Table(_) => 1,
            Trouble::System(_) => 111,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Configuration(said) | Trouble::Table(said) | Trouble::System(said) => f.write_str(said),
        }
    }
}

impl std::error::Error for Trouble {}
