//! Wildcards against a table of all prefixes, and expressions that must end, whatever they are.

use postern::lookup::ere::{EXPRESSION_OCTETS_MAX, Expression, Subject};
use postern::lookup::wildmat::{is_pattern, matches};

use super::Input;

/// A pattern behind its length, then a text.
pub fn wildmat(input: &[u8]) {
    let mut input = Input(input);
    let (pattern, text) = (input.counted(), input.octets(255));
    assert_eq!(matches(pattern, text), reference(pattern, text));
    if !is_pattern(pattern) {
        assert_eq!(matches(pattern, text), pattern == text);
    }
}

/// What one element of a wildcard takes.
enum Element {
    Run,
    One(Box<[bool; 256]>),
}

/// Whether the elements take the text: a row for each element says which lengths of text those before it can take.
fn reference(pattern: &[u8], text: &[u8]) -> bool {
    let Some(elements) = elements(pattern) else { return false };
    let mut taken = vec![false; text.len() + 1];
    taken[0] = true;
    for element in elements {
        let mut next = vec![false; text.len() + 1];
        for length in 0..=text.len() {
            next[length] = match &element {
                Element::Run => taken[length] || (length > 0 && next[length - 1]),
                Element::One(set) => length > 0 && taken[length - 1] && set[usize::from(text[length - 1])],
            };
        }
        taken = next;
    }
    taken[text.len()]
}

/// `None` when the last element has no end.
fn elements(pattern: &[u8]) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        let mut set = [false; 256];
        at += 1;
        match byte {
            b'*' => {
                elements.push(Element::Run);
                continue;
            }
            b'?' => set = [true; 256],
            b'\\' => {
                set[usize::from(*pattern.get(at)?)] = true;
                at += 1;
            }
            b'[' => (set, at) = bracket(pattern, at)?,
            plain => set[usize::from(*plain)] = true,
        }
        elements.push(Element::One(Box::new(set)));
    }
    Some(elements)
}

/// The set behind a bracket, and where the pattern goes on.
fn bracket(pattern: &[u8], mut at: usize) -> Option<([bool; 256], usize)> {
    let mut set = [false; 256];
    let is_complement = pattern.get(at) == Some(&b'^');
    at += usize::from(is_complement);
    let first = at;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((set.map(|member| member != is_complement), at + 1));
        }
        let high = pattern.get(at + 2).filter(|high| pattern[at + 1] == b'-' && **high != b']');
        set.iter_mut().take(usize::from(*high.unwrap_or(&low)) + 1).skip(low.into()).for_each(|member| *member = true);
        at += if high.is_some() { 3 } else { 1 };
    }
}

/// An expression behind its length, then a text: it is compiled and ends. One without signs is just looked for.
pub fn ere(input: &[u8]) {
    let mut input = Input(input);
    let (expression, text) = (input.counted(), input.octets(255));
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"@-_=,;:/\x80\xff".contains(byte);
    let subject = Subject::new(text);
    match Expression::new(expression) {
        Ok(compiled) => {
            let found = compiled.is_match(&subject);
            if !expression.is_empty() && expression.iter().all(is_plain) {
                let contains = text.windows(expression.len()).any(|part| part.eq_ignore_ascii_case(expression));
                assert_eq!(found, contains);
            }
            // Case never matters, and what an expression takes as a whole it finds as well.
            assert_eq!(compiled.is_match(&Subject::new(&text.to_ascii_lowercase())), found);
            let has_group = expression.iter().any(|byte| b"()".contains(byte));
            if let Ok(whole) = Expression::new(&[b"^(", expression, b")$"].concat()) {
                assert!(found || has_group || !whole.is_match(&subject));
            }
        }
        Err(bad) => {
            assert!(!bad.to_string().is_empty());
            assert!(expression.is_empty() || !expression.iter().all(is_plain), "{bad}");
        }
    }
    assert!(Expression::new(&vec![b'a'; EXPRESSION_OCTETS_MAX + 1]).is_err());
}
