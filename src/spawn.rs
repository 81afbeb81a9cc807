//! Starts other programs with the descriptors they expect, without a copy of this process (`posix_spawn`).

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, pipe2};

use crate::errno;

/// What the system refused on the way to a new program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnError {
    /// The call, or the program.
    pub what: String,
    /// What the system said.
    pub error: Errno,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.what, errno::words(&self.error.into()))
    }
}

impl std::error::Error for SpawnError {}

/// How a program is found and what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file of exactly this name, in our process group: what stops us stops it.
    Companion,
    /// Found via PATH unless its name has a slash, in a process group of its own, which can be killed as a whole.
    Helper,
    /// The file of exactly this name, in a process group of its own.
    Checker,
}

/// Both ends of a pipe; no new program inherits either.
#[derive(Debug)]
pub struct Pipe {
    /// The end to read from.
    pub read: OwnedFd,
    /// The end to write to.
    pub write: OwnedFd,
}

impl Pipe {
    /// A new pipe.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] when the system has none to give.
    pub fn new() -> Result<Self, SpawnError> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|error| refused("pipe", error))?;
        Ok(Self { read, write })
    }
}

/// Starts `words` with `environment`; it gets each of `descriptors` under the number beside it. No signal is blocked, and
/// SIGPIPE is as the system has it.
///
/// # Errors
///
/// [`SpawnError`] when the program cannot be started, or there is no word.
pub fn start(
    kind: Kind,
    words: &[CString],
    environment: &[CString],
    descriptors: Vec<(OwnedFd, RawFd)>,
) -> Result<Pid, SpawnError> {
    let program: &CStr = words.first().map(CString::as_c_str).unwrap_or_default();
    // A target must not overwrite a descriptor that is still to be placed.
    let targets: Vec<RawFd> = descriptors.iter().map(|(_, target)| *target).collect();
    let mut kept = Vec::with_capacity(descriptors.len());
    let mut actions = PosixSpawnFileActions::init().map_err(|error| refused("posix_spawn", error))?;
    for (fd, target) in descriptors {
        let fd = clear_of(fd, &targets)?;
        actions.add_dup2(fd.as_raw_fd(), target).map_err(|error| refused("dup2", error))?;
        kept.push(fd);
    }
    let attributes = attributes(kind).map_err(|error| refused("posix_spawn", error))?;
    let started = match kind {
        Kind::Companion | Kind::Checker => posix_spawn(program, &actions, &attributes, words, environment),
        Kind::Helper => posix_spawnp(program, &actions, &attributes, words, environment),
    };
    started.map_err(|error| refused(&program.to_string_lossy(), error))
}

fn refused(what: &str, error: Errno) -> SpawnError {
    SpawnError { what: what.to_owned(), error }
}

/// The descriptor itself, or a copy of it with a number that is none of `targets`.
fn clear_of(fd: OwnedFd, targets: &[RawFd]) -> Result<OwnedFd, SpawnError> {
    if !targets.contains(&fd.as_raw_fd()) {
        return Ok(fd);
    }
    let copy = fd.try_clone().map_err(|error| refused("dup", Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
    clear_of(copy, targets) // while this one keeps its number taken
}

fn attributes(kind: Kind) -> nix::Result<PosixSpawnAttr> {
    let mut pipe = SigSet::empty();
    pipe.add(Signal::SIGPIPE);
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&pipe)?;
    let signals = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
    match kind {
        Kind::Companion => attributes.set_flags(signals)?,
        Kind::Helper | Kind::Checker => {
            attributes.set_pgroup(Pid::from_raw(0))?;
            attributes.set_flags(signals | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP)?;
        }
    }
    Ok(attributes)
}

/// Splits a command line at blanks; a word that begins with a quote goes to the next one, a word that begins with `$` is
/// the variable of that name, whose text `value` gives.
pub fn words(text: &[u8], value: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(&first) = rest.first() {
        let quote = matches!(first, b'"' | b'\'').then_some(first);
        let body = if quote.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
        let ends = |byte: &u8| quote.map_or(byte.is_ascii_whitespace(), |quote| *byte == quote);
        let octets = body.iter().position(ends).unwrap_or(body.len());
        let (word, after) = body.split_at(octets);
        words.push(match word {
            [b'$', name @ ..] if quote.is_none() => value(name),
            word => word.to_vec(),
        });
        rest = after.get(usize::from(quote.is_some() && !after.is_empty())..).unwrap_or_default().trim_ascii_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_into_words() {
        let value = |name: &[u8]| [b"value of ", name].concat();
        let split =
            |text: &[u8]| words(text, value).iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>();
        assert_eq!(split(b"/bin/queue /srv/Maildir"), ["/bin/queue", "/srv/Maildir"]);
        assert_eq!(split(b"  a  'b c' \"d\" $E f'g"), ["a", "b c", "d", "value of E", "f\\'g"]);
        assert_eq!(split(b"a 'unclosed b"), ["a", "unclosed b"]);
        assert_eq!(split(b"a '$E' \t"), ["a", "$E"]);
        assert!(split(b" ").is_empty());
    }

    #[test]
    fn only_a_helper_is_found_via_path() {
        let program = [CString::new("true").unwrap()];
        let error = start(Kind::Companion, &program, &[], Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "true: file does not exist");
        let pid = start(Kind::Helper, &program, &[], Vec::new()).unwrap();
        let ended = nix::sys::wait::waitpid(pid, None).unwrap();
        assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(pid, 0));
        assert!(start(Kind::Helper, &[], &[], Vec::new()).is_err());
    }

    #[test]
    fn each_descriptor_keeps_its_own_number() {
        use std::io::{Read, Write};
        // The numbers are those that the pipes themselves have, exchanged.
        let (ours, other) = (Pipe::new().unwrap(), Pipe::new().unwrap());
        let (read, write) = (ours.read.as_raw_fd(), other.write.as_raw_fd());
        std::fs::File::from(ours.write).write_all(b"through two programs").unwrap();
        let script = format!("exec cat </dev/fd/{write} >/dev/fd/{read}");
        let program = ["sh", "-c", &script].map(|word| CString::new(word).unwrap());
        let pid = start(Kind::Helper, &program, &[], vec![(ours.read, write), (other.write, read)]).unwrap();
        let mut heard = String::new();
        std::fs::File::from(other.read).read_to_string(&mut heard).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        assert_eq!(heard, "through two programs");
    }
}
