//! Compiles a list of the control directory, such as `relaymailfrom`, into its cdb.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use postern::cdb::{
    make::Maker,
    replace::{InstallError, Replacement},
};
use postern::client::{cause::shown, line::Line};
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::control::text::entries;
use postern::errno::words;
use postern::last_words::{permanent, say, temporary};
use postern::lookup::clients::Rejected;
use postern::lookup::clients_compiled::{self, Fingerprint};
use postern::lookup::compile::{Keys, ListError, compile as compile_list};

/// Compiles the list NAME of the control directory into NAME.cdb.
#[derive(Parser)]
#[command(
    name = "qmail-cdb",
    version,
    override_usage = "qmail-cdb [-c] [-v] [-m] NAME\n       qmail-cdb -r [-m] [NAME]"
)]
struct Args {
    /// Rename the list to NAME.bak when its cdb is in place
    #[arg(short = 'm')]
    rename: bool,
    /// Compile a list of recipients from the users directory; NAME is recipients if not given
    #[arg(short = 'r')]
    recipients: bool,
    /// Compile a list of clients, as relayclients and relaymx are without this
    #[arg(short = 'c', conflicts_with_all = ["recipients", "rename"])]
    clients: bool,
    /// Show whom each line of a list of clients grants or excepts
    #[arg(short = 'v', conflicts_with_all = ["recipients", "rename"])]
    verbose: bool,
    /// The list
    #[arg(value_name = "NAME", required_unless_present = "recipients")]
    name: Option<OsString>,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => asked.exit(),
        Err(_) => return permanent(&[b"qmail-cdb: usage: qmail-cdb [-c] [-v] [-m] NAME, or qmail-cdb -r [-m] [NAME]"]),
    };
    // Where nothing is configured and nothing exists, the message names where we looked.
    let environment = Environment::of_process();
    let places = Places::find(&environment).unwrap_or_default();
    let (directory, keys) = match args.recipients {
        true => (places.working.join("users"), Keys::ColonEntry),
        false => (places.control, Keys::Entry),
    };
    let name = args.name.unwrap_or_else(|| OsString::from("recipients"));
    let form = match keys {
        Keys::Entry if args.clients || is_list(&environment, &name, &CLIENT_LISTS) => Form::Clients,
        Keys::Entry if is_list(&environment, &name, &SENDER_LISTS) => Form::Keys(Keys::Sender),
        Keys::Entry | Keys::ColonEntry | Keys::Sender => Form::Keys(keys),
    };
    if form == Form::Clients && args.rename {
        return permanent(&[b"qmail-cdb: fatal: -m: a compiled list of clients is used only beside its text"]);
    }
    let failed = |failure: Failure| temporary(&[b"qmail-cdb: fatal: ", failure.to_string().as_bytes()]);
    if let Err(error) = env::set_current_dir(&directory) {
        return failed(Failure::new("change to", &directory, error));
    }
    let compiled = compile(Path::new(&name), form, args.verbose).and_then(|()| match args.rename {
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

/// Lists of clients, and the variables that name another one.
const CLIENT_LISTS: [(&str, &[u8]); 2] = [("relayclients", b"RELAYCLIENTS"), ("relaymx", b"")];
/// Lists of senders that may have conditions, and the variables that name another one.
const SENDER_LISTS: [(&str, &[u8]); 1] = [("relaymailfrom", b"RELAYMAILFROM")];

/// What the list is compiled into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Records of the stock tool.
    Keys(Keys),
    /// A list of clients, which the stock tool does not know.
    Clients,
}

fn is_list(environment: &Environment, name: &OsStr, lists: &[(&str, &[u8])]) -> bool {
    lists.iter().any(|(list, variable)| name == *list || environment.get(variable) == Some(name.as_bytes()))
}

fn compile(name: &Path, form: Form, verbose: bool) -> Result<(), Failure> {
    let (cdb, tmp) = (with(name.as_os_str(), ".cdb"), with(name.as_os_str(), ".tmp"));
    let unread = |error| Failure::new("read", name, error);
    let list = File::open(name).map_err(unread)?;
    let replacement = Replacement::create(&cdb, &tmp).map_err(|error| Failure::new("create", &tmp, error))?;
    let unwritten = |error| Failure::new("write to", &tmp, error);
    // The daemon reads the list under another user id, whatever the umask of who compiles it.
    replacement.file().set_permissions(Permissions::from_mode(0o644)).map_err(unwritten)?;

    let mut maker = Maker::new(replacement.file());
    let made = match form {
        Form::Keys(keys) => compile_list(list, keys, &mut maker),
        Form::Clients => {
            let metadata = list.metadata().map_err(unread)?;
            let text = read(list).map_err(unread)?;
            if verbose {
                show(name, &text);
            }
            clients_compiled::compile(&text, &Fingerprint::of(&metadata, &text), &mut maker).map_err(ListError::Make)
        }
    };
    let made = made.and_then(|rejected| maker.finish().map(|_| rejected).map_err(ListError::Make));
    let rejected = made.map_err(|error| match error {
        ListError::Read(error) => unread(error),
        ListError::Make(error) => Failure { doing: "write to", path: tmp.clone(), why: error.to_string() },
    })?;
    warn(name, &rejected);
    replacement.install().map_err(|error| match error {
        InstallError::Sync(error) => Failure::new("write to", &tmp, error),
        InstallError::Move(error) => Failure::new("rename to", &cdb, error),
    })
}

fn read(mut list: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    list.read_to_end(&mut text)?;
    Ok(text)
}

/// A line for each entry that can be read, on standard output.
fn show(name: &Path, text: &[u8]) {
    let mut output = io::stdout().lock();
    for entry in entries(text) {
        let line = Line::parse(entry.text);
        let Ok(pattern) = line.pattern else { continue };
        let networks: Vec<String> = pattern.networks().iter().map(ToString::to_string).collect();
        let whom = if networks.is_empty() { shown(line.text) } else { networks.join(" ") };
        let does = if line.exception { "excepts" } else { "grants" };
        // Whoever reads this no longer does not keep the list from being compiled.
        let _ = writeln!(output, "{}:{}: {does} {whom}", shown(name.as_os_str().as_bytes()), entry.line);
    }
}

/// A malformed line lets nobody relay; the rest of the list is compiled.
fn warn(name: &Path, rejected: &Rejected) {
    for note in rejected.notes(&shown(name.as_os_str().as_bytes())) {
        say(&[b"qmail-cdb: warning: ", note.as_bytes()]);
    }
}

fn rename(from: &OsStr, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|error| Failure::new("rename to", to, error))
}

fn with(name: &OsStr, suffix: &str) -> PathBuf {
    let mut name = name.to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}
