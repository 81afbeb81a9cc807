//! Runs the queue program: message on descriptor 0, envelope on descriptor 1, verdict in its exit status.

use std::ffi::{CString, NulError};
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup, pipe2, read, write};

use crate::control::Setup;
use crate::errno;
use crate::queue::envelope::Envelope;
use crate::queue::status::{Explanations, QueueStatus};

/// Where a queue program is looked for when QMAILQUEUE names none.
const DEFAULT_PROGRAMS: [&str; 2] = ["/usr/sbin/qmail-queue", "/var/qmail/bin/qmail-queue"];
/// Where the program is that NULLQUEUE asks for.
const NULL_PROGRAMS: [&str; 2] = ["/usr/sbin/qmail-nullqueue", "/var/qmail/bin/qmail-nullqueue"];
/// The descriptor of the explanations of notqmail and others.
const CLASSIC_ERROR_FD: RawFd = 6;
/// What is kept of an explanation, in octets; the rest is read and dropped.
const EXPLANATION_OCTETS_MAX: usize = 1023;

/// Why the queue program did not start.
#[derive(Debug)]
pub enum StartError {
    /// D27: QMAILQUEUE is not set and none of these exists.
    NotChosen(&'static [&'static str]),
    /// Its name or an argument contains a NUL.
    Nul,
    /// A pipe or the program itself: what the system said.
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: Errno,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::NotChosen(places) => {
                write!(f, "no queue program: set QMAILQUEUE, or install one of {}", places.join(", "))
            }
            StartError::Nul => f.write_str("QMAILQUEUE contains a NUL"),
            StartError::System { what, error } => write!(f, "{what}: {}", errno::words(&(*error).into())),
        }
    }
}

impl std::error::Error for StartError {}

impl From<NulError> for StartError {
    fn from(_: NulError) -> Self {
        StartError::Nul
    }
}

/// The queue program while it runs. Dropped without [`Program::hand_over`] it is told to discard, and reaped.
#[derive(Debug)]
pub struct Program {
    pid: Pid,
    message: Option<OwnedFd>,
    envelope: Option<OwnedFd>,
    ears: Ears,
    complete: bool,
}

/// Our ends of the pipes on which the program explains itself, and what it has said so far.
#[derive(Debug)]
struct Ears {
    error_fd: Option<OwnedFd>,
    descriptor_6: Option<OwnedFd>,
    heard: Explanations,
}

impl Program {
    /// Starts the program that the settings choose, without a copy of this process (`posix_spawn`).
    ///
    /// # Errors
    ///
    /// [`StartError`] when none is chosen, or it cannot be started.
    pub fn start(setup: &Setup) -> Result<Self, StartError> {
        let words = command_line(setup)?;
        let program = words.first().ok_or(StartError::Nul)?;
        // In this order our own end of the second pipe usually is descriptor 6, and no end of the child's has to move.
        let message = pipe()?;
        let descriptor_6 = pipe()?;
        let envelope = pipe()?;
        let error_target = setup.control.queue_error_fd.filter(|fd| *fd != CLASSIC_ERROR_FD);
        let error_fd = if error_target.is_some() { Some(pipe()?) } else { None };

        // A target must not overwrite a descriptor that is still to be placed.
        let targets = [0, 1, CLASSIC_ERROR_FD, error_target.unwrap_or(0)];
        let mut kept = Vec::with_capacity(targets.len());
        let mut actions = PosixSpawnFileActions::init().map_err(|error| failed("posix_spawn", error))?;
        let mut place = |fd: OwnedFd, target: RawFd| -> Result<(), StartError> {
            let fd = clear_of(fd, &targets)?;
            actions.add_dup2(fd.as_raw_fd(), target).map_err(|error| failed("dup2", error))?;
            kept.push(fd);
            Ok(())
        };
        place(message.read, 0)?;
        place(envelope.read, 1)?;
        place(descriptor_6.write, CLASSIC_ERROR_FD)?;
        let error_fd = match (error_target, error_fd) {
            (Some(target), Some(pipe)) => {
                place(pipe.write, target)?;
                Some(pipe.read)
            }
            _ => None,
        };
        let attributes = plain_signals().map_err(|error| failed("posix_spawn", error))?;
        let environment = setup.environment.for_program();
        let pid = posix_spawn(program.as_c_str(), &actions, &attributes, &words, &environment)
            .map_err(|error| failed(&program.to_string_lossy(), error))?;
        Ok(Self {
            pid,
            message: Some(without_waiting(message.write)?),
            envelope: Some(without_waiting(envelope.write)?),
            ears: Ears { error_fd, descriptor_6: Some(descriptor_6.read), heard: Explanations::default() },
            complete: true,
        })
    }

    /// Gives it more of the message. A program that does not read on has failed; its exit status will tell.
    pub fn write(&mut self, text: &[u8]) {
        let Some(message) = &self.message else { return };
        if (PipeWriter { pipe: message, ears: &mut self.ears }).write_all(text).is_err() {
            self.message = None;
            self.complete = false;
        }
    }

    /// The message is complete: hands over the envelope and waits for the verdict.
    pub fn hand_over(mut self, envelope: &Envelope) -> QueueStatus {
        self.message = None;
        if let Some(pipe) = self.envelope.take().filter(|_| self.complete) {
            let mut writer = PipeWriter { pipe: &pipe, ears: &mut self.ears };
            self.complete = envelope.write(&mut writer).is_ok();
        }
        while self.ears.are_open() && self.ears.listen(None).is_ok() {}
        let heard = std::mem::take(&mut self.ears.heard);
        QueueStatus::of(self.wait(), self.complete, heard)
    }

    fn wait(&self) -> Option<WaitStatus> {
        loop {
            match waitpid(self.pid, None) {
                Ok(status) => return Some(status),
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Program {
    /// D31: an envelope pipe that is closed empty tells the program to discard.
    fn drop(&mut self) {
        let (envelope, message) = (self.envelope.take(), self.message.take());
        if envelope.is_some() || message.is_some() {
            drop((envelope, message, self.ears.error_fd.take(), self.ears.descriptor_6.take()));
            self.wait();
        }
    }
}

impl Ears {
    fn are_open(&self) -> bool {
        self.error_fd.is_some() || self.descriptor_6.is_some()
    }

    /// Waits until the program explains something, or until `pipe` takes more; hears what there is to hear.
    fn listen(&mut self, pipe: Option<BorrowedFd<'_>>) -> nix::Result<()> {
        let ears = [&self.error_fd, &self.descriptor_6].map(|ear| ear.as_ref().map(AsFd::as_fd));
        let mut polled: Vec<_> = ears.iter().flatten().map(|ear| PollFd::new(*ear, PollFlags::POLLIN)).collect();
        polled.extend(pipe.map(|pipe| PollFd::new(pipe, PollFlags::POLLOUT)));
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut ready = polled.iter().map(|polled| polled.any().unwrap_or(true));
        let [error_fd, descriptor_6] = ears.map(|ear| ear.is_some() && ready.next().unwrap_or(true));
        drain(&mut self.error_fd, error_fd, &mut self.heard.error_fd);
        drain(&mut self.descriptor_6, descriptor_6, &mut self.heard.descriptor_6);
        Ok(())
    }
}

/// The program and its arguments.
fn command_line(setup: &Setup) -> Result<Vec<CString>, StartError> {
    let control = &setup.control;
    if control.null_queue {
        return first_that_exists(&NULL_PROGRAMS);
    }
    match control.queue_program.as_deref() {
        None | Some(b"") => first_that_exists(&DEFAULT_PROGRAMS),
        Some(text) if text.trim_ascii().contains(&b' ') => {
            let value = |name: &[u8]| setup.environment.get(name).unwrap_or_default().to_vec();
            Ok(words(text, value).into_iter().map(CString::new).collect::<Result<_, _>>()?)
        }
        Some(path) => Ok(vec![CString::new(path.trim_ascii_end())?]),
    }
}

fn first_that_exists(places: &'static [&'static str]) -> Result<Vec<CString>, StartError> {
    let found = places.iter().find(|place| Path::new(place).exists()).ok_or(StartError::NotChosen(places))?;
    Ok(vec![CString::new(*found)?])
}

/// Splits at blanks; a word that begins with a quote goes to the next one, a word that begins with `$` is that variable.
fn words(text: &[u8], value: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
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

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

fn pipe() -> Result<Pipe, StartError> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|error| failed("pipe", error))?;
    Ok(Pipe { read, write })
}

fn failed(what: &str, error: Errno) -> StartError {
    StartError::System { what: what.to_string(), error }
}

/// The descriptor itself, or a copy of it with a number that is none of `targets`.
fn clear_of(fd: OwnedFd, targets: &[RawFd]) -> Result<OwnedFd, StartError> {
    if !targets.contains(&fd.as_raw_fd()) {
        return Ok(fd);
    }
    let copy = dup(&fd).map_err(|error| failed("dup", error))?;
    fcntl(&copy, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|error| failed("fcntl", error))?;
    clear_of(copy, targets) // while this one keeps its number taken
}

/// The program starts with no signal blocked, and SIGPIPE as the system has it.
fn plain_signals() -> nix::Result<PosixSpawnAttr> {
    let mut pipe = SigSet::empty();
    pipe.add(Signal::SIGPIPE);
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&pipe)?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    Ok(attributes)
}

/// Reads what a pipe has, if it is ready; a pipe that was closed becomes none.
fn drain(pipe: &mut Option<OwnedFd>, ready: bool, kept: &mut Vec<u8>) {
    let Some(open) = pipe.as_ref().filter(|_| ready) else { return };
    let mut chunk = [0; 1024];
    match read(open, &mut chunk) {
        Ok(0) => *pipe = None,
        Ok(octets) => {
            let room = EXPLANATION_OCTETS_MAX.saturating_sub(kept.len());
            kept.extend(chunk.iter().take(octets.min(room)));
        }
        Err(Errno::EINTR) => {}
        Err(_) => *pipe = None,
    }
}

/// Our end of a pipe no longer makes us wait; the program's end stays as it is.
fn without_waiting(pipe: OwnedFd) -> Result<OwnedFd, StartError> {
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|error| failed("fcntl", error))?;
    Ok(pipe)
}

/// A pipe to the program, which hears what the program says while it waits, so that they never wait for each other.
struct PipeWriter<'p> {
    pipe: &'p OwnedFd,
    ears: &'p mut Ears,
}

impl Write for PipeWriter<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        loop {
            match write(self.pipe, text) {
                Err(Errno::EAGAIN) => self.ears.listen(Some(self.pipe.as_fd()))?,
                Err(Errno::EINTR) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    }
}
