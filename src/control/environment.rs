//! The environment: what tcpserver and its rules gave us, and what the queue program gets.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

use crate::control::names::Names;

/// Variables with their values, in the order they were given; of two with one name the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    names: Names,
}

impl Environment {
    /// This process's own environment.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect()
    }

    /// The value of `name`; a variable that is set to nothing has an empty value.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        if !self.names.may_have(name) {
            return None; // Nearly all that are asked for in a session are not set.
        }
        self.iter().rev().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The same where `name` is not set.
    #[must_use]
    pub fn without(&self, name: &[u8]) -> Self {
        self.pairs.iter().filter(|(other, _)| other != name).cloned().collect()
    }

    /// Every variable with its value.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// The form that a new program gets; a pair with a NUL, which no environment can hold, is left out.
    #[must_use]
    pub fn for_program(&self) -> Vec<CString> {
        self.for_program_with(&[])
    }

    /// The same, where each of `others` stands in the place of the variable of that name.
    #[must_use]
    pub fn for_program_with(&self, others: &[(&[u8], Vec<u8>)]) -> Vec<CString> {
        let kept = self.iter().filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
        let added = others.iter().map(|(name, value)| (*name, value.as_slice()));
        let joined = kept.chain(added).map(|(name, value)| [name, b"=", value].concat());
        joined.filter_map(|pair| CString::new(pair).ok()).collect()
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Environment {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(pairs: I) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let names = pairs.iter().fold(Names::default(), |names, (name, _)| names.with(name));
        Self { pairs, names }
    }
}
