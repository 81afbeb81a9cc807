//! CRAM-MD5 (RFC 2195) and the like: a challenge that never was before, and the client's digest of it, which the checker judges.

use crate::auth::{Chance, Claim, Digest, Mechanism, Secret, Step, name_fault};

/// How many random octets a challenge has.
const CHANCE_OCTETS: usize = 16;

/// An exchange of CRAM.
#[derive(Debug)]
pub(super) struct Cram {
    digest: Digest,
    challenge: Vec<u8>,
}

impl Cram {
    /// The challenge has the form of a message id, and 128 random bits.
    pub(super) fn new(digest: Digest, chance: &Chance, host: &[u8]) -> Self {
        let mut challenge = b"<".to_vec();
        challenge.extend(hexadecimal(chance.octets.iter().take(CHANCE_OCTETS)));
        challenge.extend_from_slice(format!(".{}@", chance.now_seconds).as_bytes());
        // A NUL cannot be in an argument; whatever else is in the name of this host is ours.
        challenge.extend_from_slice(host);
        challenge.push(b'>');
        Self { digest, challenge }
    }

    pub(super) fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Takes the client's answer: the name, which may have blanks, a blank, and the digest.
    pub(super) fn take(&self, message: &[u8]) -> Step {
        let Some(blank) = message.iter().rposition(|octet| *octet == b' ') else { return Step::Malformed };
        let (user, digest) = message.split_at(blank);
        let digest = digest.get(1..).unwrap_or_default();
        if let Some(fault) = name_fault(user) {
            return fault;
        }
        let is_digit = |octet: &u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        match digest.len() {
            0 => Step::Malformed,
            digits if digits == self.digest.digits() && digest.iter().all(is_digit) => Step::Check(Claim {
                mechanism: Mechanism::Cram(self.digest),
                user: user.to_vec(),
                evidence: Secret::new(self.challenge.clone()),
                digest: Secret::new(digest.to_vec()),
            }),
            _ => Step::Refused,
        }
    }
}

/// The digits of these octets.
pub(super) fn hexadecimal<'o>(octets: impl Iterator<Item = &'o u8>) -> impl Iterator<Item = u8> {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
    octets.flat_map(move |octet| [digit(octet >> 4), digit(octet & 15)])
}
