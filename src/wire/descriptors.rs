//! Descriptors 0 and 1: waits, reads and writes within a deadline, and hears SIGTERM meanwhile.

use std::io::{Stdin, Stdout, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};
use nix::unistd::{read, write};

use crate::wire::Broken;

/// What a pipe takes without blocking once it is writable (POSIX: PIPE_BUF).
const PIPE_OCTETS: usize = 4096;

/// The descriptors of the connection, and the one that signals arrive on.
pub(super) struct Descriptors {
    input: Stdin,
    output: Stdout,
    output_is_socket: bool,
    signals: SignalFd,
    /// How long the client may take to read what was written.
    pub(super) timeout: Duration,
}

impl Descriptors {
    /// Those of this process. SIGTERM becomes [`Broken::Terminated`], SIGPIPE an error of the write.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot give us a descriptor for signals.
    pub(super) fn new(timeout: Duration) -> nix::Result<Self> {
        let mut terminate = SigSet::empty();
        terminate.add(Signal::SIGTERM);
        let mut blocked = terminate;
        blocked.add(Signal::SIGPIPE);
        blocked.thread_block()?;
        let signals = SignalFd::with_flags(&terminate, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        if signals.as_raw_fd() <= 2 {
            return Err(Errno::EBADF); // We were started without descriptor 0, 1 or 2.
        }
        Ok(Self { input: stdin(), output: stdout(), output_is_socket: true, signals, timeout })
    }

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// [`Broken::Write`] for a client that does not read in time, or is gone.
    pub(super) fn write(&mut self, octets: &[u8]) -> Result<(), Broken> {
        let mut written = 0;
        while let Some(rest) = octets.get(written..).filter(|rest| !rest.is_empty()) {
            let result = if self.output_is_socket {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                send(self.output.as_raw_fd(), rest, flags)
            } else {
                self.wait_to_write()?;
                write(&self.output, rest.get(..PIPE_OCTETS).unwrap_or(rest))
            };
            match result {
                Ok(octets) => written += octets,
                Err(Errno::ENOTSOCK) => self.output_is_socket = false,
                Err(Errno::EAGAIN) => self.wait_to_write()?,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Broken::Write(error)),
            }
        }
        Ok(())
    }

    /// Waits for octets of the client, and reads what there is: at least one.
    ///
    /// # Errors
    ///
    /// [`Broken`], whatever happened.
    pub(super) fn read(&self, into: &mut [u8], patience: Duration) -> Result<usize, Broken> {
        if !self.wait_to_read(patience)? {
            return Err(Broken::Timeout);
        }
        loop {
            match read(&self.input, into) {
                Ok(0) => return Err(Broken::Closed),
                Ok(octets) => return Ok(octets),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }

    /// Small packets go out at once: a handshake that waits for an acknowledgement takes 40 ms longer.
    pub(super) fn send_at_once(&self) {
        // What is no TCP socket has nothing to wait for.
        let _ = setsockopt(&self.output, sockopt::TcpNoDelay, &true);
    }

    /// Waits, whatever the client does.
    ///
    /// # Errors
    ///
    /// [`Broken::Terminated`].
    pub(super) fn pause(&self, duration: Duration) -> Result<(), Broken> {
        let until = Instant::now() + duration;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let mut polled = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, milliseconds(left)) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Err(Broken::Terminated),
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }

    /// Waits until there is something to read; false when nothing comes in time.
    fn wait_to_read(&self, patience: Duration) -> Result<bool, Broken> {
        loop {
            let input = PollFd::new(self.input.as_fd(), PollFlags::POLLIN);
            let mut polled = [input, PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, milliseconds(patience)) {
                Ok(0) => return Ok(false),
                Ok(_) if polled.get(1).and_then(PollFd::any) == Some(true) => return Err(Broken::Terminated),
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }

    fn wait_to_write(&self) -> Result<(), Broken> {
        loop {
            let mut polled = [PollFd::new(self.output.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut polled, milliseconds(self.timeout)) {
                Ok(0) => return Err(Broken::Write(Errno::ETIMEDOUT)),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Broken::Write(error)),
            }
        }
    }
}

fn milliseconds(duration: Duration) -> PollTimeout {
    // Rounded up, so that no wait is shorter than asked for.
    PollTimeout::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
