//! Reads a list file in pieces of whole lines, so that a list of any size costs one small buffer.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What is read at once, in octets: few system calls, few fresh pages, and it stays in the processor's cache.
pub(super) const CHUNK_OCTETS: usize = 64 * 1024;

/// The longest list read, in octets; a longer one is an error and not silently cut.
pub(super) const LIST_OCTETS_MAX: usize = 1 << 28;

/// The number of /dev/null.
const NULL_DEVICE: libc::dev_t = libc::makedev(1, 3);

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

/// A list opened for reading.
pub(super) struct ListFile {
    pub file: File,
    octets: usize,
}

impl ListFile {
    /// Opens a list; `None` if there is no such file. /dev/null is an empty list, which is how a variable switches one off; a
    /// pipe or another device is an error and is not waited for.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() && !is_null_device(&metadata) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        match usize::try_from(metadata.len()) {
            Ok(octets) if octets <= LIST_OCTETS_MAX => Ok(Some(Self { file, octets })),
            Ok(_) | Err(_) => Err(ErrorKind::FileTooLarge.into()),
        }
    }

    /// Whether one read is enough for it.
    pub(super) fn is_small(&self) -> bool {
        self.octets < CHUNK_OCTETS
    }

    /// The buffer to read it with, in octets: a small list does not pay for a large one's.
    pub(super) fn chunk_octets(&self) -> usize {
        self.octets.saturating_add(2).min(CHUNK_OCTETS) // The LF in front, and room to meet the end.
    }

    /// Reads the list whole.
    pub(super) fn read_whole(self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        (&self.file).take(LIST_OCTETS_MAX as u64 + 1).read_to_end(&mut text)?;
        if text.len() > LIST_OCTETS_MAX { Err(ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    }
}

/// Whether this is /dev/null, by whatever name.
#[must_use]
pub fn is_null_device(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == NULL_DEVICE
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &[u8], chunk_octets: usize) -> Vec<(u32, Vec<u8>)> {
        let mut seen = Vec::new();
        let read = each_piece(text, chunk_octets, |piece| {
            seen.push((piece.line, piece.framed.to_vec()));
            ControlFlow::Continue(())
        });
        read.unwrap();
        seen
    }

    #[test]
    fn pieces_are_whole_lines_and_know_their_numbers() {
        assert!(pieces(b"", 8).is_empty());
        assert_eq!(pieces(b"\n", 8), [(1, b"\n\n".to_vec())]);
        let framed = |lines: &[(u32, &str)]| lines.iter().map(|&(line, text)| (line, text.into())).collect::<Vec<_>>();
        assert_eq!(
            pieces(b"ab\nc\nlonger than that\nd\ne", 8),
            framed(&[(1, "\nab\nc\n"), (3, "\nlonger than that\nd\n"), (5, "\ne\n")])
        );
    }

    #[test]
    fn a_list_without_end_is_an_error() {
        let error = each_piece(io::repeat(b'\n'), CHUNK_OCTETS, |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        File::create_new(&path).unwrap().set_len(LIST_OCTETS_MAX as u64 + 1).unwrap();
        assert!(ListFile::open(&path).is_err_and(|error| error.kind() == ErrorKind::FileTooLarge));
    }
}
