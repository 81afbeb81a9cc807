//! A line of a list of clients, such as relayclients: `[!]pattern[:suffix]`.

use crate::client::fault::Fault;
use crate::client::pattern::Pattern;

/// A line of a list of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// It begins with `!`: these clients are excepted from what other lines grant. A malformed line with a `!` somewhere, as
    /// ` !192.0.2.7`, may have been meant so, too.
    pub exception: bool,
    /// The text of the pattern.
    pub text: &'a [u8],
    /// The pattern; a malformed one matches nobody.
    pub pattern: Result<Pattern<'a>, Fault>,
    /// What stands behind the colon that ends the pattern; empty without one.
    pub suffix: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads an entry of a list: not empty, no comment.
    #[must_use]
    pub fn parse(entry: &'a [u8]) -> Self {
        let (begins_so, rest) = entry.strip_prefix(b"!").map_or((false, entry), |rest| (true, rest));
        let (text, suffix) = split(rest);
        let pattern = Pattern::parse(text);
        let exception = begins_so || (pattern.is_err() && entry.contains(&b'!'));
        Self { exception, text, pattern, suffix }
    }
}

/// Splits at the colon that ends the pattern. A line that is an IPv6 address or network as a whole has no suffix; else an
/// IPv6 pattern ends at the last colon behind something that is one.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let closing = match line {
        [b'[', ..] => Some(b']'),
        [b'$', b'(', ..] => Some(b')'),
        [b'$', b'{', ..] => Some(b'}'),
        _ => None,
    };
    let start = closing.and_then(|close| memchr::memchr(close, line)).unwrap_or(0);
    let Some(colon) = memchr::memchr(b':', line.get(start..).unwrap_or_default()).map(|at| start + at) else {
        return (line, b"");
    };
    // The first group of an IPv6 address has at most four digits.
    let may_be_ipv6 = closing.is_none() && colon <= 4 && !matches!(line, [b'=' | b'@', ..]);
    if may_be_ipv6 {
        let ends = std::iter::once(line.len()).chain(memchr::memrchr_iter(b':', line)).filter(|end| *end > colon);
        for (text, suffix) in ends.filter_map(|end| line.split_at_checked(end)) {
            // `2001:db8::1::2` is no address with a suffix.
            if text.len() <= IPV6_OCTETS_MAX && !suffix.starts_with(b"::") && Pattern::parse(text).is_ok() {
                return (text, suffix.get(1..).unwrap_or_default());
            }
        }
    }
    let (text, suffix) = line.split_at(colon);
    let looks_ipv6 = may_be_ipv6 && (colon == 0 || line.get(..colon).is_some_and(is_group));
    // A malformed IPv6 address is shown whole.
    if looks_ipv6 && line.iter().filter(|byte| **byte == b':').count() > 1 {
        return (line, b"");
    }
    (text, suffix.get(1..).unwrap_or_default())
}

/// The longest way to write an IPv6 network, in octets.
const IPV6_OCTETS_MAX: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128".len();

fn is_group(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_its_pattern_ends() {
        let cases = [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", ""),
            ("192.0.2.7:", "192.0.2.7", "192.0.2.7", ""),
            ("192.0.2.:@gw.ex", "192.0.2.", "192.0.2.0/24", "@gw.ex"),
            ("10.:a:b", "10.", "10.0.0.0/8", "a:b"),
            ("2001:DB8:0:0::1", "2001:DB8:0:0::1", "2001:db8::1", ""),
            ("2001:db8::1:", "2001:db8::1", "2001:db8::1", ""),
            ("2001:db8::1:@gw.ex", "2001:db8::1", "2001:db8::1", "@gw.ex"),
            ("2001:db8::1:25", "2001:db8::1:25", "2001:db8::1:25", ""),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8::/32", ""),
            ("2001:db8::/32:@gw", "2001:db8::/32", "2001:db8::/32", "@gw"),
            ("[2001:db8::]/32:25", "[2001:db8::]/32", "2001:db8::/32", "25"),
            ("[2001:db8::1]", "[2001:db8::1]", "2001:db8::1", ""),
            ("::1", "::1", "::1", ""),
            ("::FFFF:192.168.0.1:@gw", "::FFFF:192.168.0.1", "192.168.0.1", "@gw"),
            ("::ffff:127.0.0.:", "::ffff:127.0.0.", "127.0.0.0/24", ""),
            ("$(192.0.2.10/24):x", "$(192.0.2.10/24)", "192.0.2.0/24", "x"),
            ("${2001:db8::5/32}:x", "${2001:db8::5/32}", "2001:db8::/32", "x"),
        ];
        for (entry, text, network, suffix) in cases {
            let line = Line::parse(entry.as_bytes());
            assert_eq!(line.text, text.as_bytes(), "{entry}");
            assert_eq!(line.suffix, suffix.as_bytes(), "{entry}");
            let networks = line.pattern.unwrap().networks();

            assert_eq!(networks[0].to_string(), network, "{entry}");
        }
        for (entry, text, suffix) in
            [("=.partner.ex:@gw", "=.partner.ex", "@gw"), ("@gw.ex:", "@gw.ex", ""), ("=me", "=me", "")]
        {
            let line = Line::parse(entry.as_bytes());
            assert!(line.pattern.is_ok(), "{entry}");
            assert_eq!((line.text, line.suffix), (text.as_bytes(), suffix.as_bytes()), "{entry}");
        }
    }

    #[test]
    fn malformed_lines_keep_their_text() {
        for (entry, text) in [
            ("2001:db8::1::2", "2001:db8::1::2"),
            ("2001:", "2001"),
            (":all", ""),
            ("host.ex:@gw", "host.ex"),
            ("10.0.0.1/8:x", "10.0.0.1/8"),
            ("[1234", "[1234"),
            ("[1234]junk", "[1234]junk"),
        ] {
            let line = Line::parse(entry.as_bytes());
            assert_eq!(String::from_utf8_lossy(line.text), text, "{entry}");
            assert!(line.pattern.is_err(), "{entry}");
        }
        assert!(Line::parse(b"!10.0.0.1").exception);
        assert!(Line::parse(b" !10.0.0.1").exception);
        assert!(!Line::parse(b"10.0.0.1:!").exception);
    }
}
