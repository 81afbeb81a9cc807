//! XOAUTH2: a user, and a token that somebody else has issued, in one message.

use serde_json::Value;

use crate::auth::{Claim, Mechanism, Secret, Step, name_fault};

/// The longest token.
pub const TOKEN_OCTETS_MAX: usize = 8192;

/// Takes the one message of the client: `user=`, the user, ^A, `auth=Bearer `, the token, ^A ^A.
pub(super) fn take(message: &[u8]) -> Step {
    let Some((user, token)) = fields(message) else { return Step::Malformed };
    if let Some(fault) = name_fault(user) {
        return fault;
    }
    match token.len() {
        0 => Step::Malformed,
        1..=TOKEN_OCTETS_MAX if token.iter().all(u8::is_ascii_graphic) => Step::Check(Claim {
            mechanism: Mechanism::Xoauth2,
            user: user.to_vec(),
            evidence: Secret::new(token.to_vec()),
            digest: Secret::default(),
        }),
        1..=TOKEN_OCTETS_MAX => Step::Malformed,
        _ => Step::Refused,
    }
}

fn fields(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = message.strip_prefix(b"user=")?.strip_suffix(b"\x01\x01")?;
    let (user, rest) = rest.split_at(rest.iter().position(|octet| *octet == 1)?);
    Some((user, rest.strip_prefix(b"\x01auth=Bearer ")?))
}

/// What a client is told, before its token is refused, of where another may be had.
pub(super) fn refusal(scope: &str) -> Vec<u8> {
    format!(r#"{{"status":"401","schemes":"bearer","scope":{}}}"#, Value::from(scope)).into_bytes()
}
