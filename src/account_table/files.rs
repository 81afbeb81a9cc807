//! Files in the directory of a domain that make mailboxes: `.qmail-name`, `.qmail-prefix-default`, `.qmail-default`, mailing lists.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::relay_table::trouble::Trouble;

/// What is read of `.qmail-default`, in octets.
const DEFAULT_OCTETS: u64 = 1023;
/// What stands there when unknown users have no mailbox.
const NO_MAILBOX: &[u8] = b"bounce-no-mailbox";

/// Whether a file delivers mail for this user, or a mailing list of that name has moderators.
///
/// # Errors
///
/// [`Trouble::Table`] when the system does not tell whether there is such a file.
pub fn is_named(directory: &Path, user: &[u8]) -> Result<bool, Trouble> {
    if delivers(directory, user)? {
        return Ok(true);
    }
    any(prefixes(user).filter(|_| may_be_file(user)).map(|list| exists(directory, &[list, b"/editor"].concat())))
}

/// Whether `.qmail-user` or a `.qmail-prefix-default` delivers mail for this user (dot-qmail(5)).
///
/// # Errors
///
/// As [`is_named`].
pub fn delivers(directory: &Path, user: &[u8]) -> Result<bool, Trouble> {
    let dotted = |name: &[u8]| name.iter().map(|octet| if *octet == b'.' { b':' } else { *octet }).collect::<Vec<u8>>();
    let defaults = prefixes(user).map(|prefix| [dotted(prefix).as_slice(), b"-default"].concat());
    let names = std::iter::once(dotted(user)).chain(defaults).filter(|_| may_be_file(user));
    any(names.map(|name| exists(directory, &[b".qmail-".as_slice(), &name].concat())))
}

/// Whether `.qmail-default` delivers what is for nobody else.
///
/// # Errors
///
/// As [`is_named`].
pub fn catches_all(directory: &Path) -> Result<bool, Trouble> {
    let path = directory.join(".qmail-default");
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(DEFAULT_OCTETS).read_to_end(&mut text));
    match read {
        Ok(_) => Ok(memchr::memmem::find(&text, NO_MAILBOX).is_none()),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(Trouble::at(&path, &error)),
    }
}

/// What stands before each `-`, the longest first.
fn prefixes(user: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memrchr_iter(b'-', user).filter_map(|at| user.get(..at)).filter(|prefix| !prefix.is_empty())
}

/// No name leads out of the directory, or is hidden.
fn may_be_file(user: &[u8]) -> bool {
    !user.is_empty() && !user.contains(&b'/') && !user.starts_with(b".")
}

/// Whether one of them says yes; the first trouble ends it.
fn any(mut answers: impl Iterator<Item = Result<bool, Trouble>>) -> Result<bool, Trouble> {
    answers.find(|answer| !matches!(answer, Ok(false))).unwrap_or(Ok(false))
}

fn exists(directory: &Path, name: &[u8]) -> Result<bool, Trouble> {
    let path = directory.join(OsStr::from_bytes(name));
    match fs::metadata(&path) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(Trouble::at(&path, &error)),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_make_mailboxes() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".qmail-joe:doe", ".qmail-list-default", ".qmail-a:b-default"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("news")).unwrap();
        fs::write(dir.path().join("news/editor"), "").unwrap();
        let named = |user: &str| is_named(dir.path(), user.as_bytes()).unwrap();
        for user in ["joe.doe", "list-subscribe", "list-a-b", "a.b-x", "news-unsubscribe"] {
            assert!(named(user), "{user}");
            assert_eq!(delivers(dir.path(), user.as_bytes()).unwrap(), !user.starts_with("news"), "{user}");
        }
        for user in ["joe", "list", "news", "-x", "", ".x", "a/../list-x", "x-default", &"x".repeat(300)] {
            assert!(!named(user), "{user}");
        }
        assert!(!is_named(&dir.path().join("none"), b"joe").unwrap());
        assert!(!catches_all(dir.path()).unwrap());
        fs::write(dir.path().join(".qmail-default"), "| vdelivermail '' bounce-no-mailbox\n").unwrap();
        assert!(!catches_all(dir.path()).unwrap());
        fs::write(dir.path().join(".qmail-default"), "| vdelivermail '' delete\n").unwrap();
        assert!(catches_all(dir.path()).unwrap());
        fs::remove_file(dir.path().join(".qmail-default")).unwrap();
        fs::create_dir(dir.path().join(".qmail-default")).unwrap();
        assert!(catches_all(dir.path()).is_err());
    }
}
