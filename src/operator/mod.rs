//! What `postern` does for the operator: show the settings, explain decisions, find mistakes, read other systems' files.

pub mod command;
pub mod convert;
pub mod ended;
pub mod explain;
pub mod host;
pub mod lint;
pub mod manual;
pub mod match_pattern;
pub mod passwd;
pub mod relay_table;
pub mod rule;
pub mod selftest;
pub mod settings;
pub mod shadow;
pub mod surroundings;
pub mod ticket_keys;

mod finding;
mod input;
mod log_line;
mod moment;
mod progress;
mod situation;
