//! A compiled list, such as `morercpthosts.cdb`: opened when first asked, then kept open for the session.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::cdb::read::Cdb;
use crate::lookup::undecided::{Undecided, Unreadable};

#[derive(Debug)]
pub(super) struct Compiled {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Unopened,
    Absent,
    Open(Cdb),
}

impl Compiled {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, state: State::Unopened }
    }

    /// Whether one of the keys, in lower case, has a record; `None` if there is no such file.
    pub(super) fn contains_any(&mut self, keys: &[&[u8]]) -> Result<Option<bool>, Undecided> {
        let Some(cdb) = self.open()? else { return Ok(None) };
        for key in keys {
            match cdb.contains(key) {
                Ok(true) => return Ok(Some(true)),
                Ok(false) => {}
                Err(error) => return Err(Undecided::Compiled { path: self.path.clone(), error }),
            }
        }
        Ok(Some(false))
    }

    fn open(&mut self) -> Result<Option<&Cdb>, Unreadable> {
        if matches!(self.state, State::Unopened) {
            self.state = match Cdb::open(&self.path) {
                Ok(cdb) => State::Open(cdb),
                Err(error) if error.kind() == ErrorKind::NotFound => State::Absent,
                Err(error) => return Err(Unreadable { path: self.path.clone(), error }),
            };
        }
        match &self.state {
            State::Open(cdb) => Ok(Some(cdb)),
            State::Unopened | State::Absent => Ok(None),
        }
    }
}
