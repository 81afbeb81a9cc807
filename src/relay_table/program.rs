//! What the programs that smtpd asks have in common: the question on descriptor 0, the answer and its exit code.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::relay_table::trouble::Trouble;

/// The exit code when nobody can know.
const TEMPORARY: u8 = 111;
/// The exit code of a wrong command line.
const USAGE: u8 = 100;
/// What is left of the time for smtpd to hear the answer.
const RESERVE: Duration = Duration::from_millis(250);

/// A program that smtpd asks.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What `--help` prints.
    pub usage: &'static str,
    /// The longest question, in octets.
    pub question_octets_max: usize,
}

impl Program {
    /// Prints what `answer` says, words and an exit code, or what went wrong; returns the exit code of the process.
    pub fn run(&self, answer: impl FnOnce() -> Result<(String, u8), Trouble>) -> ExitCode {
        let argument = std::env::args_os().nth(1);
        let (text, code) = match argument.as_deref().map(OsStr::to_str) {
            Some(Some("-h" | "--help")) => (self.usage.trim_end().to_owned(), 0),
            Some(Some("-V" | "--version")) => (format!("{} {} (Postern)", self.name, env!("CARGO_PKG_VERSION")), 0),
            Some(_) => (format!("wrong usage; see {} --help", self.name), USAGE),
            None => match answer() {
                Ok(answer) => answer,
                Err(trouble) => (trouble.to_string(), TEMPORARY),
            },
        };
        let mut output = io::stdout();
        match writeln!(output, "{text}").and_then(|()| output.flush()) {
            Ok(()) => ExitCode::from(code),
            Err(_) => ExitCode::from(TEMPORARY),
        }
    }

    /// Reads the question.
    ///
    /// # Errors
    ///
    /// [`Trouble`] when there is none, or `parse` makes nothing of it.
    pub fn question<T>(&self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Trouble> {
        let mut octets = Vec::new();
        let read = io::stdin().lock().take(self.question_octets_max as u64).read_to_end(&mut octets);
        read.map_err(|error| Trouble::System(format!("the question cannot be read: {error}")))?;
        let none = || format!("there is no question on standard input; see {} --help", self.name);
        parse(&octets).ok_or_else(|| Trouble::Configuration(none()))
    }
}

/// The time for an answer, of the time that smtpd waits for it.
#[must_use]
pub fn time_to_answer(timeout: Duration) -> Duration {
    timeout.saturating_sub(RESERVE)
}
