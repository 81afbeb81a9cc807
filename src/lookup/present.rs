//! Which files the control directory has: one look at it spares a session the search for each of the lists that it lacks.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The most names that are kept; of a larger directory each file is looked for itself.
const NAMES_MAX: usize = 4096;

/// The names in a directory, each as a number that may stand for others as well: what is not here is not there.
#[derive(Debug)]
pub(super) enum Present {
    /// These, and nothing else.
    Only(Vec<u64>),
    /// The directory cannot be listed, or has too many names: anything.
    Anything,
}

impl Present {
    /// Looks at a directory.
    pub(super) fn of(directory: &Path) -> Self {
        let Ok(entries) = std::fs::read_dir(directory) else { return Present::Anything };
        let mut names = Vec::new();
        for entry in entries {
            let Ok(entry) = entry else { return Present::Anything };
            if names.len() == NAMES_MAX {
                return Present::Anything;
            }
            names.push(number([entry.file_name().as_bytes(), b""]));
        }
        Present::Only(names)
    }

    /// Whether the directory may have `name` or `name.cdb`. A path that leads elsewhere may always be there.
    pub(super) fn may_have(&self, name: &str) -> bool {
        match self {
            Present::Only(names) if !name.contains('/') => {
                let forms: [&[u8]; 2] = [b"", b".cdb"];
                forms.iter().any(|end| names.contains(&number([name.as_bytes(), end])))
            }
            Present::Only(_) | Present::Anything => true,
        }
    }
}

/// Fowler, Noll and Vo's hash, of two parts as one.
fn number(parts: [&[u8]; 2]) -> u64 {
    let octets = parts.into_iter().flatten();
    octets.fold(0xcbf2_9ce4_8422_2325, |sum: u64, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["me", "bad.cdb", "good"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let present = Present::of(dir.path());
        let may = ["me", "bad", "good", "/elsewhere/list", "./list"];
        assert!(may.iter().all(|name| present.may_have(name)));
        assert!(["ba", "good.", "list", ""].iter().all(|name| !present.may_have(name)));
        let unlisted = Present::of(&dir.path().join("none"));
        assert!(unlisted.may_have("list"));
    }
}
