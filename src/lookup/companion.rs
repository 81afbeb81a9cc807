//! The programs beside our own that ask databases for smtpd, which has neither their code nor their passwords.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::control::Setup;
use crate::control::environment::Environment;
use crate::helper::{self, Answer, Question};

/// Asks a question on descriptor 0 of a program of that name.
///
/// # Errors
///
/// No such program, or no answer in time; in words.
pub fn ask(setup: &Setup, name: &str, question: &[u8], time: Duration) -> Result<Answer, String> {
    let deadline = Instant::now() + time;
    let program = [program(name).into_os_string().into_encoded_bytes()];
    let answer = helper::ask(&program, &environment(setup), Question::OnInput(question), deadline);
    answer.map_err(|error| format!("{name}: {error}"))
}

/// What a program has said that is no answer.
#[must_use]
pub fn no_answer(name: &str, answer: &Answer) -> String {
    match answer.first_line() {
        said if said.is_empty() => format!("{name}: exit code {}", answer.code),
        said => said,
    }
}

/// The program of that name: the one beside our own; else wherever PATH has it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// Our own environment; but the control directory is the one that was found, because relative names mean something else now.
fn environment(setup: &Setup) -> Environment {
    let directory = &setup.control.directory;
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    let is_kept = |name: &[u8], value: &[u8]| match name {
        b"CONTROLDIR" => false,
        b"SYSCONFDIR" => Path::new(OsStr::from_bytes(value)).is_absolute(),
        _ => true,
    };
    let kept = setup.environment.iter().filter(|(name, value)| is_kept(name, value));
    let kept = kept.map(|(name, value)| (name.to_vec(), value.to_vec()));
    kept.chain([(b"CONTROLDIR".to_vec(), directory.into_os_string().into_encoded_bytes())]).collect()
}
