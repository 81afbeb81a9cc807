//! PLAIN (RFC 4616): who one acts for, who one is, and the password, with a NUL between them.

use crate::auth::{Mechanism, Step, password_claim};

/// Takes the one message of the client.
pub(super) fn take(message: &[u8]) -> Step {
    let mut fields = message.split(|octet| *octet == 0);
    let (Some(acts_for), Some(user), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::Malformed;
    };
    if std::str::from_utf8(message).is_err() {
        return Step::Malformed;
    }
    let step = password_claim(Mechanism::Plain, user, password);
    // Nobody may act for somebody else.
    let is_own = acts_for.is_empty() || acts_for == user;
    if matches!(step, Step::Check(_)) && !is_own { Step::Refused } else { step }
}
