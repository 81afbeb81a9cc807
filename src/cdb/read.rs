//! Looks keys up in a cdb file by a few bounded reads; whatever its bytes, nothing outside it is read and nothing panics.

use std::{
    borrow::Cow,
    fmt,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use crate::cdb::{HEADER_OCTETS, PAIR_OCTETS, TABLES, hash, pair, sign_extended_hash};
use crate::errno;

/// Slots read at once while probing: most searches end within one such read.
const SLOTS_AT_ONCE: u64 = 8;
/// Octets of a record read at once: the head, and most keys and values.
const GLANCE_OCTETS: usize = 256;
/// Octets read at once when all records are walked.
const WALK_OCTETS: usize = 65_536;

/// An open cdb file.
#[derive(Debug)]
pub struct Cdb {
    file: File,
    /// Octets in the file when it was opened; a file that shrinks later reads as damaged.
    size: u64,
}

/// Why a cdb file gave no answer. Printed, it says what to do.
#[derive(Debug)]
pub enum CdbError {
    /// The system refused to read it.
    Io(io::Error),
    /// The file has no octet at all.
    Empty,
    /// A position or length points outside the file.
    Damaged,
    /// The value is longer than the caller wants to hold.
    TooLong {
        /// Length of the stored value.
        octets: u32,
        /// What the caller allowed.
        max: usize,
    },
}

impl Cdb {
    /// Opens the file at `path`. A directory is an error here, not at the first look-up; a pipe is not waited for.
    pub fn open(path: &Path) -> io::Result<Cdb> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Cdb::new(file)
    }

    /// Takes a file opened for reading.
    pub fn new(file: File) -> io::Result<Cdb> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        Ok(Cdb { file, size: metadata.len() })
    }

    /// What the system says about the file.
    ///
    /// # Errors
    ///
    /// What the system says instead.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }

    /// The value of the first record with this key. A value of more than `value_max` octets is an error, found out
    /// before anything is allocated.
    pub fn get(&self, key: &[u8], value_max: usize) -> Result<Option<Vec<u8>>, CdbError> {
        let mut glance = Glance::default();
        match self.locate(key, &mut glance)? {
            Some(value) => self.value(&value, &glance, value_max).map(Some),
            None => Ok(None),
        }
    }

    /// Whether there is a record with this key.
    pub fn contains(&self, key: &[u8]) -> Result<bool, CdbError> {
        self.locate(key, &mut Glance::default()).map(|value| value.is_some())
    }

    /// The first of `keys` that has a record, with its value: nothing after it is looked up.
    pub fn first<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
        value_max: usize,
    ) -> Result<Option<(K, Vec<u8>)>, CdbError> {
        for key in keys {
            if let Some(value) = self.get(key.as_ref(), value_max)? {
                return Ok(Some((key, value)));
            }
        }
        Ok(None)
    }

    /// All records in file order. Ends after the first error.
    pub fn iter(&self, value_max: usize) -> Records<'_> {
        Records { cdb: self, position: HEADER_OCTETS, end: None, window: Vec::new(), window_at: 0, value_max }
    }

    /// Finds the record of `key`: by the standard hash, then by the one that IndiMail's builders use for keys with
    /// bytes above 127.
    fn locate(&self, key: &[u8], glance: &mut Glance) -> Result<Option<Value>, CdbError> {
        self.check_size()?;
        match self.probe(key, hash(key), glance)? {
            Some(value) => Ok(Some(value)),
            None if key.is_ascii() => Ok(None),
            None => self.probe(key, sign_extended_hash(key), glance),
        }
    }

    fn check_size(&self) -> Result<(), CdbError> {
        match self.size {
            0 => Err(CdbError::Empty),
            1..HEADER_OCTETS => Err(CdbError::Damaged),
            HEADER_OCTETS.. => Ok(()),
        }
    }

    /// Walks the slots of one table, at most each of them once.
    fn probe(&self, key: &[u8], hash: u32, glance: &mut Glance) -> Result<Option<Value>, CdbError> {
        let mut entry = [0; PAIR_OCTETS as usize];
        self.read(u64::from(hash % TABLES) * PAIR_OCTETS, &mut entry)?;
        let (table, slots) = pair(&entry).map(|(at, slots)| (u64::from(at), u64::from(slots))).unwrap_or_default();
        if slots == 0 {
            return Ok(None);
        }
        if table + slots * PAIR_OCTETS > self.size {
            return Err(CdbError::Damaged);
        }
        let mut slot = u64::from(hash / TABLES) % slots;
        let mut left = slots;
        while left > 0 {
            let count = SLOTS_AT_ONCE.min(slots - slot).min(left);
            let mut batch = [0; (SLOTS_AT_ONCE * PAIR_OCTETS) as usize];
            let batch = batch.get_mut(..(count * PAIR_OCTETS) as usize).unwrap_or_default();
            self.read(table + slot * PAIR_OCTETS, batch)?;
            for (slot_hash, position) in batch.chunks_exact(PAIR_OCTETS as usize).filter_map(pair) {
                if position == 0 {
                    return Ok(None);
                }
                if slot_hash == hash
                    && let Some(value) = self.compare(u64::from(position), key, glance)?
                {
                    return Ok(Some(value));
                }
            }
            left -= count;
            slot = (slot + count) % slots;
        }
        Ok(None)
    }

    /// Where the value of the record at `position` lies, if its key is `key`.
    fn compare(&self, position: u64, key: &[u8], glance: &mut Glance) -> Result<Option<Value>, CdbError> {
        glance.look(self, position)?;
        let (key_octets, value_octets) = pair(glance.octets()).ok_or(CdbError::Damaged)?;
        let key_at = position + PAIR_OCTETS;
        let value_at = key_at + u64::from(key_octets);
        if value_at + u64::from(value_octets) > self.size {
            return Err(CdbError::Damaged);
        }
        if key_octets as usize != key.len() {
            return Ok(None);
        }
        let (seen, unseen) = key.split_at(key.len().min(GLANCE_OCTETS - PAIR_OCTETS as usize));
        if glance.octets().get(PAIR_OCTETS as usize..).and_then(|key| key.get(..seen.len())) != Some(seen) {
            return Ok(None);
        }
        let same = unseen.is_empty() || self.holds(key_at + seen.len() as u64, unseen)?;
        Ok(same.then_some(Value { at: value_at, octets: value_octets }))
    }

    /// Whether `expected` stands at `position`.
    fn holds(&self, mut position: u64, expected: &[u8]) -> Result<bool, CdbError> {
        let mut block = [0; GLANCE_OCTETS];
        for expected in expected.chunks(GLANCE_OCTETS) {
            let block = block.get_mut(..expected.len()).unwrap_or_default();
            self.read(position, block)?;
            if block != expected {
                return Ok(false);
            }
            position += expected.len() as u64;
        }
        Ok(true)
    }

    /// The octets of a value that is known to lie within the file; what was glanced at is not read again.
    fn value(&self, value: &Value, glance: &Glance, value_max: usize) -> Result<Vec<u8>, CdbError> {
        let octets = value.octets as usize;
        if octets > value_max {
            return Err(CdbError::TooLong { octets: value.octets, max: value_max });
        }
        let known = usize::try_from(value.at - glance.position).ok().and_then(|at| glance.octets().get(at..));
        let known = known.unwrap_or_default();
        if let Some(whole) = known.get(..octets) {
            return Ok(whole.to_vec());
        }
        let mut whole = vec![0; octets];
        let (start, rest) = whole.split_at_mut(known.len());
        start.copy_from_slice(known);
        self.read(value.at + known.len() as u64, rest)?;
        Ok(whole)
    }

    fn read(&self, position: u64, octets: &mut [u8]) -> Result<(), CdbError> {
        if position + octets.len() as u64 > self.size {
            return Err(CdbError::Damaged);
        }
        self.file.read_exact_at(octets, position).map_err(CdbError::from)
    }
}

/// Where a value lies.
struct Value {
    at: u64,
    octets: u32,
}

/// The first octets of a record.
struct Glance {
    position: u64,
    octets: [u8; GLANCE_OCTETS],
    filled: usize,
}

impl Default for Glance {
    fn default() -> Glance {
        Glance { position: 0, octets: [0; GLANCE_OCTETS], filled: 0 }
    }
}

impl Glance {
    fn look(&mut self, cdb: &Cdb, position: u64) -> Result<(), CdbError> {
        self.position = position;
        self.filled = cdb.size.saturating_sub(position).min(GLANCE_OCTETS as u64) as usize;
        cdb.read(position, self.octets.get_mut(..self.filled).unwrap_or_default())
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.filled).unwrap_or_default()
    }
}

/// The records of a file, in file order.
#[derive(Debug)]
pub struct Records<'a> {
    cdb: &'a Cdb,
    position: u64,
    /// Where the records end; `None` until the header is read.
    end: Option<u64>,
    window: Vec<u8>,
    window_at: u64,
    value_max: usize,
}

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

impl Iterator for Records<'_> {
    type Item = Result<Record, CdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.advance();
        if record.is_err() {
            self.end = Some(0);
        }
        record.transpose()
    }
}

impl Records<'_> {
    fn advance(&mut self) -> Result<Option<Record>, CdbError> {
        let end = match self.end {
            Some(end) => end,
            None => *self.end.insert(self.end_of_records()?),
        };
        if self.position >= end {
            return Ok(None);
        }
        let head = self.octets(PAIR_OCTETS)?;
        let (key_octets, value_octets) = pair(head).ok_or(CdbError::Damaged)?;
        if self.position + u64::from(key_octets) + u64::from(value_octets) > end {
            return Err(CdbError::Damaged);
        }
        if value_octets as usize > self.value_max {
            return Err(CdbError::TooLong { octets: value_octets, max: self.value_max });
        }
        let key = self.octets(u64::from(key_octets))?.to_vec();
        let value = self.octets(u64::from(value_octets))?.to_vec();
        Ok(Some((key, value)))
    }

    /// The records end where the first table that has slots begins.
    fn end_of_records(&self) -> Result<u64, CdbError> {
        self.cdb.check_size()?;
        let mut header = [0; HEADER_OCTETS as usize];
        self.cdb.read(0, &mut header)?;
        let tables = header.chunks_exact(PAIR_OCTETS as usize).filter_map(pair);
        let end = tables.filter(|(_, slots)| *slots > 0).map(|(table, _)| u64::from(table)).min();
        let end = end.unwrap_or(HEADER_OCTETS);
        if (HEADER_OCTETS..=self.cdb.size).contains(&end) { Ok(end) } else { Err(CdbError::Damaged) }
    }

    /// The next `count` octets of the file, through the window.
    fn octets(&mut self, count: u64) -> Result<&[u8], CdbError> {
        if self.position + count > self.cdb.size {
            return Err(CdbError::Damaged);
        }
        if self.position + count > self.window_at + self.window.len() as u64 {
            let room = count.max(WALK_OCTETS as u64).min(self.cdb.size - self.position);
            self.window.resize(room as usize, 0);
            self.window_at = self.position;
            self.cdb.read(self.position, &mut self.window)?;
        }
        let start = (self.position - self.window_at) as usize;
        self.position += count;
        self.window.get(start..start + count as usize).ok_or(CdbError::Damaged)
    }
}

impl From<io::Error> for CdbError {
    /// A file that ends too early was cut while we read it.
    fn from(error: io::Error) -> CdbError {
        if error.kind() == io::ErrorKind::UnexpectedEof { CdbError::Damaged } else { CdbError::Io(error) }
    }
}

impl CdbError {
    /// DJB's wording, as the stock tools say it: an empty file cannot be mapped.
    #[must_use]
    pub fn stock_words(&self) -> Cow<'static, str> {
        match self {
            CdbError::Io(error) => errno::words(error),
            CdbError::Empty => "invalid argument".into(),
            CdbError::Damaged => "protocol error".into(),
            CdbError::TooLong { .. } => self.to_string().into(),
        }
    }
}

impl fmt::Display for CdbError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CdbError::Io(error) => out.write_str(&errno::words(error)),
            CdbError::Empty => out.write_str("empty cdb: rebuild it"),
            CdbError::Damaged => out.write_str("damaged cdb: rebuild it"),
            CdbError::TooLong { octets, max } => write!(out, "a value has {octets} octets, more than {max}"),
        }
    }
}

impl std::error::Error for CdbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CdbError::Io(error) => Some(error),
            CdbError::Empty | CdbError::Damaged | CdbError::TooLong { .. } => None,
        }
    }
}
