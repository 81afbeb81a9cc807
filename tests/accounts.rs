//! Accounts in a database against the real thing: MariaDB with the tables of IndiMail and vpopmail, and lists in SQL (D94, D95).
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs)]

#[path = "accounts/cluster.rs"]
mod cluster;
#[path = "accounts/flags.rs"]
mod flags;
#[path = "support/hanging.rs"]
mod hanging;
#[path = "support/home.rs"]
mod home;
#[path = "accounts/indimail.rs"]
mod indimail;
#[path = "support/keeper.rs"]
mod keeper;
#[path = "accounts/lists.rs"]
mod lists;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "accounts/senders.rs"]
mod senders;
#[path = "accounts/site.rs"]
mod site;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "accounts/trouble.rs"]
mod trouble;
#[path = "accounts/vpopmail.rs"]
mod vpopmail;
