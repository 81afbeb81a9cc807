//! What ends `postern` early: a sentence and the exit code.

use std::io;
use std::path::Path;

/// Wrong usage, or nothing to work on.
pub const PERMANENT: u8 = 100;
/// The machine failed; later it may work.
pub const TEMPORARY: u8 = 111;

/// What ends the program early: the exit code, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended(pub u8, pub String);

impl Ended {
    /// A file that cannot be read.
    #[must_use]
    pub fn unreadable(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self(TEMPORARY, format!("{} cannot be read: {error}", path.display()))
    }

    /// What was found cannot be written. Whoever read us and went away has seen enough.
    #[must_use]
    pub fn unwritten(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self(0, String::new());
        }
        Self(TEMPORARY, format!("cannot write: {error}"))
    }
}
