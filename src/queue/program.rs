//! Runs the queue program: message on descriptor 0, envelope on descriptor 1, verdict in its exit status.

use std::ffi::{CString, NulError, OsStr};
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{AccessFlags, Pid, eaccess, read, write};

use crate::control::Setup;
use crate::queue::envelope::Envelope;
use crate::queue::log_filter::LogFilter;
use crate::queue::status::{Explanations, QueueStatus};
use crate::spawn::{self, Kind, Pipe, SpawnError};

/// Where a queue program is looked for when QMAILQUEUE names none.
const DEFAULT_PROGRAMS: [&str; 2] = ["/usr/sbin/qmail-queue", "/var/qmail/bin/qmail-queue"];
/// Where the program is that NULLQUEUE asks for. D58: it need not be there.
const NULL_PROGRAMS: [&str; 2] = ["/usr/sbin/qmail-nullqueue", "/var/qmail/bin/qmail-nullqueue"];
/// The descriptor of the explanations of notqmail and others.
const CLASSIC_ERROR_FD: RawFd = 6;
/// What is kept of an explanation, in octets; the rest is read and dropped.
const EXPLANATION_OCTETS_MAX: usize = 1023;

/// Why the queue program did not start.
#[derive(Debug)]
pub enum StartError {
    /// D27: QMAILQUEUE is not set, and `qmail-queue` is in none of its known places.
    NotChosen,
    /// Its name or an argument contains a NUL.
    Nul,
    /// The file for LOGFILTER: what the system said.
    LogFilter(io::Error),
    /// A pipe or the program itself: what the system said.
    System(SpawnError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::NotChosen => {
                write!(f, "no queue program: set QMAILQUEUE, or install one of {}", DEFAULT_PROGRAMS.join(", "))
            }
            StartError::LogFilter(error) => write!(f, "LOGFILTER: {error}"),
            StartError::Nul => f.write_str("QMAILQUEUE contains a NUL"),
            StartError::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<NulError> for StartError {
    fn from(_: NulError) -> Self {
        StartError::Nul
    }
}

impl From<SpawnError> for StartError {
    fn from(error: SpawnError) -> Self {
        StartError::System(error)
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
    /// ERROR_FD is 6, so that there is one pipe for both.
    are_one: bool,
    heard: Explanations,
}

impl Program {
    /// Starts the program that the settings choose, without a copy of this process (`posix_spawn`); it is told `others` in
    /// the place of what the environment says, and gets the file of LOGFILTER if there is one. `None` where NULLQUEUE asks to
    /// throw the message away and there is no program for that: then the caller does.
    ///
    /// # Errors
    ///
    /// [`StartError`] when none is chosen, or it cannot be started.
    pub fn start(
        setup: &Setup,
        others: &[(&[u8], Vec<u8>)],
        filter: Option<&LogFilter>,
    ) -> Result<Option<Self>, StartError> {
        let Some(words) = command_line(setup)? else { return Ok(None) };
        // In this order our own end of the second pipe usually is descriptor 6, and no end of the child's has to move.
        let message = Pipe::new()?;
        let descriptor_6 = Pipe::new()?;
        let envelope = Pipe::new()?;
        let mut descriptors = vec![(message.read, 0), (envelope.read, 1), (descriptor_6.write, CLASSIC_ERROR_FD)];
        let wanted = setup.control.queue_error_fd;
        let error_fd = match wanted.filter(|fd| *fd != CLASSIC_ERROR_FD) {
            Some(target) => {
                let pipe = Pipe::new()?;
                descriptors.push((pipe.write, target));
                Some(pipe.read)
            }
            None => None,
        };
        if let Some(filter) = filter {
            descriptors.push(filter.for_program().map_err(StartError::LogFilter)?);
        }
        let environment = setup.environment.for_program_with(others);
        let pid = spawn::start(Kind::Companion, &words, &environment, descriptors)?;
        Ok(Some(Self {
            pid,
            message: Some(without_waiting(message.write)?),
            envelope: Some(without_waiting(envelope.write)?),
            ears: Ears {
                error_fd,
                descriptor_6: Some(descriptor_6.read),
                are_one: wanted == Some(CLASSIC_ERROR_FD),
                heard: Explanations::default(),
            },
            complete: true,
        }))
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
        let mut heard = std::mem::take(&mut self.ears.heard);
        if self.ears.are_one {
            heard.error_fd.clone_from(&heard.descriptor_6);
        }
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

/// The program that the settings choose, with its arguments, or none as for [`Program::start`]. Whether it can be executed is
/// looked at, by the rights of who asks; it is not started.
///
/// # Errors
///
/// [`StartError`], as [`Program::start`] would say it.
pub fn startable(setup: &Setup) -> Result<Option<Vec<CString>>, StartError> {
    let Some(words) = command_line(setup)? else { return Ok(None) };
    let name = words.first().map(CString::as_c_str).unwrap_or_default();
    // smtpd works where relative paths begin.
    let path = setup.working_directory().join(OsStr::from_bytes(name.to_bytes()));
    let looked = if path.is_dir() { Err(Errno::EACCES) } else { eaccess(&path, AccessFlags::X_OK) };
    looked.map_err(|error| SpawnError { what: name.to_string_lossy().into_owned(), error })?;
    Ok(Some(words))
}

/// The program and its arguments; `None` where there is none because NULLQUEUE needs none.
fn command_line(setup: &Setup) -> Result<Option<Vec<CString>>, StartError> {
    let control = &setup.control;
    let first_of = |places: [&'static str; 2]| places.into_iter().find(|place| Path::new(place).exists());
    let words = match control.queue_program.as_deref() {
        _ if control.null_queue => match first_of(NULL_PROGRAMS) {
            Some(program) => vec![CString::new(program)?],
            None => return Ok(None),
        },
        None | Some(b"") => vec![CString::new(first_of(DEFAULT_PROGRAMS).ok_or(StartError::NotChosen)?)?],
        Some(text) if text.trim_ascii().contains(&b' ') => {
            let value = |name: &[u8]| setup.environment.get(name).unwrap_or_default().to_vec();
            spawn::words(text, value).into_iter().map(CString::new).collect::<Result<_, _>>()?
        }
        Some(path) => vec![CString::new(path.trim_ascii_end())?],
    };
    Ok(Some(words))
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
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map_err(|error| SpawnError { what: "fcntl".to_owned(), error })?;
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
