//! The mechanisms that we know: names, numbers, and what turns each off.

use std::fmt;

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// LOGIN, which no standard describes and every client speaks.
    Login,
    /// PLAIN (RFC 4616).
    Plain,
    /// XOAUTH2: a token in the place of a password, as Google and Microsoft describe it.
    Xoauth2,
    /// CRAM-MD5 (RFC 2195), and the same with other digests.
    Cram(Digest),
    /// SCRAM (RFC 5802, RFC 7677), without channel binding.
    Scram(Hash),
    /// The same, bound to the TLS connection that carries it.
    ScramPlus(Hash),
}

/// The digest of a mechanism of CRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1 (FIPS 180-4), as the four behind it.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// RIPEMD-160.
    Ripemd,
}

/// The hash of a mechanism of SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1 (RFC 5802).
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
}

impl Mechanism {
    /// All of them, in the order in which EHLO names them.
    pub const ALL: [Self; 14] = [
        Self::Login,
        Self::Plain,
        Self::Xoauth2,
        Self::Cram(Digest::Md5),
        Self::Cram(Digest::Sha1),
        Self::Cram(Digest::Sha224),
        Self::Cram(Digest::Sha256),
        Self::Cram(Digest::Sha384),
        Self::Cram(Digest::Sha512),
        Self::Cram(Digest::Ripemd),
        Self::Scram(Hash::Sha1),
        Self::Scram(Hash::Sha256),
        Self::ScramPlus(Hash::Sha1),
        Self::ScramPlus(Hash::Sha256),
    ];

    /// The name; the number by which IndiMail's checkers know it; the variable that turns it off.
    const fn row(self) -> (&'static str, u8, &'static str) {
        match self {
            Self::Login => ("LOGIN", 1, "DISABLE_AUTH_LOGIN"),
            Self::Plain => ("PLAIN", 2, "DISABLE_AUTH_PLAIN"),
            Self::Xoauth2 => ("XOAUTH2", 17, "DISABLE_OAUTH2"),
            Self::Cram(Digest::Md5) => ("CRAM-MD5", 3, "DISABLE_CRAM_MD5"),
            Self::Cram(Digest::Sha1) => ("CRAM-SHA1", 4, "DISABLE_CRAM_SHA1"),
            Self::Cram(Digest::Sha224) => ("CRAM-SHA224", 5, "DISABLE_CRAM_SHA224"),
            Self::Cram(Digest::Sha256) => ("CRAM-SHA256", 6, "DISABLE_CRAM_SHA256"),
            Self::Cram(Digest::Sha384) => ("CRAM-SHA384", 7, "DISABLE_CRAM_SHA384"),
            Self::Cram(Digest::Sha512) => ("CRAM-SHA512", 8, "DISABLE_CRAM_SHA512"),
            Self::Cram(Digest::Ripemd) => ("CRAM-RIPEMD", 9, "DISABLE_CRAM_RIPEMD"),
            Self::Scram(Hash::Sha1) => ("SCRAM-SHA-1", 11, "DISABLE_SCRAM_SHA1"),
            Self::Scram(Hash::Sha256) => ("SCRAM-SHA-256", 12, "DISABLE_SCRAM_SHA256"),
            Self::ScramPlus(Hash::Sha1) => ("SCRAM-SHA-1-PLUS", 14, "DISABLE_SCRAM_SHA1_PLUS"),
            Self::ScramPlus(Hash::Sha256) => ("SCRAM-SHA-256-PLUS", 15, "DISABLE_SCRAM_SHA256_PLUS"),
        }
    }

    /// The registered name, or IndiMail's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The mechanism of that name, in whatever case.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The number by which IndiMail's checkers know it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.row().1
    }

    /// The mechanism of that number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.number() == number)
    }

    /// The variable that turns it off; for XOAUTH2 there is a second one.
    #[must_use]
    pub const fn switch(self) -> &'static str {
        self.row().2
    }

    /// Offered only under `AUTH_LEGACY`: hashes that are old or no better, and tokens.
    #[must_use]
    pub fn is_legacy(self) -> bool {
        match self {
            Self::Xoauth2 => true,
            Self::Cram(digest) => digest != Digest::Md5,
            Self::Scram(hash) | Self::ScramPlus(hash) => hash != Hash::Sha256,
            Self::Login | Self::Plain => false,
        }
    }

    /// The password itself, or a token that is as good, goes over the wire.
    #[must_use]
    pub fn shows_password(self) -> bool {
        matches!(self, Self::Login | Self::Plain | Self::Xoauth2)
    }

    /// Nothing can be said before chance has been asked.
    #[must_use]
    pub fn needs_chance(self) -> bool {
        !self.shows_password()
    }

    /// The hash of SCRAM, for which the checker is asked for the user's verifier, which then judges the client's proof.
    #[must_use]
    pub fn scram_hash(self) -> Option<Hash> {
        match self {
            Self::Scram(hash) | Self::ScramPlus(hash) => Some(hash),
            Self::Login | Self::Plain | Self::Xoauth2 | Self::Cram(_) => None,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl Digest {
    /// Its length in hexadecimal.
    #[must_use]
    pub fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 | Self::Ripemd => 40,
            Self::Sha224 => 56,
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }
}
