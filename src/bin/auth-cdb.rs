//! auth-cdb: checks a password against a cdb of verifiers; asked on descriptor 3, it answers by its exit code.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};

use postern::auth::users::find;
use postern::auth::{Digest, Hash, Mechanism, Secret, TOKEN_OCTETS_MAX, USER_OCTETS_MAX};
use postern::control::environment::Environment;
use postern::control::load::Places;
use postern::last_words::say;
use postern::spawn::{Kind, Pipe, start};

const USAGE: &str = "usage: auth-cdb [authpgm ...] falsepgm

Reads a user and what proves it from descriptor 3, as smtpd(8) writes them, and looks the user up in $AUTH_CDB, or
auth.cdb in the control directory, which `postern passwd` makes. Who is not in it, or has another password, is left to
the next program. Exit code 0: it is the user; 1: it is not; 2: wrong usage; 111: nobody can tell now.

  -h, --help     print this
  -V, --version  print the version
";

/// It is not the user.
const NO: u8 = 1;
/// What is on descriptor 3 is no question.
const MISUSE: u8 = 2;
/// Nobody can tell now.
const TEMPORARY: u8 = 111;
/// The longest question: name, token and what is between them.
const QUESTION_OCTETS_MAX: usize = USER_OCTETS_MAX + TOKEN_OCTETS_MAX + 5;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().map(|first| first.as_bytes()) {
        Some(b"-h" | b"--help") => return print(USAGE),
        Some(b"-V" | b"--version") => return print(concat!("auth-cdb ", env!("CARGO_PKG_VERSION"), " (Postern)\n")),
        Some(_) | None => {}
    }
    let question = match question() {
        Ok(question) => question,
        Err(error) => return failed(MISUSE, &format!("descriptor 3 cannot be read: {error}")),
    };
    let Some(asked) = Asked::parse(&question) else { return failed(MISUSE, "descriptor 3 has no question") };
    let environment = Environment::of_process();
    match answer(&asked, &environment) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if arguments.is_empty() => ExitCode::from(NO),
        Ok(false) => match next(arguments, &environment, &question) {
            Ok(code) => ExitCode::from(code),
            Err(error) => failed(TEMPORARY, &error),
        },
        Err(error) => failed(TEMPORARY, &error),
    }
}

/// All of what was asked; the buffer has room for it from the beginning, so that no copy is left behind.
fn question() -> io::Result<Secret> {
    let mut question = Secret::new(Vec::with_capacity(QUESTION_OCTETS_MAX + 64));
    File::open("/dev/fd/3")?.take(QUESTION_OCTETS_MAX as u64 + 1).read_to_end(&mut question)?;
    if question.len() > QUESTION_OCTETS_MAX {
        return Err(Errno::EMSGSIZE.into());
    }
    Ok(question)
}

/// The fields of a question.
struct Asked<'q> {
    user: &'q [u8],
    /// The password, or the challenge of CRAM-MD5.
    evidence: &'q [u8],
    digest: &'q [u8],
    /// None for a mechanism that cannot be judged by what is kept.
    mechanism: Option<Mechanism>,
}

impl<'q> Asked<'q> {
    /// User, password or challenge, digest or nothing, and the number of the mechanism, each ended by a NUL. Without a number it is
    /// a password.
    fn parse(question: &'q [u8]) -> Option<Self> {
        let mut fields = question.strip_suffix(b"\0")?.split(|octet| *octet == 0);
        let (user, evidence, digest) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
        let mechanism = match fields.next() {
            None if digest.is_empty() => Some(Mechanism::Plain),
            None => None,
            Some(&[number]) => Mechanism::of_number(number).filter(|mechanism| match mechanism {
                Mechanism::Login | Mechanism::Plain => true,
                Mechanism::Scram(hash) | Mechanism::ScramPlus(hash) => *hash == Hash::Sha256,
                Mechanism::Cram(digest) => *digest == Digest::Md5,
                Mechanism::Xoauth2 => false,
            }),
            Some(_) => None,
        };
        (!user.is_empty()).then_some(Self { user, evidence, digest, mechanism })
    }
}

/// Whether it is the user. For SCRAM everybody gets a verifier on standard output, who does not exist too: only the proof
/// can tell then.
fn answer(asked: &Asked<'_>, environment: &Environment) -> Result<bool, String> {
    let Some(mechanism) = asked.mechanism else { return Ok(false) };
    let path = path(environment)?;
    let found = find(&path, asked.user).map_err(|error| format!("{}: {error}", path.display()))?;
    if mechanism.scram_hash().is_some() {
        let mut output = io::stdout();
        let written = output.write_all(&found.verifier.any().to_text()).and_then(|()| output.write_all(b"\n"));
        return written
            .and_then(|()| output.flush())
            .map(|()| true)
            .map_err(|error| format!("standard output: {error}"));
    }
    if matches!(mechanism, Mechanism::Cram(_)) {
        return Ok(found.context.judges(|context| context.accepts(asked.evidence, asked.digest)));
    }
    Ok(found.verifier.judges(|verifier| verifier.accepts(asked.evidence)) && !asked.evidence.is_empty())
}

fn path(environment: &Environment) -> Result<PathBuf, String> {
    let named = environment.get(b"AUTH_CDB").filter(|named| !named.is_empty());
    let name = OsStr::from_bytes(named.unwrap_or(b"auth.cdb"));
    if name.as_bytes().starts_with(b"/") {
        return Ok(PathBuf::from(name));
    }
    Places::find(environment).map(|places| places.control.join(name)).map_err(|error| error.to_string())
}

/// Runs the next program with the same question on descriptor 3; its exit code is ours.
fn next(program: Vec<OsString>, environment: &Environment, question: &[u8]) -> Result<u8, String> {
    let name = program.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let words: Result<Vec<CString>, _> = program.into_iter().map(|word| CString::new(word.into_vec())).collect();
    let words = words.map_err(|error| error.to_string())?;
    let pipe = Pipe::new().map_err(|error| error.to_string())?;
    write_whole(pipe.write, question).map_err(|error| error.to_string())?;
    // In our process group, with which we are killed.
    let pid = start(Kind::Companion, &words, &environment.for_program(), vec![(pipe.read, 3)])
        .map_err(|error| error.to_string())?;
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(u8::try_from(code).unwrap_or(TEMPORARY)),
            Err(Errno::EINTR) => {}
            Ok(_) => return Err(format!("{name} was killed")),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A question fits into a pipe that nobody reads yet.
fn write_whole(pipe: OwnedFd, question: &[u8]) -> io::Result<()> {
    File::from(pipe).write_all(question)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn failed(code: u8, sentence: &str) -> ExitCode {
    say(&[b"auth-cdb: ", sentence.as_bytes()]);
    ExitCode::from(code)
}
