//! smtpd: one connection on standard input and output; argv, edges and exit code, no decisions.

#![no_main]

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;

use postern::connection;
use postern::control::Setup;
use postern::control::checker::Checker;
use postern::control::environment::Environment;
use postern::control::load::{LoadError, Places};
use postern::control::summary::summary;

/// The C entry point instead of Rust's, whose preparations (a look at /proc/self/maps, handlers for stack overflow) cost a
/// connection more instructions than greeting and good-bye together. We need none of them: SIGPIPE is blocked by the wire,
/// nothing is buffered in the standard streams, and a stack overflow still ends at the guard page.
// SAFETY: the only symbol of this name in a program without Rust's own `main`, with the signature that C asks for.
#[unsafe(no_mangle)]
pub extern "C" fn main(_: libc::c_int, _: *const *const libc::c_char) -> libc::c_int {
    run().into()
}

const USAGE: &str = "\
usage: smtpd [hostname authpgm [authpgm ...] falsepgm]
       smtpd -v

Serves one SMTP connection on standard input and output; started by tcpserver, inetd or systemd.
  -v, --version   show version, features, control files and environment
  -h, --help      show this

smtpd(8) is the manual. `postern explain` tells what smtpd would decide, `postern settings` what it reads.
";

/// The original's argv: a name for this host, and the programs that check passwords.
fn run() -> u8 {
    let environment = Environment::of_process();
    let mut arguments = std::env::args_os().skip(1).map(OsString::into_vec);
    let first = arguments.next().unwrap_or_default();
    if matches!(first.as_slice(), b"-h" | b"--help") {
        return show(USAGE);
    }
    let places = match Places::find(&environment) {
        Ok(places) => places,
        Err(error) => return cannot_work(&error),
    };
    if let Err(error) = std::env::set_current_dir(&places.working) {
        let error = LoadError::Directory { path: places.working, error };
        return cannot_work(&error);
    }
    if matches!(first.as_slice(), b"-v" | b"-V" | b"--version") {
        return show(&summary(&places.control, &environment));
    }
    let mut setup = Setup::from_environment(environment);
    setup.look_at_connection();
    let mut remarks = Vec::new();
    match Checker::of_arguments(&first, arguments, &setup.environment) {
        Ok(checker) => setup.checker = checker,
        Err(misuse) => remarks.push(misuse.to_string()),
    }
    match setup.load_files(&places.control, Some(&first)) {
        Ok(()) => {
            let exit = connection::serve(&setup, &remarks);
            std::mem::forget(setup); // The process ends here: to give back each piece of memory would be work for nothing.
            exit
        }
        Err(error) => connection::turn_away(&setup, &error),
    }
}

/// There is no place to work in: nothing is said to the client, as in the original.
fn cannot_work(error: &LoadError) -> u8 {
    let _ = writeln!(std::io::stderr(), "{error}");
    111
}

fn show(text: &str) -> u8 {
    let mut output = std::io::stdout();
    let shown = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    u8::from(shown.is_err())
}
