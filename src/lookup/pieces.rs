//! Reads a list file in pieces of whole lines, so that a list of any size costs one small buffer.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is read at once, in octets: few system calls, few fresh pages, and it stays in the processor's cache.
pub(super) const CHUNK_OCTETS: usize = 64 * 1024;

/// The longest list read, in octets; a longer one is an error and not silently cut.
pub const LIST_OCTETS_MAX: usize = 1 << 30;

/// Whole lines of a list.
pub(super) struct Piece<'b> {
    /// A LF, then lines, each with its LF: so every entry but those behind a NUL stands between a LF and a LF.
    pub framed: &'b mut [u8],
    /// The number of the first of these lines.
    pub line: u32,
}

impl Piece<'_> {
    /// The lines without the LF in front.
    pub fn lines(&self) -> &[u8] {
        self.framed.get(1..).unwrap_or_default()
    }

    /// Whether a line may hold several entries.
    pub fn has_nul(&self) -> bool {
        memchr::memchr(0, self.framed).is_some()
    }

    /// The number of the line behind the LF at `at`.
    pub fn line_at(&self, at: usize) -> u32 {
        self.line.saturating_add(line_feeds(self.framed.get(1..=at).unwrap_or_default()))
    }
}

/// Opens a list; `None` if there is no such file. A pipe or a device is an error and is not waited for.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Some(file))
}

/// Reads a list whole.
pub(super) fn read_whole(list: &mut File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(list.metadata()?.len()).unwrap_or(usize::MAX);
    if length > LIST_OCTETS_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut text = Vec::new();
    list.take(LIST_OCTETS_MAX as u64).read_to_end(&mut text)?;
    Ok(text)
}

/// Shows `see` the list piece by piece until it has seen enough.
pub(super) fn each_piece(
    mut list: impl Read,
    chunk_octets: usize,
    mut see: impl FnMut(&mut Piece<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; chunk_octets.max(2)];
    if let Some(frame) = buffer.first_mut() {
        *frame = b'\n';
    }
    let (mut filled, mut line, mut seen_octets) = (1, 1u32, 0usize);
    loop {
        if filled == buffer.len() {
            buffer.resize(filled.saturating_mul(2), 0); // A line longer than the buffer.
        }
        let fresh = buffer.get_mut(filled..).unwrap_or_default();
        let length = match list.read(fresh) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        seen_octets = seen_octets.saturating_add(length);
        if seen_octets > LIST_OCTETS_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if length == 0 {
            break;
        }
        let last = fresh.get(..length).and_then(|fresh| memchr::memrchr(b'\n', fresh)).map(|last| filled + last);
        filled += length;
        let Some(last) = last else { continue };
        let mut piece = Piece { framed: buffer.get_mut(..=last).unwrap_or_default(), line };
        let following = piece.line_at(last);
        if see(&mut piece).is_break() {
            return Ok(());
        }
        line = following;
        buffer.copy_within(last..filled, 0);
        filled -= last;
    }
    if filled > 1 {
        buffer.truncate(filled);
        buffer.push(b'\n');
        let _ended = see(&mut Piece { framed: &mut buffer, line });
    }
    Ok(())
}

fn line_feeds(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}
