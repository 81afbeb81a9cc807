//! Texts of control files against the sentences that describe them.

use postern::control::text::{entries, first_line, signed, unsigned};

/// A control file, read as a list, as a line and as a number.
pub fn text(file: &[u8]) {
    let found: Vec<(u32, &[u8])> = entries(file).map(|entry| (entry.line, entry.text)).collect();
    assert_eq!(found, reference(file));
    for entry in entries(file) {
        assert_eq!(file.get(entry.start..entry.start + entry.text.len()), Some(entry.text));
    }
    let line = without_blanks(file.split(|byte| *byte == b'\n').next().unwrap());
    assert_eq!(first_line(file), line);
    number(line);
}

fn reference(file: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let line = without_blanks(line);
        if !line.starts_with(b"#") && !line.starts_with(b"\0") {
            let pieces = line.split(|byte| *byte == 0).filter(|piece| !piece.is_empty());
            found.extend(pieces.map(|piece| (number, piece)));
        }
    }
    found
}

fn without_blanks(mut line: &[u8]) -> &[u8] {
    while let [shorter @ .., b' ' | b'\t'] = line {
        line = shorter;
    }
    line
}

/// Numbers out of range become the nearest in range; digits end at the first other octet.
fn number(line: &[u8]) {
    let digits = |text: &[u8]| -> String {
        text.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect()
    };
    let value = |digits: &str| if digits.is_empty() { 0 } else { digits.parse::<i128>().unwrap_or(i128::MAX) };

    let plain = digits(line);
    let expected = (!plain.is_empty()).then(|| u64::try_from(value(&plain)).unwrap_or(u64::MAX));
    assert_eq!(unsigned(line), expected);

    let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let expected = match line.get(blanks) {
        Some(b'-') => Some(-value(&digits(&line[blanks + 1..]))),
        Some(b'+') => Some(value(&digits(&line[blanks + 1..]))),
        Some(b'0'..=b'9') => Some(value(&digits(&line[blanks..]))),
        _ => None,
    };
    assert_eq!(signed(line), expected.map(|number| number.clamp(i32::MIN.into(), i32::MAX.into()) as i32));
}
