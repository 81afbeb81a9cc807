//! LOGFILTER: what the queue program adds to the log of each message, and the fifo that is told of it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::control::Setup;
use crate::control::text::{first_line, signed};

/// The descriptor of the file in the queue program unless `LOGFD` says otherwise.
const DESCRIPTOR: RawFd = 255;
/// What of the line is taken, in octets.
const LINE_OCTETS_MAX: u64 = 1000;

/// A file that only we and the queue program know, and the fifo.
#[derive(Debug)]
pub struct LogFilter {
    file: File,
    target: RawFd,
    fifo: PathBuf,
}

impl LogFilter {
    /// The filter that `SPAMFILTER` and an absolute path in `LOGFILTER` ask for together; none without.
    ///
    /// # Errors
    ///
    /// No file can be made in `TMPDIR`, else in `/tmp`.
    pub fn of(setup: &Setup) -> io::Result<Option<Self>> {
        let variable = |name: &[u8]| setup.environment.get(name);
        let fifo = variable(b"LOGFILTER").map(path_of).filter(|fifo| fifo.is_absolute());
        let (Some(fifo), Some(_)) = (fifo, variable(b"SPAMFILTER")) else { return Ok(None) };
        let directory = variable(b"TMPDIR").filter(|path| !path.is_empty()).map_or(Path::new("/tmp"), path_of);
        // Without a name from the beginning, so that nobody can have guessed it.
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(directory)?;
        let wanted = variable(b"LOGFD").and_then(|text| signed(first_line(text)));
        let is_free = |fd: &RawFd| *fd > 2 && *fd != 6 && Some(*fd) != setup.control.queue_error_fd;
        Ok(Some(Self { file, target: wanted.filter(is_free).unwrap_or(DESCRIPTOR), fifo: fifo.to_path_buf() }))
    }

    /// The file for the queue program, and the number that it has there.
    ///
    /// # Errors
    ///
    /// What the system says when there are too many descriptors.
    pub fn for_program(&self) -> io::Result<(OwnedFd, RawFd)> {
        Ok((self.file.try_clone()?.into(), self.target))
    }

    /// The line that the queue program has written, without its end.
    #[must_use]
    pub fn line(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let read =
            self.file.seek(SeekFrom::Start(0)).and_then(|_| (&self.file).take(LINE_OCTETS_MAX).read_to_end(&mut text));
        if read.is_err() { Vec::new() } else { first_line(&text).to_vec() }
    }

    /// Tells whoever reads the fifo; where nobody does, nobody is told.
    ///
    /// # Errors
    ///
    /// The fifo, and what the system said.
    pub fn tell(&self, lines: &[Vec<u8>]) -> Result<(), (PathBuf, io::Error)> {
        let write = || -> io::Result<()> {
            let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&self.fifo);
            match opened {
                Ok(mut fifo) => lines.iter().try_for_each(|line| fifo.write_all(line)),
                Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => Ok(()),
                Err(error) => Err(error),
            }
        };
        write().map_err(|error| (self.fifo.clone(), error))
    }
}

fn path_of(value: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(value))
}
