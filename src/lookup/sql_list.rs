//! A list of addresses in a database: `NAME.sql` says where it is, and checkaddress asks.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::account_table::question::{Asked, Question, Status};
use crate::control::Setup;
use crate::lookup::accounts::database::PROGRAM;
use crate::lookup::{companion, compiled_failed, entry_of};
use crate::policy::verdict::{Answer, FileName, LookupFailed};
use crate::relay_table::timeout::list_timeout;

/// The most answers that are kept; then they are forgotten.
const ANSWERS_MAX: usize = 64;

/// The list, and what it has said in this session.
#[derive(Debug)]
pub(super) struct SqlList {
    name: FileName,
    path: PathBuf,
    /// Whether there is such a list; not known before it is first asked.
    is_there: Option<bool>,
    answers: BTreeMap<Vec<u8>, bool>,
    failed: Option<String>,
}

impl SqlList {
    /// The list `NAME.sql` of a control directory; a list that is elsewhere has none.
    pub(super) fn new(control: &Path, name: &FileName) -> Self {
        let path = control.join(format!("{name}.sql"));
        let is_there = name.contains('/').then_some(false);
        Self { name: name.clone(), path, is_there, answers: BTreeMap::new(), failed: None }
    }

    /// What the list says where the other forms of it, which are asked first, have said something else than yes.
    pub(super) fn also(
        &mut self,
        found: Result<Answer, LookupFailed>,
        address: &[u8],
        setup: &Setup,
    ) -> Result<Answer, LookupFailed> {
        let is_gone =
            |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound);
        let may_be = || setup.control.present.may_have(format!("{}.sql", self.name).as_bytes());
        let is_there = *self.is_there.get_or_insert_with(|| may_be() && !is_gone(&self.path));
        if !is_there || matches!(found, Ok(Answer::Yes(_))) {
            return found;
        }
        match self.has(address, setup) {
            Ok(true) => Ok(entry_of(format!("{}.sql", self.name).into(), None)),
            Ok(false) => found.map(|answer| if answer == Answer::Absent { Answer::No } else { answer }),
            Err(error) => {
                let file = format!("{}.sql", self.name).into();
                found.and(Err(compiled_failed(file, self.path.clone(), error)))
            }
        }
    }

    fn has(&mut self, address: &[u8], setup: &Setup) -> Result<bool, String> {
        let address = address.to_ascii_lowercase();
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some(known) = self.answers.get(&address) {
            return Ok(*known);
        }
        // No row is about nobody, and none has what no address has.
        if address.is_empty() || address.contains(&0) {
            return Ok(false);
        }
        let answer = ask(&self.name, &address, setup);
        match &answer {
            Ok(has) => {
                if self.answers.len() >= ANSWERS_MAX {
                    self.answers.clear();
                }
                self.answers.insert(address, *has);
            }
            Err(error) => self.failed = Some(error.clone()),
        }
        answer
    }
}

fn ask(name: &str, address: &[u8], setup: &Setup) -> Result<bool, String> {
    let time = list_timeout(&setup.environment).map_err(|trouble| trouble.to_string())?;
    let question = Question { asked: Asked::List(name.as_bytes().to_vec()), address: address.to_vec() };
    let answer = companion::ask(setup, PROGRAM, &question.to_octets(), time)?;
    match Status::of(&answer.first_line(), answer.code) {
        Some(Status::Ok) => Ok(true),
        Some(Status::Absent) => Ok(false),
        Some(Status::Inactive | Status::OverQuota | Status::NoSmtp) | None => {
            Err(companion::no_answer(PROGRAM, &answer))
        }
    }
}
