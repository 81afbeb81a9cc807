//! Compiles rules for tcpserver from standard input into a cdb.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader},
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use postern::cdb::{
    make::Maker,
    replace::{InstallError, Replacement},
};
use postern::client::{
    cause::{Doubt, shown},
    rules::{self, CompileError, Manner},
};
use postern::errno::words;
use postern::last_words::{permanent, say, temporary};

/// Compiles rules for tcpserver, read from standard input, into a cdb.
#[derive(Parser)]
#[command(name = "tcprules", version, override_usage = "tcprules [--strict] rules.cdb rules.tmp < rules")]
struct Args {
    /// Refuse lines that would be ignored, or can match nobody, instead of warning about them
    #[arg(long)]
    strict: bool,
    /// The cdb to replace
    #[arg(value_name = "rules.cdb")]
    cdb: PathBuf,
    /// Written first, then renamed to rules.cdb; must be in the same file system
    #[arg(value_name = "rules.tmp")]
    tmp: PathBuf,
    /// Ignored, as ever
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    surplus: Vec<OsString>,
}

/// Octets of rules read at once.
const INPUT_OCTETS: usize = 131_072;
/// Most lines warned about one by one.
const WARNINGS_MAX: u64 = 100;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(asked) if matches!(asked.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => asked.exit(),
        Err(_) => return permanent(&[b"tcprules: usage: tcprules rules.cdb rules.tmp"]),
    };
    let manner = if args.strict { Manner::Strict } else { Manner::Classic };
    let tmp = args.tmp.as_os_str().as_bytes();
    let failed = |doing: &str, name: &[u8], error: &str| {
        temporary(&[b"tcprules: fatal: unable to ", doing.as_bytes(), name, b": ", error.as_bytes()])
    };

    let replacement = match Replacement::create(&args.cdb, &args.tmp) {
        Ok(replacement) => replacement,
        Err(error) => return failed("create ", tmp, &words(&error)),
    };
    match compile(manner, replacement.file()) {
        Ok(()) => {}
        Err(CompileError::Make(error)) => return failed("write to ", tmp, &error.to_string()),
        Err(CompileError::Read(error)) if error.kind() == io::ErrorKind::OutOfMemory => {
            return temporary(&[b"tcprules: fatal: out of memory"]);
        }
        Err(CompileError::Read(error)) => return failed("read ", b"input", &words(&error)),
        Err(CompileError::Line { number, line, cause }) => {
            let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
            say(&[b"tcprules: fatal: unable to parse this line: ", line]);
            return permanent(&[format!("{}:{number}: {cause}", input_name()).as_bytes()]);
        }
    }
    match replacement.install() {
        Ok(()) => ExitCode::SUCCESS,
        Err(InstallError::Sync(error)) => failed("write to ", tmp, &words(&error)),
        Err(InstallError::Move(error)) => {
            failed("move ", &[tmp, b" to ", args.cdb.as_os_str().as_bytes()].concat(), &words(&error))
        }
    }
}

fn compile(manner: Manner, file: &File) -> Result<(), CompileError> {
    let input = input().map_err(CompileError::Read)?;
    let mut maker = Maker::new(file);
    let mut warnings = 0;
    rules::compile(BufReader::with_capacity(INPUT_OCTETS, input), manner, &mut maker, |number, line, doubt| {
        warnings += 1;
        if warnings <= WARNINGS_MAX {
            warn(number, line, doubt);
        }
    })?;
    if warnings > WARNINGS_MAX {
        say(&[format!("tcprules: warning: {} more lines like these", warnings - WARNINGS_MAX).as_bytes()]);
    }
    maker.finish().map(drop).map_err(CompileError::Make)
}

fn warn(number: u64, line: &[u8], doubt: &Doubt) {
    say(&[format!("tcprules: warning: {}:{number}: {doubt}: {}", input_name(), shown(line)).as_bytes()]);
}

/// Standard input. When it is closed, the language's start-up code has put /dev/null there, for reading and writing;
/// rules that were never given must not replace the old ones.
fn input() -> io::Result<File> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let flags = OFlag::from_bits_retain(fcntl(&input, FcntlArg::F_GETFL)?);
    let null = fs::metadata("/dev/null").map(|null| null.rdev()).ok();
    if flags & OFlag::O_ACCMODE == OFlag::O_RDWR && null == Some(input.metadata()?.rdev()) {
        return Err(io::Error::from_raw_os_error(nix::errno::Errno::EBADF as i32));
    }
    Ok(input)
}

/// The file that standard input comes from, or `standard input`.
fn input_name() -> String {
    let name = fs::read_link("/proc/self/fd/0").ok().filter(|name| is_input(name));
    name.map_or_else(|| "standard input".to_owned(), |name| shown(name.as_os_str().as_bytes()))
}

fn is_input(name: &Path) -> bool {
    let input = io::stdin().as_fd().try_clone_to_owned().map(File::from).and_then(|input| input.metadata());
    let (Ok(input), Ok(named)) = (input, fs::metadata(name)) else {
        return false;
    };
    named.is_file() && (named.dev(), named.ino()) == (input.dev(), input.ino())
}
