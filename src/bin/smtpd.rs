//! smtpd: one connection on standard input and output; argv, edges and exit code, no decisions.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use postern::connection;
use postern::control::Setup;
use postern::control::environment::Environment;
use postern::control::load::{LoadError, Places};

/// The C entry point instead of Rust's, whose preparations (a look at /proc/self/maps, handlers for stack overflow) cost a
/// connection more instructions than greeting and good-bye together. We need none of them: SIGPIPE is blocked by the wire,
/// nothing is buffered in the standard streams, and a stack overflow still ends at the guard page.
// SAFETY: the only symbol of this name in a program without Rust's own `main`, with the signature that C asks for.
#[unsafe(no_mangle)]
pub extern "C" fn main(_: libc::c_int, _: *const *const libc::c_char) -> libc::c_int {
    run().into()
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
