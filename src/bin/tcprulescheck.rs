//! Says what tcpserver would do with a client, by the rules of a cdb.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use postern::cdb::read::{Cdb, CdbError};
use postern::client::rules::{self, Client};
use postern::errno::words;
use postern::last_words::{permanent, temporary};

/// Says which rule of a cdb made by tcprules is for a client, and what it does.
///
/// The client is taken from the environment: TCPREMOTEIP (0.0.0.0 if unset), TCPREMOTEHOST, TCPREMOTEINFO.
#[derive(Parser)]
#[command(name = "tcprulescheck", version, override_usage = "tcprulescheck rules.cdb")]
struct Args {
    /// The cdb to ask
    #[arg(value_name = "rules.cdb")]
    cdb: PathBuf,
    /// Ignored, as ever
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    surplus: Vec<OsString>,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => asked.exit(),
        Err(_) => return permanent(&[b"tcprulescheck: usage: tcprulescheck rules.cdb"]),
    };
    let [ip, host, info] = ["TCPREMOTEIP", "TCPREMOTEHOST", "TCPREMOTEINFO"].map(variable);
    let client = Client { ip: ip.as_deref().unwrap_or(b"0.0.0.0"), host: host.as_deref(), info: info.as_deref() };

    let rule = match Cdb::open(&args.cdb).map_err(CdbError::from).and_then(|cdb| client.rule(&cdb)) {
        Ok(rule) => rule,
        Err(error) => {
            let name = args.cdb.as_os_str().as_bytes();
            return temporary(&[b"tcprulescheck: fatal: unable to read ", name, b": ", error.stock_words().as_bytes()]);
        }
    };
    match io::stdout().write_all(&rules::describe(rule.as_ref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => temporary(&[b"tcprulescheck: fatal: unable to write output: ", words(&error).as_bytes()]),
    }
}

fn variable(name: &str) -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "these describe the client to this program, they are no settings")]
    env::var_os(name).map(OsString::into_vec)
}
