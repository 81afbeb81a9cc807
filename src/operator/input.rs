//! Lines to work on, from standard input or a file, with a progress bar where somebody is waiting.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;

use nix::libc;
use nix::sys::stat::fstat;

use crate::operator::ended::Ended;
use crate::operator::progress::Bar;

/// The longest line, in octets; a situation with thousands of recipients is shorter.
const LINE_OCTETS_MAX: u64 = 1 << 20;

/// Lines, numbered from 1.
pub struct Input {
    reader: Box<dyn BufRead>,
    name: String,
    line: Vec<u8>,
    number: u64,
    octets: u64,
    is_file: bool,
    bar: Option<Bar>,
}

impl Input {
    /// Standard input.
    #[must_use]
    pub fn standard() -> Self {
        let size = size_of_file(io::stdin());
        Self::new(Box::new(io::stdin().lock()), "standard input", size)
    }

    /// A file, or standard input if there is none or it is `-`.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(path: Option<&Path>) -> Result<Self, Ended> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(Self::standard()) };
        let file = File::open(path).map_err(|error| Ended::unreadable(path, &error))?;
        let size = size_of_file(&file);
        Ok(Self::new(Box::new(BufReader::new(file)), &path.display().to_string(), size))
    }

    fn new(reader: Box<dyn BufRead>, name: &str, size: Option<u64>) -> Self {
        let bar = size.and_then(Bar::new);
        let is_file = size.is_some();
        Self { reader, name: name.to_string(), line: Vec::new(), number: 0, octets: 0, is_file, bar }
    }

    /// The next line, without its LF; none at the end.
    ///
    /// # Errors
    ///
    /// It cannot be read, or it is longer than [`LINE_OCTETS_MAX`].
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Ended> {
        if let Some(bar) = &mut self.bar {
            bar.draw(self.octets, || format!("{} lines", self.number));
        }
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_OCTETS_MAX + 1).read_until(b'\n', &mut self.line);
        let octets = read.map_err(|error| Ended::unreadable(Path::new(&self.name), &error))? as u64;
        if octets == 0 {
            self.hide_bar();
            return Ok(None);
        }
        self.octets += octets;
        self.number += 1;
        if octets > LINE_OCTETS_MAX {
            let why = format!("line {} is longer than {LINE_OCTETS_MAX} octets", self.number);
            return Err(Ended::unreadable(Path::new(&self.name), &why));
        }
        Ok(Some(self.line.strip_suffix(b"\n").unwrap_or(&self.line)))
    }

    /// The number of the line that was read last.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether somebody may wait for an answer before sending the next line.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        !self.is_file
    }

    /// Tells on stderr what is wrong with the line that was read last.
    pub fn complain(&mut self, fault: &str) {
        self.hide_bar();
        eprintln!("postern: {}: line {}: {fault}", self.name, self.number);
    }

    /// Takes the progress bar out of the way of what is about to be written to standard output.
    pub fn stand_aside(&mut self) {
        if let Some(bar) = &mut self.bar {
            bar.stand_aside();
        }
    }

    fn hide_bar(&mut self) {
        if let Some(bar) = &mut self.bar {
            bar.hide();
        }
    }
}

/// The octets of a regular file; none for anything else.
fn size_of_file(of: impl AsFd) -> Option<u64> {
    let status = fstat(of).ok().filter(|status| status.st_mode & libc::S_IFMT == libc::S_IFREG)?;
    u64::try_from(status.st_size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_limited() {
        let read = |text: &'static [u8]| {
            let mut input = Input::new(Box::new(text), "test", None);
            let mut lines = Vec::new();
            while let Some(line) = input.next_line().unwrap() {
                lines.push(line.to_vec());
            }
            (lines, input.number())
        };
        assert_eq!(read(b"a\n\nb"), (vec![b"a".to_vec(), Vec::new(), b"b".to_vec()], 3));
        let endless = BufReader::new(io::repeat(b'x'));
        let error = Input::new(Box::new(endless), "test", None).next_line().unwrap_err();
        assert!(error.1.contains("line 1 is longer"), "{error:?}");
    }
}
