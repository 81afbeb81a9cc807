//! The file of auth-cdb: a cdb with the verifier of each user, and what is said of users who do not exist.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::{Secret, Verifier};
use crate::cdb::read::{Cdb, CdbError};

/// The key of the decoy; no name of a user contains a NUL.
pub const DECOY_KEY: &[u8] = b"\0decoy";
/// The longest record, in octets.
pub const RECORD_OCTETS_MAX: usize = 1024;

/// What users who do not exist look like: they have as many iterations as the others, and a salt that stays the same.
pub struct Decoy {
    /// How many iterations the user has who was added last.
    pub iterations: u32,
    /// What the salts are made of.
    pub secret: Secret,
}

impl Decoy {
    /// The octets of the secret.
    pub const SECRET_OCTETS: usize = 32;

    /// Reads `iterations,secret`, the latter in base64.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let comma = text.iter().position(|octet| *octet == b',')?;
        let (iterations, secret) = text.split_at(comma);
        let secret = Secret::new(STANDARD.decode(secret.get(1..)?).ok()?);
        let iterations = std::str::from_utf8(iterations).ok()?.parse().ok()?;
        let is_sound = secret.len() == Self::SECRET_OCTETS
            && (Verifier::ITERATIONS_MIN..=Verifier::ITERATIONS_MAX).contains(&iterations);
        is_sound.then_some(Self { iterations, secret })
    }

    /// The form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        Secret::new(format!("{},{}", self.iterations, STANDARD.encode(&self.secret)).into_bytes())
    }

    /// The verifier of somebody who does not exist.
    #[must_use]
    pub fn verifier(&self, user: &[u8]) -> Verifier {
        Verifier::of_nobody(&self.secret, user, self.iterations)
    }
}

/// Why the users cannot be asked for.
#[derive(Debug)]
pub enum UsersError {
    /// The file cannot be read.
    Io(io::Error),
    /// It is no cdb.
    Cdb(CdbError),
    /// A record is none that we write.
    Record,
}

impl std::fmt::Display for UsersError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UsersError::Io(error) => out.write_str(&crate::errno::words(error)),
            UsersError::Cdb(error) => error.fmt(out),
            UsersError::Record => out.write_str("a record is no verifier of SCRAM-SHA-256"),
        }
    }
}

impl std::error::Error for UsersError {}

impl From<CdbError> for UsersError {
    fn from(error: CdbError) -> Self {
        UsersError::Cdb(error)
    }
}

/// What the file says of a name.
#[derive(Debug)]
pub enum Found {
    /// The user's verifier.
    User(Verifier),
    /// There is no such user; a verifier that no password has.
    Nobody(Verifier),
}

/// Looks a user up in the file at `path`. Names are compared whole, octet by octet.
///
/// # Errors
///
/// [`UsersError`]: nobody can tell now.
pub fn find(path: &Path, user: &[u8]) -> Result<Found, UsersError> {
    let cdb = Cdb::open(path).map_err(UsersError::Io)?;
    let decoy = cdb.get(DECOY_KEY, RECORD_OCTETS_MAX)?.map(Secret::new);
    let decoy = decoy.and_then(|text| Decoy::parse(&text)).ok_or(UsersError::Record)?;
    // Made in any case, so that the time is the same.
    let nobody = decoy.verifier(user);
    match cdb.get(user, RECORD_OCTETS_MAX)?.map(Secret::new) {
        Some(record) if user != DECOY_KEY => Verifier::parse(&record).map(Found::User).ok_or(UsersError::Record),
        Some(_) | None => Ok(Found::Nobody(nobody)),
    }
}
