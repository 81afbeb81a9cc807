//! The accounts and lists in MySQL or MariaDB, by mysql_async: asked with bound values. Never linked into smtpd.

use mysql_async::{Row as SqlRow, Value};

use crate::account_table::assign::{Assign, Domain};
use crate::account_table::flags::counts;
use crate::account_table::layout::Tables;
use crate::account_table::question::{Asked, Counts, Question, Status};
use crate::account_table::statement::{About, Kind, Row, Statement, statement, status};
use crate::account_table::{cluster, files};
use crate::relay_table::mysql::{MySqlTable, Patience, octets, seconds};
use crate::relay_table::sources::{Server, Sources};
use crate::relay_table::trouble::Trouble;

/// Answers a question.
///
/// # Errors
///
/// [`Trouble`], whatever the reason: nobody can know.
pub fn answer(question: &Question, sources: Sources<'_>, patience: Patience) -> Result<Answer, Trouble> {
    let address = question.address.to_ascii_lowercase();
    match &question.asked {
        Asked::Recipient => account(About::Recipient, &address, sources, patience).map(Answer::Status),
        Asked::Sender => account(About::Sender, &address, sources, patience).map(Answer::Status),
        Asked::List(list) => listed(list, &address, sources, patience).map(Answer::Status),
        Asked::Flags(flags) => counts(flags, sources, patience).map(Answer::Counts),
    }
}

/// What a database has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What is known of an address.
    Status(Status),
    /// How many accounts carry flags.
    Counts(Counts),
}

impl Answer {
    /// The answer in words, and the exit code that goes with them.
    #[must_use]
    pub fn words(&self) -> (String, u8) {
        match self {
            Answer::Status(status) => (status.word().to_owned(), status.exit_code()),
            Answer::Counts(counts) => (counts.words(), 0),
        }
    }
}

fn account(about: About, address: &[u8], sources: Sources<'_>, patience: Patience) -> Result<Status, Trouble> {
    let tables = Tables::of(&sources)?;
    let at = memchr::memrchr(b'@', address);
    let parts = at.and_then(|at| Some((address.get(..at)?, address.get(at + 1..)?)));
    let Some((user, domain)) = parts.filter(|(user, _)| may_be_user(user)) else { return Ok(Status::Absent) };
    let found = match Assign::find(sources.environment, &sources.places.working) {
        Some(assign) => match assign.domain(domain).map_err(Trouble::Table)? {
            Some(found) => Some(found),
            None => return unknown_domain(about, &tables, Subject { user, domain }, sources, patience),
        },
        None if tables.layout.has_table_for_each_domain() => {
            let text = "ASSIGNDIR is empty: in this layout users/cdb has to tell which domains have a table";
            return Err(Trouble::Configuration(text.to_owned()));
        }
        None => None,
    };
    let directory = found.as_ref().map(|found| found.directory.as_path()).filter(|_| tables.has_files);
    let directory = directory.filter(|_| about == About::Recipient);
    if directory.map_or(Ok(false), |directory| files::is_named(directory, user))? {
        return Ok(Status::Ok);
    }
    let central = if found.is_none() { cluster::real_domain(domain, sources, patience)? } else { None };
    let real = found.as_ref().map(|Domain { name, .. }| name).or(central.as_ref()).map_or(domain, Vec::as_slice);
    let asked = ask(about, &tables, Subject { user, domain: real }, sources, patience)?;
    match directory.filter(|_| asked == Status::Absent).map(files::catches_all).transpose()? {
        Some(true) => Ok(Status::Ok),
        Some(false) | None => Ok(asked),
    }
}

/// A user of a domain.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub user: &'a [u8],
    pub domain: &'a [u8],
}

/// The domain has no accounts here. With vpopmail nobody checks its recipients; IndiMail asks for it as it is.
fn unknown_domain(
    about: About,
    tables: &Tables,
    subject: Subject<'_>,
    sources: Sources<'_>,
    patience: Patience,
) -> Result<Status, Trouble> {
    match (about, tables.layout.is_of_vpopmail()) {
        (About::Recipient, true) => Ok(Status::Ok),
        (About::Sender, true) => Ok(Status::Absent),
        (_, false) if tables.layout.has_table_for_each_domain() => Ok(Status::Absent),
        (_, false) => match cluster::real_domain(subject.domain, sources, patience)? {
            Some(real) => ask(about, tables, Subject { domain: &real, ..subject }, sources, patience),
            None => ask(about, tables, subject, sources, patience),
        },
    }
}

fn ask(
    about: About,
    tables: &Tables,
    Subject { user, domain }: Subject<'_>,
    sources: Sources<'_>,
    patience: Patience,
) -> Result<Status, Trouble> {
    let (user_max, domain_max) = tables.layout.octets_max();
    let is_plain = |text: &[u8]| text.iter().all(|octet| octet.is_ascii() && !octet.is_ascii_control());
    if user.len() > user_max || domain.len() > domain_max || !is_plain(user) || !is_plain(domain) {
        return Ok(Status::Absent);
    }
    let Statement { text, values } = statement(about, tables, user, domain);
    let Some(server) = cluster::server(Subject { user, domain }, sources, patience)? else {
        return Ok(Status::Absent);
    };
    let rows = select(server, sources, patience, &text, values)?;
    let mut of_user = Vec::new();
    for row in &rows {
        of_user.extend(read(row, user, domain)?);
    }
    Ok(status(about, tables, &of_user))
}

/// A row that is about exactly this user: a collation takes other letters, and blanks at the end, for the same.
fn read(row: &SqlRow, user: &[u8], domain: &[u8]) -> Result<Option<Row>, Trouble> {
    let is_same = |column, wanted: &[u8]| octets(row, column).is_some_and(|found| found.eq_ignore_ascii_case(wanted));
    let has_no_domain = matches!(row.as_ref(2), Some(Value::NULL));
    if !is_same(1, user) || !(has_no_domain || is_same(2, domain)) {
        return Ok(None);
    }
    let kind = seconds(row, 0).and_then(Kind::of).ok_or_else(|| Trouble::Table("a row of no kind".to_owned()))?;
    let flags = number(row, 3)?.unwrap_or(0);
    let limited = number(row, 4)?.unwrap_or(0) != 0;
    Ok(Some(Row { kind, flags, limited }))
}

/// A column of flags; none if it is NULL.
fn number(row: &SqlRow, column: usize) -> Result<Option<u64>, Trouble> {
    match row.as_ref(column) {
        None | Some(Value::NULL) => Ok(None),
        Some(_) => {
            let number = seconds(row, column).and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or_else(|| Trouble::Table("the flags of an account are no number".to_owned()))?;
            Ok(Some(number.into()))
        }
    }
}

/// Whether a list has the address or `@` and its domain, ASCII case ignored.
fn listed(list: &[u8], address: &[u8], sources: Sources<'_>, patience: Patience) -> Result<Status, Trouble> {
    let server = sources.of_list(list)?;
    let domain = memchr::memrchr(b'@', address).and_then(|at| address.get(at..)).unwrap_or(address);
    if address.is_empty() || !address.is_ascii() {
        return Ok(Status::Absent);
    }
    let text = format!("SELECT email FROM {} WHERE email IN (?, ?)", server.table);
    let rows = select(server, sources, patience, &text, vec![address.to_vec(), domain.to_vec()])?;
    let is_meant = |found: &[u8]| found.eq_ignore_ascii_case(address) || found.eq_ignore_ascii_case(domain);
    let has = rows.iter().any(|row| octets(row, 0).is_some_and(is_meant));
    Ok(if has { Status::Ok } else { Status::Absent })
}

pub(super) fn select(
    server: Server,
    sources: Sources<'_>,
    patience: Patience,
    text: &str,
    values: Vec<Vec<u8>>,
) -> Result<Vec<SqlRow>, Trouble> {
    let values: Vec<Value> = values.into_iter().map(Value::Bytes).collect();
    MySqlTable::new(server, sources.environment, patience)?.select(text, &values)
}

fn may_be_user(user: &[u8]) -> bool {
    !user.is_empty() && user.iter().all(|octet| octet.is_ascii() && !octet.is_ascii_control())
}
