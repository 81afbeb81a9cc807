//! checkrelay: asks a relay table in MySQL for smtpd; question on descriptor 0, answer on descriptor 1.

use std::process::ExitCode;

use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::relay_table::age::{Window, now};
use postern::relay_table::directory::Directory;
use postern::relay_table::mysql::{MySqlTable, Patience};
use postern::relay_table::place::Place;
use postern::relay_table::program::{Program, time_to_answer};
use postern::relay_table::question::{NO, QUESTION_OCTETS_MAX, Question, YES};
use postern::relay_table::sources::{Purpose, Sources};
use postern::relay_table::timeout::timeout;
use postern::relay_table::trouble::Trouble;

const USAGE: &str = "usage: checkrelay < QUESTION

Tells smtpd whether a sender has read mail from an address: the question is the
sender, the address and, if it is not now, a moment in seconds since 1970, each
with a NUL behind it. Prints yes (exit code 0), no (1), or what went wrong (111).

  printf 'joe@example.org\\000192.0.2.7\\000\\000' | checkrelay

  -h, --help     print this
  -V, --version  print the version
";

const PROGRAM: Program = Program { name: "checkrelay", usage: USAGE, question_octets_max: QUESTION_OCTETS_MAX };

fn main() -> ExitCode {
    PROGRAM.run(|| answer().map(|is_there| if is_there { (YES.to_owned(), 0) } else { (NO.to_owned(), 1) }))
}

fn answer() -> Result<bool, Trouble> {
    let environment = Environment::of_process();
    let question = PROGRAM.question(Question::parse)?;
    let window = Window::of(&environment)?;
    let patience = Patience::in_all(time_to_answer(timeout(&environment)?));
    let places = Places::find(&environment).map_err(|error| Trouble::Configuration(error.to_string()))?;
    match Place::find(&places.control)? {
        Place::Directory(path) => {
            let at = question.at.unwrap_or_else(now);
            Directory::new(path).contains(&question.sender, question.address, window, at)
        }
        Place::MySql => {
            let server = Sources { environment: &environment, places: &places }.server(Purpose::Read)?;
            MySqlTable::new(server, &environment, patience)?.answer(&question, window)
        }
    }
}
