//! Octets from outside made safe for a reply line or a log line.

use std::borrow::Cow;

/// `text` with every control octet, and every octet that is not part of valid UTF-8, replaced by `?`.
///
/// D17: the original writes client text as it came, so a client could forge log lines or upset a terminal.
#[must_use]
pub fn printable(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Cow::Borrowed(text);
    }
    let mut shown = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let character = if character.is_control() { '?' } else { character };
            shown.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        shown.extend(chunk.invalid().iter().map(|_| b'?'));
    }
    Cow::Owned(shown)
}

/// Like [`printable`], for a log line: `<` and `>` become `?` too, because they delimit the fields of our log.
#[must_use]
pub fn loggable(text: &[u8]) -> Vec<u8> {
    let mut shown = printable(text).into_owned();
    for byte in &mut shown {
        if matches!(byte, b'<' | b'>') {
            *byte = b'?';
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_octets_and_broken_utf8_become_question_marks() {
        let table: &[(&[u8], &[u8])] = &[
            (b"plain text", b"plain text"),
            (b"a\nb\0c\x7f", b"a?b?c?"),
            ("gr\u{fc}n".as_bytes(), "gr\u{fc}n".as_bytes()),
            ("\u{9b}31m".as_bytes(), b"?31m"),
            (b"\xff\xc3", b"??"),
        ];
        for (text, shown) in table {
            assert_eq!(printable(text), *shown);
        }
        assert_eq!(loggable(b"a> RCPT <b"), b"a? RCPT ?b");
    }
}
