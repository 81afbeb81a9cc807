//! The accounts of a database, as checkaddress tells of them: each address is asked for once in a session.

use std::collections::BTreeMap;

use crate::account_table::question::{Asked, Question, Status};
use crate::control::Setup;
use crate::lookup::companion;
use crate::policy::verdict::LookupFailed;
use crate::relay_table::timeout::timeout;

/// The program that asks.
pub const PROGRAM: &str = "checkaddress";
/// The most answers that are kept; then they are forgotten.
const ANSWERS_MAX: usize = 64;

/// What was answered so far.
#[derive(Debug, Default)]
pub(in crate::lookup) struct Database {
    answers: BTreeMap<Vec<u8>, Status>,
    /// A database that has failed is not asked again: nobody waits for it twice.
    failed: Option<String>,
}

impl Database {
    /// What is known of an address.
    pub(super) fn ask(&mut self, setup: &Setup, asked: Asked, address: Vec<u8>) -> Result<Status, LookupFailed> {
        if let Some(error) = &self.failed {
            return Err(LookupFailed::Accounts(error.clone()));
        }
        let question = Question { asked, address }.to_octets();
        if let Some(known) = self.answers.get(&question) {
            return Ok(*known);
        }
        let status = timeout(&setup.environment)
            .map_err(|trouble| trouble.to_string())
            .and_then(|time| companion::ask(setup, PROGRAM, &question, time))
            .and_then(|answer| {
                let status = Status::of(&answer.first_line(), answer.code);
                status.ok_or_else(|| companion::no_answer(PROGRAM, &answer))
            });
        match status {
            Ok(status) => {
                if self.answers.len() >= ANSWERS_MAX {
                    self.answers.clear();
                }
                self.answers.insert(question, status);
                Ok(status)
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(LookupFailed::Accounts(error))
            }
        }
    }
}
