//! The relay table in MySQL or MariaDB, by mysql_async: asked, written, cleaned. Never linked into smtpd.

mod clean;
mod failure;
mod host;
mod rows;
mod session;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mysql_async::{Row as SqlRow, Value};
use tokio::runtime::{Builder, Runtime};

use crate::control::environment::Environment;
use crate::relay_table::age::Window;
use crate::relay_table::login::{Login, Row, is_same_user, stored_forms};
use crate::relay_table::mysql::failure::Failure;
use crate::relay_table::mysql::session::{Mode, Session};
use crate::relay_table::question::Question;
use crate::relay_table::sources::{Layout, Server};
use crate::relay_table::trouble::Trouble;

pub use crate::relay_table::mysql::session::{Patience, octets, seconds};

/// How often a statement is tried that was in the way of somebody else's.
const TRIES_MAX: u32 = 5;
/// The pause before it is tried again, in milliseconds; each one is twice as long as that before.
const PAUSE_MILLISECONDS: u64 = 10;

/// A table on a server; a connection is made for each thing that is asked of it.
pub struct MySqlTable<'a> {
    server: Server,
    environment: &'a Environment,
    patience: Patience,
    runtime: Runtime,
}

impl<'a> MySqlTable<'a> {
    /// The table on this server. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`Trouble::System`] when there is no descriptor left to wait with.
    pub fn new(server: Server, environment: &'a Environment, patience: Patience) -> Result<Self, Trouble> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| Trouble::System(format!("unable to wait for a database: {error}")))?;
        Ok(Self { server, environment, patience, runtime })
    }

    /// Whether the sender may relay from this address: one statement, and in vpopmail's layout two.
    ///
    /// # Errors
    ///
    /// [`Trouble`], whatever the reason: nobody can know.
    pub fn answer(&self, question: &Question, window: Window) -> Result<bool, Trouble> {
        self.with_session(Mode::Read, async |session| answer(session, question, window).await)
    }

    /// The rows that a statement gives with these values, whatever table it is about.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn select(&self, statement: &str, values: &[Value]) -> Result<Vec<SqlRow>, Trouble> {
        self.with_session(Mode::Read, async |session| session.select(statement, values.to_vec()).await)
    }

    /// Records a login, by the clock of the database.
    ///
    /// # Errors
    ///
    /// [`Trouble`]: nothing was recorded.
    pub fn record(&self, login: &Login) -> Result<(), Trouble> {
        self.with_session(Mode::Write, async |session| record(session, login).await)
    }

    /// Puts rows in, each unless there is a newer one.
    ///
    /// # Errors
    ///
    /// [`Trouble`]: none of these rows was put in, as far as the table knows transactions.
    pub fn put(&self, rows: &[Row]) -> Result<(), Trouble> {
        self.with_session(Mode::Write, async |session| rows::put(session, rows).await)
    }

    /// Gives each row to `each`; one whose address is none, or that has no time, is passed over.
    ///
    /// # Errors
    ///
    /// [`Trouble`], and what `each` says.
    pub fn rows(&self, each: &mut dyn FnMut(Row) -> Result<(), Trouble>) -> Result<(), Trouble> {
        self.with_session(Mode::Read, async |session| rows::each(session, each).await)
    }

    /// The database's clock, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn now(&self) -> Result<i64, Trouble> {
        self.with_session(Mode::Read, async |session| clean::now(session).await)
    }

    /// The layout of the table.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn layout(&self) -> Result<Layout, Trouble> {
        self.with_session(Mode::Read, async |session| session.layout().await)
    }

    /// Forgets every login that does not count, so many rows at a time, and returns how many those were.
    ///
    /// # Errors
    ///
    /// [`Trouble`]; what was forgotten so far stays forgotten.
    pub fn clean(&self, window: Window, batch: u32, progress: &mut dyn FnMut(u64)) -> Result<u64, Trouble> {
        let mut forgotten = 0;
        self.with_session(Mode::Clean, async |session| {
            let mut told = |more| {
                forgotten += more;
                progress(forgotten);
            };
            clean::clean(session, window, batch, &mut told).await
        })?;
        Ok(forgotten)
    }

    /// How many logins [`Self::clean`] would forget.
    ///
    /// # Errors
    ///
    /// [`Trouble`].
    pub fn count_expired(&self, window: Window) -> Result<u64, Trouble> {
        self.with_session(Mode::Read, async |session| clean::count(session, window).await)
    }

    /// Does the work on the first server that can: the next one is tried when one cannot be reached, does not answer, or may
    /// not be written to. What is in the way of somebody else's statement is tried again.
    fn with_session<T>(
        &self,
        mode: Mode,
        mut work: impl AsyncFnMut(&mut Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Trouble> {
        self.runtime.block_on(async {
            // Only what was spent in vain on the way to other servers is missing on the way to this one.
            let (mut said, mut gone) = (Vec::new(), Duration::ZERO);
            let count = self.server.endpoints.len();
            for (number, endpoint) in self.server.endpoints.iter().enumerate() {
                let patience = self.patience.share(count - number, gone);
                let began = Instant::now();
                let tried = match Session::open(&self.server, endpoint, self.environment, mode, patience).await {
                    Ok(mut session) => {
                        let worked = tried_again(&mut session, &mut work).await;
                        session.close().await;
                        worked
                    }
                    Err(failure) => {
                        gone += began.elapsed();
                        Err(failure)
                    }
                };
                match tried {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => {
                        said.push(format!("{endpoint}: {failure}"));
                        if !failure.concerns_server() {
                            break;
                        }
                    }
                }
            }
            Err(Trouble::Table(said.join("; ")))
        })
    }
}

/// Tries again what was in the way of somebody else's statement: a deadlock, a wait for a lock that took too long, a conflict
/// between the nodes of a cluster.
async fn tried_again<T>(
    session: &mut Session<'_>,
    work: &mut impl AsyncFnMut(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut pause = Duration::from_millis(PAUSE_MILLISECONDS);
    for _ in 1..TRIES_MAX {
        match work(session).await {
            Err(failure) if failure.is_conflict() && session.has_time_for(pause) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            worked => return worked,
        }
    }
    work(session).await
}

async fn answer(session: &mut Session<'_>, question: &Question, window: Window) -> Result<bool, Failure> {
    let [form, other] = two_forms(question.address);
    // What is no ASCII is compared here alone: the column's character set may not have it.
    let with_user = question.sender.is_ascii();
    let (layout, statement) = session
        .prepare(|layout, columns| {
            let user = if layout == Layout::IndiMail { "email" } else { "NULL" };
            let also = if layout == Layout::IndiMail && with_user { " AND email = ?" } else { "" };
            let address = columns.address;
            format!("SELECT {user}, timestamp, UNIX_TIMESTAMP() FROM {{}} WHERE {address} IN (?, ?){also}")
        })
        .await?;
    let mut parameters: Vec<Value> = vec![form.into(), other.into()];
    if layout == Layout::IndiMail && with_user {
        parameters.push(question.sender.clone().into());
    }
    let rows = session.rows(&statement, parameters).await?;
    Ok(rows.iter().any(|row| {
        let is_sender = match layout {
            Layout::IndiMail => octets(row, 0).is_some_and(|user| is_same_user(user, &question.sender)),
            Layout::Vpopmail => true,
        };
        let now = question.at.or_else(|| seconds(row, 2));
        let is_live = matches!((seconds(row, 1), now), (Some(time), Some(now)) if window.is_live(time, now));
        is_sender && is_live
    }))
}

/// The two texts that are asked for; where there is one, twice, so that the statement is always the same.
fn two_forms(address: IpAddr) -> [String; 2] {
    let mut forms = stored_forms(address).into_iter();
    let first = forms.next().unwrap_or_default();
    let second = forms.next().unwrap_or_else(|| first.clone());
    [first, second]
}

async fn record(session: &mut Session<'_>, login: &Login) -> Result<(), Failure> {
    let (layout, statement) = session
        .prepare(|layout, columns| {
            let (columns, marks) = match layout {
                Layout::IndiMail => ("email, ipaddr", "?, ?"),
                Layout::Vpopmail => (columns.address, "?"),
            };
            format!(
                "INSERT INTO {{}} ({columns}, timestamp) VALUES ({marks}, UNIX_TIMESTAMP()) \
                 ON DUPLICATE KEY UPDATE timestamp = VALUES(timestamp)"
            )
        })
        .await?;
    let address: Value = login.address.to_string().into();
    let parameters = match layout {
        Layout::IndiMail => vec![login.user.clone().into(), address],
        Layout::Vpopmail => vec![address],
    };
    session.change(&statement, parameters).await.map(drop)
}
