//! POP before SMTP: whether the sender has read mail from the client's address; asked of a directory, or by checkrelay.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::control::Setup;
use crate::control::environment::Environment;
use crate::lookup::helper;
use crate::policy::verdict::{Answer, Evidence, LookupFailed};
use crate::relay_table::age::{Window, now};
use crate::relay_table::directory::Directory;
use crate::relay_table::place::{FILE, Place};
use crate::relay_table::question::{NO, Question, YES};
use crate::relay_table::timeout::timeout;

/// The program that asks a database.
const PROGRAM: &str = "checkrelay";
/// The most answers that are kept; then they are forgotten.
const ANSWERS_MAX: usize = 64;

/// The answers of one session: each sender is asked for once.
#[derive(Debug, Default)]
pub(super) struct RelayTable {
    answers: BTreeMap<Vec<u8>, Result<Answer, LookupFailed>>,
}

impl RelayTable {
    /// Whether the sender may relay from the client's address at the moment `at`, or now. A failure is an answer, too: whoever
    /// asks again in the same session does not wait again.
    pub fn answer(&mut self, setup: &Setup, sender: &[u8], at: Option<i64>) -> Result<Answer, LookupFailed> {
        if setup.environment.get(b"CHECKRELAY").is_none() {
            return Ok(Answer::Absent);
        }
        let key = sender.to_ascii_lowercase();
        if let Some(known) = self.answers.get(&key) {
            return known.clone();
        }
        let answer = match ask(setup, sender, at) {
            Ok(true) => Ok(Answer::Yes(Evidence { file: FILE.into(), line: None, suffix: Vec::new() })),
            Ok(false) => Ok(Answer::No),
            Err(error) => Err(LookupFailed::RelayTable(error)),
        };
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.clear();
        }
        self.answers.insert(key, answer.clone());
        answer
    }
}

fn ask(setup: &Setup, sender: &[u8], at: Option<i64>) -> Result<bool, String> {
    // Nobody can have logged in from an address that nobody knows.
    let Some(address) = setup.client.address else { return Ok(false) };
    let window = Window::of(&setup.environment).map_err(|trouble| trouble.to_string())?;
    match Place::find(&setup.control.directory).map_err(|trouble| trouble.to_string())? {
        Place::Directory(path) => {
            let found = Directory::new(path).contains(sender, address, window, at.unwrap_or_else(now));
            found.map_err(|trouble| trouble.to_string())
        }
        Place::MySql => ask_database(setup, &Question { sender: sender.to_vec(), address, at }),
    }
}

fn ask_database(setup: &Setup, question: &Question) -> Result<bool, String> {
    let deadline = Instant::now() + timeout(&setup.environment).map_err(|trouble| trouble.to_string())?;
    let program = [program().into_os_string().into_encoded_bytes()];
    let environment = environment(setup);
    let answer = helper::ask(&program, &environment, helper::Question::OnInput(&question.to_octets()), deadline)
        .map_err(|error| format!("{PROGRAM}: {error}"))?;
    // Both have to say the same: a program of that name that only exits with 0 must not let anybody in.
    match (answer.code, answer.said.as_str()) {
        (0, YES) => Ok(true),
        (1, NO) => Ok(false),
        (code, "") => Err(format!("{PROGRAM}: exit code {code}")),
        (_, said) => Err(said.to_owned()),
    }
}

/// The program that asks a database: the one beside our own; else wherever PATH has it.
#[must_use]
pub fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(PROGRAM)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(PROGRAM))
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
