//! Session tickets (RFC 8446, 4.6.1; RFC 5077) that any process of this host can read: sealed with the keys of a file.

use std::fmt;
use std::time::SystemTime;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::server::ProducesTickets;

/// The octets of a key's name, which each ticket begins with.
const NAME_OCTETS: usize = 16;
/// The octets of a key.
const KEY_OCTETS: usize = 32;
/// The octets of a key with its name, as the file has them one behind the other, newest first.
pub(super) const RECORD_OCTETS: usize = NAME_OCTETS + KEY_OCTETS;
/// How long a ticket is good for, in seconds.
const LIFETIME_SECONDS: u32 = 7200;
/// The octets of the moment that a ticket was made at.
const MOMENT_OCTETS: usize = 8;

/// The keys of the file `ticketkeys`: the first seals, each opens.
pub(super) struct Keys {
    keys: Vec<([u8; NAME_OCTETS], LessSafeKey)>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ticket keys", self.keys.len())
    }
}

impl Keys {
    /// The keys of a file's octets; none where they are no keys.
    pub(super) fn of_file(octets: &[u8]) -> Option<Self> {
        let (records, rest) = octets.as_chunks::<RECORD_OCTETS>();
        if records.is_empty() || !rest.is_empty() {
            return None;
        }
        let key = |record: &[u8; RECORD_OCTETS]| {
            let (name, key) = record.split_first_chunk::<NAME_OCTETS>()?;
            Some((*name, LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?)))
        };
        Some(Self { keys: records.iter().map(key).collect::<Option<_>>()? })
    }

    fn seal(&self, plain: &[u8], now_seconds: u64) -> Option<Vec<u8>> {
        let (name, key) = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = [&now_seconds.to_be_bytes(), plain].concat();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed).ok()?;
        Some([name.as_slice(), &nonce, &sealed].concat())
    }

    fn open(&self, ticket: &[u8], now_seconds: u64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_OCTETS>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (_, key) = self.keys.iter().find(|(known, _)| known == name)?;
        let mut opened = sealed.to_vec();
        let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut opened).ok()?;
        let (moment, plain) = opened.split_first_chunk::<MOMENT_OCTETS>()?;
        let age_seconds = now_seconds.checked_sub(u64::from_be_bytes(*moment))?;
        (age_seconds <= LIFETIME_SECONDS.into()).then(|| plain.to_vec())
    }
}

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, now_seconds()?)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, now_seconds()?)
    }
}

fn now_seconds() -> Option<u64> {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u8) -> [u8; RECORD_OCTETS] {
        [number; RECORD_OCTETS]
    }

    #[test]
    fn a_ticket_is_opened_by_its_key_wherever_that_stands_and_within_its_time_only() {
        let old = Keys::of_file(&record(1)).unwrap();
        let rotated = Keys::of_file(&[record(2), record(1)].concat()).unwrap();
        let forgotten = Keys::of_file(&record(2)).unwrap();
        let ticket = old.seal(b"a session", 1000).unwrap();
        assert_ne!(ticket, old.seal(b"a session", 1000).unwrap(), "nonces must differ");
        assert_eq!(rotated.open(&ticket, 1000).as_deref(), Some(b"a session".as_slice()));
        assert_eq!(rotated.open(&ticket, 8200).as_deref(), Some(b"a session".as_slice()));
        assert_eq!(rotated.open(&ticket, 8201), None);
        assert_eq!(rotated.open(&ticket, 999), None);
        assert_eq!(forgotten.open(&ticket, 1000), None);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(old.open(&changed, 1000), None, "octet {at}");
            assert_eq!(old.open(&ticket[..at], 1000), None, "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_file_of_keys_gives_none() {
        for octets in [0, 1, RECORD_OCTETS - 1, RECORD_OCTETS + 1] {
            assert!(Keys::of_file(&vec![7; octets]).is_none(), "{octets}");
        }
    }
}
