//! The hand-over to the queue program.

pub mod envelope;
pub mod log_filter;
pub mod maildir;
pub mod program;
pub mod status;
