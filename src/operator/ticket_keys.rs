//! `postern ticket-keys`: makes and rotates the keys of session tickets.

use std::path::PathBuf;

use crate::control::environment::Environment;
use crate::control::{Control, Setup};
use crate::errno::words;
use crate::operator::command::TicketKeys;
use crate::operator::ended::{Ended, TEMPORARY};
use crate::operator::surroundings::control_directory;
use crate::tls::{Files, TICKET_KEYS, rotate};

/// Rotates the keys; what was wrong with the old ones is told on standard error.
///
/// # Errors
///
/// A file that cannot be read or written, with its name.
pub fn run(options: &TicketKeys) -> Result<u8, Ended> {
    let mut files = files(options)?;
    if let Some(directory) = &options.certdir {
        files.certificate = directory.join(files.certificate.file_name().unwrap_or_default());
        files.directory.clone_from(directory);
    }
    let rotated = rotate(&files.directory, &files.certificate).map_err(|error| {
        Ended(TEMPORARY, format!("{}: {}", files.directory.join(TICKET_KEYS).display(), words(&error)))
    })?;
    if rotated.was_damaged {
        eprintln!("postern: {}: the file held no keys, so all sessions begin anew", rotated.path.display());
    }
    Ok(0)
}

/// Where smtpd would look, by our own variables.
fn files(options: &TicketKeys) -> Result<Files, Ended> {
    let environment = Environment::of_process();
    let is_said = options.certdir.is_some() || environment.get(b"CERTDIR").is_some();
    let directory = if is_said { PathBuf::new() } else { control_directory(&options.place)? };
    let control = Control { directory, ..Control::default() };
    Ok(Files::of(&Setup { control, environment, ..Setup::default() }))
}
