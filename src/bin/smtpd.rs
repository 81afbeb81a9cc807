//! smtpd: one connection on standard input and output; argv, edges and exit code, no decisions.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use postern::connection;
use postern::control::Setup;
use postern::control::environment::Environment;
use postern::control::load::{LoadError, Places};

fn main() -> ExitCode {
    ExitCode::from(run())
}

/// `smtpd [hostname authprog [arg...]]`, as the original; `-v` shows the settings.
fn run() -> u8 {
    let environment = Environment::of_process();
    let first = std::env::args_os().nth(1).map(OsString::into_vec).unwrap_or_default();
    let places = match Places::find(&environment) {
        Ok(places) => places,
        Err(error) => return connection::cannot_start(&error),
    };
    if let Err(error) = std::env::set_current_dir(&places.working) {
        return connection::cannot_start(&LoadError::Directory { path: places.working, error });
    }
    match Setup::load(environment, &places.control, Some(&first)) {
        Ok(mut setup) => {
            setup.ask_socket_for_client();
            connection::serve(&setup)
        }
        Err(error) => connection::cannot_start(&error),
    }
}
