//! Reads the text of control files: lists, one-line values and numbers, by the rules of qmail's control files.

use crate::lines;

/// One entry of a list, such as a domain in `rcpthosts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// The line it stands on, counted from 1; it stays at the greatest number rather than starting again.
    pub line: u32,
    /// Where it begins, in octets from the start of the text.
    pub start: usize,
    /// The entry itself: never empty, without trailing blanks and tabs, with leading ones and with a carriage return.
    pub text: &'t [u8],
}

/// The entries of a list, in order.
///
/// Lines end at LF and lose trailing blanks and tabs; empty lines and lines that begin with `#` or NUL say nothing.
/// A NUL inside a line splits it; an empty piece says nothing either.
pub fn entries(text: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    Entries { rest: text, start: 0, line: 0, has_nul: memchr::memchr(0, text).is_some(), pieces: None }
}

/// The value of a one-line control file: its first line without trailing blanks and tabs. `#` is no comment here.
#[must_use]
pub fn first_line(text: &[u8]) -> &[u8] {
    let line = memchr::memchr(b'\n', text).and_then(|end| text.get(..end)).unwrap_or(text);
    lines::trimmed(line)
}

/// A number with a sign, as in `timeoutsmtpd`: blanks, a sign, digits up to the first other octet.
///
/// `None` is no number at all: the default stays. A sign alone is 0. A number out of range becomes the nearest one in
/// range, where the original wraps around silently: 4294967297 octets, seconds or hops never become 1.
#[must_use]
pub fn signed(text: &[u8]) -> Option<i32> {
    let blanks = text.iter().take_while(|&&byte| is_blank(byte)).count();
    let text = text.get(blanks..)?;
    let (sign, digits) = match text.first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        b'0'..=b'9' => (1, text),
        _ => return None,
    };
    let magnitude = leading_digits(digits).fold(0i64, |sum, digit| (sum * 10 + i64::from(digit)).min(1 << 32));
    Some(i32::try_from(sign * magnitude).unwrap_or(if sign < 0 { i32::MIN } else { i32::MAX }))
}

/// A number without a sign, as in `databytes`: digits from the very first octet up to the first other one.
///
/// `None` is no number at all: the default stays. A number too great becomes the greatest, where the original wraps
/// around silently: a limit that nobody reaches must not become one that everybody does.
#[must_use]
pub fn unsigned(text: &[u8]) -> Option<u64> {
    text.first().filter(|byte| byte.is_ascii_digit())?;
    Some(leading_digits(text).fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit))))
}

struct Entries<'t> {
    rest: &'t [u8],
    start: usize,
    line: u32,
    /// Hardly any list has one; then no line is searched for it.
    has_nul: bool,
    /// What is left of a line with NULs.
    pieces: Option<Entry<'t>>,
}

impl<'t> Iterator for Entries<'t> {
    type Item = Entry<'t>;

    fn next(&mut self) -> Option<Entry<'t>> {
        loop {
            if let Some(pieces) = self.pieces {
                let (piece, rest) = cut(pieces);
                self.pieces = rest;
                if !piece.text.is_empty() {
                    return Some(piece);
                }
                continue;
            }
            let line = self.next_line()?;
            match line.text.first() {
                None | Some(b'#' | 0) => {}
                Some(_) if self.has_nul => self.pieces = Some(line),
                Some(_) => return Some(line),
            }
        }
    }
}

impl<'t> Entries<'t> {
    /// The next line, without its LF and trailing blanks.
    fn next_line(&mut self) -> Option<Entry<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let length = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(length)?;
        let start = self.start;
        self.line = self.line.saturating_add(1);
        self.start = start.saturating_add(length).saturating_add(1);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(Entry { line: self.line, start, text: lines::trimmed(text) })
    }
}

/// Cuts an entry in two at its first NUL.
fn cut(whole: Entry<'_>) -> (Entry<'_>, Option<Entry<'_>>) {
    let nul = memchr::memchr(0, whole.text);
    let (text, behind) = whole.text.split_at_checked(nul.unwrap_or(whole.text.len())).unwrap_or_default();
    let rest =
        nul.map(|nul| Entry { start: whole.start + nul + 1, text: behind.get(1..).unwrap_or_default(), ..whole });
    (Entry { text, ..whole }, rest)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn leading_digits(text: &[u8]) -> impl Iterator<Item = u8> {
    text.iter().map_while(|byte| byte.is_ascii_digit().then(|| byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_knows_its_line_and_its_place() {
        let text = b"# c\n\nfoo  \t\n\0gone\na\0b\0\0c \0 \n#x\0y\n  last";
        let found: Vec<_> = entries(text).map(|entry| (entry.line, entry.start, entry.text)).collect();
        let expected: [(u32, usize, &[u8]); 5] =
            [(3, 5, b"foo"), (5, 18, b"a"), (5, 20, b"b"), (5, 23, b"c "), (7, 33, b"  last")];
        assert_eq!(found, expected);
        for (_, start, entry) in found {
            assert_eq!(&text[start..start + entry.len()], entry);
        }
    }

    #[test]
    fn numbers_stay_in_range() {
        let cases: [(&[u8], Option<i32>, Option<u64>); 9] = [
            (b"2147483647", Some(i32::MAX), Some(2_147_483_647)),
            (b"2147483648", Some(i32::MAX), Some(2_147_483_648)),
            (b"-2147483648", Some(i32::MIN), None),
            (b"-2147483649", Some(i32::MIN), None),
            (b"18446744073709551615", Some(i32::MAX), Some(u64::MAX)),
            (b"18446744073709551616", Some(i32::MAX), Some(u64::MAX)),
            (b"-99999999999999999999999999", Some(i32::MIN), None),
            (b" \t \n5", None, None),
            (b"-", Some(0), None),
        ];
        for (text, int, ulong) in cases {
            assert_eq!((signed(text), unsigned(text)), (int, ulong), "{}", text.escape_ascii());
        }
    }
}
