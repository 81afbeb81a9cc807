//! tlsclients: the mail addresses whose certificates let a client relay.

use crate::control::Setup;
use crate::control::load::read_list;
use crate::control::text::entries;
use crate::errno::words;
use crate::lookup::entry;
use crate::policy::verdict::{Answer, LookupFailed};

const FILE: &str = "tlsclients";

/// The line of an address, ASCII case ignored.
pub(super) fn answer(address: &[u8], setup: &Setup) -> Result<Answer, LookupFailed> {
    let path = setup.control.directory.join(FILE);
    match read_list(&path) {
        Ok(None) => Ok(Answer::Absent),
        Ok(Some(text)) => {
            let line = entries(&text).find(|entry| entry.text.eq_ignore_ascii_case(address)).map(|found| found.line);
            Ok(line.map_or(Answer::No, |line| entry(FILE, Some(line))))
        }
        Err(error) => Err(LookupFailed::Unreadable { file: FILE.into(), path, error: words(&error).into_owned() }),
    }
}
