//! What auth-cdb keeps for CRAM-MD5: the two states of HMAC-MD5 once it has taken the password (RFC 2195, 3).

use md5::digest::common::hazmat::SerializableState;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::auth::cram::hexadecimal;
use crate::auth::{Hash, Secret};

/// What a context begins with, in the form of Dovecot.
const PREFIX: &[u8] = b"{CRAM-MD5}";
/// What MD5 takes at once, in octets.
const BLOCK_OCTETS: usize = 64;
/// A state of MD5, in octets.
const STATE_OCTETS: usize = 16;

/// The outer state and the inner one. Whoever has them can do CRAM-MD5 as the user, but nothing else without guessing.
#[derive(Clone, PartialEq, Eq)]
pub struct CramContext(Secret);

impl std::fmt::Debug for CramContext {
    /// Without the states.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("CramContext")
    }
}

impl CramContext {
    /// The context of a password.
    #[must_use]
    pub fn of_password(password: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; BLOCK_OCTETS]);
        let digest = Zeroizing::new(<[u8; STATE_OCTETS]>::from(Md5::digest(password)));
        let short = if password.len() > BLOCK_OCTETS { digest.as_slice() } else { password };
        key.iter_mut().zip(short).for_each(|(octet, more)| *octet = *more);
        let mut states = Secret::new(Vec::with_capacity(2 * STATE_OCTETS));
        // The constants of HMAC (RFC 2104, 2).
        for pad in [0x5c, 0x36] {
            let mut block = key.clone();
            block.iter_mut().for_each(|octet| *octet ^= pad);
            let state = Md5::new_with_prefix(block.as_slice()).serialize();
            states.extend(state.iter().take(STATE_OCTETS));
        }
        Self(states)
    }

    /// A context that no password has, always the same for the same secret and name.
    #[must_use]
    pub fn of_nobody(secret: &[u8], user: &[u8]) -> Self {
        Self(Hash::Sha256.keyed(secret, &[b"cram ", user]))
    }

    /// Reads `{CRAM-MD5}` and 64 hexadecimal digits, as Dovecot writes them.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        (digits.len() == 4 * STATE_OCTETS).then_some(())?;
        octets(digits).map(Self)
    }

    /// The form that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut text = Secret::new(Vec::with_capacity(PREFIX.len() + 4 * STATE_OCTETS));
        text.extend_from_slice(PREFIX);
        text.extend(hexadecimal(self.0.iter()));
        text
    }

    /// Whether the digest, in hexadecimal, is that of the challenge and the password.
    #[must_use]
    pub fn accepts(&self, challenge: &[u8], digest: &[u8]) -> bool {
        let (Some((outer, inner)), Some(digest)) = (self.0.split_at_checked(STATE_OCTETS), octets(digest)) else {
            return false;
        };
        let (Some(inner), Some(outer)) = (resumed(inner), resumed(outer)) else { return false };
        let inner = inner.chain_update(challenge).finalize();
        outer.chain_update(inner).finalize().ct_eq(&digest).into()
    }
}

/// MD5 in this state after its first block.
fn resumed(state: &[u8]) -> Option<Md5> {
    let mut serialized = Md5::new_with_prefix([0; BLOCK_OCTETS]).serialize();
    serialized.iter_mut().zip(state).for_each(|(octet, other)| *octet = *other);
    Md5::deserialize(&serialized).ok()
}

fn octets(digits: &[u8]) -> Option<Secret> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    let mut octets = Secret::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        octets.push(digit(high)? << 4 | digit(low)?);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] = b"<1896.697170952@postoffice.reston.mci.net>";

    /// RFC 2195, 2, and passwords that are longer than a block.
    #[test]
    fn a_context_judges_as_the_password_would() {
        let long = |octets: usize| "k".repeat(octets);
        for (password, challenge, digest) in [
            ("tanstaaftanstaaf", CHALLENGE, "b913a602c7eda7a495b4e6e7334d3890"),
            ("secret", b"<30928.1795288965@mx.example.org>", "016dacc9b0845ca28dc52e8110fad626"),
            (&long(100), CHALLENGE, "a5f290f17c4c2b8cabb4a76e08c7a3bd"),
            (&long(200), CHALLENGE, "9c4918e089486d861286d6aa8979860d"),
        ] {
            let context = CramContext::of_password(password.as_bytes());
            assert!(context.accepts(challenge, digest.as_bytes()), "{password}");
            assert!(
                CramContext::parse(&context.to_text()).is_some_and(|read| read.accepts(challenge, digest.as_bytes()))
            );
            for wrong in ["", "b9", &digest.replace('d', "e"), &format!("{digest}00"), &digest.replace('d', "x")] {
                assert!(!context.accepts(challenge, wrong.as_bytes()), "{wrong}");
            }
            assert!(!context.accepts(b"<another@challenge>", digest.as_bytes()));
        }
    }

    #[test]
    fn a_context_is_written_as_dovecot_does() {
        let text = b"{CRAM-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6";
        assert_eq!(CramContext::of_password(b"test").to_text().as_slice(), text);
        for wrong in [&text[..20], &text[1..], &[text.as_slice(), b"00"].concat(), b"{CRAM-MD5}", b""] {
            assert!(CramContext::parse(wrong).is_none(), "{}", wrong.escape_ascii());
        }
        let nobody = CramContext::of_nobody(b"secret", b"joe");
        assert!(
            nobody == CramContext::of_nobody(b"secret", b"joe") && nobody != CramContext::of_nobody(b"secret", b"jo")
        );
        assert!(CramContext::parse(&nobody.to_text()) == Some(nobody));
    }
}
