//! The mechanisms that we know, and the two conventions in which checkers of passwords are asked.

use std::fmt;

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// LOGIN, which no standard describes and every client speaks.
    Login,
    /// PLAIN (RFC 4616).
    Plain,
    /// CRAM-MD5 (RFC 2195).
    CramMd5,
    /// SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
    ScramSha256,
    /// The same, bound to the TLS connection that carries it.
    ScramSha256Plus,
}

impl Mechanism {
    /// All of them, in the order in which EHLO names them.
    pub const ALL: [Self; 5] = [Self::Login, Self::Plain, Self::CramMd5, Self::ScramSha256, Self::ScramSha256Plus];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism of that name, in whatever case.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The number by which IndiMail's checkers know it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Login => 1,
            Self::Plain => 2,
            Self::CramMd5 => 3,
            Self::ScramSha256 => 12,
            Self::ScramSha256Plus => 15,
        }
    }

    /// The password itself goes over the wire.
    #[must_use]
    pub fn shows_password(self) -> bool {
        matches!(self, Self::Login | Self::Plain)
    }

    /// Nothing can be said before chance has been asked.
    #[must_use]
    pub fn needs_chance(self) -> bool {
        matches!(self, Self::CramMd5) || self.is_scram()
    }

    /// The checker is asked for the user's verifier, which then judges the client's proof.
    #[must_use]
    pub fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha256Plus)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How a checker is asked, and what its exit code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// User, password or challenge, digest, number of the mechanism.
    IndiMail,
    /// vpopmail's: user, password or digest, challenge.
    Vpopmail,
}
