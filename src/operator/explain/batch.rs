//! A batch of situations, one a line on standard input, each answered in a line before the next is read.

use std::io::Write;

use serde_json::{Value, json};

use crate::operator::ended::{Ended, PERMANENT};
use crate::operator::explain::show::{as_json, as_line, exit_code};
use crate::operator::explain::steps::{Outcome, Until, explain};
use crate::operator::input::Input;
use crate::operator::situation::Situation;
use crate::operator::surroundings::Surroundings;

/// Explains each line; a malformed one is told and makes the exit code 100, the others are explained all the same.
pub(super) fn run(surroundings: &mut Surroundings, in_json: bool, output: &mut dyn Write) -> Result<u8, Ended> {
    let mut input = Input::standard();
    let (mut worst, mut malformed) = (Outcome::Accept, false);
    while let Some(line) = input.next_line()? {
        let situation = match Situation::parse(line) {
            Ok(None) => continue,
            Ok(Some(situation)) => situation,
            Err(fault) => {
                malformed = true;
                input.complain(&fault);
                continue;
            }
        };
        let explanation = explain(surroundings, &situation, &[], if in_json { Until::Data } else { Until::Rcpt })?;
        worst = worst.max(explanation.outcome(situation.recipients.len()));
        let text = match in_json {
            true => {
                let mut object = as_json(&explanation, &situation, &surroundings.directory);
                if let Value::Object(fields) = &mut object {
                    fields.insert("line".to_string(), json!(input.number()));
                }
                format!("{object}\n")
            }
            false => as_line(&explanation, &situation),
        };
        input.stand_aside();
        output.write_all(text.as_bytes()).map_err(|error| Ended::unwritten(&error))?;
        if input.is_interactive() {
            output.flush().map_err(|error| Ended::unwritten(&error))?;
        }
    }
    output.flush().map_err(|error| Ended::unwritten(&error))?;
    Ok(if malformed { PERMANENT } else { exit_code(worst) })
}
