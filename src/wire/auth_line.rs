//! Lines of AUTH: how long they may be, and that no copy of a password stays behind.

use std::mem;

use zeroize::Zeroize;

use crate::smtp::command::AUTH_LINE_OCTETS_MAX;

/// Whether what was read so far begins a command AUTH.
pub(super) fn begins(unread: &[u8]) -> bool {
    unread.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
}

/// The end of the line may be missing yet; a CR before it does not count.
pub(super) fn is_too_long(octets: &[u8]) -> bool {
    octets.strip_suffix(b"\r").unwrap_or(octets).len() > AUTH_LINE_OCTETS_MAX
}

/// Makes room for `octets` in all, and overwrites the buffer that is given back.
pub(super) fn reserve(buffer: &mut Vec<u8>, octets: usize) {
    let mut larger = Vec::with_capacity(octets);
    larger.extend_from_slice(buffer);
    mem::replace(buffer, larger).zeroize();
}
