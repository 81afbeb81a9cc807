//! checkrelay: asks a relay table in MySQL for smtpd; question on descriptor 0, answer on descriptor 1.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::relay_table::age::{Window, now};
use postern::relay_table::directory::Directory;
use postern::relay_table::mysql::{MySqlTable, Patience};
use postern::relay_table::place::Place;
use postern::relay_table::question::{NO, QUESTION_OCTETS_MAX, Question, YES};
use postern::relay_table::sources::{Purpose, Sources};
use postern::relay_table::timeout::timeout;
use postern::relay_table::trouble::Trouble;

/// The exit code when nobody can know.
const TEMPORARY: u8 = 111;
/// What is left of the time for smtpd to hear the answer, in milliseconds.
const RESERVE_MILLISECONDS: u64 = 250;

const USAGE: &str = "usage: checkrelay < QUESTION

Tells smtpd whether a sender has read mail from an address: the question is the
sender, the address and, if it is not now, a moment in seconds since 1970, each
with a NUL behind it. Prints yes (exit code 0), no (1), or what went wrong (111).

  printf 'joe@example.org\\000192.0.2.7\\000\\000' | checkrelay

  -h, --help     print this
  -V, --version  print the version
";

fn main() -> ExitCode {
    match std::env::args_os().nth(1).as_ref().and_then(|first| first.to_str()) {
        Some("-h" | "--help") => return end(USAGE.trim_end(), 0),
        Some("-V" | "--version") => return end(concat!("checkrelay ", env!("CARGO_PKG_VERSION"), " (Postern)"), 0),
        Some(_) => return end("wrong usage; see checkrelay --help", 100),
        None => {}
    }
    match answer() {
        Ok(true) => end(YES, 0),
        Ok(false) => end(NO, 1),
        Err(trouble) => end(&trouble.to_string(), TEMPORARY),
    }
}

fn answer() -> Result<bool, Trouble> {
    let environment = Environment::of_process();
    let question = question()?;
    let window = Window::of(&environment)?;
    let time = timeout(&environment)?.saturating_sub(Duration::from_millis(RESERVE_MILLISECONDS));
    let places = Places::find(&environment).map_err(|error| Trouble::Configuration(error.to_string()))?;
    match Place::find(&places.control)? {
        Place::Directory(path) => {
            let at = question.at.unwrap_or_else(now);
            Directory::new(path).contains(&question.sender, question.address, window, at)
        }
        Place::MySql => {
            let server = Sources { environment: &environment, places: &places }.server(Purpose::Read)?;
            MySqlTable::new(server, &environment, Patience::in_all(time))?.answer(&question, window)
        }
    }
}

fn question() -> Result<Question, Trouble> {
    let mut octets = Vec::new();
    let read = io::stdin().lock().take(QUESTION_OCTETS_MAX as u64).read_to_end(&mut octets);
    read.map_err(|error| Trouble::System(format!("the question cannot be read: {error}")))?;
    let unasked = || Trouble::Configuration("there is no question on standard input; see checkrelay --help".to_owned());
    Question::parse(&octets).ok_or_else(unasked)
}

fn end(text: &str, code: u8) -> ExitCode {
    let mut output = io::stdout();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(TEMPORARY),
    }
}
