//! What `postern` does for the operator: show the settings, explain decisions, find mistakes, read other systems' files.

pub mod command;
pub mod convert;
pub mod explain;
pub mod lint;
pub mod manual;
pub mod settings;

mod finding;
mod list_lint;
