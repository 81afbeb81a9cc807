//! The cdb reader on whole, damaged and arbitrary files against one that has the file in memory.

use std::io::Cursor;

use postern::cdb::make::Maker;
use postern::cdb::read::{Cdb, CdbError, Record};

use super::Input;

/// Longer values are an error.
const VALUE_OCTETS_MAX: usize = 300;
const HEADER_OCTETS: usize = 2048;

/// The first octet says how the rest becomes a file: as it is, with a header, or as records that are then damaged.
pub fn cdb(input: &[u8]) {
    let mut input = Input(input);
    let (file, mut keys) = match input.byte() % 3 {
        0 => (input.0.to_vec(), Vec::new()),
        1 => (with_header(&mut input), Vec::new()),
        _ => made_and_damaged(&mut input),
    };
    let cdb = Cdb::new(super::file_of(&file)).unwrap();

    let mut walked = walk(&file);
    for record in cdb.iter(VALUE_OCTETS_MAX) {
        let record = record.ok();
        assert_eq!(walked.next(), Some(record.clone()));
        keys.extend(record.map(|(key, _)| key));
    }
    assert_eq!(walked.next(), None);

    keys.extend([b"".to_vec(), b"a".to_vec(), b"\xff".to_vec(), file.iter().rev().take(20).copied().collect()]);
    for key in keys {
        let found = cdb.get(&key, VALUE_OCTETS_MAX);
        if let Err(CdbError::Io(error)) = &found {
            panic!("a read outside the file: {error}");
        }
        assert_eq!(found.ok(), reference(&file, &key).ok(), "{}", key.escape_ascii());
        if let Ok(found) = cdb.contains(&key) {
            assert!(found || cdb.get(&key, VALUE_OCTETS_MAX).unwrap().is_none());
        }
    }
}

/// A header that is empty but for a few tables, then what is left.
fn with_header(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = vec![0; HEADER_OCTETS];
    for _ in 0..input.byte() % 8 {
        let table = usize::from(input.byte()) * 8;
        file[table..table + 2].copy_from_slice(&input.u16().to_le_bytes());
        file[table + 4..table + 6].copy_from_slice(&input.u16().to_le_bytes());
    }
    file.extend_from_slice(input.0);
    file
}

/// What our own maker writes, with some octets exchanged and perhaps the end cut off; and the keys.
fn made_and_damaged(input: &mut Input<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut maker = Maker::new(Cursor::new(Vec::new()));
    let mut keys = Vec::new();
    for _ in 0..input.byte() % 16 {
        let (key, value) = (input.counted().to_vec(), input.counted());
        maker.add(&key, value).unwrap();
        keys.push(key);
    }
    let mut file = maker.finish().unwrap().into_inner();
    for _ in 0..input.byte() % 8 {
        let (at, octet) = (input.u16(), input.byte());
        if let Some(place) = file.get_mut(usize::from(at)) {
            *place = octet;
        }
    }
    file.truncate(file.len() - usize::from(input.byte()).min(file.len()));
    (file, keys)
}

#[derive(Debug)]
struct Damaged;

fn number(file: &[u8], at: usize) -> Result<usize, Damaged> {
    let octets = file.get(at..at + 4).ok_or(Damaged)?;
    Ok(octets.iter().rev().fold(0, |number, octet| number << 8 | usize::from(*octet)))
}

/// The file format's own description of a search, by either hash.
fn reference(file: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, Damaged> {
    if file.len() < HEADER_OCTETS {
        return Err(Damaged);
    }
    let unsigned = key.iter().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(*byte));
    let signed = key.iter().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ (*byte as i8 as u32));
    match search(file, key, unsigned as usize)? {
        None if signed != unsigned => search(file, key, signed as usize),
        found => Ok(found),
    }
}

fn search(file: &[u8], key: &[u8], hash: usize) -> Result<Option<Vec<u8>>, Damaged> {
    let entry = hash % 256 * 8;
    let (table, slots) = (number(file, entry)?, number(file, entry + 4)?);
    if slots > 0 && table + slots * 8 > file.len() {
        return Err(Damaged);
    }
    for probe in 0..slots {
        let slot = table + (hash / 256 + probe) % slots * 8;
        let (slot_hash, record) = (number(file, slot)?, number(file, slot + 4)?);
        if record == 0 {
            return Ok(None);
        }
        if slot_hash == hash {
            let (key_octets, value_octets) = (number(file, record)?, number(file, record + 4)?);
            let value = record + 8 + key_octets;
            let value = file.get(value..value + value_octets).ok_or(Damaged)?;
            if file[record + 8..record + 8 + key_octets] == *key {
                return if value.len() > VALUE_OCTETS_MAX { Err(Damaged) } else { Ok(Some(value.to_vec())) };
            }
        }
    }
    Ok(None)
}

/// The records from the header to the first table that has slots; `None` for the first that is damaged, then no more.
fn walk(file: &[u8]) -> impl Iterator<Item = Option<Record>> {
    let tables = (0..256).map(|table| (number(file, table * 8), number(file, table * 8 + 4)));
    let tables = tables.filter_map(|(table, slots)| (slots.ok()? > 0).then_some(table.ok()?));
    let end = tables.min().unwrap_or(HEADER_OCTETS);
    let mut at = HEADER_OCTETS;
    let mut is_damaged = file.len() < HEADER_OCTETS || end < HEADER_OCTETS || end > file.len();
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over || (!is_damaged && at >= end) {
            return None;
        }
        let record = if is_damaged { None } else { record_at(file, at, end) };
        is_damaged = record.is_none();
        is_over = is_damaged;
        at += record.as_ref().map_or(0, |(key, value)| 8 + key.len() + value.len());
        Some(record)
    })
}

fn record_at(file: &[u8], at: usize, end: usize) -> Option<Record> {
    let key = at + 8;
    let value = key + number(file, at).ok()?;
    let next = value + number(file, at + 4).ok()?;
    (next <= end && next - value <= VALUE_OCTETS_MAX).then(|| (file[key..value].to_vec(), file[value..next].to_vec()))
}
