//! badhost: patterns of the names of clients that are refused.

use std::ops::ControlFlow;

use crate::control::Setup;
use crate::lookup::address::each_entry;
use crate::lookup::shape::{Expressions, Shaped};
use crate::lookup::undecided::Undecided;
use crate::lookup::{entry_of, failed, list_name};
use crate::policy::verdict::{Answer, LookupFailed};

/// Whether a line speaks against the client's name; with `!` in front a line speaks against all others. One is enough.
pub(super) fn answer(setup: &Setup) -> Result<Answer, LookupFailed> {
    let file = list_name(setup, "BADHOST", "badhost");
    let path = setup.control.directory.join(file.as_ref());
    let host = Shaped::new(setup.client.shown_name(), setup);
    let mut expressions = Expressions::default();
    let (mut against, mut bad) = (None, None);
    let read = each_entry(
        &path,
        |_| true,
        |line, text| {
            let (negated, pattern) = text.strip_prefix(b"!").map_or((false, text), |rest| (true, rest));
            match host.matches(pattern, &mut expressions) {
                Ok(matches) if matches != negated => against = Some(line),
                Ok(_) => {}
                // D05: a pattern that does not compile speaks against nobody, negated or not.
                Err(error) => bad = bad.take().or(Some((line, error))),
            }
            if against.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    let read = read.map_err(|unreadable| failed(file.clone(), Undecided::Unreadable(unreadable)))?;
    match (read, against, bad) {
        (_, Some(line), _) => Ok(entry_of(file, Some(line))),
        (_, None, Some((line, error))) => Err(failed(file, Undecided::Expression { path, line, error })),
        (Some(()), None, None) => Ok(Answer::No),
        (None, None, None) => Ok(Answer::Absent),
    }
}
