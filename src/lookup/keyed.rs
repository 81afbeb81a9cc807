//! A list of `key` and `key:value` lines, such as `relaydomains`: which line speaks for this name?

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::control::text;
use crate::lookup::list::{self, Found, Needle};
use crate::lookup::pieces::{self, ListFile, Piece};
use crate::lookup::undecided::Unreadable;

/// A list of keyed lines. It is asked once a session, so nothing is kept: each question reads the file.
///
/// D02: a line without a colon has an empty value, and a value is only what stands behind its own key's colon.
#[derive(Debug)]
pub struct KeyedList {
    path: PathBuf,
}

impl KeyedList {
    /// The list at `path`; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the list is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line of the first of `keys` that has any, ASCII case ignored; the last one if it has several.
    ///
    /// # Errors
    /// [`Unreadable`], whatever keeps the list from being read, but for its absence.
    pub fn find_keyed(&self, keys: &[&[u8]]) -> Result<Found, Unreadable> {
        self.find(Search::new(keys.to_vec()))
    }

    /// The line for a client's name, or else for each part of it that begins with a dot: what `relaydomains` is asked.
    /// D28: an empty key, which the original tries last, is not tried; nor is `unknown`, the name of all who have none.
    ///
    /// # Errors
    /// As [`KeyedList::find_keyed`].
    pub fn find_host(&self, host: &[u8]) -> Result<Found, Unreadable> {
        let nameless = host.eq_ignore_ascii_case(b"unknown");
        self.find_keyed(&if nameless { Vec::new() } else { list::domain_keys(host) })
    }

    fn find(&self, mut search: Search<'_>) -> Result<Found, Unreadable> {
        let mut read = || -> io::Result<Option<()>> {
            let Some(list) = ListFile::open(&self.path)? else { return Ok(None) };
            search.stream(&list.file, list.chunk_octets()).map(Some)
        };
        match read().map_err(|error| Unreadable { path: self.path.clone(), error })? {
            None => Ok(Found::Absent),
            Some(()) => Ok(search.best.map_or(Found::No, |best| Found::Yes { line: best.line, value: best.value })),
        }
    }
}

/// What is looked for and the best line so far.
struct Search<'k> {
    /// The most specific first.
    keys: Vec<&'k [u8]>,
    needles: Vec<Needle>,
    lowered: Vec<u8>,
    best: Option<Best>,
}

struct Best {
    /// The place of its key among the keys.
    rank: usize,
    line: u32,
    value: Vec<u8>,
}

impl<'k> Search<'k> {
    fn new(mut keys: Vec<&'k [u8]>) -> Self {
        keys.retain(|key| list::can_be_entry(key) && !key.contains(&b':'));
        let needles = keys.iter().map(|key| Needle::new(key)).collect();
        Self { keys, needles, lowered: Vec::new(), best: None }
    }

    fn stream(&mut self, list: impl Read, chunk_octets: usize) -> io::Result<()> {
        pieces::each_piece(list, chunk_octets, |piece| {
            self.read_piece(piece);
            ControlFlow::Continue(()) // A later line may be a better one.
        })
    }

    fn read_piece(&mut self, piece: &Piece<'_>) {
        if piece.has_nul() {
            self.read_keys(piece);
            return;
        }
        self.lowered.clear();
        self.lowered.extend(piece.framed.iter().map(u8::to_ascii_lowercase));
        self.search_keys(piece);
    }

    /// The fast way, for pieces without NUL.
    fn search_keys(&mut self, piece: &Piece<'_>) {
        for (rank, needle) in self.needles.iter().enumerate() {
            if self.best.as_ref().is_some_and(|best| best.rank < rank) {
                return;
            }
            let ends = |behind: &[u8]| behind.first() == Some(&b':') || list::ends_entry(behind);
            let Some((at, behind)) = needle.lines_in(&self.lowered).filter(|(_, behind)| ends(behind)).last() else {
                continue;
            };
            let start = self.lowered.len() - behind.len();
            let rest = text::first_line(piece.framed.get(start..).unwrap_or_default());
            let value = rest.get(1..).unwrap_or_default().to_vec();
            self.best = Some(Best { rank, line: piece.line_at(at), value });
        }
    }

    /// The plain way, entry by entry.
    fn read_keys(&mut self, piece: &Piece<'_>) {
        for entry in text::entries(piece.lines()) {
            let colon = memchr::memchr(b':', entry.text).unwrap_or(entry.text.len());
            let Some((key, rest)) = entry.text.split_at_checked(colon) else { continue };
            if let Some(rank) = self.keys.iter().position(|wanted| wanted.eq_ignore_ascii_case(key)) {
                self.take(rank, piece.line.saturating_add(entry.line - 1), rest.get(1..).unwrap_or_default());
            }
        }
    }

    fn take(&mut self, rank: usize, line: u32, value: &[u8]) {
        if self.best.as_ref().is_none_or(|best| (rank, best.line) <= (best.rank, line)) {
            self.best = Some(Best { rank, line, value: value.to_vec() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const TOKENS: &[&[u8]] =
        &[b"a", b"B", b".", b"1.2.3.4", b"1.2.", b":", b"::", b"FFFF:", b"\n", b"\n::1", b"\n#", b"\0", b" ", b"@g.x"];

    fn octets(tokens_max: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(TOKENS), 0..tokens_max).prop_map(|tokens| tokens.concat())
    }

    /// What the answer must be, said in the simplest way.
    fn by_entries(text: &[u8], keys: &[&[u8]]) -> Option<(u32, Vec<u8>)> {
        let keyed = text::entries(text).filter_map(|entry| {
            let mut parts = entry.text.splitn(2, |&byte| byte == b':');
            let key = parts.next().unwrap();
            let rank = keys.iter().position(|wanted| list::can_be_entry(key) && wanted.eq_ignore_ascii_case(key))?;
            Some((rank, entry.line, parts.next().unwrap_or_default().to_vec()))
        });
        let all: Vec<_> = keyed.collect();
        let rank = all.iter().map(|hit| hit.0).min()?;
        // Of several on one line, split by NULs, the last one.
        all.into_iter().filter(|hit| hit.0 == rank).max_by_key(|hit| hit.1).map(|hit| (hit.1, hit.2))
    }

    fn streamed(text: &[u8], chunk: usize, keys: &[&[u8]]) -> Option<(u32, Vec<u8>)> {
        let mut search = Search::new(keys.to_vec());
        search.stream(text, chunk).unwrap();
        search.best.map(|best| (best.line, best.value))
    }

    proptest! {
        #[test]
        fn the_streamed_answer_is_that_of_the_entries(
            text in octets(60), keys in proptest::collection::vec(octets(3), 0..4), chunk in 2usize..60,
        ) {
            let mut keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            keys.extend([&b"1.2.3.4"[..], b"1.2.", b"a"]);
            prop_assert_eq!(streamed(&text, chunk, &keys), by_entries(&text, &keys));
        }
    }

    #[test]
    fn a_nameless_client_is_in_no_list_of_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relaydomains");
        fs::write(&path, ".Partner.ex:\nhost.ex:@gw\nunknown:\n:all\nhost.ex\n").unwrap();
        let list = KeyedList::new(path);
        let yes = |line| Found::Yes { line, value: Vec::new() };
        assert_eq!(list.find_host(b"a.b.partner.EX").unwrap(), yes(1));
        assert_eq!(list.find_host(b"HOST.ex").unwrap(), yes(5));
        for host in ["partner.ex", "evilpartner.ex", "x.host.ex", "unknown", "Unknown", ""] {
            assert_eq!(list.find_host(host.as_bytes()).unwrap(), Found::No, "{host}");
        }
        assert_eq!(KeyedList::new(dir.path().join("none")).find_host(b"a").unwrap(), Found::Absent);
        assert!(KeyedList::new(dir.path().to_owned()).find_host(b"a").is_err());
    }
}
