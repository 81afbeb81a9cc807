//! Reverse-path and forward-path, read with the original's leniency.

use std::net::Ipv4Addr;

/// The longest address we take, in octets; the original refuses 900.
pub const ADDRESS_OCTETS_MAX: usize = 899;

/// An address and what followed it on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    /// The address without brackets, quotes, backslashes and source route; empty is the null path `<>`.
    pub address: Vec<u8>,
    /// The text behind the path: the ESMTP parameters.
    pub parameters: &'a [u8],
}

/// The argument is no address: `555 syntax error in address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Path<'a> {
    /// Reads the argument of MAIL or RCPT (RFC 5321, 4.1.2, and the original's leniency).
    ///
    /// The keywords `FROM:` and `TO:` are not verified, the brackets may be missing or unclosed, a source route is stripped
    /// (RFC 5321, appendix C), and quoting is undone: `"a b"@c` is `a b@c`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when there is no address, it is longer than [`ADDRESS_OCTETS_MAX`], or it contains a control octet.
    pub fn parse(argument: &'a [u8]) -> Result<Self, Malformed> {
        let (text, terminator) = match after_first(argument, b'<') {
            Some(text) => (text, b'>'),
            // Quirk: without `<` the address stands between the first colon and a space (mail/address-without-brackets.smtp).
            None => (unbracketed(argument)?, b' '),
        };
        let text = match text.first() {
            // A source route ends at the first colon; `<@x>` without one is the null path.
            Some(b'@') => after_first(text, b':').unwrap_or_default(),
            Some(_) | None => text,
        };
        let (address, parameters) = unquote(text, terminator);
        // D10: the original lets control octets through to the queue and the log.
        if address.len() > ADDRESS_OCTETS_MAX || address.iter().any(u8::is_ascii_control) {
            return Err(Malformed);
        }
        Ok(Path { address, parameters })
    }
}

/// The domain of an address: what follows its last `@`, if there is one.
#[must_use]
pub fn domain(address: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', address)?;
    address.get(at.saturating_add(1)..)
}

/// The address in `user@[192.0.2.1]`, if the domain is such an IPv4 literal.
#[must_use]
pub fn ip4_literal(address: &[u8]) -> Option<Ipv4Addr> {
    let literal = domain(address)?.strip_prefix(b"[")?.strip_suffix(b"]")?;
    std::str::from_utf8(literal).ok()?.parse().ok()
}

fn after_first(text: &[u8], byte: u8) -> Option<&[u8]> {
    let at = memchr::memchr(byte, text)?;
    text.get(at.saturating_add(1)..)
}

fn unbracketed(argument: &[u8]) -> Result<&[u8], Malformed> {
    let text = after_first(argument, b':').filter(|text| !text.is_empty()).ok_or(Malformed)?;
    let spaces = text.iter().take_while(|&&byte| byte == b' ').count();
    Ok(text.get(spaces..).unwrap_or_default())
}

/// The address up to an unquoted `terminator`, with quoting undone, and what follows the terminator.
fn unquote(text: &[u8], terminator: u8) -> (Vec<u8>, &[u8]) {
    let mut address = Vec::with_capacity(text.len().min(ADDRESS_OCTETS_MAX + 1));
    let mut quoted = false;
    let mut escaped = false;
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if escaped {
            address.push(*byte);
            escaped = false;
            continue;
        }
        match *byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            end if end == terminator && !quoted => return (address, rest),
            other => address.push(other),
        }
    }
    (address, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_becomes_an_address() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"FROM:<a@b.c>", Some(b"a@b.c")),
            (b"FROM:<>", Some(b"")),
            (b"TO:<a@b.c", Some(b"a@b.c")),
            (b"<a@b>", Some(b"a@b")),
            (b"x <a@b>", Some(b"a@b")),
            (b"from: a@b.c", Some(b"a@b.c")),
            (b"from: a@b.c SIZE=3", Some(b"a@b.c")),
            (b"FROM:<@r1,@r2:u@test>", Some(b"u@test")),
            (b"FROM:<@x>", Some(b"")),
            (b"FROM:<\"a b\"@c>", Some(b"a b@c")),
            (b"FROM:<\"a>b\"@c>", Some(b"a>b@c")),
            (b"FROM:<a\\>b@c>", Some(b"a>b@c")),
            (b"FROM:<\"a\\\"b\"@c>", Some(b"a\"b@c")),
            (b"FROM:<A@B>", Some(b"A@B")),
            (b"", None),
            (b"FROM", None),
            (b"FROM:", None),
            (b"FROM:  ", Some(b"")),
            (b"FROM: \ta@b", None),
            (b"FROM:<a\nb@c>", None),
            (b"FROM:<a\x7fb@c>", None),
        ];
        for (argument, address) in table {
            let path = Path::parse(argument).ok().map(|path| path.address);
            assert_eq!(path.as_deref(), *address, "{}", String::from_utf8_lossy(argument));
        }
    }

    #[test]
    fn an_address_has_at_most_899_octets() {
        let longest = [b"<".as_slice(), &[b'a'; ADDRESS_OCTETS_MAX], b">"].concat();
        assert!(Path::parse(&longest).is_ok());
        let longer = [b"<".as_slice(), &[b'a'; ADDRESS_OCTETS_MAX + 1], b">"].concat();
        assert_eq!(Path::parse(&longer), Err(Malformed));
    }

    #[test]
    fn parameters_are_what_follows_the_path() {
        assert_eq!(Path::parse(b"FROM:<a@b> SIZE=1 BODY=7BIT").unwrap().parameters, b" SIZE=1 BODY=7BIT");
        assert_eq!(Path::parse(b"FROM:<a@b").unwrap().parameters, b"");
    }

    #[test]
    fn an_address_literal_is_recognised() {
        assert_eq!(ip4_literal(b"u@[192.0.2.1]"), Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(ip4_literal(b"u@[192.0.2.256]"), None);
        assert_eq!(ip4_literal(b"u@192.0.2.1"), None);
        assert_eq!(domain(b"a@b@c"), Some(b"c".as_slice()));
        assert_eq!(domain(b"a"), None);
    }
}
