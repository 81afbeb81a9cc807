//! The language: commands, paths and replies of RFC 5321 as qmail and IndiMail speak them; knows nothing about us.

pub mod command;
pub mod parameter;
pub mod path;
pub mod printable;
pub mod reply;
