//! A compiled list, such as `morercpthosts.cdb`: opened when first asked, then kept open for the session.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::lookup::undecided::{Undecided, Unreadable};

/// The longest value that is read, in octets.
const VALUE_OCTETS_MAX: usize = 1 << 20;

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

    /// Where the list is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a key, if there are such a file and such a key.
    pub(super) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Undecided> {
        let Some(cdb) = self.open()? else { return Ok(None) };
        let value = cdb.get(key, VALUE_OCTETS_MAX);
        value.map_err(|error| Undecided::Compiled { path: self.path.clone(), error })
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
