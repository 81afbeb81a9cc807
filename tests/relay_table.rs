//! POP before SMTP against the real thing: MariaDB, its replicas and clusters, Dovecot, and a directory of small files.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs)]

#[path = "relay_table/chain.rs"]
mod chain;
#[path = "relay_table/cleaner.rs"]
mod cleaner;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/dovecot.rs"]
mod dovecot;
#[path = "support/hanging.rs"]
mod hanging;
#[path = "support/home.rs"]
mod home;
#[path = "support/keeper.rs"]
mod keeper;
#[path = "relay_table/layouts.rs"]
mod layouts;
#[path = "relay_table/logins.rs"]
mod logins;
#[path = "support/mariadb.rs"]
mod mariadb;
#[path = "relay_table/moved.rs"]
mod moved;
#[path = "relay_table/servers.rs"]
mod servers;
#[path = "relay_table/settings.rs"]
mod settings;
#[path = "relay_table/site.rs"]
mod site;
#[path = "support/smtp.rs"]
mod smtp;
mod support;
#[path = "relay_table/together.rs"]
mod together;
#[path = "relay_table/trouble.rs"]
mod trouble;
