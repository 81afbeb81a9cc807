//! checkaddress: asks a database about an address for smtpd; question on descriptor 0, answer on descriptor 1.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use postern::account_table::mysql;
use postern::account_table::question::{Asked, QUESTION_OCTETS_MAX, Question, Status};
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::relay_table::mysql::Patience;
use postern::relay_table::sources::Sources;
use postern::relay_table::timeout::{list_timeout, timeout};
use postern::relay_table::trouble::Trouble;

/// The exit code when nobody can know.
const TEMPORARY: u8 = 111;
/// What is left of the time for smtpd to hear the answer, in milliseconds.
const RESERVE_MILLISECONDS: u64 = 250;

const USAGE: &str = "usage: checkaddress < QUESTION

Tells smtpd what a database knows of an address. The question is `rcpt` (has it a
mailbox?), `sender` (may it send?) or `list` (is it in a list?), then the address,
then the name of the list or nothing, each with a NUL behind it. Prints ok (exit
code 0), absent (1), inactive (2), overquota (3), nosmtp (4), or what went wrong
(111).

  printf 'rcpt\\000joe@example.org\\000\\000' | checkaddress
  printf 'list\\000joe@example.org\\000badmailfrom\\000' | checkaddress

  -h, --help     print this
  -V, --version  print the version
";

fn main() -> ExitCode {
    match std::env::args_os().nth(1).as_ref().and_then(|first| first.to_str()) {
        Some("-h" | "--help") => return end(USAGE.trim_end(), 0),
        Some("-V" | "--version") => return end(concat!("checkaddress ", env!("CARGO_PKG_VERSION"), " (Postern)"), 0),
        Some(_) => return end("wrong usage; see checkaddress --help", 100),
        None => {}
    }
    match answer() {
        Ok(status) => end(status.word(), status.exit_code()),
        Err(trouble) => end(&trouble.to_string(), TEMPORARY),
    }
}

fn answer() -> Result<Status, Trouble> {
    let environment = Environment::of_process();
    let question = question()?;
    let time = match question.asked {
        Asked::List(_) => list_timeout(&environment)?,
        Asked::Recipient | Asked::Sender => timeout(&environment)?,
    };
    let time = time.saturating_sub(Duration::from_millis(RESERVE_MILLISECONDS));
    let places = Places::find(&environment).map_err(|error| Trouble::Configuration(error.to_string()))?;
    mysql::answer(&question, Sources { environment: &environment, places: &places }, Patience::in_all(time))
}

fn question() -> Result<Question, Trouble> {
    let mut octets = Vec::new();
    let read = io::stdin().lock().take(QUESTION_OCTETS_MAX as u64).read_to_end(&mut octets);
    read.map_err(|error| Trouble::System(format!("the question cannot be read: {error}")))?;
    let unasked =
        || Trouble::Configuration("there is no question on standard input; see checkaddress --help".to_owned());
    Question::parse(&octets).ok_or_else(unasked)
}

fn end(text: &str, code: u8) -> ExitCode {
    let mut output = io::stdout();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(TEMPORARY),
    }
}
