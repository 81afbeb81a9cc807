//! A list of clients, such as relayclients: what its lines say about one client, and which of them wins.

use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::client::line::Line;
use crate::client::network::Network;
use crate::client::pattern::{Pattern, leading_ipv4};
use crate::control::text;
use crate::lookup::pieces::{self, ListFile, Piece};
use crate::smtp::printable::printable;

/// The rejected lines of a list that are told one by one.
const REJECTED_TOLD_MAX: usize = 20;

/// Who is looked for in a list.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The name, if there is one.
    pub name: Option<&'a [u8]>,
    /// The name is known to lead to the address.
    pub confirmed: bool,
}

/// A line that speaks for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// How specific it is: the length of its network, or the octets of a name that it compares.
    pub length: u16,
    /// It excepts the client instead of granting.
    pub exception: bool,
    /// The number of the line, from 1.
    pub line: u32,
    /// What stands behind the colon.
    pub suffix: Vec<u8>,
}

impl Hit {
    /// Most specific wins, at equal length the exception; of equal lines the last one, for the sake of its suffix.
    pub(super) fn wins_over(&self, other: &Self) -> bool {
        (self.length, self.exception, self.line) >= (other.length, other.exception, other.line)
    }

    /// The winner of two.
    pub(super) fn better(best: Option<Self>, other: Self) -> Option<Self> {
        best.filter(|best| best.wins_over(&other)).or(Some(other))
    }
}

/// All that a list says about one client, before DNS is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The winner among addresses and networks.
    pub network: Option<Hit>,
    /// The winner among names, if the client's name is what it says.
    pub name: Option<Hit>,
    /// `@name` lines; DNS tells whether they hold the client's address.
    pub addresses_of: Vec<(Hit, Vec<u8>)>,
    /// `=me` lines.
    pub me: Vec<Hit>,
    /// An exception that nobody can read.
    pub unreadable: Option<(u32, String)>,
    /// The lines that are malformed.
    pub rejected: Rejected,
}

/// The malformed lines of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Number and what is wrong, of the first few.
    pub told: Vec<(u32, String)>,
    /// How many more there are.
    pub more: u64,
}

impl Rejected {
    pub(super) fn add(&mut self, line: u32, text: &[u8], fault: &impl std::fmt::Display) -> String {
        let shown = String::from_utf8_lossy(&printable(text)).into_owned();
        let why = format!("{shown}: {fault}");
        // The first exception is told in any case: it is why nobody is granted.
        let is_first_exception = why.starts_with('!') && !self.told.iter().any(|(_, told)| told.starts_with('!'));
        if self.told.len() < REJECTED_TOLD_MAX || is_first_exception {
            self.told.push((line, why.clone()));
        } else {
            self.more += 1;
        }
        why
    }

    /// A line for the log about each.
    #[must_use]
    pub fn notes(&self, file: &str) -> Vec<String> {
        let told = self.told.iter().map(|(line, why)| match why.starts_with('!') {
            true => exception_unreadable(file, *line, why),
            false => format!("{file}:{line}: {why}; entry ignored"),
        });
        let more = (self.more > 0).then(|| format!("{file}: {} more entries ignored", self.more));
        told.chain(more).collect()
    }
}

/// What a line that excepts nobody knows whom does to its list (D43).
#[must_use]
pub fn exception_unreadable(file: &str, line: u32, why: &str) -> String {
    format!("{file}:{line}: {why}; while this exception cannot be read, {file} lets nobody relay")
}

impl Reading {
    /// Takes in a line.
    pub(super) fn see(&mut self, number: u32, entry: &[u8], sought: &Sought<'_>) {
        let line = Line::parse(entry);
        let hit = |length| Hit { length, exception: line.exception, line: number, suffix: line.suffix.to_vec() };
        let pattern = match line.pattern {
            Ok(pattern) => pattern,
            Err(ref fault) => {
                let text = if line.exception { [b"!", line.text].concat() } else { line.text.to_vec() };
                let why = self.rejected.add(number, &text, fault);
                if line.exception && self.unreadable.is_none() {
                    self.unreadable = Some((number, why));
                }
                return;
            }
        };
        let full = u16::from(Network::of_address(sought.ip).length());
        match pattern {
            Pattern::Network(_) | Pattern::Octets(_) => {
                if let Some(length) = pattern.length_around(sought.ip) {
                    self.network = Hit::better(self.network.take(), hit(length.into()));
                }
            }
            Pattern::Name(_) | Pattern::Suffix(_) => {
                if let Some(length) = sought.name.and_then(|name| pattern.octets_of_name(name)) {
                    self.name = Hit::better(self.name.take(), hit(length));
                }
            }
            Pattern::AddressesOf(name) => self.addresses_of.push((hit(full), name.to_ascii_lowercase())),
            Pattern::Me => self.me.push(hit(full)),
        }
    }

    /// Reads a list of lines.
    pub(super) fn of_text(list: &ListFile, sought: &Sought<'_>) -> std::io::Result<Self> {
        let mut reading = Self::default();
        pieces::each_piece(&list.file, list.chunk_octets(), |piece| {
            if piece.has_nul() {
                reading.see_entries(piece.line, piece.lines(), sought);
            } else {
                reading.see_lines(piece, sought);
            }
            ControlFlow::Continue(()) // A later line may be a better one.
        })?;
        Ok(reading)
    }

    /// The fast way: most lines of a long list are plain and about others.
    fn see_lines(&mut self, piece: &Piece<'_>, sought: &Sought<'_>) {
        let (mut rest, mut number) = (piece.lines(), piece.line);
        while !rest.is_empty() {
            let body = rest.strip_prefix(b"!").unwrap_or(rest);
            rest = match leading_ipv4(body) {
                Some((network, [b'\n', behind @ ..])) if !network.contains(sought.ip) => behind,
                Some((network, behind @ [b':', ..])) if !network.contains(sought.ip) => cut_line(behind).1,
                Some(_) | None => {
                    let (line, behind) = cut_line(rest);
                    self.see_entries(number, line, sought);
                    behind
                }
            };
            number = number.saturating_add(1);
        }
    }

    /// The plain way: `number` is that of the first line.
    fn see_entries(&mut self, number: u32, lines: &[u8], sought: &Sought<'_>) {
        for entry in text::entries(lines) {
            self.see(number.saturating_add(entry.line - 1), entry.text, sought);
        }
    }
}

/// The first line, and what is behind its end.
fn cut_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let (line, behind) = text.split_at(end);
    (line, behind.get(1..).unwrap_or_default())
}
