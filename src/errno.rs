//! What the programs of this family call a system error: DJB's wording, which log readers and scripts know.

use std::{borrow::Cow, io};

/// The words for `error`, such as `file does not exist` or `access denied`; `unknown error` when it has no number
/// that has a name.
pub fn words(error: &io::Error) -> Cow<'static, str> {
    let Some(number) = error.raw_os_error() else {
        return without_number(error);
    };
    NAMED
        .iter()
        .find(|(named, _)| *named == number)
        .map_or(Cow::Borrowed("unknown error"), |(_, words)| Cow::Borrowed(*words))
}

/// Errors that the standard library or we ourselves make, without asking the system.
fn without_number(error: &io::Error) -> Cow<'static, str> {
    match KINDS.iter().find(|(kind, _)| *kind == error.kind()) {
        Some((_, words)) => Cow::Borrowed(*words),
        None => Cow::Owned(error.to_string()),
    }
}

const KINDS: &[(io::ErrorKind, &str)] = &[
    (io::ErrorKind::OutOfMemory, "out of memory"),
    (io::ErrorKind::UnexpectedEof, "protocol error"),
    (io::ErrorKind::WouldBlock, "temporary failure"),
    (io::ErrorKind::WriteZero, "out of disk space"),
];

/// As the stock `tcprules` says them on Linux.
const NAMED: &[(i32, &str)] = &[
    (libc::EPERM, "permission denied"),
    (libc::ENOENT, "file does not exist"),
    (libc::ESRCH, "no such process"),
    (libc::EINTR, "interrupted system call"),
    (libc::EIO, "input/output error"),
    (libc::ENXIO, "device not configured"),
    (libc::E2BIG, "argument list too long"),
    (libc::ENOEXEC, "exec format error"),
    (libc::EBADF, "file descriptor not open"),
    (libc::ECHILD, "no child processes"),
    (libc::EAGAIN, "temporary failure"),
    (libc::ENOMEM, "out of memory"),
    (libc::EACCES, "access denied"),
    (libc::EFAULT, "bad address"),
    (libc::ENOTBLK, "not a block device"),
    (libc::EBUSY, "device busy"),
    (libc::EEXIST, "file already exists"),
    (libc::EXDEV, "cross-device link"),
    (libc::ENODEV, "device does not support operation"),
    (libc::ENOTDIR, "not a directory"),
    (libc::EISDIR, "is a directory"),
    (libc::EINVAL, "invalid argument"),
    (libc::ENFILE, "system cannot open more files"),
    (libc::EMFILE, "process cannot open more files"),
    (libc::ENOTTY, "not a tty"),
    (libc::ETXTBSY, "text busy"),
    (libc::EFBIG, "file too big"),
    (libc::ENOSPC, "out of disk space"),
    (libc::ESPIPE, "unseekable descriptor"),
    (libc::EROFS, "read-only file system"),
    (libc::EMLINK, "too many links"),
    (libc::EPIPE, "broken pipe"),
    (libc::EDOM, "input out of range"),
    (libc::ERANGE, "output out of range"),
    (libc::ENAMETOOLONG, "file name too long"),
    (libc::ENOLCK, "no locks available"),
    (libc::ENOSYS, "system call not available"),
    (libc::ENOTEMPTY, "directory not empty"),
    (libc::ELOOP, "symbolic link loop"),
    (libc::EPROTO, "protocol error"),
    (libc::ENOTSOCK, "not a socket"),
    (libc::EMSGSIZE, "message too long"),
    (libc::EPROTOTYPE, "incorrect protocol type"),
    (libc::ENOPROTOOPT, "protocol not available"),
    (libc::EPROTONOSUPPORT, "protocol not supported"),
    (libc::ESOCKTNOSUPPORT, "socket type not supported"),
    (libc::EPFNOSUPPORT, "protocol family not supported"),
    (libc::EAFNOSUPPORT, "address family not supported"),
    (libc::EADDRINUSE, "address already used"),
    (libc::EADDRNOTAVAIL, "address not available"),
    (libc::ENETDOWN, "network down"),
    (libc::ENETUNREACH, "network unreachable"),
    (libc::ENETRESET, "network reset"),
    (libc::ECONNABORTED, "connection aborted"),
    (libc::ECONNRESET, "connection reset"),
    (libc::ENOBUFS, "out of buffer space"),
    (libc::EISCONN, "already connected"),
    (libc::ENOTCONN, "not connected"),
    (libc::ESHUTDOWN, "socket shut down"),
    (libc::ETOOMANYREFS, "too many references"),
    (libc::ETIMEDOUT, "timed out"),
    (libc::ECONNREFUSED, "connection refused"),
    (libc::EHOSTDOWN, "host down"),
    (libc::EHOSTUNREACH, "host unreachable"),
    (libc::EALREADY, "operation already in progress"),
    (libc::EINPROGRESS, "operation in progress"),
    (libc::ESTALE, "stale NFS file handle"),
    (libc::EDQUOT, "disk quota exceeded"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_djbs_names() {
        let missing = std::fs::File::open("/nonexistent/file").unwrap_err();
        assert_eq!(words(&missing), "file does not exist");
        for (number, expected) in
            [(libc::EACCES, "access denied"), (libc::EXDEV, "cross-device link"), (libc::EHWPOISON, "unknown error")]
        {
            assert_eq!(words(&io::Error::from_raw_os_error(number)), expected);
        }
        assert_eq!(words(&io::Error::other("broken in our own words")), "broken in our own words");
    }

    #[test]
    fn no_number_has_two_names() {
        for (at, (number, _)) in NAMED.iter().enumerate() {
            assert!(NAMED.iter().skip(at + 1).all(|(later, _)| later != number), "{number}");
        }
    }
}
