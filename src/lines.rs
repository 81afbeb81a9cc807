//! Lines of an operator's file as qmail reads them: LF ends a line, blanks and tabs at its end do not count.

use std::io::{self, BufRead, Read};

/// Longest line held in memory, in octets. Rules and lists have lines of a few dozen.
pub const LINE_OCTETS_MAX: usize = 64 << 20;

/// Reads the next line into `line`, without its LF and without trailing blanks and tabs; `false` at the end. A last
/// line without LF counts. A line longer than [`LINE_OCTETS_MAX`] is an error of kind `OutOfMemory`.
pub fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.take(LINE_OCTETS_MAX as u64 + 1).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.len() > LINE_OCTETS_MAX {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    line.truncate(trimmed(line).len());
    Ok(true)
}

/// `line` without LF, blanks and tabs at its end. A carriage return stays, as everywhere in qmail.
pub fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b' ' | b'\t'));
    line.get(..end.map_or(0, |end| end + 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_and_lose_trailing_blanks_only() {
        let mut input: &[u8] = b"  a \t \n\n\tb\r\n \nlast";
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while next(&mut input, &mut line).unwrap() {
            all.push(line.clone());
        }
        assert_eq!(all, [&b"  a"[..], b"", b"\tb\r", b"", b"last"]);
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut input = io::BufReader::new(io::repeat(b'x'));
        let error = next(&mut input, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
