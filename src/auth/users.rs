//! The file of auth-cdb: a cdb with what is kept of each user's password, and what is said of users who do not exist.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::{CramContext, Hash, Secret, Verifier};
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
            UsersError::Record => out.write_str("a record is none that `postern passwd` writes"),
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
pub struct Found {
    /// What judges passwords, and what SCRAM is done with.
    pub verifier: Kept<Verifier>,
    /// What judges digests of CRAM-MD5.
    pub context: Kept<CramContext>,
}

/// Something that is kept of a password.
#[derive(Debug)]
pub enum Kept<T> {
    /// The user's.
    Real(T),
    /// There is no such user, or the user has none: one that no password has.
    Decoy(T),
}

impl<T> Kept<T> {
    /// What it is, whosever it is.
    pub fn any(&self) -> &T {
        match self {
            Kept::Real(kept) | Kept::Decoy(kept) => kept,
        }
    }

    /// Whether it is the user's and `accepts` says so, which is asked in any case, so that the time is the same.
    pub fn judges(&self, accepts: impl FnOnce(&T) -> bool) -> bool {
        let is_accepted = accepts(self.any());
        is_accepted && matches!(self, Kept::Real(_))
    }
}

/// What is kept of a user: the verifier and, on a second line, the context of CRAM-MD5 if there is one.
#[must_use]
pub fn record(verifier: &Verifier, context: Option<&CramContext>) -> Secret {
    let (verifier, context) = (verifier.to_text(), context.map(CramContext::to_text));
    let lines: Vec<&[u8]> =
        [verifier.as_slice()].into_iter().chain(context.as_ref().map(|text| text.as_slice())).collect();
    Secret::new(lines.join(&b'\n'))
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
    let (verifier, context) = (decoy.verifier(user), CramContext::of_nobody(&decoy.secret, user));
    let nobody = Found { verifier: Kept::Decoy(verifier), context: Kept::Decoy(context) };
    let Some(record) = cdb.get(user, RECORD_OCTETS_MAX)?.map(Secret::new).filter(|_| user != DECOY_KEY) else {
        return Ok(nobody);
    };
    let verifier = Verifier::parse(Hash::Sha256, &record).map(Kept::Real).ok_or(UsersError::Record)?;
    let context = match record.split(|octet| *octet == b'\n').nth(1) {
        Some(line) => CramContext::parse(line).map(Kept::Real).ok_or(UsersError::Record)?,
        None => nobody.context,
    };
    Ok(Found { verifier, context })
}
