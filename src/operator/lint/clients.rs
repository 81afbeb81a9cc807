//! Lists of clients, relayclients and relaymx: what is malformed, what could go, and what grants more than it seems to.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use crate::client::cause::shown;
use crate::client::line::Line;
use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::control::text::entries;
use crate::operator::finding::Finding;
use crate::operator::host::Gateway;
use crate::operator::lint::Circumstances;
use crate::operator::lint::ladder::{Claim, Elsewhere, Standing, Standings};
use crate::operator::lint::list::{has_typographic_quotes, of_any_list};
use crate::operator::lint::names::Named;
use crate::operator::lint::told::{Kind, Told};

/// The most networks that are compared with each other; octet ranges stand for many.
const NETWORKS_MAX: usize = 1_000_000;
/// More public IPv4 addresses than this are hardly all of one's clients.
const WIDE_ADDRESSES: u64 = 1 << 16;
/// So many are everyone.
const EVERYONE_ADDRESSES: u64 = 1 << 31;
/// A shorter public IPv6 network holds more than one provider's clients.
const WIDE_BITS6: u8 = 32;
/// A network as short as this holds all of IPv6 that is in use.
const EVERYONE_BITS6: u8 = 3;

/// A line that is well-formed.
pub(super) struct Read<'t> {
    number: u32,
    line: Line<'t>,
    pattern: Pattern<'t>,
}

impl<'t> Read<'t> {
    fn shown(&self) -> String {
        shown(self.line.text)
    }

    pub(super) fn named(&self) -> Named<'t> {
        Named { number: self.number, exception: self.line.exception, pattern: self.pattern }
    }
}

/// Examines a list: `name` is `relayclients` or `relaymx`. Returns what else is to be said in the order of lines.
pub(super) fn lint_clients<'t>(
    path: &Path,
    name: &str,
    text: &'t [u8],
    circumstances: &Circumstances<'_>,
) -> (Vec<Finding>, Vec<Read<'t>>) {
    let mut told = Told::new(path);
    let mut lines = Vec::new();
    for entry in entries(text) {
        let line = Line::parse(entry.text);
        match &line.pattern {
            Ok(pattern) => {
                let read = Read { number: entry.line, pattern: *pattern, line };
                of_suffix(&read, &mut told);
                lines.push(read);
            }
            Err(fault) => {
                let problem = of_any_list(&entry).unwrap_or_else(|| match line.exception {
                    false => format!("`{}` never matches: {fault}", shown(line.text)),
                    true => format!("`!{}` excepts nobody can say whom: {fault}", shown(line.text)),
                });
                let gets = "; while this exception is here, whoever the list lets relay gets 451";
                let consequence = if line.exception { gets } else { "" };
                told.error(entry.line, format!("{problem}{consequence}"));
            }
        }
    }
    of_lines(&lines, &mut told);
    let grants = lines.iter().filter(|read| !read.line.exception);
    let everyone: Vec<u32> = grants
        .filter(|read| of_width(read.number, &read.shown(), &read.pattern, &mut told))
        .map(|read| read.number)
        .collect();
    if name == "relaymx" {
        of_relaymx(&lines, circumstances, &mut told);
    } else {
        for gateway in circumstances.gateways {
            of_gateway(&lines, gateway, &everyone, &mut told);
        }
    }
    (told.findings(), lines)
}

fn of_suffix(read: &Read<'_>, told: &mut Told<'_>) {
    let suffix = read.line.suffix;
    if suffix.is_empty() {
        return;
    }
    let shown_suffix = shown(suffix);
    let is_rule = [b"allow".as_slice(), b"deny"].iter().any(|word| match suffix.strip_prefix(*word) {
        Some(rest) => matches!(rest, [] | [b',', ..]),
        None => false,
    });
    if suffix.ends_with(b"\r") {
        let text = "ends in CR, which would be put behind each recipient: save the file with LF line ends";
        told.error(read.number, text.to_owned());
    } else if has_typographic_quotes(suffix) {
        let text = format!(
            "`{}:{shown_suffix}` has typographic quotes, as pasted from a web page: type it anew",
            read.shown()
        );
        told.error(read.number, text);
    } else if is_rule {
        let text = format!(
            "`:{shown_suffix}` is what a rule of tcp.smtp says; here it lets these clients relay, and is put behind each \
             recipient: remove it, or begin the line with `!` to except them"
        );
        told.error(read.number, text);
    } else if read.line.exception {
        let text = format!("the suffix `{shown_suffix}` of an exception means nothing: remove it");
        told.warning(Kind::SuffixOfException, read.number, text);
    }
}

/// Lines that could go.
fn of_lines(lines: &[Read<'_>], told: &mut Told<'_>) {
    let grants = || lines.iter().filter(|read| !read.line.exception);
    let is_name = |read: &Read<'_>| matches!(read.pattern, Pattern::Name(_) | Pattern::Suffix(_));
    let is_word = |read: &Read<'_>| matches!(read.pattern, Pattern::AddressesOf(_) | Pattern::Me);
    let of_networks = Elsewhere {
        grants: grants().any(is_name),
        address_grants: grants().filter(|read| is_word(read)).map(|read| read.line.suffix).collect(),
    };
    let of_names = Elsewhere { grants: grants().next().is_some(), address_grants: Default::default() };
    let (mut networks, mut names, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for read in lines {
        match read.pattern {
            Pattern::Network(network) => networks.push(claim(read, network)),
            Pattern::Octets(octets) => networks.extend(octets.networks().into_iter().map(|part| claim(read, part))),
            Pattern::Name(name) | Pattern::Suffix(name) => names.push(claim(read, name.to_ascii_lowercase())),
            Pattern::AddressesOf(_) | Pattern::Me => words.push(claim(read, read.line.text.to_ascii_lowercase())),
        }
        if networks.len() > NETWORKS_MAX {
            let text =
                format!("the ranges stand for more than {NETWORKS_MAX} networks: not examined for needless lines");
            told.warning(Kind::Needless, read.number, text);
            return;
        }
    }
    let mut standings = Standings::default();
    standings.of_networks(networks, &of_networks);
    standings.of_names(names, &of_names);
    standings.of_words(words, &of_names);
    let text_of = |number: u32| {
        let found = lines.binary_search_by_key(&number, |read| read.number).ok().and_then(|index| lines.get(index));
        found.map_or_else(String::new, |read| {
            format!("`{}{}`", if read.line.exception { "!" } else { "" }, read.shown())
        })
    };
    for (number, standing) in standings.unneeded() {
        told.warning(Kind::Needless, number, format!("{} {}", text_of(number), in_words(standing, text_of)));
    }
}

fn claim<'t, K>(read: &Read<'t>, key: K) -> Claim<'t, K> {
    Claim { key, line: read.number, exception: read.line.exception, suffix: read.line.suffix }
}

/// Why a line could go, and which line makes it so.
fn in_words(standing: Standing, text_of: impl Fn(u32) -> String) -> String {
    match standing {
        Standing::Repeats(line) => format!("says what line {line} says: remove one of them"),
        Standing::Overridden(line) => {
            format!(
                "has another suffix than line {line} for the same clients, and the last one counts: remove one of them"
            )
        }
        Standing::Excepted(line) => {
            format!(
                "grants nothing, because line {line}, {}, excepts the same clients: remove one of them",
                text_of(line)
            )
        }
        Standing::CoveredBy(line) => format!("is covered by line {line}, {}: remove it", text_of(line)),
        Standing::ExceptsNothing => "excepts clients to whom no line grants anything: remove it".to_owned(),
    }
}

/// A grant to everyone is an error, one to very many a warning. Returns whether it is to everyone.
pub(super) fn of_width(number: u32, text: &str, pattern: &Pattern<'_>, told: &mut Told<'_>) -> bool {
    let (mut addresses, mut everyone, mut wide6) = (0u64, false, false);
    for network in pattern.networks() {
        match network {
            Network::V4 { length, .. } => {
                everyone |= length <= 1;
                addresses += if is_private(network) { 0 } else { 1 << (32 - u64::from(length.min(32))) };
            }
            Network::V6 { length, .. } => {
                everyone |= length <= EVERYONE_BITS6;
                wide6 |= length < WIDE_BITS6 && !is_private(network);
            }
        }
    }
    let everyone = everyone || addresses >= EVERYONE_ADDRESSES;
    if everyone {
        told.error(number, format!("`{text}` is everyone, or nearly: this is an open relay; write your own networks"));
    } else if addresses > WIDE_ADDRESSES {
        let text = format!("`{text}` grants to {addresses} public addresses: are they all yours?");
        told.warning(Kind::Wide, number, text);
    } else if wide6 {
        told.warning(
            Kind::Wide,
            number,
            format!("`{text}` holds more than one provider's clients: are they all yours?"),
        );
    }
    everyone
}

/// A network that nobody from outside calls from.
fn is_private(network: Network) -> bool {
    let four = |a, b, length| Network::around(Ipv4Addr::new(a, b, 0, 0).into(), length);
    let six = |group, length| Network::around(Ipv6Addr::new(group, 0, 0, 0, 0, 0, 0, 0).into(), length);
    let nets = [
        four(10, 0, 8),
        four(172, 16, 12),
        four(192, 168, 16),
        four(127, 0, 8),
        four(169, 254, 16),
        four(100, 64, 10),
        six(0xfc00, 7),
        six(0xfe80, 10),
    ];
    nets.into_iter().flatten().any(|private| private.covers(network))
}

/// Whether the list lets an address relay that stands for many; `everyone`: the lines that say worse.
fn of_gateway(lines: &[Read<'_>], gateway: &Gateway, everyone: &[u32], told: &mut Told<'_>) {
    let hits = lines.iter().filter_map(|read| Some((length_around(&read.pattern, gateway)?, read)));
    let winner = hits.max_by_key(|(length, read)| (*length, read.line.exception, read.number)).map(|(_, read)| read);
    if let Some(read) = winner.filter(|read| !read.line.exception && !everyone.contains(&read.number)) {
        let otherwise = format!(", or except the address with `!{}`", gateway.address);
        told.warning(Kind::Gateway, read.number, covers_gateway(&read.shown(), gateway, &otherwise));
    }
}

/// How specific a pattern is about a gateway, if it holds it.
pub(super) fn length_around(pattern: &Pattern<'_>, gateway: &Gateway) -> Option<u8> {
    match pattern {
        Pattern::Me => gateway.is_own.then(|| Network::of_address(gateway.address).length()),
        Pattern::Network(_) | Pattern::Octets(_) | Pattern::Name(_) | Pattern::Suffix(_) | Pattern::AddressesOf(_) => {
            pattern.length_around(gateway.address)
        }
    }
}

/// What to do about a grant that holds a gateway; `otherwise` is another way than to name one's clients.
pub(super) fn covers_gateway(text: &str, Gateway { address, what, .. }: &Gateway, otherwise: &str) -> String {
    format!(
        "`{text}` holds {address}, {what}: containers, and whoever comes through address translation, may look like it \
         and could relay; name your clients{otherwise}"
    )
}

fn of_relaymx(lines: &[Read<'_>], circumstances: &Circumstances<'_>, told: &mut Told<'_>) {
    let grants = || lines.iter().filter(|read| !read.line.exception);
    let Some(first) = grants().next() else { return };
    let anyone = circumstances.assignments.has("RELAYMX_ANYONE");
    let has_network = grants().any(|read| !read.pattern.networks().is_empty());
    let is_confirmed = anyone && lines.len() == 1;
    match grants().find(|read| read.pattern == Pattern::Me) {
        Some(me) if !has_network && !is_confirmed => {
            let text = "`=me` lets outsiders relay to any domain whose MX they point at this host: name the networks of \
                        the MX hosts as well, or let `=me` stand alone and confirm it with RELAYMX_ANYONE=1";
            told.error(me.number, text.to_owned());
        }
        Some(_) | None if !anyone => {
            let text = "everyone may relay to a domain whose MX is listed here, and anyone can point an MX of a domain \
                        here: see that the hosts refuse what is not for them; RELAYMX_ANYONE=1 confirms it";
            told.warning(Kind::Exchangers, first.number, text.to_owned());
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests;
