//! The hand-over to the queue program.
