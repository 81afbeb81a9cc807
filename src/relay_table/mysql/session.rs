//! One connection to a server: opened, asked with bound values, closed, and each step within its time.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Compression, Conn, OptsBuilder, Row, SslOpts, Statement, Value};
use tokio::time::timeout;

use crate::control::environment::Environment;
use crate::relay_table::mysql::failure::Failure;
use crate::relay_table::mysql::host;
use crate::relay_table::sources::{Endpoint, Layout, Server, Tls, Verification};

/// What the server may send at once, in octets. Named, because the driver would ask for it otherwise.
const PACKET_OCTETS_MAX: usize = 16 << 20;
/// When the server gives an idle connection up, in seconds; named for the same reason.
const IDLE_SECONDS: usize = 28_800;
/// Statements that stay prepared. Without room for them the driver would leave each one behind on the server.
const STATEMENTS_MAX: usize = 8;
/// How long a good-bye may take, in milliseconds: without it the server logs an aborted connection.
const GOODBYE_MILLISECONDS: u64 = 200;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To reach a server, all hosts together.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// When all has to be done.
    pub until: Option<Instant>,
}

impl Patience {
    /// The same time for everything together.
    #[must_use]
    pub fn in_all(time: Duration) -> Self {
        Self { connect: time, statement: time, until: Some(Instant::now() + time) }
    }

    /// What the next of so many servers has of it: its share of the time to be reached, of which so much has gone, and of all
    /// that is left, so that one that hangs leaves time for the others.
    pub(super) fn share(&self, servers: usize, gone: Duration) -> Self {
        let parts = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
        let connect = self.left(self.connect.saturating_sub(gone)) / parts;
        let now = Instant::now();
        Self { connect, until: self.until.map(|until| now + until.saturating_duration_since(now) / parts), ..*self }
    }

    fn left(&self, time: Duration) -> Duration {
        self.until.map_or(time, |until| time.min(until.saturating_duration_since(Instant::now())))
    }
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Questions.
    Read,
    /// Rows: what does not fit is refused, however the server is set up.
    Write,
    /// Old rows go, whatever stands in them, and no lock is held but on them.
    Clean,
}

impl Mode {
    fn setup(self) -> &'static [&'static str] {
        match self {
            Mode::Read => &[],
            Mode::Write => &["SET SESSION sql_mode = 'STRICT_ALL_TABLES'"],
            Mode::Clean => &["SET SESSION sql_mode = ''", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"],
        }
    }
}

/// The columns of a layout that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub address: &'static str,
}

impl Columns {
    const fn of(layout: Layout) -> Self {
        match layout {
            Layout::IndiMail => Self { address: "ipaddr" },
            Layout::Vpopmail => Self { address: "ip_addr" },
        }
    }
}

/// A connection.
pub(super) struct Session<'s> {
    conn: Conn,
    server: &'s Server,
    patience: Patience,
    layout: Option<Layout>,
}

impl<'s> Session<'s> {
    /// Connects.
    pub async fn open(
        server: &'s Server,
        endpoint: &Endpoint,
        environment: &Environment,
        mode: Mode,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let setup = server.init.iter().map(String::as_str).chain(mode.setup().iter().copied());
        let options = OptsBuilder::default()
            .user(Some(server.user.clone()))
            .pass(server.password.clone())
            .db_name(Some(server.database.clone()))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(Some(PACKET_OCTETS_MAX))
            .wait_timeout(Some(IDLE_SECONDS))
            .stmt_cache_size(STATEMENTS_MAX)
            .compression(server.compress.then(Compression::default))
            .init(setup.collect::<Vec<_>>());
        let until = Instant::now() + patience.connect;
        let options = match endpoint {
            Endpoint::Socket(path) => options.socket(path.to_str()),
            Endpoint::Tcp(name, port) => {
                let addresses = host::addresses(name, environment, patience.connect).map_err(Failure::Broken)?;
                let tls = server.tls.as_ref().map(tls_options).transpose()?;
                options.ip_or_hostname(name.as_str()).tcp_port(*port).resolved_ips(Some(addresses)).ssl_opts(tls)
            }
        };
        let left = until.saturating_duration_since(Instant::now());
        let conn = timeout(left, Conn::new(options)).await.map_err(|_| Failure::Late)??;
        Ok(Self { conn, server, patience, layout: server.layout })
    }

    /// Says good-bye; what comes of it does not matter any more.
    pub async fn close(self) {
        let _ = timeout(Duration::from_millis(GOODBYE_MILLISECONDS), self.conn.disconnect()).await;
    }

    /// Prepares a statement for the layout of the table; `{}` in it stands for the table's name. The layout is found out by
    /// trying: a table of the other one has no column of that name.
    pub async fn prepare(&mut self, text: impl Fn(Layout, Columns) -> String) -> Result<(Layout, Statement), Failure> {
        let first = self.layout.unwrap_or(Layout::IndiMail);
        match self.prepare_for(first, &text).await {
            Err(failure) if failure.is_unknown_column() && self.layout.is_none() => {
                self.prepare_for(Layout::Vpopmail, &text).await
            }
            prepared => prepared,
        }
    }

    /// The layout of the table, also where a statement names no column that only one of them has.
    pub async fn layout(&mut self) -> Result<Layout, Failure> {
        let (layout, _) = self.prepare(|_, columns| format!("SELECT {} FROM {{}} LIMIT 0", columns.address)).await?;
        Ok(layout)
    }

    async fn prepare_for(
        &mut self,
        layout: Layout,
        text: &impl Fn(Layout, Columns) -> String,
    ) -> Result<(Layout, Statement), Failure> {
        let text = text(layout, Columns::of(layout)).replace("{}", &self.server.table);
        let statement = within(self.time(), self.conn.prep(text)).await?;
        self.layout = Some(layout);
        Ok((layout, statement))
    }

    /// The rows that a statement gives.
    pub async fn rows(&mut self, statement: &Statement, values: Vec<Value>) -> Result<Vec<Row>, Failure> {
        within(self.time(), self.conn.exec(statement, values)).await
    }

    /// The rows that a statement gives, prepared for this once.
    pub async fn select(&mut self, text: &str, values: Vec<Value>) -> Result<Vec<Row>, Failure> {
        let statement = within(self.time(), self.conn.prep(text.to_owned())).await?;
        self.rows(&statement, values).await
    }

    /// Gives each row to `each` as it comes; what `each` says ends it.
    pub async fn each_row(
        &mut self,
        statement: &Statement,
        each: &mut dyn FnMut(&Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let time = self.time();
        let mut result = within(time, self.conn.exec_iter(statement, ())).await?;
        let mut said = Ok(());
        while let Some(row) = within(time, result.next()).await? {
            // The rest has to be read all the same, for the connection's sake.
            said = said.and_then(|()| each(&row));
        }
        said
    }

    /// How many rows a statement has changed.
    pub async fn change(&mut self, statement: &Statement, values: Vec<Value>) -> Result<u64, Failure> {
        within(self.time(), self.conn.exec_drop(statement, values)).await?;
        Ok(self.conn.affected_rows())
    }

    /// The rows that a text without values gives.
    pub async fn ask(&mut self, text: &str) -> Result<Vec<Row>, Failure> {
        within(self.time(), self.conn.query(text)).await
    }

    /// Says a statement that has no values.
    pub async fn say(&mut self, text: &str) -> Result<(), Failure> {
        within(self.time(), self.conn.query_drop(text)).await
    }

    /// Whether a pause leaves time for anything.
    pub fn has_time_for(&self, pause: Duration) -> bool {
        self.patience.left(Duration::MAX) > pause
    }

    fn time(&self) -> Duration {
        self.patience.left(self.patience.statement)
    }
}

async fn within<T>(time: Duration, future: impl Future<Output = mysql_async::Result<T>>) -> Result<T, Failure> {
    Ok(timeout(time, future).await.map_err(|_| Failure::Late)??)
}

fn tls_options(tls: &Tls) -> Result<SslOpts, Failure> {
    let mut options = SslOpts::default();
    if let Some(path) = &tls.authority {
        options = options.with_root_certs(vec![readable(path)?.into()]).with_disable_built_in_roots(true);
    }
    if let Some((certificate, key)) = &tls.identity {
        options = options
            .with_client_identity(Some(ClientIdentity::new(readable(certificate)?.into(), readable(key)?.into())));
    }
    Ok(match tls.verification {
        Verification::Nothing => options.with_danger_accept_invalid_certs(true),
        Verification::Chain => options.with_danger_skip_domain_validation(true),
        Verification::Name => options,
    })
}

/// The path, if the file can be read: the driver would not say which one cannot.
fn readable(path: &PathBuf) -> Result<PathBuf, Failure> {
    match fs::File::open(path) {
        Ok(_) => Ok(path.clone()),
        Err(error) => Err(Failure::Broken(format!("{}: {}", path.display(), crate::errno::words(&error)))),
    }
}

/// A column as octets; none if it is NULL.
#[must_use]
pub fn octets(row: &Row, column: usize) -> Option<&[u8]> {
    match row.as_ref(column)? {
        Value::Bytes(octets) => Some(octets),
        Value::NULL
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Date(..)
        | Value::Time(..) => None,
    }
}

/// A column as a number, which older tables hold as text; none if it is NULL or neither.
#[must_use]
pub fn seconds(row: &Row, column: usize) -> Option<i64> {
    match row.as_ref(column)? {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        Value::Bytes(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        Value::NULL | Value::Float(_) | Value::Double(_) | Value::Date(..) | Value::Time(..) => None,
    }
}
