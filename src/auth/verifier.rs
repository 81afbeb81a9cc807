//! The verifier of a user (RFC 5802, 3): what proves that somebody knows the password, without being the password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::auth::Secret;

/// What a verifier begins with, in the form of IndiMail.
const PREFIX: &[u8] = b"{SCRAM-SHA-256}";
/// The longest salt, in octets.
const SALT_OCTETS_MAX: usize = 64;

/// The octets of a key.
pub(super) type Key = [u8; 32];

/// What is stored of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl std::fmt::Debug for Verifier {
    /// Without the keys.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Verifier({} iterations)", self.iterations)
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl Verifier {
    /// The fewest iterations that count (RFC 7677, 4).
    pub const ITERATIONS_MIN: u32 = 4096;
    /// The most: more would let a record stop a server.
    pub const ITERATIONS_MAX: u32 = 10_000_000;
    /// What is current advice for PBKDF2 with HMAC-SHA-256.
    pub const ITERATIONS: u32 = 600_000;
    /// The octets of a new salt.
    pub const SALT_OCTETS: usize = 16;

    /// The verifier of a password.
    #[must_use]
    pub fn of_password(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        let client_key = Zeroizing::new(keyed_hash(salted.as_slice(), &[b"Client Key"]));
        let stored_key = Sha256::digest(client_key.as_slice()).into();
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key,
            server_key: keyed_hash(salted.as_slice(), &[b"Server Key"]),
        }
    }

    /// A verifier that no password has, and that nobody can tell from one: for a user who does not exist. It is the same
    /// each time for the same secret and name.
    #[must_use]
    pub fn of_nobody(secret: &[u8], user: &[u8], iterations: u32) -> Self {
        let salt = keyed_hash(secret, &[b"salt ", user]);
        let salt = salt.get(..Self::SALT_OCTETS).unwrap_or_default().to_vec();
        let (stored_key, server_key) =
            (keyed_hash(secret, &[b"stored ", user]), keyed_hash(secret, &[b"server ", user]));
        Self { iterations, salt, stored_key, server_key }
    }

    /// Reads `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`, the last three in base64, and whatever IndiMail has
    /// put behind it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let line = text.split(|octet| *octet == b'\n').next()?.trim_ascii_end();
        let mut parts = line.strip_prefix(PREFIX)?.split(|octet| matches!(octet, b',' | b':'));
        let (iterations, salt, stored_key, server_key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let iterations: u32 = std::str::from_utf8(iterations).ok()?.parse().ok()?;
        let salt = STANDARD.decode(salt).ok()?;
        let is_sound = (Self::ITERATIONS_MIN..=Self::ITERATIONS_MAX).contains(&iterations)
            && (1..=SALT_OCTETS_MAX).contains(&salt.len());
        is_sound.then_some(())?;
        Some(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// The form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(|octets| STANDARD.encode(octets));
        let iterations = self.iterations.to_string();
        let parts =
            [PREFIX, iterations.as_bytes(), b",", salt.as_bytes(), b",", stored.as_bytes(), b",", server.as_bytes()];
        Secret::new(parts.concat())
    }

    /// How often the hash is made.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether this is the password. It takes the same time for every one.
    #[must_use]
    pub fn accepts(&self, password: &[u8]) -> bool {
        let other = Self::of_password(password, &self.salt, self.iterations);
        self.stored_key.ct_eq(&other.stored_key).into()
    }

    /// Whether `proof` proves the password in the exchange that `message` tells.
    #[must_use]
    pub fn proves(&self, proof: &Key, message: &[u8]) -> bool {
        let mut client_key = Zeroizing::new(keyed_hash(&self.stored_key, &[message]));
        client_key.iter_mut().zip(proof).for_each(|(octet, proof)| *octet ^= proof);
        let stored_key: Key = Sha256::digest(client_key.as_slice()).into();
        self.stored_key.ct_eq(&stored_key).into()
    }

    /// By what the client knows that the server has the verifier.
    pub(super) fn signature(&self, message: &[u8]) -> Key {
        keyed_hash(&self.server_key, &[message])
    }
}

fn key(text: &[u8]) -> Option<Key> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// HMAC-SHA-256 of the parts.
pub(super) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> Key {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Key::default() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA-256 for one block (RFC 8018, 5.2), which is all that SCRAM asks for.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Key> {
    let mut block = Zeroizing::new(keyed_hash(password, &[salt, &1_u32.to_be_bytes()]));
    let mut sum = block.clone();
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else { return sum };
    for _ in 1..iterations {
        let mut mac = keyed.clone();
        mac.update(block.as_slice());
        *block = mac.finalize().into_bytes().into();
        sum.iter_mut().zip(block.iter()).for_each(|(octet, more)| *octet ^= more);
    }
    sum
}
