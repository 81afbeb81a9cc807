//! The users of this host as `/etc/passwd` has them, read as a file: a static program has no other way to know them.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::lookup::pieces::{self, ListFile};

/// Whether `name`, in lower case, is a user of any kind, root too: who that is gets its mail somewhere.
///
/// # Errors
/// As [`is_user`].
pub(super) fn is_known(path: &Path, name: &[u8]) -> io::Result<bool> {
    Ok(uid(path, name)?.is_some())
}

/// Whether `name`, in lower case as `qmail-local` would look for it, is a user who may get mail: anybody but uid 0.
///
/// System users count, and so do those whose shell is `nologin`: a shell says who may log in, not who may get mail. Of
/// several lines with one name the first counts, as for the system itself.
///
/// # Errors
/// Whatever keeps the file from being read, its absence too: then nobody knows who is a user.
pub(super) fn is_user(path: &Path, name: &[u8]) -> io::Result<bool> {
    Ok(uid(path, name)?.is_some_and(|uid| uid != 0))
}

fn uid(path: &Path, name: &[u8]) -> io::Result<Option<u32>> {
    let list = ListFile::open(path)?.ok_or(io::Error::from_raw_os_error(libc::ENOENT))?;
    let mut uid = None;
    pieces::each_piece(&list.file, list.chunk_octets(), |piece| {
        uid = piece.lines().split(|octet| *octet == b'\n').find_map(|line| uid_of(name, line));
        if uid.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(uid.flatten())
}

/// None if the line is not about `name`; nothing in it if the line has no uid, as NIS may leave one.
fn uid_of(name: &[u8], line: &[u8]) -> Option<Option<u32>> {
    let mut fields = line.split(|octet| *octet == b':');
    let is_about = fields.next() == Some(name) && !matches!(name.first(), None | Some(b'#' | b'+' | b'-'));
    let uid = fields.nth(1).and_then(|uid| std::str::from_utf8(uid).ok()?.parse().ok());
    is_about.then_some(uid)
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
    fn without_the_file_nobody_knows() {
        let dir = tempfile::tempdir().unwrap();
        let error = is_user(&dir.path().join("passwd"), b"joe").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(is_user(dir.path(), b"joe").is_err());
    }
}
