//! What the queue program's end means: one table from exit code to reply.

use nix::sys::wait::WaitStatus;

use crate::smtp::reply::{self, Reply};

/// What became of a message that was handed over.
#[derive(Debug, PartialEq, Eq)]
pub enum QueueStatus {
    /// It is safely in the queue.
    Queued {
        /// The queue program's pid, the original's queue id.
        pid: i32,
    },
    /// It is not.
    Refused {
        /// What the client hears.
        reply: Reply,
        /// The text of it, for the log.
        text: Vec<u8>,
        /// The queue program's pid.
        pid: i32,
        /// What the queue program wrote beyond that, for the log.
        said: Vec<u8>,
    },
}

/// What the queue program wrote before it ended.
#[derive(Debug, Default)]
pub struct Explanations {
    /// On descriptor `ERROR_FD`: the text of exit code 88 (IndiMail).
    pub error_fd: Vec<u8>,
    /// On descriptor 6: the text of exit code 82 (notqmail and others).
    pub descriptor_6: Vec<u8>,
}

/// Whether the client may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permanent,
    Temporary,
}
use Kind::{Permanent, Temporary};

impl QueueStatus {
    /// Reads how the program ended; `complete` is whether it got the whole message and envelope.
    #[must_use]
    pub fn of(status: Option<WaitStatus>, complete: bool, explanations: Explanations) -> Self {
        let (pid, (kind, text)) = match status {
            Some(WaitStatus::Exited(pid, 0)) if complete => return QueueStatus::Queued { pid: pid.as_raw() },
            Some(WaitStatus::Exited(pid, code)) => (pid.as_raw(), exited(code, &explanations)),
            Some(WaitStatus::Signaled(pid, _, _)) => (pid.as_raw(), fixed(Temporary, "qq crashed (#4.3.0)")),
            _ => (0, fixed(Temporary, "qq waitpid surprise (#4.3.0)")),
        };
        let reply = match kind {
            Permanent => reply::queue_refused(&text),
            Temporary => reply::queue_deferred(&text),
        };
        // What explained the refusal need not be said twice.
        let said = if explanations.error_fd.trim_ascii().ends_with(&text) { Vec::new() } else { explanations.error_fd };
        QueueStatus::Refused { reply, text, pid, said: said.trim_ascii().to_vec() }
    }
}

fn fixed(kind: Kind, text: &str) -> (Kind, Vec<u8>) {
    (kind, text.as_bytes().to_vec())
}

fn exited(code: i32, explanations: &Explanations) -> (Kind, Vec<u8>) {
    let own = match code {
        88 => custom(&explanations.error_fd),
        82 => custom(&explanations.descriptor_6),
        _ => None,
    };
    own.unwrap_or_else(|| {
        let (kind, text) = stock_text(code);
        fixed(kind, text)
    })
}

/// D19: the last line that is not empty; `D` or `Z` before it says whether the client may try again, and without either it may.
fn custom(written: &[u8]) -> Option<(Kind, Vec<u8>)> {
    let line = written.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).rfind(|line| !line.is_empty())?;
    let (kind, text) = match line {
        [b'D', text @ ..] => (Permanent, text),
        [b'Z', text @ ..] => (Temporary, text),
        text => (Temporary, text),
    };
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| (kind, text.to_vec()))
}

/// The texts of the original, by exit code.
fn stock_text(code: i32) -> (Kind, &'static str) {
    match code {
        // The program ended well although it was told to discard.
        0 | 54 => (Temporary, "qq read error (#4.3.0)"),
        11 | 115 => (Permanent, "qq envelope address too long (#5.1.3)"),
        31 => (Permanent, "qq mail server permanently rejected message (#5.3.0)"),
        32 => (Permanent, "qq spam or junk mail threshold exceeded (#5.7.1)"),
        33 => (Permanent, "qq message contains virus (#5.7.1)"),
        34 => (Permanent, "qq message contains banned attachment (#5.7.1)"),
        35 => (Permanent, "qq private key file does not exist (#5.3.5)"),
        12..=40 => (Permanent, "qq permanent problem (#5.3.0)"),
        41 => (Temporary, "qq trouble duplicating file descriptors (#4.3.0)"),
        50 => (Temporary, "qq unable to get privilege to run virus scanner (#4.3.0)"),
        51 => (Temporary, "qq out of memory (#4.3.0)"),
        52 => (Temporary, "qq timeout (#4.3.0)"),
        53 => (Temporary, "qq write error or disk full (#4.3.0)"),
        55 => (Temporary, "qq unable to read configuration (#4.3.0)"),
        56 => (Temporary, "qq trouble making network connection (#4.3.0)"),
        57 => (Temporary, "qq unable to open shared object/plugin (#4.3.0)"),
        58 => (Temporary, "qq unable to resolve symbol in shared object/plugin (#4.3.0)"),
        59 => (Temporary, "qq unable to close shared object/plugin (#4.3.0)"),
        60 => (Temporary, "qq trouble creating pipes/sockets (#4.3.0)"),
        61 => (Temporary, "qq trouble in home directory (#4.3.0)"),
        62 => (Temporary, "qq unable to access mess file (#4.3.0)"),
        63 => (Temporary, "qq trouble doing cd to root directory (#4.3.0)"),
        64 => (Temporary, "qq trouble syncing message to disk (#4.3.0)"),
        65 => (Temporary, "qq trouble creating files in intd. (#4.3.0)"),
        66 => (Temporary, "qq trouble linking todofn to intdfn (#4.3.0)"),
        67 => (Temporary, "qq trouble linking messfn to pidfn (#4.3.0)"),
        68 => (Temporary, "qq trouble creating temporary files (#4.3.0)"),
        69 => (Temporary, "qq trouble syncing dir to disk (#4.3.0)"),
        70 => (Temporary, "qq trouble with pid file (#4.3.0)"),
        71 => (Temporary, "qq mail server temporarily rejected message (#4.3.0)"),
        72 => (Temporary, "qq connection to mail server timed out (#4.4.1)"),
        73 => (Temporary, "qq connection to mail server rejected (#4.4.1)"),
        74 => (Temporary, "qq communication with mail server failed (#4.4.2)"),
        75 => (Temporary, "qq unable to exec (#4.3.0)"),
        76 => (Temporary, "qq temporary problem with SPAM filter (#4.3.0)"),
        77 => (Temporary, "qq unable to run QHPSI scanner (#4.3.0)"),
        78 => (Temporary, "qq trouble getting uids/gids (#4.3.0)"),
        79 => (Temporary, "qq envelope format error (#4.3.0)"),
        80 => (Temporary, "qq trouble removing intdfn"),
        81 | 91 => (Temporary, "qq internal bug (#4.3.0)"),
        82 | 120 => (Temporary, "qq unable to exec qq (#4.3.0)"),
        87 => (Temporary, "qq mail system incorrectly configured. (#4.3.5)"),
        121 => (Temporary, "qq unable to fork (#4.3.0)"),
        122 => (Temporary, "qq waitpid surprise (#4.3.0)"),
        123 => (Temporary, "qq crashed (#4.3.0)"),
        _ => (Temporary, "qq temporary problem (#4.3.0)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_text_is_its_last_line() {
        let table: &[(&[u8], Option<(Kind, &str)>)] = &[
            (b"Dcustom perm\n", Some((Permanent, "custom perm"))),
            (b"Zcustom temp", Some((Temporary, "custom temp"))),
            (b"plain", Some((Temporary, "plain"))),
            (b"noise\nDlast\n\n", Some((Permanent, "last"))),
            (b"", None),
            (b"\n", None),
            (b"D\n", None),
        ];
        for (written, text) in table {
            let expected = text.map(|(kind, text)| fixed(kind, text));
            assert_eq!(custom(written), expected, "{}", written.escape_ascii());
        }
    }
}
