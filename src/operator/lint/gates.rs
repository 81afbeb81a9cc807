//! The lines of badip, badhost and badhelo: what can never be a client's address, its name, or the name it gives with HELO.

use std::net::IpAddr;

use crate::control::text::Entry;
use crate::lookup::wildmat::is_pattern;
use crate::operator::lint::list::shown;

/// Wildcards are made of these, beside what they stand for.
const OF_WILDCARDS: &[u8] = b"*?[]^-\\";

/// A line of badip where wildcards are used.
pub(super) fn of_badip(entry: &Entry<'_>) -> Option<String> {
    let address = shown(entry);
    let pattern = without_negation(entry.text);
    let never = |advice: String| Some(format!("`{address}` never matches: {advice}"));
    if pattern.contains(&b'/') {
        return never("there are no networks here; deny them in tcp.smtp, or write wildcards".to_owned());
    }
    if let Some(begins) = address.strip_suffix('.').filter(|rest| rest.contains(|octet: char| octet.is_ascii_digit())) {
        return never(format!("write `{begins}.*`"));
    }
    if is_pattern(pattern) {
        let is_of_address =
            |octet: &u8| octet.is_ascii_hexdigit() || b".:".contains(octet) || OF_WILDCARDS.contains(octet);
        return if pattern.iter().all(is_of_address) {
            None
        } else {
            never("no address is like that; names are for badhost".to_owned())
        };
    }
    // What a client without an address is called.
    if pattern == b"unknown" {
        return None;
    }
    let text = str::from_utf8(pattern).ok()?;
    match text.parse::<IpAddr>().map(|ip| ip.to_canonical().to_string()) {
        Err(_) => never("it is no address; names are for badhost".to_owned()),
        Ok(canonical) if !canonical.eq_ignore_ascii_case(text) => never(format!("write `{canonical}`")),
        Ok(_) => None,
    }
}

/// A line of badhost where wildcards are used.
pub(super) fn of_badhost(entry: &Entry<'_>) -> Option<String> {
    let name = shown(entry);
    let pattern = without_negation(entry.text);
    let never = |advice: String| {
        let consequence = if entry.text.starts_with(b"!") { ", so it refuses everybody" } else { "" };
        Some(format!("`{name}` never matches a name{consequence}: {advice}"))
    };
    let text = str::from_utf8(pattern).ok()?;
    if pattern.iter().any(|octet| matches!(octet, b'@' | b':' | b'/' | b' ')) {
        return never("a line has the name of a client, and nothing else".to_owned());
    }
    if text.parse::<IpAddr>().is_ok() {
        return never("addresses are for badip".to_owned());
    }
    let suffix = text.strip_prefix('.')?;
    never(format!("write `*.{suffix}`"))
}

/// A line of badhelo: names stand behind an `@` there.
pub(super) fn of_badhelo(entry: &Entry<'_>, regular_expressions: bool) -> Option<String> {
    let pattern = without_negation(entry.text);
    let (begins, rest) = match regular_expressions {
        true => ("^@", pattern.strip_prefix(b"^")?),
        false => ("@", pattern),
    };
    let is_optional = regular_expressions
        && (memchr::memchr(b'|', rest).is_some() || matches!(rest.get(1), Some(b'?' | b'*' | b'{')));
    let may_be_sign =
        matches!(rest.first(), None | Some(b'@' | b'*' | b'?' | b'[' | b'\\' | b'.' | b'(' | b'$' | b'^'));
    let is_literal_dot = !regular_expressions && rest.first() == Some(&b'.');
    if is_optional || (may_be_sign && !is_literal_dot) {
        return None;
    }
    let name = String::from_utf8_lossy(rest);
    Some(format!("`{}` never matches: the name stands behind an `@` here; write `{begins}{name}`", shown(entry)))
}

fn without_negation(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"!").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::text::entries;
    use crate::lookup::ere::{Expression, Subject};
    use crate::lookup::wildmat;

    #[track_caller]
    fn check(lint: impl Fn(&Entry<'_>) -> Option<String>, good: &str, bad: &[(&str, &str)]) {
        for entry in entries(good.as_bytes()) {
            assert_eq!(lint(&entry), None);
        }
        for (line, advice) in bad {
            let found = entries(line.as_bytes()).find_map(|entry| lint(&entry)).unwrap_or_default();
            assert!(found.contains(advice), "{line}: {found:?}");
        }
    }

    #[test]
    fn addresses_that_no_client_has() {
        let good = "192.0.2.7\n192.0.2.*\n!192.0.2.9\n10.[0-9].*\n2001:db8::1\n2001:DB8::1\n2001:db8:*\nunknown\n*\n";
        let bad = [
            ("192.168.", "write `192.168.*`"),
            ("10.0.0.0/8", "no networks"),
            ("300.1.1.1", "no address"),
            ("a.example", "no address"),
            ("*.example", "for badhost"),
            ("2001:db8:0::1", "write `2001:db8::1`"),
            ("::ffff:192.0.2.1", "write `192.0.2.1`"),
            ("@192.0.2.1", "no address"),
        ];
        check(of_badip, good, &bad);
    }

    #[test]
    fn names_that_no_client_has() {
        let good = "mx.example\n*.dyn.example\n!*.good.example\nunknown\n*[0-9]-[0-9]*\n";
        let bad = [
            (".dyn.example", "write `*.dyn.example`"),
            ("@mx.example", "and nothing else"),
            ("192.0.2.1", "badip"),
            ("!.good.example", "refuses everybody"),
        ];
        check(of_badhost, good, &bad);
    }

    #[test]
    fn names_that_nobody_gives() {
        let good = "@mx.example\n@*.dyn.example\n*localhost*\n!@good.example\n?x\n[@]x\n\\@x\n";
        let bad =
            [("localhost", "write `@localhost`"), ("friend*", "write `@friend*`"), (".dyn.example", "write `@.dyn")];
        check(|entry| of_badhelo(entry, false), good, &bad);
        let good = "localhost\n^@localhost$\n^.local\n^[^a]\n^(a|@)\n^a*@x\n^a|b\n@x\n!^@good\n";
        check(
            |entry| of_badhelo(entry, true),
            good,
            &[("^localhost", "write `^@localhost`"), ("!^mx\\.", "write `^@mx")],
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_said_never_to_match_does_not(
            line in r"!?[@a1.*?^$|\\(\[{]{1,4}", names in proptest::collection::vec("[a1.@]{1,3}", 8), expressions: bool,
        ) {
            let said = entries(line.as_bytes()).any(|entry| of_badhelo(&entry, expressions).is_some());
            let pattern = without_negation(line.as_bytes());
            let matches = |name: &String| {
                let name = format!("@{name}");
                match (expressions, Expression::new(pattern)) {
                    (true, expression) => expression.is_ok_and(|known| known.is_match(&Subject::new(name.as_bytes()))),
                    (false, _) => wildmat::matches(pattern, name.as_bytes()),
                }
            };
            proptest::prop_assert!(!said || !names.iter().any(matches), "{line}");
        }
    }
}
