//! The patterns of control lists: `*`, `?`, sets and a backslash, the whole text, octet by octet.

/// Whether the whole text matches the pattern.
///
/// `*` is any run, `?` one octet, `[a-z]` a set, `[^a-z]` what is not in it (`!` is an octet like others), `\x` the octet
/// x. In a set `]` first, `-` first or last and `\` are themselves. A set without end or a final backslash matches nothing.
///
/// Takes at most the product of both lengths in steps: only the last `*` is ever tried again.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
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
        match text.split_first().map(|(&byte, rest)| (element(pattern, byte), rest)) {
            Some((Element::Takes(behind), rest)) => (pattern, text) = (behind, rest),
            Some((Element::Broken, _)) => return false,
            Some((Element::Differs, _)) | None => {
                let Some((behind, [_, shorter @ ..])) = star else { return false };
                star = Some((behind, shorter));
                (pattern, text) = (behind, shorter);
            }
        }
    }
}

/// Whether the pattern can match another text than itself, so that comparing is not enough.
#[must_use]
pub fn is_pattern(text: &[u8]) -> bool {
    memchr::memchr3(b'*', b'?', b'[', text).is_some() || memchr::memchr(b'\\', text).is_some()
}

/// Whether every set has its end and every backslash something behind it; else the pattern matches nothing.
#[must_use]
pub fn is_whole(pattern: &[u8]) -> bool {
    let mut pattern = pattern;
    loop {
        pattern = match pattern {
            [] => return true,
            [b'\\'] => return false,
            [b'\\', _, rest @ ..] => rest,
            [b'[', set @ ..] => match read_set(set, 0) {
                Some((_, behind)) => behind,
                None => return false,
            },
            [_, rest @ ..] => rest,
        };
    }
}

/// What the first element of a pattern says about an octet.
enum Element<'p> {
    /// It matches; the rest of the pattern.
    Takes(&'p [u8]),
    /// It does not match.
    Differs,
    /// It has no end, and so the pattern matches nothing.
    Broken,
}

fn element(pattern: &[u8], byte: u8) -> Element<'_> {
    let (wanted, rest) = match pattern {
        [] => return Element::Differs,
        [b'?', rest @ ..] => return Element::Takes(rest),
        [b'[', set @ ..] => return in_set(set, byte),
        [b'\\', wanted, rest @ ..] => (wanted, rest),
        [b'\\'] => return Element::Broken,
        [wanted, rest @ ..] => (wanted, rest),
    };
    if *wanted == byte { Element::Takes(rest) } else { Element::Differs }
}

/// `set` is what follows the bracket.
fn in_set(set: &[u8], byte: u8) -> Element<'_> {
    match read_set(set, byte) {
        Some((true, behind)) => Element::Takes(behind),
        Some((false, _)) => Element::Differs,
        None => Element::Broken,
    }
}

/// Whether an octet is in the set, and what is behind it; none if it has no end.
fn read_set(set: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (complement, mut rest) = match set {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut member = false;
    let mut first = true;
    loop {
        rest = match rest {
            [] => return None,
            [b']', behind @ ..] if !first => return Some((member != complement, behind)),
            [low, b'-', high, behind @ ..] if *high != b']' => {
                member |= (*low..=*high).contains(&byte);
                behind
            }
            [one, behind @ ..] => {
                member |= *one == byte;
                behind
            }
        };
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_end_where_they_should() {
        let cases: [(&[u8], &[u8], bool); 14] = [
            (b"[]]", b"]", true),
            (b"[^]]", b"]", false),
            (b"[^]]", b"a", true),
            (b"[]-a]", b"_", true),
            (b"[a-]", b"-", true),
            (b"[a-]", b"b", false),
            (b"[--/]", b".", true),
            (b"[^-a]", b"-", false),
            (b"[c-a]", b"b", false),
            (b"[\\]x", b"\\x", true),
            (b"[]", b"]", false),
            (b"[^", b"a", false),
            (b"*[", b"a[", false),
            (b"*\\", b"a\\", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{} {}", pattern.escape_ascii(), text.escape_ascii());
        }
    }

    #[test]
    fn a_pattern_without_its_end_is_not_whole() {
        for whole in ["", "a*b?", "[]]x", "[^]]", "[a-]", "\\[", "a\\\\"] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for broken in ["[", "a[b", "[]", "[^", "*\\", "[a-b"] {
            assert!(!is_whole(broken.as_bytes()), "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_not_whole_matches_nothing(pattern in r"[ab*?\[\]^\\-]{0,6}", text in r"[ab\[\]\\-]{0,5}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            proptest::prop_assert!(is_whole(pattern) || !matches(pattern, text));
        }
    }

    #[test]
    fn many_stars_end_in_bounded_time() {
        let pattern = b"*a".repeat(500);
        let text = b"a".repeat(2_000);
        assert!(matches(&pattern, &text));
        assert!(!matches(&[pattern.as_slice(), b"b"].concat(), &text));
        assert!(!matches(&b"*[ab]".repeat(300), &b"a".repeat(299)));
    }
}
