//! What every text contains that an extended regular expression matches: one search for it spares the expression most lines.

/// The longest run of octets, in upper case, that no match is without; none is known of some expressions.
#[must_use]
pub fn literal(expression: &[u8]) -> Option<Vec<u8>> {
    let (mut run, mut longest) = (Vec::new(), Vec::new());
    let mut rest = expression;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        let mut goes_on = false;
        match octet {
            b'|' => return None,
            b'\\' => {
                let (&escaped, behind) = rest.split_first()?;
                rest = behind;
                // What an escaped letter or digit means is not looked at, nor the anchors.
                if !escaped.is_ascii_alphanumeric() && !matches!(escaped, b'<' | b'>' | b'`' | b'\'') && escaped < 128 {
                    run.push(escaped);
                    goes_on = true;
                }
            }
            b'[' => rest = behind_set(rest)?,
            b'(' => rest = behind_group(rest)?,
            b'*' | b'?' => drop(run.pop()),
            b'{' => {
                run.pop();
                let end = memchr::memchr(b'}', rest)?;
                rest = rest.get(end + 1..)?;
            }
            b'+' => {
                // Repeated once more it need not be there: `ab+?` matches `a`.
                while let [b'+', behind @ ..] = rest {
                    rest = behind;
                }
                if let [b'*' | b'?' | b'{', ..] = rest {
                    run.pop();
                }
            }
            b'^' | b'$' | b'.' | b')' => {}
            literal => {
                run.push(literal.to_ascii_uppercase());
                goes_on = true;
            }
        }
        if !goes_on {
            keep(&mut run, &mut longest);
        }
    }
    keep(&mut run, &mut longest);
    (!longest.is_empty()).then_some(longest)
}

fn keep(run: &mut Vec<u8>, longest: &mut Vec<u8>) {
    if run.len() > longest.len() {
        std::mem::swap(run, longest);
    }
    run.clear();
}

/// What follows a bracket expression.
fn behind_set(set: &[u8]) -> Option<&[u8]> {
    let set = set.strip_prefix(b"^").unwrap_or(set);
    let mut rest = set.strip_prefix(b"]").unwrap_or(set);
    loop {
        match rest {
            [] => return None,
            [b']', behind @ ..] => return Some(behind),
            [b'[', kind @ (b':' | b'.' | b'='), behind @ ..] => {
                let end = memchr::memmem::find(behind, &[*kind, b']'])?;
                rest = behind.get(end + 2..)?;
            }
            [_, behind @ ..] => rest = behind,
        }
    }
}

/// What follows a group.
fn behind_group(group: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (group, 1usize);
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match octet {
            b'\\' => rest = rest.get(1..)?,
            b'[' => rest = behind_set(rest)?,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lookup::ere::{Expression, Subject};

    #[test]
    fn what_is_certain_is_known() {
        let table: [(&str, Option<&str>); 16] = [
            ("viagra", Some("VIAGRA")),
            ("^Subject\\:.*cheap pills", Some("CHEAP PILLS")),
            ("ab*c", Some("A")),
            ("ab+cde", Some("CDE")),
            ("abc?", Some("AB")),
            ("abc+?", Some("AB")),
            ("abc++{0}d", Some("AB")),
            ("abc{0,2}x", Some("AB")),
            ("(abc|d)ef", Some("EF")),
            ("[abc]def", Some("DEF")),
            ("x[]a]yz", Some("YZ")),
            ("[[:digit:]]{16}", None),
            ("a|bcd", None),
            ("ab\\w+c\\.de", Some("C.DE")),
            ("(a", None),
            ("", None),
        ];
        for (expression, expected) in table {
            assert_eq!(literal(expression.as_bytes()).as_deref(), expected.map(str::as_bytes), "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_match_is_without_it(expression in "[ab.*+?(){}|^$\\[\\]\\\\,12w-]{0,12}", text in "[abAB.12 -]{0,8}") {
            if let (Ok(compiled), Some(literal)) = (Expression::new(expression.as_bytes()), literal(expression.as_bytes()))
                && compiled.is_match(&Subject::new(text.as_bytes()))
            {
                let upper = text.to_ascii_uppercase();
                prop_assert!(memchr::memmem::find(upper.as_bytes(), &literal).is_some(), "{expression} {text}");
            }
        }
    }
}
