//! The accounts of IndiMail and vpopmail, and lists of addresses in SQL: asked by checkaddress.

pub mod assign;
mod cluster;
pub mod files;
pub mod flags;
pub mod layout;
pub mod mysql;
pub mod question;
pub mod statement;
