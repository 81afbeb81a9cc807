//! A login, the row of the table that tells of it, and the forms in which tables hold an address.

use std::fmt;
use std::net::IpAddr;

/// The longest user that is recorded, in octets: the longest address that SMTP allows (RFC 5321, 4.5.3.1).
pub const USER_OCTETS_MAX: usize = 320;
/// The longest text that older vpopmail changed before it stored it, in octets.
const MANGLED_OCTETS_MAX: usize = 30;

/// Somebody who has read mail: `user@domain` in lower case, and the address he came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// The user with his domain.
    pub user: String,
    /// The address, an IPv4-mapped one as IPv4.
    pub address: IpAddr,
}

/// Why a login cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// There is no user, or no domain.
    NoUser,
    /// The user is too long, is no UTF-8, or has blanks or control octets in it.
    BadUser,
    /// There is no address.
    NoAddress,
    /// The text is no address.
    BadAddress,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unusable::NoUser => "no user is named (--user, AUTHENTICATED or USER)",
            Unusable::BadUser => "the user is none that can be recorded",
            Unusable::NoAddress => "no address is named (--ip, IP, TCP6REMOTEIP or TCPREMOTEIP)",
            Unusable::BadAddress => "the address is none",
        })
    }
}

impl Login {
    /// A login of these texts. A user without a domain is one of `domain`.
    ///
    /// # Errors
    ///
    /// [`Unusable`], and why.
    pub fn parse(user: &[u8], address: &[u8], domain: Option<&[u8]>) -> Result<Self, Unusable> {
        let address = std::str::from_utf8(address).ok().and_then(|address| address.parse::<IpAddr>().ok());
        let address = address.ok_or(Unusable::BadAddress)?.to_canonical();
        if user.is_empty() {
            return Err(Unusable::NoUser);
        }
        let whole = match (user.contains(&b'@'), domain.filter(|domain| !domain.is_empty())) {
            (true, _) => user.to_vec(),
            (false, Some(domain)) => [user, b"@", domain].concat(),
            (false, None) => return Err(Unusable::NoUser),
        };
        let is_plain = |octet: &u8| !octet.is_ascii_control() && *octet != b' ';
        let whole = String::from_utf8(whole).ok();
        let whole = whole.filter(|whole| whole.len() <= USER_OCTETS_MAX && whole.bytes().all(|octet| is_plain(&octet)));
        let has_both =
            |whole: &String| whole.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        let user = whole.filter(has_both).ok_or(Unusable::BadUser)?.to_ascii_lowercase();
        Ok(Self { user, address })
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The user with his domain; none in vpopmail's table, which authorises addresses.
    pub user: Option<String>,
    /// The address.
    pub address: IpAddr,
    /// When, in seconds since 1970.
    pub time: i64,
}

/// The texts under which a table may hold an address: as we write it, IPv4 as IPv6, and for IPv6 as vpopmail before 5.6.4
/// wrote it, whose rows hold no colon. None is empty.
#[must_use]
pub fn stored_forms(address: IpAddr) -> Vec<String> {
    let text = address.to_string();
    let other = match address {
        IpAddr::V4(_) => format!("::ffff:{text}"),
        IpAddr::V6(_) => mangled(&text),
    };
    [text.clone(), other].into_iter().filter(|form| !form.is_empty()).collect()
}

/// What vpopmail made of an IPv6 address: what is before the first group is dropped if the text begins with a colon, and
/// every other colon became `_`.
fn mangled(text: &str) -> String {
    if text.len() > MANGLED_OCTETS_MAX {
        return text.to_owned();
    }
    let rest = match text.starts_with(':') {
        true => text.get(2..).and_then(|rest| rest.split_once(':')).map_or("", |(_, rest)| rest),
        false => text,
    };
    rest.replace(':', "_")
}

/// The address that a stored text stands for; none for what is no address, as an empty one, which vpopmail has for `::1`.
#[must_use]
pub fn parse_stored(text: &str) -> Option<IpAddr> {
    let text = text.trim_end();
    let address = text.parse().or_else(|_| text.replace('_', ":").parse::<IpAddr>()).ok()?;
    Some(address.to_canonical())
}

/// Whether two users are the same: letters of ASCII in either case, everything else exactly.
#[must_use]
pub fn is_same_user(stored: &[u8], asked: &[u8]) -> bool {
    stored.eq_ignore_ascii_case(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_a_user_with_a_domain_and_an_address() {
        let login = |user: &str, address: &str| {
            Login::parse(user.as_bytes(), address.as_bytes(), Some(b"mx.local.ex"))
                .map(|login| format!("{} {}", login.user, login.address))
        };
        let good = [
            ("Joe@Other.EX", "192.0.2.7", "joe@other.ex 192.0.2.7"),
            ("joe", "::ffff:192.0.2.7", "joe@mx.local.ex 192.0.2.7"),
            ("j'o\\e\"@other.ex", "2001:DB8:0:0::1", "j'o\\e\"@other.ex 2001:db8::1"),
            ("a@b@c.ex", "::1", "a@b@c.ex ::1"),
            ("jörg@other.ex", "1.2.3.4", "jörg@other.ex 1.2.3.4"),
        ];
        for (user, address, expected) in good {
            assert_eq!(login(user, address).as_deref(), Ok(expected));
        }
        let long = format!("{}@x.ex", "u".repeat(10_000));
        let bad = [
            ("", "192.0.2.7", Unusable::NoUser),
            ("@x.ex", "192.0.2.7", Unusable::BadUser),
            ("joe@", "192.0.2.7", Unusable::BadUser),
            ("j oe@x.ex", "192.0.2.7", Unusable::BadUser),
            ("joe\t@x.ex", "192.0.2.7", Unusable::BadUser),
            ("joe\n@x.ex", "192.0.2.7", Unusable::BadUser),
            ("joe\0@x.ex", "192.0.2.7", Unusable::BadUser),
            (&long, "192.0.2.7", Unusable::BadUser),
            ("joe@x.ex", "", Unusable::BadAddress),
            ("joe@x.ex", "192.0.2", Unusable::BadAddress),
            ("joe@x.ex", "192.0.2.7 ", Unusable::BadAddress),
            ("joe@x.ex", "fe80::1%eth0", Unusable::BadAddress),
            ("joe@x.ex", "unknown", Unusable::BadAddress),
        ];
        for (user, address, expected) in bad {
            assert_eq!(login(user, address), Err(expected), "{user} {address}");
        }
        assert_eq!(Login::parse(b"joe", b"::1", None), Err(Unusable::NoUser));
        assert_eq!(Login::parse(b"j\xffe@x.ex", b"::1", None), Err(Unusable::BadUser));
    }

    /// The table of what vpopmail stores.
    #[test]
    fn the_forms_of_other_writers_are_known() {
        let forms = |text: &str| stored_forms(text.parse().unwrap());
        assert_eq!(forms("192.0.2.1"), ["192.0.2.1", "::ffff:192.0.2.1"]);
        assert_eq!(forms("2001:db8::1"), ["2001:db8::1", "2001_db8__1"]);
        assert_eq!(forms("fe80::1"), ["fe80::1", "fe80__1"]);
        assert_eq!(forms("::1"), ["::1"]);
        let long = "2001:db8:1111:2222:3333:4444:5555:6666";
        assert_eq!(forms(long), [long, long]);
        for (text, address) in [
            ("192.0.2.1  ", Some("192.0.2.1")),
            ("::FFFF:192.0.2.1", Some("192.0.2.1")),
            ("2001:DB8:0:0::1", Some("2001:db8::1")),
            ("2001_db8__1", Some("2001:db8::1")),
            ("", None),
            ("1.2.3.4_x", None),
            ("abc", None),
        ] {
            assert_eq!(parse_stored(text), address.map(|address| address.parse().unwrap()), "{text}");
        }
    }
}
