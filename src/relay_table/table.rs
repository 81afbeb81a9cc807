//! The table wherever it is, for the programs that write it.

use std::time::{Duration, Instant};

use crate::relay_table::age::{Window, now};
use crate::relay_table::directory::Directory;
use crate::relay_table::login::{Login, Row};
use crate::relay_table::mysql::{MySqlTable, Patience};
use crate::relay_table::place::Place;
use crate::relay_table::sources::{Layout, Purpose, Sources};
use crate::relay_table::trouble::Trouble;

/// Rows that go into a database with one statement.
pub const ROWS_AT_ONCE: usize = 500;

/// A table that can be written.
pub enum Table<'a> {
    /// In a directory.
    Directory(Directory),
    /// In a database.
    MySql(Box<MySqlTable<'a>>),
}

impl<'a> Table<'a> {
    /// The table that the settings name, to read or to write.
    ///
    /// # Errors
    ///
    /// [`Trouble`] with the settings.
    pub fn open(sources: Sources<'a>, purpose: Purpose, patience: Patience) -> Result<Self, Trouble> {
        match Place::find(&sources.places.control)? {
            Place::Directory(path) => Ok(Table::Directory(Directory::new(path))),
            Place::MySql => {
                let server = sources.server(purpose)?;
                Ok(Table::MySql(Box::new(MySqlTable::new(server, sources.environment, patience)?)))
            }
        }
    }

    /// Records a login at this moment.
    ///
    /// # Errors
    ///
    /// [`Trouble`]; nothing was recorded.
    pub fn record(&self, login: &Login, time: Duration) -> Result<(), Trouble> {
        match self {
            Table::Directory(directory) => directory.record(login, now(), Instant::now() + time),
            Table::MySql(table) => table.record(login),
        }
    }

    /// Puts at most [`ROWS_AT_ONCE`] rows in, each unless there is a newer one.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn put(&self, rows: &[Row], time: Duration) -> Result<(), Trouble> {
        match self {
            Table::Directory(directory) => rows.iter().try_for_each(|row| directory.put(row, Instant::now() + time)),
            Table::MySql(table) => table.put(rows),
        }
    }

    /// Gives each row to `each`.
    ///
    /// # Errors
    ///
    /// [`Trouble`], and what `each` says.
    pub fn rows(&self, each: &mut dyn FnMut(Row) -> Result<(), Trouble>) -> Result<(), Trouble> {
        match self {
            Table::Directory(directory) => directory.rows(each),
            Table::MySql(table) => table.rows(each),
        }
    }

    /// Forgets what does not count, and returns how many rows that were.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn clean(&self, window: Window, batch: u32, progress: &mut dyn FnMut(u64)) -> Result<u64, Trouble> {
        match self {
            Table::Directory(directory) => directory.clean(window, now(), progress),
            Table::MySql(table) => table.clean(window, batch, progress),
        }
    }

    /// How many rows [`Self::clean`] would forget.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn count_expired(&self, window: Window) -> Result<u64, Trouble> {
        match self {
            Table::Directory(directory) => directory.count_expired(window, now()),
            Table::MySql(table) => table.count_expired(window),
        }
    }

    /// The clock of the table, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn now(&self) -> Result<i64, Trouble> {
        match self {
            Table::Directory(_) => Ok(now()),
            Table::MySql(table) => table.now(),
        }
    }

    /// The layout; a directory has a user in each row, as IndiMail's.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn layout(&self) -> Result<Layout, Trouble> {
        match self {
            Table::Directory(_) => Ok(Layout::IndiMail),
            Table::MySql(table) => table.layout(),
        }
    }
}
