//! checkaddress: asks a database about an address for smtpd; question on descriptor 0, answer on descriptor 1.

use std::process::ExitCode;

use postern::account_table::mysql::{self, Answer};
use postern::account_table::question::{Asked, QUESTION_OCTETS_MAX, Question};
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::relay_table::mysql::Patience;
use postern::relay_table::program::{Program, time_to_answer};
use postern::relay_table::sources::Sources;
use postern::relay_table::timeout::{list_timeout, timeout};
use postern::relay_table::trouble::Trouble;

const USAGE: &str = "usage: checkaddress < QUESTION

Tells smtpd what a database knows of an address. The question is `rcpt` (has it a
mailbox?), `sender` (may it send?) or `list` (is it in a list?), then the address,
then the name of the list or nothing, each with a NUL behind it. Prints ok (exit
code 0), absent (1), inactive (2), overquota (3), nosmtp (4), or what went wrong
(111). Postern lint asks `flags`: no address, then flags as numbers, with blanks
between them. Prints `counted` and, for each flag, how many accounts carry it (0).

  printf 'rcpt\\000joe@example.org\\000\\000' | checkaddress
  printf 'list\\000joe@example.org\\000badmailfrom\\000' | checkaddress
  printf 'flags\\000\\000256 512\\000' | checkaddress

  -h, --help     print this
  -V, --version  print the version
";

const PROGRAM: Program = Program { name: "checkaddress", usage: USAGE, question_octets_max: QUESTION_OCTETS_MAX };

fn main() -> ExitCode {
    PROGRAM.run(|| answer().map(|answer| answer.words()))
}

fn answer() -> Result<Answer, Trouble> {
    let environment = Environment::of_process();
    let question = PROGRAM.question(Question::parse)?;
    let timeout = match question.asked {
        Asked::List(_) => list_timeout(&environment)?,
        Asked::Recipient | Asked::Sender | Asked::Flags(_) => timeout(&environment)?,
    };
    let patience = Patience::in_all(time_to_answer(timeout));
    let places = Places::find(&environment).map_err(|error| Trouble::Configuration(error.to_string()))?;
    mysql::answer(&question, Sources { environment: &environment, places: &places }, patience)
}
