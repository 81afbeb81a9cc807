//! Postern, a memory-safe replacement for qmail-smtpd: the modules in the order a connection meets them.
#![forbid(unsafe_code)]

pub mod connection;
pub mod wire;

pub mod tls;

pub mod session;

pub mod auth;

pub mod smtp;

pub mod account_table;
pub mod client;
pub mod control;
pub mod relay_table;

pub mod policy;

pub mod lookup;

pub mod dns;

pub mod cdb;

pub mod message;
pub mod screen;

pub mod queue;

pub mod log;

pub mod operator;

pub mod errno;
pub mod helper;
pub mod last_words;
pub mod lines;
pub mod spawn;
