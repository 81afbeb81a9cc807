//! The verifier of a user (RFC 5802, 3): what proves that somebody knows the password, without being the password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::auth::{Hash, Secret};

/// The longest salt, in octets.
const SALT_OCTETS_MAX: usize = 64;

/// A key of SCRAM-SHA-256.
type Key = [u8; 32];

/// What is stored of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Secret,
    server_key: Secret,
}

impl std::fmt::Debug for Verifier {
    /// Without the keys.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Verifier({} iterations)", self.iterations)
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

    /// The verifier of a password, for SCRAM-SHA-256.
    #[must_use]
    pub fn of_password(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        let hash = Hash::Sha256;
        let stored_key = hash.of(&hash.keyed(salted.as_slice(), &[b"Client Key"]));
        let server_key = hash.keyed(salted.as_slice(), &[b"Server Key"]);
        Self { hash, iterations, salt: salt.to_vec(), stored_key, server_key }
    }

    /// A verifier that no password has, and that nobody can tell from one: for a user who does not exist. It is the same
    /// each time for the same secret and name.
    #[must_use]
    pub fn of_nobody(secret: &[u8], user: &[u8], iterations: u32) -> Self {
        let hash = Hash::Sha256;
        let salt = hash.keyed(secret, &[b"salt ", user]);
        let salt = salt.get(..Self::SALT_OCTETS).unwrap_or_default().to_vec();
        let [stored_key, server_key] = [b"stored ", b"server "].map(|what| hash.keyed(secret, &[what, user]));
        Self { hash, iterations, salt, stored_key, server_key }
    }

    /// Reads `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`, the last three in base64, and whatever IndiMail has
    /// put behind it. None if it is of another hash.
    #[must_use]
    pub fn parse(hash: Hash, text: &[u8]) -> Option<Self> {
        let line = text.split(|octet| *octet == b'\n').next()?.trim_ascii_end();
        let mut parts = line.strip_prefix(hash.prefix())?.split(|octet| matches!(octet, b',' | b':'));
        let (iterations, salt, stored_key, server_key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let iterations: u32 = std::str::from_utf8(iterations).ok()?.parse().ok()?;
        let salt = STANDARD.decode(salt).ok()?;
        let is_sound = (Self::ITERATIONS_MIN..=Self::ITERATIONS_MAX).contains(&iterations)
            && (1..=SALT_OCTETS_MAX).contains(&salt.len());
        is_sound.then_some(())?;
        let key = |text: &[u8]| {
            let key = Secret::new(STANDARD.decode(text).ok()?);
            (key.len() == hash.octets()).then_some(key)
        };
        Some(Self { hash, iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// The form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(|octets| STANDARD.encode(octets));
        let iterations = self.iterations.to_string();
        let parts = [
            self.hash.prefix(),
            iterations.as_bytes(),
            b",",
            salt.as_bytes(),
            b",",
            stored.as_bytes(),
            b",",
            server.as_bytes(),
        ];
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

    /// The octets of a proof.
    pub(super) fn proof_octets(&self) -> usize {
        self.hash.octets()
    }

    /// Whether `proof` proves the password in the exchange that `message` tells.
    #[must_use]
    pub fn proves(&self, proof: &[u8], message: &[u8]) -> bool {
        let mut client_key = self.hash.keyed(&self.stored_key, &[message]);
        client_key.iter_mut().zip(proof).for_each(|(octet, proof)| *octet ^= proof);
        let is_whole = proof.len() == client_key.len();
        bool::from(self.stored_key.ct_eq(&self.hash.of(&client_key))) && is_whole
    }

    /// By what the client knows that the server has the verifier.
    pub(super) fn signature(&self, message: &[u8]) -> Secret {
        self.hash.keyed(&self.server_key, &[message])
    }
}

impl Hash {
    /// What a verifier begins with, in the form of IndiMail.
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"{SCRAM-SHA-1}",
            Self::Sha256 => b"{SCRAM-SHA-256}",
        }
    }

    /// How long it is.
    fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn of(self, octets: &[u8]) -> Secret {
        Secret::new(match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        })
    }

    /// HMAC of the parts (RFC 2104).
    pub(super) fn keyed(self, key: &[u8], parts: &[&[u8]]) -> Secret {
        match self {
            Self::Sha1 => keyed::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, parts),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Secret {
    // HMAC takes keys of every length.
    let Ok(mut mac) = M::new_from_slice(key) else { return Secret::default() };
    parts.iter().for_each(|part| mac.update(part));
    Secret::new(mac.finalize().into_bytes().to_vec())
}

/// PBKDF2 with HMAC-SHA-256 for one block (RFC 8018, 5.2), which is all that SCRAM asks for.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Key> {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else { return Zeroizing::default() };
    let once = |parts: &[&[u8]]| {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        Key::from(mac.finalize().into_bytes())
    };
    let mut block = Zeroizing::new(once(&[salt, &1_u32.to_be_bytes()]));
    let mut sum = block.clone();
    for _ in 1..iterations {
        *block = once(&[block.as_slice()]);
        sum.iter_mut().zip(block.iter()).for_each(|(octet, more)| *octet ^= more);
    }
    sum
}
