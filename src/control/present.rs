//! Which files the control directory has: one look at it spares a session the search for each that it lacks.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::fs::RawDir;

use crate::control::names::Names;

/// The most names that are looked at; of a larger directory each file is looked for itself.
const NAMES_MAX: usize = 4096;
/// What is read of a directory at once, in octets: a hundred names.
const CHUNK_OCTETS: usize = 4096;
/// What the names of the other forms of a list end in.
const FORMS: [&[u8]; 2] = [b".cdb", b".sql"];

/// The names in a directory, a list by one name in all its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present(Names);

impl Default for Present {
    /// A directory that nobody has looked at may have anything.
    fn default() -> Self {
        Self(Names::ALL)
    }
}

impl Present {
    /// Looks at an open directory; one that cannot be listed may have anything.
    pub fn of(directory: impl AsFd) -> Self {
        let mut chunk = [MaybeUninit::uninit(); CHUNK_OCTETS];
        let mut entries = RawDir::new(directory, &mut chunk);
        let mut names = Names::default();
        let mut count = 0;
        while let Some(entry) = entries.next() {
            let Ok(entry) = entry else { return Self::default() };
            count += 1;
            if count > NAMES_MAX {
                return Self::default();
            }
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue; // They would seem to be files whose names share their bits.
            }
            names = names.with(name);
            for form in FORMS {
                if let Some(list) = name.strip_suffix(form) {
                    names = names.with(list);
                }
            }
        }
        Self(names)
    }

    /// Whether the directory may have a file of that name, or a list of that name in any form. A path that leads elsewhere
    /// may always be there.
    #[must_use]
    pub fn may_have(&self, name: &[u8]) -> bool {
        self.0.may_have(name) || memchr::memchr(b'/', name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn what_is_not_there_is_not_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["me", "bad.cdb", "good", "asked.sql"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let present = Present::of(File::open(dir.path()).unwrap());
        let may = ["me", "bad", "bad.cdb", "good", "asked", "/elsewhere/list", "./list"];
        assert!(may.iter().all(|name| present.may_have(name.as_bytes())));
        assert!(
            ["ba", "good.", "list", "badmailfrom", "bad.sql"].iter().all(|name| !present.may_have(name.as_bytes()))
        );
    }

    #[test]
    fn a_large_directory_or_none_may_have_anything() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("me");
        fs::write(&file, "").unwrap();
        assert!(Present::of(File::open(&file).unwrap()).may_have(b"list"));
        (0..NAMES_MAX).for_each(|number| fs::write(dir.path().join(number.to_string()), "").unwrap());
        assert!(Present::of(File::open(dir.path()).unwrap()).may_have(b"list"));
    }
}
