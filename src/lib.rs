//! Postern, a memory-safe replacement for qmail-smtpd: the modules in the order a connection meets them.
#![forbid(unsafe_code)]

pub mod cdb;
pub mod client;
pub mod control;
pub mod errno;
pub mod last_words;
pub mod lines;
pub mod lookup;
pub mod queue;
