//! POP before SMTP: whether the sender has read mail from the client's address; asked of a directory, or by checkrelay.

use std::collections::BTreeMap;

use crate::control::Setup;
use crate::lookup::companion;
use crate::policy::verdict::{Answer, Evidence, LookupFailed};
use crate::relay_table::age::{Window, now};
use crate::relay_table::directory::Directory;
use crate::relay_table::place::{FILE, Place};
use crate::relay_table::question::{NO, Question, YES};
use crate::relay_table::timeout::timeout;

/// The program that asks a database.
pub const PROGRAM: &str = "checkrelay";
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
    let time = timeout(&setup.environment).map_err(|trouble| trouble.to_string())?;
    let answer = companion::ask(setup, PROGRAM, &question.to_octets(), time)?;
    // Both have to say the same: a program of that name that only exits with 0 must not let anybody in.
    match (answer.code, answer.first_line().as_str()) {
        (0, YES) => Ok(true),
        (1, NO) => Ok(false),
        (_, _) => Err(companion::no_answer(PROGRAM, &answer)),
    }
}
