//! The cdb file format (cr.yp.to/cdb): a constant database of keys and data, read with `pread`, written once and renamed.
//!
//! All numbers are 32-bit little-endian. The first 2,048 octets are 256 pairs (position of a table, number of its
//! slots); then the records in input order (length of key, length of data, key, data); then the tables, whose slots
//! are pairs (hash, position of the record). A slot with position 0 ends a search.

pub mod make;
pub mod read;
pub mod replace;

/// Number of tables, and of pairs at the start of the file.
const TABLES: u32 = 256;
/// Octets of a pair of numbers: a header entry, a slot, the head of a record.
const PAIR_OCTETS: u64 = 8;
/// Octets of the header; the first record starts here.
const HEADER_OCTETS: u64 = 2048;

/// The hash of a key, as every cdb implementation but IndiMail's computes it: bytes are unsigned.
pub(crate) fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33) ^ u32::from(byte))
}

/// The hash as IndiMail's `tcprules` and `cdbmake` compute it on x86: bytes above 127 are sign-extended.
fn sign_extended_hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33) ^ i32::from(byte.cast_signed()).cast_unsigned())
}

/// The two numbers of a pair, or `None` when fewer than eight octets are left.
fn pair(octets: &[u8]) -> Option<(u32, u32)> {
    let (first, rest) = octets.split_first_chunk::<4>()?;
    let second = rest.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*first), u32::from_le_bytes(*second)))
}

/// A pair as it is stored.
fn stored(first: u32, second: u32) -> [u8; 8] {
    (u64::from(second) << 32 | u64::from(first)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_only_above_127() {
        assert_eq!(hash(b""), 5381);
        assert_eq!(hash(b"127."), sign_extended_hash(b"127."));
        assert_ne!(hash(b"\xff"), sign_extended_hash(b"\xff"));
        assert_eq!(sign_extended_hash(b"\xff"), (5381 * 33) ^ 0xffff_ffff);
    }

    #[test]
    fn a_pair_survives_storing() {
        assert_eq!(pair(&stored(1, 0xfedc_ba98)), Some((1, 0xfedc_ba98)));
        assert_eq!(stored(0x0403_0201, 5), [1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!(pair(&[0; 7]), None);
    }
}
