//! Writes a cdb file: records are streamed out as they come, only eight octets of each stay in memory.

use std::{
    fmt,
    io::{self, Seek, SeekFrom, Write},
};

use crate::cdb::{HEADER_OCTETS, PAIR_OCTETS, TABLES, hash, stored};
use crate::errno;

/// Octets gathered before they are written.
const PENDING_OCTETS: usize = 131_072;

/// Writes one cdb file, front to back.
#[derive(Debug)]
pub struct Maker<W: Write + Seek> {
    out: W,
    pending: Vec<u8>,
    /// Where the next record goes; never beyond what 32 bits can say.
    position: u32,
    /// Per table, the hash and position of each of its records in input order.
    tables: Vec<Vec<(u32, u32)>>,
}

/// Why a cdb file could not be written. Printed, it is DJB's wording for it.
#[derive(Debug)]
pub enum MakeError {
    /// The system refused to write it.
    Io(io::Error),
    /// The file would need positions beyond 4 GiB: `out of memory`, as the stock `tcprules` says.
    TooBig,
}

impl<W: Write + Seek> Maker<W> {
    /// Begins a file. `out` must be empty and at its start.
    pub fn new(out: W) -> Maker<W> {
        let mut pending = Vec::with_capacity(PENDING_OCTETS);
        pending.resize(HEADER_OCTETS as usize, 0);
        let tables = vec![Vec::new(); TABLES as usize];
        Maker { out, pending, position: HEADER_OCTETS as u32, tables }
    }

    /// Adds a record. Of records with equal keys, readers find the first.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), MakeError> {
        let key_octets = u32::try_from(key.len()).map_err(|_| MakeError::TooBig)?;
        let value_octets = u32::try_from(value.len()).map_err(|_| MakeError::TooBig)?;
        let end = u64::from(self.position) + PAIR_OCTETS + u64::from(key_octets) + u64::from(value_octets);
        let end = u32::try_from(end).map_err(|_| MakeError::TooBig)?;

        let hash = hash(key);
        if let Some(table) = self.tables.get_mut((hash % TABLES) as usize) {
            table.push((hash, self.position));
        }
        self.pending.extend_from_slice(&stored(key_octets, value_octets));
        self.pending.extend_from_slice(key);
        self.pending.extend_from_slice(value);
        self.position = end;
        self.write_if_many()
    }

    /// Writes the tables and then the header. The caller syncs and renames.
    pub fn finish(mut self) -> Result<W, MakeError> {
        let mut header = Vec::with_capacity(HEADER_OCTETS as usize);
        let mut slots = Vec::new();
        for records in std::mem::take(&mut self.tables) {
            let count = u32::try_from(records.len() * 2).map_err(|_| MakeError::TooBig)?;
            header.extend_from_slice(&stored(self.position, count));
            let end = u64::from(self.position) + u64::from(count) * PAIR_OCTETS;
            self.position = u32::try_from(end).map_err(|_| MakeError::TooBig)?;
            fill(&mut slots, &records);
            for &(hash, position) in &slots {
                self.pending.extend_from_slice(&stored(hash, position));
            }
            self.write_if_many()?;
        }
        self.out.write_all(&self.pending)?;
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_if_many(&mut self) -> Result<(), MakeError> {
        // Whatever is over stays for the next time: writes are then whole pages.
        if self.pending.len() >= PENDING_OCTETS {
            self.out.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}

/// Puts the records of one table into twice as many slots, each at its hash's place or the next free one.
fn fill(slots: &mut Vec<(u32, u32)>, records: &[(u32, u32)]) {
    let count = records.len() * 2;
    slots.clear();
    slots.resize(count, (0, 0));
    for &(hash, position) in records {
        let (before, from) = slots.split_at_mut((hash / TABLES) as usize % count);
        if let Some(free) = from.iter_mut().chain(before).find(|slot| slot.1 == 0) {
            *free = (hash, position);
        }
    }
}

impl From<io::Error> for MakeError {
    fn from(error: io::Error) -> MakeError {
        MakeError::Io(error)
    }
}

impl fmt::Display for MakeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MakeError::Io(error) => out.write_str(&errno::words(error)),
            MakeError::TooBig => out.write_str("out of memory"),
        }
    }
}

impl std::error::Error for MakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MakeError::Io(error) => Some(error),
            MakeError::TooBig => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Forgets what is written, so that a file beyond 4 GiB needs no disk.
    struct Nowhere(u64);

    impl Write for Nowhere {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 += octets.len() as u64;
            Ok(octets.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Nowhere {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(self.0)
        }
    }

    #[test]
    fn an_empty_file_is_a_header_of_empty_tables() {
        let file = Maker::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
        assert_eq!(file, [0, 8, 0, 0, 0, 0, 0, 0].repeat(256));
    }

    #[test]
    fn records_beyond_4_gib_are_refused() {
        let value = vec![0; 64 << 20];
        let mut maker = Maker::new(Nowhere(0));
        for _ in 0..63 {
            maker.add(b"k", &value).unwrap();
        }
        let room = (u64::from(u32::MAX) - u64::from(maker.position) - 9) as usize;
        assert!(matches!(maker.add(b"k", &vec![0; room + 1]), Err(MakeError::TooBig)));
        maker.add(b"k", &vec![0; room]).unwrap();
        assert_eq!(maker.position, u32::MAX);
        // The records fit, the tables do not.
        assert!(matches!(maker.finish(), Err(MakeError::TooBig)));
    }
}
