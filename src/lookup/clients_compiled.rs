//! A list of clients compiled by qmail-cdb: the same lines, found without reading them all.
//!
//! The keys are text, as `cdbdump` shows them: `192.0.2.0/24`, `=.example.org`, `@` (all such lines), `=me`; then `4` and `6`
//! (the lengths of networks there are), `!` (malformed lines), `!-` (the first exception among them) and `source`. A value
//! is the number of the line, `+` or `-` for a grant or an exception, and the suffix.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

use crate::cdb::make::{MakeError, Maker};
use crate::cdb::read::{Cdb, CdbError};
use crate::client::line::Line;
use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::control::text::entries;
use crate::lookup::clients::{Hit, Reading, Rejected, Sought};

/// The longest value of a record that is read, in octets.
const VALUE_OCTETS_MAX: usize = 1 << 20;

/// Which text a compiled list was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Octets, time of the last change in seconds and nanoseconds, inode.
    identity: String,
    /// The SHA-256 of the text, in hexadecimal digits.
    hash: String,
}

impl Fingerprint {
    /// The fingerprint of a list.
    #[must_use]
    pub fn of(metadata: &Metadata, text: &[u8]) -> Self {
        Self { identity: identity(metadata), hash: hash(text) }
    }

    fn stored(&self) -> String {
        format!("{} {}", self.identity, self.hash)
    }

    fn read(stored: &[u8]) -> Option<Self> {
        let (identity, hash) = std::str::from_utf8(stored).ok()?.rsplit_once(' ')?;
        Some(Self { identity: identity.to_owned(), hash: hash.to_owned() })
    }
}

fn identity(metadata: &Metadata) -> String {
    format!("{} {}.{:09} {}", metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino())
}

fn hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Why a compiled list is not used, though it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unused {
    /// The text was changed after it was compiled.
    Older,
    /// It was made of another text.
    OfAnotherSource,
    /// It is damaged, or no compiled list of clients.
    Damaged(String),
}

impl std::fmt::Display for Unused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Older => f.write_str("older than its source and not used; compile it again with qmail-cdb"),
            Self::OfAnotherSource => {
                f.write_str("made of another source and not used; compile it again with qmail-cdb")
            }
            Self::Damaged(why) => write!(f, "not used: {why}"),
        }
    }
}

/// Whether a compiled list is that of the text: it is not older, and its text is the very file, or has the same octets.
///
/// # Errors
///
/// [`Unused`]; a text that cannot be read counts as another one.
pub fn check(
    cdb: &Cdb,
    compiled: &Metadata,
    source: &Metadata,
    text: impl FnOnce() -> io::Result<Vec<u8>>,
) -> Result<(), Unused> {
    let changed = |metadata: &Metadata| (metadata.mtime(), metadata.mtime_nsec());
    if changed(compiled) < changed(source) {
        return Err(Unused::Older);
    }
    let stored = cdb.get(b"source", VALUE_OCTETS_MAX).map_err(|error| Unused::Damaged(error.to_string()))?;
    let Some(stored) = stored.as_deref().and_then(Fingerprint::read) else {
        return Err(Unused::Damaged("it is no compiled list of clients; compile it again with qmail-cdb".to_owned()));
    };
    if stored.identity == identity(source) || text().is_ok_and(|text| hash(&text) == stored.hash) {
        return Ok(());
    }
    Err(Unused::OfAnotherSource)
}

/// Compiles a list, and returns the malformed lines.
///
/// # Errors
///
/// [`MakeError`] when the records cannot be written.
pub fn compile<W: Write + Seek>(
    text: &[u8],
    fingerprint: &Fingerprint,
    maker: &mut Maker<W>,
) -> Result<Rejected, MakeError> {
    let mut lines = Lines::default();
    for entry in entries(text) {
        lines.see(entry.line, entry.text);
    }
    maker.add(b"source", fingerprint.stored().as_bytes())?;
    for (key, hit) in &lines.winners {
        maker.add(key.as_bytes(), &stored(hit, b""))?;
    }
    for (key, values) in &lines.joined {
        maker.add(key.as_bytes(), &values.join(&b'\n'))?;
    }
    maker.add(b"4", &lines.lengths4.iter().copied().collect::<Vec<u8>>())?;
    maker.add(b"6", &lines.lengths6.iter().copied().collect::<Vec<u8>>())?;
    if let Some((line, why)) = &lines.unreadable {
        maker.add(b"!-", format!("{line}-{why}").as_bytes())?;
    }
    if lines.rejected.more > 0 {
        maker.add(b"!more", lines.rejected.more.to_string().as_bytes())?;
    }
    Ok(lines.rejected)
}

/// The lines of a list, sorted into records.
#[derive(Default)]
struct Lines {
    winners: BTreeMap<String, Hit>,
    /// The values of keys that keep all their lines.
    joined: BTreeMap<&'static str, Vec<Vec<u8>>>,
    lengths4: BTreeSet<u8>,
    lengths6: BTreeSet<u8>,
    unreadable: Option<(u32, String)>,
    rejected: Rejected,
}

impl Lines {
    fn see(&mut self, number: u32, entry: &[u8]) {
        let line = Line::parse(entry);
        let hit = || Hit { length: 0, exception: line.exception, line: number, suffix: line.suffix.to_vec() };
        match line.pattern {
            Ok(pattern @ (Pattern::Network(_) | Pattern::Octets(_))) => {
                for network in pattern.networks() {
                    match network {
                        Network::V4 { length, .. } => self.lengths4.insert(length),
                        Network::V6 { length, .. } => self.lengths6.insert(length),
                    };
                    self.enter(network.to_string(), hit());
                }
            }
            Ok(Pattern::Name(name) | Pattern::Suffix(name)) => self.enter(name_key(name), hit()),
            Ok(Pattern::AddressesOf(name)) => self.join("@", stored(&hit(), &[b"@", name, b":"].concat())),
            Ok(Pattern::Me) => self.join("=me", stored(&hit(), b"")),
            Err(ref fault) => {
                let told = self.rejected.told.len();
                let text = if line.exception { [b"!", line.text].concat() } else { line.text.to_vec() };
                let why = self.rejected.add(number, &text, fault);
                if self.rejected.told.len() > told {
                    self.join("!", format!("{number}+{why}").into_bytes());
                }
                if line.exception && self.unreadable.is_none() {
                    self.unreadable = Some((number, why));
                }
            }
        }
    }

    fn enter(&mut self, key: String, hit: Hit) {
        match self.winners.entry(key) {
            Entry::Vacant(free) => drop(free.insert(hit)),
            Entry::Occupied(mut taken) if hit.wins_over(taken.get()) => drop(taken.insert(hit)),
            Entry::Occupied(_) => {}
        }
    }

    fn join(&mut self, key: &'static str, value: Vec<u8>) {
        self.joined.entry(key).or_default().push(value);
    }
}

fn name_key(name: &[u8]) -> String {
    format!("={}", String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// `12+suffix`, or `12-` for an exception; `before` stands in front of the suffix.
fn stored(hit: &Hit, before: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if hit.exception { b"-" } else { b"+" };
    [hit.line.to_string().as_bytes(), sign, before, &hit.suffix].concat()
}

fn read_hit(stored: &[u8], length: u16) -> Option<Hit> {
    let sign = stored.iter().position(|byte| !byte.is_ascii_digit())?;
    let (line, rest) = stored.split_at_checked(sign)?;
    let (sign, suffix) = rest.split_first()?;
    let line = std::str::from_utf8(line).ok()?.parse().ok()?;
    Some(Hit { length, exception: *sign == b'-', line, suffix: suffix.to_vec() })
}

/// What a compiled list says about a client.
///
/// # Errors
///
/// [`CdbError`] of a damaged file.
pub fn read(cdb: &Cdb, sought: &Sought<'_>) -> Result<Reading, CdbError> {
    let get = |key: &[u8]| cdb.get(key, VALUE_OCTETS_MAX);
    let hits = |stored: Vec<u8>, length| -> Vec<Hit> {
        stored.split(|byte| *byte == b'\n').filter_map(|stored| read_hit(stored, length)).collect()
    };
    let ip = sought.ip.to_canonical();
    let full = u16::from(Network::of_address(ip).length());
    let mut reading = Reading::default();
    let lengths = get(if ip.is_ipv4() { b"4" } else { b"6" })?.unwrap_or_default();
    for length in lengths.into_iter().rev() {
        let Some(network) = Network::around(ip, length) else { continue };
        if let Some(stored) = get(network.to_string().as_bytes())? {
            reading.network = read_hit(&stored, length.into());
            break;
        }
    }
    if let Some(name) = sought.name {
        reading.name = find_name(cdb, name)?;
    }
    for mut hit in get(b"@")?.map(|stored| hits(stored, full)).unwrap_or_default() {
        let colon = memchr::memchr(b':', &hit.suffix).unwrap_or(hit.suffix.len());
        let suffix = hit.suffix.get(colon + 1..).unwrap_or_default().to_vec();
        let name = hit.suffix.get(1..colon).unwrap_or_default().to_ascii_lowercase();
        hit.suffix = suffix;
        reading.addresses_of.push((hit, name));
    }
    reading.me = get(b"=me")?.map(|stored| hits(stored, full)).unwrap_or_default();
    let told = |hit: Hit| (hit.line, String::from_utf8_lossy(&hit.suffix).into_owned());
    reading.unreadable = get(b"!-")?.and_then(|stored| read_hit(&stored, 0)).map(told);
    reading.rejected.told =
        get(b"!")?.map(|stored| hits(stored, 0)).unwrap_or_default().into_iter().map(told).collect();
    let more = get(b"!more")?.unwrap_or_default();
    reading.rejected.more = std::str::from_utf8(&more).ok().and_then(|more| more.parse().ok()).unwrap_or(0);
    Ok(reading)
}

/// The whole name, then each end of it that begins with a dot.
fn find_name(cdb: &Cdb, name: &[u8]) -> Result<Option<Hit>, CdbError> {
    let dots = memchr::memchr_iter(b'.', name).filter(|dot| *dot > 0).filter_map(|dot| name.get(dot..));
    for end in std::iter::once(name).chain(dots) {
        if let Some(stored) = cdb.get(name_key(end).as_bytes(), VALUE_OCTETS_MAX)? {
            let length = if end.len() == name.len() { u16::MAX } else { u16::try_from(end.len()).unwrap_or(u16::MAX) };
            return Ok(read_hit(&stored, length));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use proptest::prelude::*;

    use super::*;
    use crate::lookup::pieces::ListFile;

    fn line() -> impl Strategy<Value = String> {
        let octet = || 0u8..4;
        let pattern = prop_oneof![
            (octet(), octet(), octet(), octet()).prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}")),
            (octet(), octet()).prop_map(|(a, b)| format!("{a}.{b}.")),
            (octet(), octet(), 0u8..33).prop_map(|(a, b, length)| format!("$({a}.{b}.1.2/{length})")),
            (octet(), octet(), octet()).prop_map(|(a, b, c)| format!("{a}.{b}-{}.*.{c}", b + 1)),
            (octet(), octet()).prop_map(|(a, b)| format!("{a}.{b}-{}.*.*", b + 2)),
            (0u16..3, 0u8..129).prop_map(|(a, length)| format!("${{2001:{a}::1/{length}}}")),
            proptest::sample::select(
                &["=.b.ex", "=a.b.ex", "=.ex", "@gw.ex", "=me", "10.0.0.1/8", "1.2", "junk!", "::1", "=A.B.ex",][..]
            )
            .prop_map(str::to_owned),
        ];
        (proptest::bool::weighted(0.3), pattern, proptest::sample::select(&["", ":", ":@gw", ":x:y"][..]))
            .prop_map(|(exception, pattern, suffix)| format!("{}{pattern}{suffix}", if exception { "!" } else { "" }))
    }

    proptest! {
        #[test]
        fn text_and_compiled_list_say_the_same(
            lines in proptest::collection::vec(line(), 0..30), ips in proptest::collection::vec(proptest::array::uniform4(0u8..5), 20),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (source, compiled) = (dir.path().join("list"), dir.path().join("list.cdb"));
            let text = lines.join("\n");
            fs::write(&source, &text).unwrap();
            let mut maker = Maker::new(File::create(&compiled).unwrap());
            let fingerprint = Fingerprint::of(&fs::metadata(&source).unwrap(), text.as_bytes());
            let rejected = compile(text.as_bytes(), &fingerprint, &mut maker).unwrap();
            maker.finish().unwrap();
            let cdb = Cdb::open(&compiled).unwrap();
            let mapped = ips.iter().map(|ip| std::net::IpAddr::from(*ip));
            let v6 = ips.iter().map(|ip| format!("2001:{:x}::{:x}", ip[0], ip[1]).parse().unwrap());
            for ip in mapped.chain(v6) {
                for name in [None, Some(&b"a.B.ex"[..]), Some(b"c.ex"), Some(b"b.ex")] {
                    let sought = Sought { ip, name, confirmed: false };
                    let list = ListFile::open(&source).unwrap().unwrap();
                    let by_text = Reading::of_text(&list, &sought).unwrap();
                    prop_assert_eq!(&by_text.rejected, &rejected);
                    prop_assert_eq!(read(&cdb, &sought).unwrap(), by_text, "{} {:?}", ip, name);
                }
            }
        }
    }

    #[test]
    fn a_compiled_list_of_another_text_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (source, compiled) = (dir.path().join("list"), dir.path().join("list.cdb"));
        let make = |text: &str| {
            let mut maker = Maker::new(File::create(&compiled).unwrap());
            let fingerprint = Fingerprint::of(&fs::metadata(&source).unwrap(), text.as_bytes());
            compile(text.as_bytes(), &fingerprint, &mut maker).unwrap();
            maker.finish().unwrap();
        };
        let check = || {
            let cdb = Cdb::open(&compiled).unwrap();
            super::check(&cdb, &fs::metadata(&compiled).unwrap(), &fs::metadata(&source).unwrap(), || fs::read(&source))
        };
        fs::write(&source, "10.0.0.1\n").unwrap();
        make("10.0.0.1\n");
        assert_eq!(check(), Ok(()));
        // The same text under another inode: the hash decides.
        fs::write(dir.path().join("copy"), "10.0.0.1\n").unwrap();
        fs::rename(dir.path().join("copy"), &source).unwrap();
        File::open(&source).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(check(), Ok(()));
        fs::write(&source, "10.0.0.2\n").unwrap();
        File::open(&source).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(check(), Err(Unused::OfAnotherSource));
        let later = fs::metadata(&compiled).unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        File::open(&source).unwrap().set_modified(later).unwrap();
        assert_eq!(check(), Err(Unused::Older));
        Maker::new(File::create(&compiled).unwrap()).finish().unwrap();
        File::open(&source).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(matches!(check(), Err(Unused::Damaged(_))));
    }
}
