//! The users of this host as `/etc/passwd` has them, read as a file: a static program has no other way to know them.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::lookup::pieces::{self, ListFile};

/// The places of fields in a line: `name:password:uid:gid:gecos:home:shell` (passwd(5)).
const UID: usize = 2;
const HOME: usize = 5;

/// Whether `name`, in lower case, is a user of any kind, root too: who that is gets its mail somewhere.
///
/// # Errors
/// As [`is_user`].
pub(super) fn is_known(path: &Path, name: &[u8]) -> io::Result<bool> {
    Ok(field(path, name, UID)?.is_some())
}

/// Whether `name`, in lower case as `qmail-local` would look for it, is a user who may get mail: anybody but uid 0.
///
/// System users count, and so do those whose shell is `nologin`: a shell says who may log in, not who may get mail. Of
/// several lines with one name the first counts, as for the system itself.
///
/// # Errors
/// Whatever keeps the file from being read, its absence too: then nobody knows who is a user.
pub(super) fn is_user(path: &Path, name: &[u8]) -> io::Result<bool> {
    let uid: Option<u32> = field(path, name, UID)?.and_then(|uid| std::str::from_utf8(&uid).ok()?.parse().ok());
    Ok(uid.is_some_and(|uid| uid != 0))
}

/// The home of a user; none if there is no such user, or his line names no absolute path.
///
/// # Errors
/// As [`is_user`].
pub(super) fn home(path: &Path, name: &[u8]) -> io::Result<Option<PathBuf>> {
    let home = field(path, name, HOME)?.filter(|home| home.starts_with(b"/"));
    Ok(home.map(|home| PathBuf::from(OsString::from_vec(home))))
}

/// A field of the first line that is about `name`, empty where the line is too short; none if there is no such line.
fn field(path: &Path, name: &[u8], number: usize) -> io::Result<Option<Vec<u8>>> {
    let list = ListFile::open(path)?.ok_or(io::Error::from_raw_os_error(libc::ENOENT))?;
    let mut found = None;
    pieces::each_piece(&list.file, list.chunk_octets(), |piece| {
        let mut lines = piece.lines().split(|octet| *octet == b'\n').filter(|line| is_about(name, line));
        found = lines.next().map(|line| line.split(|octet| *octet == b':').nth(number).unwrap_or_default().to_vec());
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

fn is_about(name: &[u8], line: &[u8]) -> bool {
    line.split(|octet| *octet == b':').next() == Some(name) && !matches!(name.first(), None | Some(b'#' | b'+' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        daemon:x:1:1::/:/usr/sbin/nologin\n\
        joe:x:1000:1000:Joe,,,:/home/joe:/bin/bash\n\
        toor:x:00:0::/root:/bin/sh\n\
        twice:x:0:0::/:/bin/sh\n\
        twice:x:5:5::/:/bin/sh\n\
        Big:x:1001:1001::/home/big:/bin/false\n\
        no-uid:x::1:::\n\
        odd:x:1x:1:::\n\
        short\n\
        # comment:x:7:\n\
        +nis:x:7:7:::\n\
        :x:8:8:::\n\
        last:x:1002:1002::/home/last:/bin/false";

    #[test]
    fn a_user_has_a_line_of_exactly_that_name_and_is_not_root() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, PASSWD).unwrap();
        for name in ["joe", "daemon", "last"] {
            assert!(is_user(&path, name.as_bytes()).unwrap(), "{name}");
        }
        for name in [
            "root",
            "toor",
            "twice",
            "jo",
            "joe:",
            "joe:x",
            "joee",
            "big",
            "no-uid",
            "odd",
            "short",
            "# comment",
            "+nis",
            "x",
            "",
            "nobody",
            "joe\nlast",
        ] {
            assert!(!is_user(&path, name.as_bytes()).unwrap(), "{name:?}");
        }
    }

    #[test]
    fn a_home_is_an_absolute_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, PASSWD).unwrap();
        let home_of = |name: &str| home(&path, name.as_bytes()).unwrap();
        assert_eq!(home_of("joe"), Some("/home/joe".into()));
        assert_eq!(home_of("daemon"), Some("/".into()));
        for name in ["no-uid", "short", "nobody", "jo", ""] {
            assert_eq!(home_of(name), None, "{name:?}");
        }
        assert!(is_known(&path, b"root").unwrap() && is_known(&path, b"short").unwrap());
        assert!(!is_known(&path, b"nobody").unwrap());
    }

    #[test]
    fn without_the_file_nobody_knows() {
        let dir = tempfile::tempdir().unwrap();
        let error = is_user(&dir.path().join("passwd"), b"joe").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(is_user(dir.path(), b"joe").is_err());
    }
}
