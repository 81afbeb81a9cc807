//! The queue program and what is told of messages: programs that cannot be started, fifos that are none.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::control::environment::Environment;
use crate::control::{Control, Setup};
use crate::errno::words;
use crate::operator::finding::Severity;
use crate::operator::lint::values::Problem;
use crate::queue::program::startable;

/// What follows a queue program that cannot be started.
const DEFERS: &str = "every message gets 451";

/// The program that QMAILQUEUE names; nothing names the usual one.
pub(super) fn of_queue_program(value: &[u8], directory: &Path, environment: &Environment) -> Option<Problem> {
    // What another variable names may be set elsewhere.
    if value.is_empty() || value.trim_ascii_start().starts_with(b"$") {
        return None;
    }
    let control =
        Control { queue_program: Some(value.to_vec()), directory: directory.to_path_buf(), ..Control::default() };
    let setup = Setup { control, environment: environment.clone(), ..Setup::default() };
    let error = startable(&setup).err()?;
    Some((Severity::Error, format!("cannot be started: {error}; {DEFERS}")))
}

/// The fifo that LOGFILTER names.
pub(super) fn of_log_filter(value: &[u8]) -> Option<String> {
    let path = Path::new(OsStr::from_bytes(value));
    if !path.is_absolute() {
        return Some(format!("does nothing: `{}` is no absolute path", path.display()));
    }
    match fs::metadata(path) {
        Err(error) => Some(format!("tells nobody: {}: {}; make it with mkfifo", path.display(), words(&error))),
        Ok(metadata) if !metadata.file_type().is_fifo() => Some(format!("tells nobody: {} is no fifo", path.display())),
        Ok(_) => None,
    }
}
