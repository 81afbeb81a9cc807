//! Envelopes from the pipe against the one sentence that describes them.

use std::io::Read;

use postern::queue::envelope::{ADDRESS_OCTETS_MAX, Envelope};

/// The first octet says where the pipe pauses; the rest is what comes through it.
pub fn envelope(input: &[u8]) {
    let (cut, pipe) = input.split_first().map_or((0, input), |(cut, pipe)| (usize::from(*cut), pipe));
    let (one, two) = pipe.split_at(cut.min(pipe.len()));
    match Envelope::read(&mut one.chain(two)) {
        Ok(envelope) => {
            assert!(is_envelope(pipe), "something else was read as an envelope");
            assert!(!envelope.recipients().is_empty());
            let mut written = Vec::new();
            envelope.write(&mut written).unwrap();
            assert_eq!(written, pipe);
        }
        Err(unusable) => {
            assert!(!is_envelope(pipe), "{unusable}");
            assert!(matches!(unusable.exit_code(), 11 | 51 | 54 | 91));
        }
    }
}

/// `F`, an address, NUL; at least once `T`, an address, NUL; NUL; the end.
fn is_envelope(pipe: &[u8]) -> bool {
    let Some(addresses) = pipe.strip_suffix(b"\0\0") else { return false };
    let mut addresses = addresses.split(|byte| *byte == 0);
    let fits = |address: &[u8], letter| address.first() == Some(&letter) && address.len() <= 1 + ADDRESS_OCTETS_MAX;
    let sender = addresses.next().unwrap_or_default();
    let recipients: Vec<&[u8]> = addresses.collect();
    fits(sender, b'F') && !recipients.is_empty() && recipients.iter().all(|recipient| fits(recipient, b'T'))
}
