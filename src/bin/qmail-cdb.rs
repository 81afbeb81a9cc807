//! Compiles a list of the control directory, such as `relaymailfrom`, into its cdb.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File, Permissions},
    io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use postern::cdb::{
    make::Maker,
    replace::{InstallError, Replacement},
};
use postern::client::cause::shown;
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::errno::words;
use postern::last_words::{permanent, temporary};
use postern::lookup::compile::{Keys, ListError, compile as compile_list};

/// Compiles the list NAME of the control directory into NAME.cdb.
#[derive(Parser)]
#[command(name = "qmail-cdb", version, override_usage = "qmail-cdb [-m] NAME\n       qmail-cdb -r [-m] [NAME]")]
struct Args {
    /// Rename the list to NAME.bak when its cdb is in place
    #[arg(short = 'm')]
    rename: bool,
    /// Compile a list of recipients from the users directory; NAME is recipients if not given
    #[arg(short = 'r')]
    recipients: bool,
    /// The list
    #[arg(value_name = "NAME", required_unless_present = "recipients")]
    name: Option<OsString>,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => asked.exit(),
        Err(_) => return permanent(&[b"qmail-cdb: usage: qmail-cdb [-m] NAME, or qmail-cdb -r [-m] [NAME]"]),
    };
    // Where nothing is configured and nothing exists, the message names where we looked.
    let places = Places::find(&Environment::of_process()).unwrap_or_default();
    let (directory, keys) = match args.recipients {
        true => (places.working.join("users"), Keys::ColonEntry),
        false => (places.control, Keys::Entry),
    };
    let name = args.name.unwrap_or_else(|| OsString::from("recipients"));
    let failed = |failure: Failure| temporary(&[b"qmail-cdb: fatal: ", failure.to_string().as_bytes()]);
    if let Err(error) = env::set_current_dir(&directory) {
        return failed(Failure::new("change to", &directory, error));
    }
    let compiled = compile(Path::new(&name), keys).and_then(|()| match args.rename {
        true => rename(&name, &with(&name, ".bak")),
        false => Ok(()),
    });
    compiled.map_or_else(failed, |()| ExitCode::SUCCESS)
}

/// A step that failed, on which file, and why.
struct Failure {
    doing: &'static str,
    path: PathBuf,
    why: String,
}

impl Failure {
    fn new(doing: &'static str, path: &Path, error: io::Error) -> Failure {
        Failure { doing, path: path.to_path_buf(), why: words(&error).into_owned() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unable to {} {}: {}", self.doing, shown(self.path.as_os_str().as_bytes()), self.why)
    }
}

fn compile(name: &Path, keys: Keys) -> Result<(), Failure> {
    let (cdb, tmp) = (with(name.as_os_str(), ".cdb"), with(name.as_os_str(), ".tmp"));
    let list = File::open(name).map_err(|error| Failure::new("read", name, error))?;
    let replacement = Replacement::create(&cdb, &tmp).map_err(|error| Failure::new("create", &tmp, error))?;
    let unwritten = |error| Failure::new("write to", &tmp, error);
    // The daemon reads the list under another user id, whatever the umask of who compiles it.
    replacement.file().set_permissions(Permissions::from_mode(0o644)).map_err(unwritten)?;

    let mut maker = Maker::new(replacement.file());
    let made = compile_list(list, keys, &mut maker);
    made.and_then(|()| maker.finish().map(drop).map_err(ListError::Make)).map_err(|error| match error {
        ListError::Read(error) => Failure::new("read", name, error),
        ListError::Make(error) => Failure { doing: "write to", path: tmp.clone(), why: error.to_string() },
    })?;
    replacement.install().map_err(|error| match error {
        InstallError::Sync(error) => Failure::new("write to", &tmp, error),
        InstallError::Move(error) => Failure::new("rename to", &cdb, error),
    })
}

fn rename(from: &OsStr, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|error| Failure::new("rename to", to, error))
}

fn with(name: &OsStr, suffix: &str) -> PathBuf {
    let mut name = name.to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}
