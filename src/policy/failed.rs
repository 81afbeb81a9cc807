//! LookupFailed: why nobody can know now, and what the client hears.

use std::fmt;
use std::path::PathBuf;

use crate::policy::verdict::FileName;
use crate::smtp::reply::{self, Reply};

/// We cannot know now: a temporary refusal for those who need the answer, never a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupFailed {
    /// A file of the control directory exists and cannot be read, or is damaged.
    Unreadable {
        /// Its name in the control directory.
        file: FileName,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A compiled list of addresses cannot be read or is damaged; the original lets the session go on.
    Compiled {
        /// Its name in the control directory.
        file: FileName,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A line of a list cannot be used.
    BadEntry {
        /// The name of the list.
        file: FileName,
        /// The number of the line.
        line: u32,
        /// What is wrong with it.
        error: String,
    },
    /// A line that excepts cannot be read or resolved: nobody can know whom it excepts (D43). The list has told so itself,
    /// once for all.
    Exception {
        /// The name of the list.
        file: FileName,
        /// The number of the line.
        line: u32,
        /// What it says and what is wrong with it.
        error: String,
    },
    /// DNS does not answer a question on which a line of a list depends.
    Dns {
        /// The name of the list.
        file: FileName,
        /// The number of the line, from 1; none when all of the list depends on it.
        line: Option<u32>,
        /// Who was asked what, and what happened.
        error: String,
    },
    /// A setting has a value that is none.
    BadSetting {
        /// The setting.
        file: FileName,
        /// What is wrong with it.
        error: String,
    },
    /// D20: there is no rcpthosts file, so nobody can say which domains are ours.
    NoRcptHosts,
    /// The relay table cannot be asked; why.
    RelayTable(String),
    /// The accounts of a database, or users/cdb, cannot be asked; why.
    Accounts(String),
    /// The sources of `recipients` cannot tell; why.
    Recipients(String),
    /// The users of this host cannot be read; why.
    Passwd(String),
    /// The addresses of this host cannot be listed.
    OwnAddresses(String),
}

impl LookupFailed {
    /// The file or thing that failed.
    #[must_use]
    pub fn source_name(&self) -> &str {
        match self {
            LookupFailed::Unreadable { file, .. }
            | LookupFailed::Compiled { file, .. }
            | LookupFailed::BadEntry { file, .. }
            | LookupFailed::Exception { file, .. }
            | LookupFailed::Dns { file, .. }
            | LookupFailed::BadSetting { file, .. } => file,
            LookupFailed::NoRcptHosts => "rcpthosts",
            LookupFailed::RelayTable(_) => "relaydb",
            LookupFailed::Accounts(_) => "accounts",
            LookupFailed::Recipients(_) => "recipients",
            LookupFailed::Passwd(_) => "passwd",
            LookupFailed::OwnAddresses(_) => "own addresses",
        }
    }

    /// What the client hears.
    pub fn reply(&self) -> Reply {
        match self {
            LookupFailed::Unreadable { .. } => reply::NO_CONTROLS,
            LookupFailed::Compiled { .. }
            | LookupFailed::BadEntry { .. }
            | LookupFailed::Exception { .. }
            | LookupFailed::BadSetting { .. } => reply::LOCAL_FAILURE,
            LookupFailed::Dns { .. } => reply::DNS_FAILURE,
            LookupFailed::RelayTable(_) | LookupFailed::Accounts(_) => reply::DATABASE_FAILURE,
            LookupFailed::Recipients(_) => reply::RECIPIENTS_FAILURE,
            LookupFailed::Passwd(_) => reply::PASSWD_FAILURE,
            LookupFailed::OwnAddresses(_) => reply::NO_OWN_ADDRESSES,
            LookupFailed::NoRcptHosts => reply::NO_RCPTHOSTS,
        }
    }

    /// Whether the original ends the session here.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self, LookupFailed::Unreadable { .. })
    }
}

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupFailed::Unreadable { file, path, error } => {
                write!(f, "unable to read controls [{file}] {}: {error}", path.display())
            }
            LookupFailed::Compiled { file, path, error } => {
                write!(f, "address_match: {file}: {}: {error}", path.display())
            }
            LookupFailed::BadEntry { file, line, error } => write!(f, "address_match: {file}: line {line}: {error}"),
            LookupFailed::Exception { file, line, error } => {
                write!(f, "{file}:{line}: {error}; while this exception cannot be read, {file} lets nobody relay")
            }
            LookupFailed::Dns { file, line: Some(line), error } => write!(f, "{file}:{line}: {error}"),
            LookupFailed::Dns { file, line: None, error } | LookupFailed::BadSetting { file, error } => {
                write!(f, "{file}: {error}")
            }
            LookupFailed::NoRcptHosts => {
                f.write_str("no control/rcpthosts file: create it, with one line for each domain of this host")
            }
            LookupFailed::RelayTable(error) => write!(f, "Database error: {error}"),
            LookupFailed::Accounts(error) => write!(f, "sql database error: {error}"),
            LookupFailed::Recipients(error) => write!(f, "recipients database error: {error}"),
            LookupFailed::Passwd(error) => write!(f, "unable to open {error}"),
            LookupFailed::OwnAddresses(error) => write!(f, "unable to figure out my IP address: {error}"),
        }
    }
}
