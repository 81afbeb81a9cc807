//! A list of `key` and `key:value` lines, such as `relayclients`: which line speaks for this client?

use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::control::text;
use crate::lookup::list::{self, Found, Needle};
use crate::lookup::pieces::{self, ListFile, Piece};
use crate::lookup::undecided::Unreadable;

/// The longest way to write an IPv6 address, in octets.
const ADDRESS_OCTETS_MAX: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();

/// A list of keyed lines. It is asked once a session, so nothing is kept: each question reads the file.
///
/// D02: a line without a colon has an empty value, and a value is only what stands behind its own key's colon.
#[derive(Debug)]
pub struct KeyedList {
    path: PathBuf,
}

impl KeyedList {
    /// The list at `path`; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the list is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line of the first of `keys` that has any, ASCII case ignored; the last one if it has several.
    ///
    /// # Errors
    /// [`Unreadable`], whatever keeps the list from being read, but for its absence.
    pub fn find_keyed(&self, keys: &[&[u8]]) -> Result<Found, Unreadable> {
        self.find(Search::new(keys.to_vec(), None))
    }

    /// The line for a client's name, or else for each part of it that begins with a dot: what `relaydomains` is asked.
    /// D28: an empty key, which the original tries last, is not tried; nor is `unknown`, the name of all who have none.
    ///
    /// # Errors
    /// As [`KeyedList::find_keyed`].
    pub fn find_host(&self, host: &[u8]) -> Result<Found, Unreadable> {
        let nameless = host.eq_ignore_ascii_case(b"unknown");
        self.find_keyed(&if nameless { Vec::new() } else { list::domain_keys(host) })
    }

    /// The line for a client's address, however that is spelt, or else for the longest prefix of an IPv4 address that
    /// ends in a dot: what `relayclients` is asked. D26: an IPv4-mapped address is an IPv4 address, in the list as well.
    ///
    /// # Errors
    /// As [`KeyedList::find_keyed`].
    pub fn find_client(&self, ip: IpAddr) -> Result<Found, Unreadable> {
        let ip = ip.to_canonical();
        let text = ip.to_string();
        let keys = match ip {
            IpAddr::V4(_) => address_keys(text.as_bytes()),
            IpAddr::V6(_) => Vec::new(),
        };
        self.find(Search::new(keys, Some(ip)))
    }

    fn find(&self, mut search: Search<'_>) -> Result<Found, Unreadable> {
        let mut read = || -> io::Result<Option<()>> {
            let Some(list) = ListFile::open(&self.path)? else { return Ok(None) };
            search.stream(&list.file, list.chunk_octets()).map(Some)
        };
        match read().map_err(|error| Unreadable { path: self.path.clone(), error })? {
            None => Ok(Found::Absent),
            Some(()) => Ok(search.best.map_or(Found::No, |best| Found::Yes { line: best.line, value: best.value })),
        }
    }
}

/// The address, then each shorter prefix that ends in a dot.
fn address_keys(address: &[u8]) -> Vec<&[u8]> {
    let dots = memchr::memrchr_iter(b'.', address).filter_map(|dot| address.get(..=dot));
    std::iter::once(address).chain(dots).collect()
}

/// What is looked for and the best line so far.
struct Search<'k> {
    /// The most specific first.
    keys: Vec<&'k [u8]>,
    needles: Vec<Needle>,
    address: Option<IpAddr>,
    lowered: Vec<u8>,
    best: Option<Best>,
}

struct Best {
    /// The place of its key among the keys; an address is as good as the first key.
    rank: usize,
    line: u32,
    value: Vec<u8>,
}

impl<'k> Search<'k> {
    fn new(mut keys: Vec<&'k [u8]>, address: Option<IpAddr>) -> Self {
        keys.retain(|key| list::can_be_entry(key) && !key.contains(&b':'));
        let needles = keys.iter().map(|key| Needle::new(key)).collect();
        Self { keys, needles, address, lowered: Vec::new(), best: None }
    }

    fn stream(&mut self, list: impl Read, chunk_octets: usize) -> io::Result<()> {
        pieces::each_piece(list, chunk_octets, |piece| {
            self.read_piece(piece);
            ControlFlow::Continue(()) // A later line may be a better one.
        })
    }

    fn read_piece(&mut self, piece: &Piece<'_>) {
        if piece.has_nul() {
            self.read_keys(piece);
            self.read_addresses(piece);
            return;
        }
        self.lowered.clear();
        self.lowered.extend(piece.framed.iter().map(u8::to_ascii_lowercase));
        self.search_keys(piece);
        match self.address {
            None => {}
            Some(IpAddr::V6(_)) => self.read_addresses(piece),
            // Each spelling of an IPv4-mapped address has this group.
            Some(IpAddr::V4(_)) if memmem::find(&self.lowered, b":ffff:").is_some() => self.read_addresses(piece),
            Some(IpAddr::V4(_)) => {}
        }
    }

    /// The fast way, for pieces without NUL.
    fn search_keys(&mut self, piece: &Piece<'_>) {
        for (rank, needle) in self.needles.iter().enumerate() {
            if self.best.as_ref().is_some_and(|best| best.rank < rank) {
                return;
            }
            let ends = |behind: &[u8]| behind.first() == Some(&b':') || list::ends_entry(behind);
            let Some((at, behind)) = needle.lines_in(&self.lowered).filter(|(_, behind)| ends(behind)).last() else {
                continue;
            };
            let start = self.lowered.len() - behind.len();
            let rest = text::first_line(piece.framed.get(start..).unwrap_or_default());
            let value = rest.get(1..).unwrap_or_default().to_vec();
            self.best = Some(Best { rank, line: piece.line_at(at), value });
        }
    }

    /// The plain way, entry by entry.
    fn read_keys(&mut self, piece: &Piece<'_>) {
        for entry in text::entries(piece.lines()) {
            let colon = memchr::memchr(b':', entry.text).unwrap_or(entry.text.len());
            let Some((key, rest)) = entry.text.split_at_checked(colon) else { continue };
            if let Some(rank) = self.keys.iter().position(|wanted| wanted.eq_ignore_ascii_case(key)) {
                self.take(rank, piece.line.saturating_add(entry.line - 1), rest.get(1..).unwrap_or_default());
            }
        }
    }

    fn read_addresses(&mut self, piece: &Piece<'_>) {
        for entry in text::entries(piece.lines()) {
            if let Some((address, value)) = address_entry(entry.text)
                && self.address == Some(address.to_canonical())
            {
                self.take(0, piece.line.saturating_add(entry.line - 1), value);
            }
        }
    }

    fn take(&mut self, rank: usize, line: u32, value: &[u8]) {
        if self.best.as_ref().is_none_or(|best| (rank, best.line) <= (best.rank, line)) {
            self.best = Some(Best { rank, line, value: value.to_vec() });
        }
    }
}

/// An entry that begins with an IPv6 address, and its value: an entry that is an address as a whole has none.
fn address_entry(entry: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let parse = |text: &[u8]| -> Option<Ipv6Addr> { std::str::from_utf8(text).ok()?.parse().ok() };
    memchr::memchr(b':', entry.get(..5).unwrap_or(entry))?; // The first group has at most four digits.
    if entry.len() <= ADDRESS_OCTETS_MAX
        && let Some(address) = parse(entry)
    {
        return Some((address, b""));
    }
    let within = entry.get(..=ADDRESS_OCTETS_MAX).unwrap_or(entry);
    memchr::memrchr_iter(b':', within).find_map(|colon| Some((parse(entry.get(..colon)?)?, entry.get(colon + 1..)?)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const TOKENS: &[&[u8]] =
        &[b"a", b"B", b".", b"1.2.3.4", b"1.2.", b":", b"::", b"FFFF:", b"\n", b"\n::1", b"\n#", b"\0", b" ", b"@g.x"];

    fn octets(tokens_max: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(TOKENS), 0..tokens_max).prop_map(|tokens| tokens.concat())
    }

    /// What the answer must be, said in the simplest way.
    fn by_entries(text: &[u8], keys: &[&[u8]], address: Option<IpAddr>) -> Option<(u32, Vec<u8>)> {
        let keyed = text::entries(text).filter_map(|entry| {
            let mut parts = entry.text.splitn(2, |&byte| byte == b':');
            let key = parts.next().unwrap();
            let rank = keys.iter().position(|wanted| list::can_be_entry(key) && wanted.eq_ignore_ascii_case(key))?;
            Some((rank, entry.line, parts.next().unwrap_or_default().to_vec()))
        });
        let addressed = text::entries(text).filter_map(|entry| {
            let ends = std::iter::once(entry.text.len()).chain((0..entry.text.len()).rev());
            let end = ends.filter(|&end| matches!(entry.text.get(end), None | Some(b':'))).find(|&end| {
                std::str::from_utf8(&entry.text[..end]).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
            })?;
            let found: Ipv6Addr = std::str::from_utf8(&entry.text[..end]).unwrap().parse().unwrap();
            let value = entry.text.get(end + 1..).unwrap_or_default().to_vec();
            (Some(found.to_canonical()) == address).then_some((0, entry.line, value))
        });
        let all: Vec<_> = keyed.chain(addressed).collect();
        let rank = all.iter().map(|hit| hit.0).min()?;
        // Of several on one line, split by NULs, the last one.
        all.into_iter().filter(|hit| hit.0 == rank).max_by_key(|hit| hit.1).map(|hit| (hit.1, hit.2))
    }

    fn streamed(text: &[u8], chunk: usize, keys: &[&[u8]], address: Option<IpAddr>) -> Option<(u32, Vec<u8>)> {
        let mut search = Search::new(keys.to_vec(), address);
        search.stream(text, chunk).unwrap();
        search.best.map(|best| (best.line, best.value))
    }

    proptest! {
        #[test]
        fn the_streamed_answer_is_that_of_the_entries(
            text in octets(60), keys in proptest::collection::vec(octets(3), 0..4), chunk in 2usize..60,
        ) {
            let mut keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            keys.extend([&b"1.2.3.4"[..], b"1.2.", b"a"]);
            prop_assert_eq!(streamed(&text, chunk, &keys, None), by_entries(&text, &keys, None));
        }

        #[test]
        fn an_address_is_found_however_it_is_spelt(text in octets(60), chunk in 2usize..60, which in 0usize..3) {
            let address = ["::1", "1.2.3.4", "::a"][which].parse().ok();
            prop_assert_eq!(streamed(&text, chunk, &[], address), by_entries(&text, &[], address));
        }
    }

    fn client(text: &str, ip: &str) -> Option<(u32, String)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relayclients");
        fs::write(&path, text).unwrap();
        match KeyedList::new(path).find_client(ip.parse().unwrap()).unwrap() {
            Found::Yes { line, value } => Some((line, String::from_utf8(value).unwrap())),
            Found::No => None,
            Found::Absent => panic!("the file is there"),
        }
    }

    #[test]
    fn the_most_specific_line_speaks_for_a_client() {
        let yes = |line, value: &str| Some((line, value.to_owned()));
        let cases = [
            ("192.168.0.1:\n", "192.168.0.1", yes(1, "")),
            ("192.168.0.1:\n", "192.168.0.10", None),
            ("192.168.0.1:\n", "192.168.0.11", None),
            ("192.168.0.1\n", "192.168.0.1", yes(1, "")),
            ("192.168.1.:\n", "192.168.1.77", yes(1, "")),
            ("192.168.1.:\n", "192.168.10.77", None),
            ("192.168.1.\n", "192.168.1.77", yes(1, "")),
            ("192.168.1\n192\n", "192.168.1.77", None),
            ("192.168.0.1:@Gw.ex\n", "192.168.0.1", yes(1, "@Gw.ex")),
            ("192.168.0.1:\n", "::ffff:192.168.0.1", yes(1, "")),
            ("::FFFF:192.168.0.1\n", "192.168.0.1", yes(1, "")),
            ("0:0:0:0:0:ffff:c0a8:1:@gw\n", "192.168.0.1", yes(1, "@gw")),
            ("10.1.2.3:a\n10.:b\n10.1.2.:c\n10.1.:d\n", "10.1.2.3", yes(1, "a")),
            ("10.:b\n10.1.2.:c\n10.1.:d\n", "10.1.2.4", yes(2, "c")),
            ("10.:b\n10.1.:d\n10.:e:f\n", "10.2.2.4", yes(3, "e:f")),
            ("10.0.0.1\n10.0.0.2:x\n", "10.0.0.1", yes(1, "")),
            ("10.0.0.1 \t\n10.0.0.1:y \n", "10.0.0.1", yes(2, "y")),
            ("2001:DB8:0:0::1\n", "2001:db8::1", yes(1, "")),
            ("2001:DB8:0:0::1:\n", "2001:db8::1", yes(1, "")),
            ("2001:db8::1:@gw.ex\n", "2001:db8::1", yes(1, "@gw.ex")),
            ("2001:db8::1:25\n", "2001:db8::1", None),
            ("2001:db8::1:25\n", "2001:db8::1:25", yes(1, "")),
            ("#2001:db8::1\n 2001:db8::1\n", "2001:db8::1", None),
            ("2001:\n", "2001:db8::1", None),
        ];
        for (text, ip, expected) in cases {
            assert_eq!(client(text, ip), expected, "{ip} in {text:?}");
        }
    }

    #[test]
    fn a_nameless_client_is_in_no_list_of_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relaydomains");
        fs::write(&path, ".Partner.ex:\nhost.ex:@gw\nunknown:\n:all\nhost.ex\n").unwrap();
        let list = KeyedList::new(path);
        let yes = |line| Found::Yes { line, value: Vec::new() };
        assert_eq!(list.find_host(b"a.b.partner.EX").unwrap(), yes(1));
        assert_eq!(list.find_host(b"HOST.ex").unwrap(), yes(5));
        for host in ["partner.ex", "evilpartner.ex", "x.host.ex", "unknown", "Unknown", ""] {
            assert_eq!(list.find_host(host.as_bytes()).unwrap(), Found::No, "{host}");
        }
        assert_eq!(KeyedList::new(dir.path().join("none")).find_host(b"a").unwrap(), Found::Absent);
        assert!(KeyedList::new(dir.path().to_owned()).find_host(b"a").is_err());
    }
}
