//! What a database server, or the way to it, refuses.

use std::fmt;

use mysql_async::{Error, IoError};

use crate::errno::words;

/// Errors of one statement, whichever server is asked: no such column, table or right, data that do not fit.
const OF_STATEMENT: [u16; 9] = [1054, 1064, 1142, 1143, 1146, 1292, 1366, 1406, 1364];
/// Errors of a statement that was in the way of somebody else's: a lock waited for too long, a deadlock; Galera's conflicts of
/// certification have the number of a deadlock.
const CONFLICTS: [u16; 2] = [1205, 1213];
/// There is no such column: the table has the other layout.
const NO_SUCH_COLUMN: u16 = 1054;
/// The binary log cannot hold what is done at this isolation level.
const NOT_FOR_BINLOG: u16 = 1665;

/// Why something was not done. Its text never holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refuses it.
    Refused { code: u16, message: String },
    /// The server does not answer in time.
    Late,
    /// The server cannot be reached, or speaks in a way that nobody understands.
    Broken(String),
    /// Who asked does not want to go on.
    Given(String),
}

impl Failure {
    /// Whether another server might do it.
    pub fn concerns_server(&self) -> bool {
        match self {
            Failure::Refused { code, .. } => !OF_STATEMENT.contains(code),
            Failure::Late | Failure::Broken(_) => true,
            Failure::Given(_) => false,
        }
    }

    pub fn is_conflict(&self) -> bool {
        matches!(self, Failure::Refused { code, .. } if CONFLICTS.contains(code))
    }

    pub fn is_unknown_column(&self) -> bool {
        matches!(self, Failure::Refused { code: NO_SUCH_COLUMN, .. })
    }

    pub fn is_of_binlog(&self) -> bool {
        matches!(self, Failure::Refused { code: NOT_FOR_BINLOG, .. })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => Failure::Refused { code: error.code, message: error.message },
            Error::Io(IoError::Io(error)) => Failure::Broken(words(&error).into_owned()),
            Error::Io(IoError::Tls(error)) => Failure::Broken(format!("TLS: {error}")),
            // What the driver says may quote what it was given.
            Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
                Failure::Broken("it closed the connection".to_owned())
            }
            Error::Driver(mysql_async::DriverError::NoClientSslFlagFromServer) => {
                Failure::Broken("it has no TLS".to_owned())
            }
            Error::Driver(mysql_async::DriverError::UnknownAuthPlugin { name }) => {
                Failure::Broken(format!("it asks for a password in the form {name}, which nobody here knows"))
            }
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => Failure::Broken("it speaks no MySQL".to_owned()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { code, message } => write!(f, "{message} ({code})"),
            Failure::Late => f.write_str("it does not answer in time"),
            Failure::Broken(said) | Failure::Given(said) => f.write_str(said),
        }
    }
}
