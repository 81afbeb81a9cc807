//! Patterns matched as those of file names (`USE_FNMATCH`): fnmatch(3) with path names, case ignored.

/// Whether the whole text matches the pattern; both in lower case.
///
/// `*` is any run without a slash, `?` an octet but a slash, `[a-z]` a set, `[!a-z]` and `[^a-z]` what is not in it, `\x` the
/// octet x; `[[:alpha:]]` and its like are classes. A set without end is an octet `[`.
///
/// Takes at most the product of both lengths in steps: only the last `*` is ever tried again.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut star: Option<(&[u8], &[u8])> = None; // What follows the last `*`, and the text it was last tried with.
    loop {
        if let Some(behind) = pattern.strip_prefix(b"*") {
            pattern = behind;
            star = Some((behind, text));
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        if let Some((&octet, rest)) = text.split_first()
            && let Some(behind) = behind_element(pattern, octet)
        {
            (pattern, text) = (behind, rest);
            continue;
        }
        // No `*` reaches beyond a slash, so the last one is the only one that can.
        let Some((behind, [passed, shorter @ ..])) = star else { return false };
        if *passed == b'/' {
            return false;
        }
        star = Some((behind, shorter));
        (pattern, text) = (behind, shorter);
    }
}

/// What follows the first element of the pattern, if that matches the octet.
fn behind_element(pattern: &[u8], octet: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => (octet != b'/').then_some(rest),
        [b'\\', wanted, rest @ ..] => (*wanted == octet).then_some(rest),
        [b'\\'] => None,
        [b'[', set @ ..] => match in_set(set, octet) {
            Some((true, rest)) => (octet != b'/').then_some(rest),
            Some((false, _)) => None,
            None => (octet == b'[').then_some(set),
        },
        [wanted, rest @ ..] => (*wanted == octet).then_some(rest),
    }
}

/// Whether the octet is in a set, which begins behind its bracket, and what follows the set; none if it has no end.
fn in_set(set: &[u8], octet: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let mut is_first = true;
    loop {
        match rest {
            [b']', behind @ ..] if !is_first => return Some((found != negated, behind)),
            [b'[', b':', class @ ..] if let Some(end) = memchr::memmem::find(class, b":]") => {
                found |= is_in_class(class.get(..end)?, octet);
                rest = class.get(end + 2..)?;
            }
            _ => {
                let (low, behind) = member(rest)?;
                match behind {
                    [b'-', high @ ..] if !matches!(high, [] | [b']', ..]) => {
                        let (high, behind) = member(high)?;
                        found |= (low..=high).contains(&octet);
                        rest = behind;
                    }
                    _ => {
                        found |= low == octet;
                        rest = behind;
                    }
                }
            }
        }
        is_first = false;
    }
}

/// The first octet of a set and what follows it.
fn member(set: &[u8]) -> Option<(u8, &[u8])> {
    match set {
        [b'\\', octet, rest @ ..] => Some((*octet, rest)),
        [] => None,
        [octet, rest @ ..] => Some((*octet, rest)),
    }
}

fn is_in_class(name: &[u8], octet: u8) -> bool {
    match name {
        b"alpha" | b"lower" | b"upper" => octet.is_ascii_alphabetic(),
        b"digit" => octet.is_ascii_digit(),
        b"alnum" => octet.is_ascii_alphanumeric(),
        b"xdigit" => octet.is_ascii_hexdigit(),
        b"space" => octet.is_ascii_whitespace() || octet == 0x0b,
        b"blank" => matches!(octet, b' ' | b'\t'),
        b"punct" => octet.is_ascii_punctuation(),
        b"cntrl" => octet.is_ascii_control(),
        b"graph" => octet.is_ascii_graphic(),
        b"print" => octet.is_ascii_graphic() || octet == b' ',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the C library answers, with FNM_PATHNAME and FNM_CASEFOLD.
    #[test]
    fn patterns_match_as_those_of_file_names() {
        let table = [
            ("*.a.b", "x.a.b", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("?", "/", false),
            ("[!a]", "b", true),
            ("[^a]", "a", false),
            ("[!a]", "!", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a[]]b", "a]b", true),
            ("[[:digit:]]*", "7x", true),
            ("[[:digit:]]*", "x7", false),
            ("[a-c]x", "bx", true),
            ("*b", "aab", true),
            ("**", "ab", true),
            ("[a-]", "-", true),
            ("x[", "x[", true),
            ("a/*", "a/b/c", false),
            ("[a/b]", "a", true),
            ("", "", true),
            ("*", "", true),
            (".*", ".x", true),
            ("*x*y", "axbxy", true),
            ("\\", "\\", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} on {text}");
        }
    }
}
