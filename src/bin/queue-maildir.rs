//! queue-maildir: a qmail-queue for machines without qmail; message on descriptor 0, envelope on descriptor 1.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};

use postern::queue::maildir::{self, Failure, Step};

/// Exit code of qmail-queue for "unable to read configuration".
const NO_CONFIGURATION: u8 = 55;

const USAGE: &str = "usage: queue-maildir [MAILDIR]

Reads a message from descriptor 0 and its envelope from descriptor 1, as qmail-queue
does, and puts both as one file into the Maildir MAILDIR, or $QUEUE_MAILDIR.

  -h, --help     print this
  -V, --version  print the version
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (first, more) = (arguments.next(), arguments.next());
    match first.as_ref().and_then(|first| first.to_str()) {
        Some("-h" | "--help") => print(USAGE),
        Some("-V" | "--version") => print(concat!("queue-maildir ", env!("CARGO_PKG_VERSION"), " (Postern)\n")),
        Some(_) | None if more.is_some() => {
            complain("more than one argument; see queue-maildir --help", NO_CONFIGURATION)
        }
        Some(_) | None => match first.or_else(from_environment).filter(|path| !path.is_empty()) {
            Some(path) => deliver(Path::new(&path)),
            None => complain("no Maildir: name it as argument or in $QUEUE_MAILDIR", NO_CONFIGURATION),
        },
    }
}

#[expect(clippy::disallowed_methods, reason = "smtpd's table of settings is not loaded for this program")]
fn from_environment() -> Option<OsString> {
    std::env::var_os("QUEUE_MAILDIR")
}

fn deliver(path: &Path) -> ExitCode {
    // A limit on the size of files is then a write error with an exit code, and not a death.
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    match take(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&format!("{}: {failure}", path.display()), failure.exit_code()),
    }
}

fn take(path: &Path) -> Result<(), Failure> {
    let message = io::stdin().as_fd().try_clone_to_owned().map_err(|error| Failure::Io(Step::Read, error))?;
    let envelope = io::stdout().as_fd().try_clone_to_owned().map_err(|error| Failure::Io(Step::Read, error))?;
    maildir::deliver(&mut File::from(message), &mut File::from(envelope), path)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(sentence: &str, exit_code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "queue-maildir: {sentence}");
    ExitCode::from(exit_code)
}
