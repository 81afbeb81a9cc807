//! opensmtp: records a login in the relay table, then goes on with the program that it stands in front of.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use indicatif::ProgressBar;
use postern::control::environment::Environment;
use postern::control::load::{Places, log_is_connection, read_list};
use postern::control::text::first_line;
use postern::errno::words;
use postern::last_words::{PERMANENT, TEMPORARY, permanent, say, temporary};
use postern::operator::relay_table::OpenSmtp;
use postern::relay_table::login::{Login, Row, USER_OCTETS_MAX, Unusable};
use postern::relay_table::mysql::Patience;
use postern::relay_table::rules::may_relay_anyway;
use postern::relay_table::sources::{Purpose, Sources};
use postern::relay_table::table::{ROWS_AT_ONCE, Table};
use postern::relay_table::timeout::timeout;
use postern::relay_table::trouble::Trouble;

/// How long a login may wait for the table.
const LOGIN_TIME: Duration = Duration::from_secs(2);
/// What is left of it to say why nothing was recorded.
const RESERVE: Duration = Duration::from_millis(200);
/// How long a statement may take that moves rows.
const MOVE_TIME: Duration = Duration::from_secs(60);
/// The longest row, in octets.
const ROW_OCTETS_MAX: usize = USER_OCTETS_MAX + 128;
/// The user of a row that has none.
const NO_USER: &str = "-";

fn main() -> ExitCode {
    let args = OpenSmtp::try_parse().unwrap_or_else(|wrong| {
        let usage = wrong.use_stderr();
        let _ = wrong.print();
        std::process::exit(if usage { PERMANENT.into() } else { 0 })
    });
    // No program is called so: it is an option that was misspelt.
    if let Some(option) = args.program.first().filter(|first| first.as_bytes().starts_with(b"-")) {
        return permanent(&[b"opensmtp: there is no option ", option.as_bytes(), b"; see opensmtp --help"]);
    }
    if args.export || args.import {
        let moved = if args.export { export() } else { import() };
        return match moved {
            Ok(()) => ExitCode::SUCCESS,
            Err(Trouble::Configuration(said)) => permanent(&[b"opensmtp: ", said.as_bytes()]),
            Err(trouble) => temporary(&[b"opensmtp: ", trouble.to_string().as_bytes()]),
        };
    }
    let recorded = record_in_time(args.user, args.ip);
    // Under inetd the warning would go to the client, in the middle of his dialogue.
    if let Some((_, said)) = recorded.as_ref().err().filter(|_| !log_is_connection()) {
        say(&[b"opensmtp: warning: login not recorded: ", said.as_bytes()]);
    }
    match args.program.as_slice() {
        [] => ExitCode::from(recorded.err().map_or(0, |(code, _)| code)),
        [program, arguments @ ..] => {
            let error = Command::new(program).args(arguments).exec();
            temporary(&[b"opensmtp: unable to run ", program.as_bytes(), b": ", words(&error).as_bytes()])
        }
    }
}

/// Why nothing was recorded, and the exit code for that.
type Unrecorded = (u8, String);

/// Records the login, but waits no longer than [`LOGIN_TIME`]: not every wait, as one for a file system, can be given up.
fn record_in_time(user: Option<OsString>, ip: Option<OsString>) -> Result<(), Unrecorded> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // Whoever waited no longer has gone on.
        let _ = send.send(record(user.as_deref(), ip.as_deref()));
    });
    receive
        .recv_timeout(LOGIN_TIME)
        .unwrap_or_else(|_| Err((TEMPORARY, "the table does not answer in time".to_owned())))
}

fn record(user: Option<&OsStr>, ip: Option<&OsStr>) -> Result<(), Unrecorded> {
    let environment = Environment::of_process();
    if environment.get(b"NORELAY").is_some() {
        return Ok(());
    }
    let temporary = |said: String| (TEMPORARY, said);
    let places = Places::find(&environment).map_err(|error| temporary(error.to_string()))?;
    let login = login(user, ip, &environment, &places).map_err(|unusable| (PERMANENT, unusable.to_string()))?;
    // The client's name is known only where tcpserver has told its address, too.
    let host = environment.get(b"TCPREMOTEHOST").filter(|_| ip.is_none() && environment.get(b"IP").is_none());
    if may_relay_anyway(&environment, &places, login.address, host) {
        return Ok(());
    }
    let sources = Sources { environment: &environment, places: &places };
    let time = LOGIN_TIME.saturating_sub(RESERVE);
    let table = Table::open(sources, Purpose::Write, Patience::in_all(time));
    let recorded = table.and_then(|table| table.record(&login, time));
    recorded.map_err(|trouble| temporary(format!("{} from {}: {trouble}", login.user, login.address)))
}

fn login(
    user: Option<&OsStr>,
    ip: Option<&OsStr>,
    environment: &Environment,
    places: &Places,
) -> Result<Login, Unusable> {
    let set = |name: &[u8]| environment.get(name).filter(|value| !value.is_empty());
    let user = user.map(OsStr::as_bytes).or_else(|| set(b"AUTHENTICATED")).or_else(|| set(b"USER"));
    let ip =
        ip.map(OsStr::as_bytes).or_else(|| set(b"IP")).or_else(|| set(b"TCP6REMOTEIP")).or_else(|| set(b"TCPREMOTEIP"));
    let me = read_list(&places.control.join("me")).ok().flatten().unwrap_or_default();
    Login::parse(user.ok_or(Unusable::NoUser)?, ip.ok_or(Unusable::NoAddress)?, Some(first_line(&me)))
}

/// The settings, which both ways of moving rows need.
fn places(environment: &Environment) -> Result<Places, Trouble> {
    Places::find(environment).map_err(|error| Trouble::Configuration(error.to_string()))
}

fn patience(environment: &Environment) -> Result<Patience, Trouble> {
    Ok(Patience { connect: timeout(environment)?, statement: MOVE_TIME, until: None })
}

fn export() -> Result<(), Trouble> {
    let environment = Environment::of_process();
    let places = places(&environment)?;
    let sources = Sources { environment: &environment, places: &places };
    let table = Table::open(sources, Purpose::Read, patience(&environment)?)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let unwritten = |error: io::Error| Trouble::System(format!("the rows cannot be written: {}", words(&error)));
    table.rows(&mut |Row { user, address, time }| {
        let user = user.as_deref().unwrap_or(NO_USER);
        writeln!(output, "{user}\t{address}\t{time}").map_err(unwritten)
    })?;
    output.flush().map_err(unwritten)
}

fn import() -> Result<(), Trouble> {
    let environment = Environment::of_process();
    let places = places(&environment)?;
    let sources = Sources { environment: &environment, places: &places };
    let table = Table::open(sources, Purpose::Write, patience(&environment)?)?;
    let progress = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let put = |rows: &[Row], from: u64| {
        table.put(rows, MOVE_TIME).map_err(|trouble| Trouble::Table(format!("rows from line {from} on: {trouble}")))?;
        progress.inc(rows.len() as u64);
        progress.set_message(format!("{} rows", progress.position()));
        Ok(())
    };
    let (mut rows, mut number) = (Vec::with_capacity(ROWS_AT_ONCE), 0);
    for line in BufReader::new(io::stdin().lock()).split(b'\n') {
        let line =
            line.map_err(|error| Trouble::System(format!("standard input cannot be read: {}", words(&error))))?;
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        rows.push(row(&line).map_err(|why| Trouble::Configuration(format!("line {number}: {why}")))?);
        if rows.len() == ROWS_AT_ONCE {
            put(&rows, number + 1 - rows.len() as u64)?;
            rows.clear();
        }
    }
    put(&rows, number + 1 - rows.len() as u64)?;
    progress.finish_and_clear();
    Ok(())
}

/// A row as it is exported; instead of tabs there may be blanks.
fn row(line: &[u8]) -> Result<Row, String> {
    if line.len() > ROW_OCTETS_MAX {
        return Err(format!("it is longer than {ROW_OCTETS_MAX} octets"));
    }
    let mut words = line.split(|octet| matches!(octet, b'\t' | b' ' | b'\r')).filter(|word| !word.is_empty());
    let (Some(user), Some(address), Some(time), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("write a user, an address and the seconds since 1970, with tabs between them".to_owned());
    };
    let time = std::str::from_utf8(time).ok().and_then(|time| time.parse().ok()).filter(|time| *time >= 0);
    let time = time.ok_or("the third word is no number of seconds since 1970")?;
    let is_nobody = user == NO_USER.as_bytes();
    let named = if is_nobody { b"nobody@localhost" } else { user };
    let login = Login::parse(named, address, None).map_err(|unusable| unusable.to_string())?;
    Ok(Row { user: Some(login.user).filter(|_| !is_nobody), address: login.address, time })
}
