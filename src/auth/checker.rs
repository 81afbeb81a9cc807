//! Asks a checker of passwords on descriptor 3, and what its exit code means.

use std::fs::OpenOptions;
use std::time::{Duration, Instant};

use crate::auth::Claim;
use crate::control::Setup;
use crate::control::checker::{Convention, Exit3};
use crate::errno::words;
use crate::helper::{Answer, Question, ask};

/// How long a checker may take; it is killed then.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a checker has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It is the user, who may relay. What was written to standard output is the verifier of a user of SCRAM.
    Yes(Vec<u8>),
    /// It is the user, who may not relay.
    WithoutRelay(Vec<u8>),
    /// It is not, or nobody knows the user; the exit code, and why.
    No {
        /// The exit code.
        code: i32,
        /// The reason that it wrote, for the log.
        said: String,
    },
    /// Nobody can tell now, and why not.
    CannotTell(String),
}

/// Asks the checker of `setup`; no checker knows nobody.
#[must_use]
pub fn check(setup: &Setup, claim: &Claim) -> Checked {
    let Some(checker) = &setup.checker else { return Checked::CannotTell("there is none".to_owned()) };
    let record = claim.record(checker.convention);
    // Under inetd descriptor 2 is the client.
    let errors = match setup.log_is_connection.then(|| OpenOptions::new().write(true).open("/dev/null")).transpose() {
        Ok(nowhere) => nowhere.map(Into::into),
        Err(error) => return Checked::CannotTell(format!("/dev/null: {}", words(&error))),
    };
    let question = Question::OfChecker { question: &record, errors };
    match ask(&checker.program, &setup.environment, question, Instant::now() + PATIENCE) {
        Ok(answer) => verdict(answer, checker.convention, checker.exit3),
        Err(why) => Checked::CannotTell(why),
    }
}

/// The table of exit codes. vpopmail's checkers exit with 3 and many others for a wrong password.
fn verdict(answer: Answer, convention: Convention, exit3: Exit3) -> Checked {
    match (answer.code, convention) {
        (0, _) => Checked::Yes(answer.said),
        (3, Convention::IndiMail) if exit3 == Exit3::WithoutRelay => Checked::WithoutRelay(answer.said),
        (1..=3, _) => Checked::No { code: answer.code, said: answer.first_line() },
        (code, Convention::Vpopmail) if code != 111 => Checked::No { code, said: answer.first_line() },
        (code, _) => Checked::CannotTell(format!("exit code {code} {}", answer.first_line()).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_has_one_meaning() {
        let verdict = |code, convention, norelay| {
            let exit3 = if norelay { Exit3::WithoutRelay } else { Exit3::Refused };
            match verdict(Answer { code, said: b"why\nmore".to_vec() }, convention, exit3) {
                Checked::Yes(_) => "yes".to_owned(),
                Checked::WithoutRelay(_) => "without relay".to_owned(),
                Checked::No { code, said } => format!("no {code} {said}"),
                Checked::CannotTell(why) => why,
            }
        };
        let (indimail, vpopmail) = (Convention::IndiMail, Convention::Vpopmail);
        let table = [
            (0, indimail, false, "yes"),
            (0, vpopmail, true, "yes"),
            (1, indimail, false, "no 1 why"),
            (2, indimail, true, "no 2 why"),
            (3, indimail, false, "no 3 why"),
            (3, indimail, true, "without relay"),
            (3, vpopmail, true, "no 3 why"),
            (20, vpopmail, false, "no 20 why"),
            (20, indimail, false, "exit code 20 why"),
            (111, indimail, false, "exit code 111 why"),
            (111, vpopmail, false, "exit code 111 why"),
        ];
        for (code, convention, norelay, expected) in table {
            assert_eq!(verdict(code, convention, norelay), expected, "{code} {convention:?} {norelay}");
        }
    }
}
