//! A list of the control directory, such as `rcpthosts`: is one of these keys an entry of it?

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use memchr::arch::all::packedpair::HeuristicFrequencyRank;
use memchr::memmem::{Finder, FinderBuilder};

use crate::control::text::{self, Entry};
use crate::lookup::pieces::{self, ListFile, Piece};
use crate::lookup::undecided::Unreadable;

/// After so many searches of a large file itself an index is made: that costs about as much as these did.
/// A small one gets its index the second time it is asked.
const STREAMED_LOOKUPS_MAX: u32 = 8;

/// Up to this many octets its entries are compared one by one: to prepare a search costs more.
const COMPARED_OCTETS_MAX: usize = 512;

/// The most keys the file itself is searched for; a client's name of a hundred labels must not cost a hundred searches.
const STREAMED_KEYS_MAX: usize = 8;

/// What a list says about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no such file.
    Absent,
    /// The file has no such entry.
    No,
    /// It has.
    Yes {
        /// The line of the entry, counted from 1.
        line: u32,
        /// What follows the colon behind the key, as written; empty where there is no colon.
        value: Vec<u8>,
    },
}

/// A list of plain entries. The file is read when it is first asked; what was learnt is kept for the session.
#[derive(Debug)]
pub struct List {
    path: PathBuf,
    streamed_lookups: u32,
    known: Known,
}

#[derive(Debug)]
enum Known {
    Nothing,
    Absence,
    Everything(Index),
}

impl List {
    /// The list at `path`; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, streamed_lookups: 0, known: Known::Nothing }
    }

    /// Where the list is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first line whose whole entry is one of `keys`, ASCII case ignored.
    ///
    /// # Errors
    /// [`Unreadable`], whatever keeps the list from being read, but for its absence.
    pub fn find_any(&mut self, keys: &[&[u8]]) -> Result<Found, Unreadable> {
        let line = match &self.known {
            Known::Absence => return Ok(Found::Absent),
            Known::Everything(index) => index.first_line(keys),
            Known::Nothing => match self.read(keys).map_err(|error| Unreadable { path: self.path.clone(), error })? {
                Some(line) => line,
                None => return Ok(Found::Absent),
            },
        };
        Ok(line.map_or(Found::No, |line| Found::Yes { line, value: Vec::new() }))
    }

    /// As [`List::find_any`], for the domain and for each part of it that begins with a dot: what `rcpthosts` is asked.
    ///
    /// # Errors
    /// As [`List::find_any`].
    pub fn find_domain(&mut self, domain: &[u8]) -> Result<Found, Unreadable> {
        self.find_any(&domain_keys(domain))
    }

    /// `None` if there is no file, else the answer.
    fn read(&mut self, keys: &[&[u8]]) -> io::Result<Option<Option<u32>>> {
        let Some(list) = ListFile::open(&self.path)? else {
            self.known = Known::Absence;
            return Ok(None);
        };
        let streamed_lookups_max = if list.is_small() { 1 } else { STREAMED_LOOKUPS_MAX };
        if self.streamed_lookups < streamed_lookups_max && keys.len() <= STREAMED_KEYS_MAX {
            self.streamed_lookups += 1;
            return stream(&list.file, list.chunk_octets(), keys, COMPARED_OCTETS_MAX).map(Some);
        }
        let index = Index::new(list.read_whole()?);
        let line = index.first_line(keys);
        self.known = Known::Everything(index);
        Ok(Some(line))
    }
}

/// The domain, then each part of it that begins with a dot: the most specific key first, never an empty one.
pub(super) fn domain_keys(domain: &[u8]) -> Vec<&[u8]> {
    let whole = (!domain.is_empty()).then_some(domain);
    let dots = memchr::memchr_iter(b'.', domain).filter(|&dot| dot > 0);
    whole.into_iter().chain(dots.filter_map(|dot| domain.get(dot..))).collect()
}

/// Searches the list without keeping it: the first line that is one of the keys. Pieces of up to `compared_octets_max` are
/// compared entry by entry.
fn stream(list: impl Read, chunk_octets: usize, keys: &[&[u8]], compared_octets_max: usize) -> io::Result<Option<u32>> {
    let mut needles = None;
    let mut found = None;
    pieces::each_piece(list, chunk_octets, |piece| {
        found = if piece.framed.len() <= compared_octets_max || piece.has_nul() {
            first_compared(piece, keys)
        } else {
            first_searched(piece, needles.get_or_insert_with(|| needles_of(keys)))
        };
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

fn needles_of(keys: &[&[u8]]) -> Vec<Needle> {
    keys.iter().filter(|key| can_be_entry(key)).map(|key| Needle::new(key)).collect()
}

fn first_compared(piece: &Piece<'_>, keys: &[&[u8]]) -> Option<u32> {
    let wanted =
        |entry: &Entry<'_>| can_be_entry(entry.text) && keys.iter().any(|key| key.eq_ignore_ascii_case(entry.text));
    text::entries(piece.lines()).find(wanted).map(|entry| piece.line.saturating_add(entry.line - 1))
}

fn first_searched(piece: &mut Piece<'_>, needles: &[Needle]) -> Option<u32> {
    piece.framed.make_ascii_lowercase();
    let hits = needles.iter().filter_map(|needle| needle.lines_in(piece.framed).find(|(_, behind)| ends_entry(behind)));
    let first = hits.map(|(at, _)| at).min();
    first.map(|at| piece.line_at(at))
}

/// Whether a list is searched for this key at all. The rest can be no entry but by the odd ways of a NUL.
pub(super) fn can_be_entry(key: &[u8]) -> bool {
    has_plain_ends(key) && memchr::memchr2(b'\n', 0, key).is_none()
}

fn has_plain_ends(key: &[u8]) -> bool {
    !matches!(key.first(), None | Some(b'#')) && !matches!(key.last(), Some(b' ' | b'\t'))
}

/// A key made ready to be searched for in pieces without NUL.
pub(super) struct Needle {
    finder: Finder<'static>,
    length: usize,
}

impl Needle {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut framed = Vec::with_capacity(key.len() + 1);
        framed.push(b'\n');
        framed.extend(key.iter().map(u8::to_ascii_lowercase));
        let telling = Telling::of(framed.get(1..).unwrap_or_default());
        let finder = FinderBuilder::new().build_forward_with_ranker(telling, &framed).into_owned();
        Self { finder, length: framed.len() }
    }

    /// The lines of `framed`, in lower case, that begin with the key: where the LF before is, and what is behind the key.
    pub(super) fn lines_in<'t>(&'t self, framed: &'t [u8]) -> impl Iterator<Item = (usize, &'t [u8])> {
        self.finder.find_iter(framed).map(|at| (at, framed.get(at + self.length..).unwrap_or_default()))
    }
}

/// Tells the search which two octets of a key to look for first: the LF before it and the last octet of its first
/// label. By its own tables it would stop at each of a hundred thousand lines that end in `.example.org`.
struct Telling {
    label_end: Option<u8>,
}

impl Telling {
    fn of(key: &[u8]) -> Self {
        let first_label = key.split(|&byte| byte == b'.').find(|label| !label.is_empty());
        Self { label_end: first_label.and_then(<[u8]>::last).copied() }
    }
}

impl HeuristicFrequencyRank for Telling {
    fn rank(&self, byte: u8) -> u8 {
        match byte {
            b'\n' => 0,
            byte if Some(byte) == self.label_end => 1,
            b'.' => u8::MAX,
            _ => 2,
        }
    }
}

/// Whether an entry ends where `rest` begins.
pub(super) fn ends_entry(rest: &[u8]) -> bool {
    if rest.first() == Some(&0) {
        return true;
    }
    matches!(rest.iter().find(|&&byte| !matches!(byte, b' ' | b'\t')), None | Some(b'\n'))
}

/// Every entry of a list, found by its hash.
#[derive(Debug)]
struct Index {
    text: Vec<u8>,
    /// At most half full, so that a search ends soon.
    slots: Vec<Slot>,
}

/// An entry; line 0 is an empty slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    start: u32,
    line: u32,
}

impl Index {
    fn new(text: Vec<u8>) -> Self {
        let entries_max = memchr::memchr2_iter(b'\n', 0, &text).count() + 1;
        let mut index = Self { slots: vec![Slot::default(); (entries_max * 2).next_power_of_two()], text };
        for entry in text::entries(&index.text).filter(|entry| has_plain_ends(entry.text)) {
            let place = place(&index.text, &index.slots, entry.text);
            if let Some(slot) = place.and_then(|place| index.slots.get_mut(place))
                && slot.line == 0
                && let Ok(start) = u32::try_from(entry.start)
            {
                *slot = Slot { start, line: entry.line };
            }
        }
        index
    }

    fn first_line(&self, keys: &[&[u8]]) -> Option<u32> {
        let keys = keys.iter().filter(|key| can_be_entry(key));
        let slots = keys.filter_map(|key| self.slots.get(place(&self.text, &self.slots, key)?));
        slots.map(|slot| slot.line).filter(|&line| line > 0).min()
    }
}

/// The slot of the entry `key`, or the empty slot where it would be.
fn place(text: &[u8], slots: &[Slot], key: &[u8]) -> Option<usize> {
    let mask = slots.len().wrapping_sub(1);
    let mut place = hash(key) & mask;
    loop {
        let slot = slots.get(place)?;
        if slot.line == 0 || holds(text, slot.start, key) {
            return Some(place);
        }
        place = place.wrapping_add(1) & mask;
    }
}

fn holds(text: &[u8], start: u32, key: &[u8]) -> bool {
    let entry = usize::try_from(start).ok().and_then(|start| text.get(start..)).unwrap_or_default();
    entry.split_at_checked(key.len()).is_some_and(|(same, rest)| same.eq_ignore_ascii_case(key) && ends_entry(rest))
}

/// Mixes eight octets at a time; a bit that tells upper from lower case is set in each, so case makes no difference.
fn hash(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks::<8>();
    let rest = rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte | 0x20));
    let words = words.iter().map(|word| u64::from_le_bytes(*word) | 0x2020_2020_2020_2020);
    let mixed = words.chain([rest]).fold(0, |sum: u64, word| {
        let sum = (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        sum ^ (sum >> 32)
    });
    usize::try_from(mixed & 0xFFFF_FFFF).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const TOKENS: &[&[u8]] = &[
        b"a",
        b"B",
        b".",
        b"a.b",
        b"@",
        b"\n",
        b"\n\n",
        b"\n#",
        b"\0",
        b" ",
        b"\t",
        b"\r",
        b":",
        b"\xfc",
        b"aaaaaaaaa",
    ];

    fn octets(tokens_max: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(TOKENS), 0..tokens_max).prop_map(|tokens| tokens.concat())
    }

    /// What the answer must be, said in the simplest way.
    fn by_entries(text: &[u8], keys: &[&[u8]]) -> Option<u32> {
        let is_key = |entry: &[u8]| {
            !entry.ends_with(b" ")
                && !entry.ends_with(b"\t")
                && !entry.starts_with(b"#")
                && keys.iter().any(|key| key.eq_ignore_ascii_case(entry))
        };
        text::entries(text).find(|entry| is_key(entry.text)).map(|entry| entry.line)
    }

    proptest! {
        #[test]
        fn streamed_and_indexed_answers_are_the_entries(
            text in octets(60), keys in proptest::collection::vec(octets(4), 0..4), chunk in 2usize..40,
        ) {
            let often: [&[u8]; 5] = [b"a", b"b", b"a.b", b"a ", b"a\t"];
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).chain(often).collect();
            let expected = by_entries(&text, &keys);
            for (chunk, compared) in [(chunk, 0), (chunk, 20), (65_536, 0), (65_536, COMPARED_OCTETS_MAX)] {
                prop_assert_eq!(stream(text.as_slice(), chunk, &keys, compared).unwrap(), expected);
            }
            prop_assert_eq!(Index::new(text).first_line(&keys), expected);
        }

        #[test]
        fn each_entry_is_found_on_its_first_line(text in octets(60), chunk in 2usize..40) {
            let index = Index::new(text.clone());
            for entry in text::entries(&text).filter(|entry| can_be_entry(entry.text)) {
                let keys: [&[u8]; 1] = [&entry.text.to_ascii_lowercase()];
                let line = by_entries(&text, &keys);
                prop_assert!(line.is_some_and(|line| line <= entry.line));
                prop_assert_eq!(index.first_line(&keys), line);
                prop_assert_eq!(stream(text.as_slice(), chunk, &keys, 20).unwrap(), line);
            }
        }
    }

    #[test]
    fn a_domain_is_asked_for_with_each_part_that_begins_with_a_dot() {
        let keys: [&[u8]; 3] = [b"a.b.example", b".b.example", b".example"];
        assert_eq!(domain_keys(b"a.b.example"), keys);
        assert_eq!(domain_keys(b".b"), [b".b"]);
        assert_eq!(domain_keys(b"b."), [&b"b."[..], b"."]);
        assert!(domain_keys(b"").is_empty());
    }

    #[test]
    fn many_lookups_and_many_labels_give_the_same_answers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rcpthosts");
        let lines: String = (1..=9_000).map(|line| format!("Host{line}.example\n")).collect();
        fs::write(&path, lines + ".sub.example").unwrap();
        let mut list = List::new(path.clone());
        let yes = |line| Found::Yes { line, value: Vec::new() };
        for line in [1, 4_500, 9_000, 2, 3, 4, 5, 6, 7] {
            assert_eq!(list.find_domain(format!("host{line}.example").as_bytes()).unwrap(), yes(line));
            assert_eq!(list.find_domain(format!("x.host{line}.example").as_bytes()).unwrap(), Found::No);
        }
        assert!(matches!(list.known, Known::Everything(_)));
        let mut list = List::new(path);
        let deep = [b"a.".repeat(STREAMED_KEYS_MAX).as_slice(), b"sub.example"].concat();
        assert_eq!(list.find_domain(&deep).unwrap(), yes(9_001));
        assert!(matches!(list.known, Known::Everything(_)));
    }

    #[test]
    fn only_a_missing_file_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rcpthosts");
        assert_eq!(List::new(path.clone()).find_any(&[b"a"]).unwrap(), Found::Absent);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = List::new(path.clone()).find_any(&[b"a"]).unwrap_err();
        assert!(error.to_string().ends_with("rcpthosts: not a regular file"), "{error}");
        assert!(List::new(dir.path().to_owned()).find_any(&[b"a"]).is_err());
        assert!(List::new(path.join("below")).find_any(&[b"a"]).is_err());
        assert!(List::new("/dev/zero".into()).find_any(&[b"a"]).is_err());
        assert_eq!(List::new("/dev/null".into()).find_any(&[b"a"]).unwrap(), Found::No);
    }
}
