//! The relay table of POP before SMTP: who has read mail from which address, and when.

pub mod age;
pub mod directory;
pub mod login;
pub mod mysql;
pub mod place;
pub mod program;
pub mod question;
pub mod rebuild;
pub mod rules;
pub mod sources;
pub mod table;
pub mod timeout;
pub mod trouble;
