//! clearopensmtp: forgets logins that no longer count, and makes tcp.smtp.cdb anew; for cron.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::last_words::{PERMANENT, say};
use postern::operator::relay_table::ClearOpenSmtp;
use postern::relay_table::age::Window;
use postern::relay_table::mysql::{MySqlTable, Patience};
use postern::relay_table::rebuild::rebuild;
use postern::relay_table::rules::rules_file;
use postern::relay_table::sources::{Purpose, Sources};
use postern::relay_table::table::Table;
use postern::relay_table::timeout::timeout;
use postern::relay_table::trouble::Trouble;

/// How long a statement may take.
const STATEMENT_TIME: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args = ClearOpenSmtp::try_parse().unwrap_or_else(|wrong| {
        let usage = wrong.use_stderr();
        let _ = wrong.print();
        std::process::exit(if usage { PERMANENT.into() } else { 0 })
    });
    if args.version {
        print(concat!("clearopensmtp ", env!("CARGO_PKG_VERSION"), " (Postern)"));
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            say(&[b"clearopensmtp: ", trouble.to_string().as_bytes()]);
            ExitCode::from(trouble.exit_code())
        }
    }
}

fn run(args: &ClearOpenSmtp) -> Result<(), Trouble> {
    let environment = Environment::of_process();
    let window = Window::of(&environment)?;
    let patience = Patience { connect: timeout(&environment)?, statement: STATEMENT_TIME, until: None };
    let places = Places::find(&environment).map_err(|error| Trouble::Configuration(error.to_string()))?;
    let sources = Sources { environment: &environment, places: &places };
    let cluster = sources.cluster()?;
    let _lock = lock(&places)?;
    if !args.rebuild {
        let mut tables = vec![Table::open(sources, Purpose::Write, patience)?];
        if args.cluster {
            let named =
                || Trouble::Configuration("-C: there is no mcdinfo that names the databases of a cluster".to_owned());
            for server in cluster.clone().ok_or_else(named)? {
                tables.push(Table::MySql(Box::new(MySqlTable::new(server, &environment, patience)?)));
            }
        }
        clear(args, &tables, window)?;
    }
    if args.clear || args.cluster || args.dry_run {
        return Ok(());
    }
    if cluster.is_some() {
        tell(args, "tcp.smtp.cdb is left alone, because there is a cluster (mcdinfo)");
        return Ok(());
    }
    make_rules(args, sources, patience, window)
}

/// One clearopensmtp at a time for a control directory. The lock is on the directory itself, so that no file has to lie
/// anywhere, and ends with the process, however that ends.
fn lock(places: &Places) -> Result<File, Trouble> {
    let system = |error: io::Error| Trouble::System(format!("{}: {error}", places.control.display()));
    let directory = File::open(&places.control).map_err(system)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(Trouble::Table("clearopensmtp is already running".to_owned())),
        Err(TryLockError::Error(error)) => Err(system(error)),
    }
}

/// Clears every table, also when one of them cannot be.
fn clear(args: &ClearOpenSmtp, tables: &[Table<'_>], window: Window) -> Result<(), Trouble> {
    let (mut rows, mut failed) = (0, None);
    for table in tables {
        let cleared = if args.dry_run { table.count_expired(window) } else { clear_one(args, table, window) };
        match cleared {
            Ok(count) => rows += count,
            Err(trouble) => {
                if let Some(earlier) = failed.replace(trouble) {
                    say(&[b"clearopensmtp: ", earlier.to_string().as_bytes()]);
                }
            }
        }
    }
    if args.dry_run && failed.is_none() {
        print(&rows.to_string());
    } else {
        tell(args, &format!("{rows} rows deleted"));
    }
    failed.map_or(Ok(()), Err)
}

fn clear_one(args: &ClearOpenSmtp, table: &Table<'_>, window: Window) -> Result<u64, Trouble> {
    let progress =
        if io::stderr().is_terminal() { ProgressBar::new(table.count_expired(window)?) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} rows, {eta} left") {
        progress.set_style(style);
    }
    let cleared = table.clean(window, args.batch, &mut |count| progress.set_position(count));
    progress.finish_and_clear();
    cleared
}

fn make_rules(args: &ClearOpenSmtp, sources: Sources<'_>, patience: Patience, window: Window) -> Result<(), Trouble> {
    let Some(rules) = rules_file(sources.environment, sources.places) else {
        let text = "there is no tcp.smtp to make a cdb of; TCP_FILE names it";
        tell(args, text);
        return if args.rebuild { Err(Trouble::Configuration(text.to_owned())) } else { Ok(()) };
    };
    let table = Table::open(sources, Purpose::Read, patience)?;
    let now = table.now()?;
    let mut addresses = BTreeSet::new();
    table.rows(&mut |row| {
        if window.is_live(row.time, now) {
            addresses.insert(row.address);
        }
        Ok(())
    })?;
    let count = rebuild(&rules, &addresses, table.layout()?)?;
    tell(args, &format!("{}.cdb made anew, with rules for {count} addresses from the table", rules.display()));
    Ok(())
}

fn tell(args: &ClearOpenSmtp, text: &str) {
    if args.verbose {
        print(&format!("clearopensmtp: {text}"));
    }
}

fn print(line: &str) {
    // Whoever reads this no longer does not keep the work from being done.
    let _ = writeln!(io::stdout(), "{line}");
}
