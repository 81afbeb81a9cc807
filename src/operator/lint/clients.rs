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
    let anyone = circumstances.environment.get(b"RELAYMX_ANYONE").is_some();
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
mod tests {
    use super::*;
    use crate::control::environment::Environment;

    fn lint(name: &str, text: &str, gateways: &[Gateway], variables: &[&str]) -> Vec<String> {
        let environment: Environment =
            variables.iter().map(|variable| (variable.as_bytes().to_vec(), Vec::new())).collect();
        let circumstances = Circumstances { environment: &environment, regular_expressions: false, gateways };
        let (findings, _) = lint_clients(Path::new(name), name, text.as_bytes(), &circumstances);
        findings.iter().map(ToString::to_string).collect()
    }

    fn lines(text: &str) -> Vec<u32> {
        let circumstances =
            Circumstances { environment: &Environment::default(), regular_expressions: false, gateways: &[] };
        let (findings, _) = lint_clients(Path::new("x"), "relayclients", text.as_bytes(), &circumstances);
        findings.iter().filter_map(|finding| finding.line).collect()
    }

    #[test]
    fn lines_that_could_go_are_found() {
        let cases: &[(&str, &[u32])] = &[
            ("10.0.0.0/8\n10.1.0.0/16\n", &[2]),
            ("10.0.0.0/8\n!10.1.0.0/16\n10.1.2.0/24\n", &[]),
            ("10.0.0.0/8\n!10.1.0.0/16\n!10.1.2.0/24\n", &[3]),
            ("10.0.0.0/8\n10.1.0.0/16:@gw\n", &[]),
            ("10.0.0.0/8:@gw\n10.1.0.0/16:@gw\n", &[2]),
            ("192.0.2.1\n192.0.2.1:\n", &[1]),
            ("192.0.2.1:@a\n192.0.2.1:@b\n", &[1]),
            ("192.0.2.0/24\n!192.0.2.0/24\n192.0.0.0/16\n", &[1]),
            ("!192.0.2.0/24\n198.51.100.1\n", &[1]),
            ("!192.0.2.0/24\n=.a.ex\n", &[]),
            ("192.168.40-43.*\n192.168.41.\n$(192.168.42.7/24)\n", &[2, 3]),
            ("192.168.40.0/22\n192.168.40-44.*\n", &[1]),
            ("192.168.40-43.5\n192.168.40.\n192.168.41.\n", &[]),
            ("192.168.40-41.5\n192.168.40.\n192.168.41.\n", &[1]),
            ("2001:db8::/32\n2001:db8:1::/48\n::ffff:10.1.1.1\n10.1.1.0/24\n", &[2, 3]),
            ("=.a.ex\n=b.a.ex\n=.c.A.ex\n=a.ex\n", &[2, 3]),
            ("=.a.ex\n!=.b.a.ex\n=c.b.a.ex\n", &[]),
            ("!=.b.ex\n10.1.1.1\n", &[]),
            ("!=.b.ex\n!10.1.1.1\n", &[1, 2]),
            ("@gw.ex\n@GW.ex\n=me\n=me\n", &[1, 3]),
            ("10.0.0.0/8\n10.1.1.1\n!10.2.0.0/16\n!10.2.2.2\n", &[2, 4]),
            // `@gw.ex` may be 10.2.2.2, and its line would win over the wider exception.
            ("10.0.0.0/8\n10.1.1.1\n!10.2.0.0/16\n!10.2.2.2\n@gw.ex\n", &[2]),
            ("10.0.0.0/8\n10.1.1.1\n@gw.ex:@route\n", &[]),
            ("10.:x\n!10.1.1.1:y\n", &[2]),
            ("10.:allow\n10.1.:deny,X=\"\"\n10.2.:allowed\n", &[1, 2]),
        ];
        for (text, expected) in cases {
            assert_eq!(lines(text), *expected, "{text:?}: {:?}", lint("relayclients", text, &[], &[]));
        }
    }

    #[test]
    fn removing_every_line_that_could_go_changes_nothing() {
        use proptest::prelude::*;
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;

        let line = (any::<bool>(), 0u8..3, 0u8..3, 27u8..33, proptest::sample::select(&["", ":a", ":b"][..])).prop_map(
            |(exception, third, fourth, length, suffix)| {
                let sign = if exception { "!" } else { "" };
                match length {
                    27 => format!("{sign}10.0.0-{third}.{fourth}{suffix}"),
                    28 => format!("{sign}10.0.{third}.{suffix}"),
                    _ => format!("{sign}$(10.0.{third}.{fourth}/{length}){suffix}"),
                }
            },
        );
        let strategy = proptest::collection::vec(line, 1..12);
        let (mut runner, mut found) = (TestRunner::deterministic(), 0);
        for _ in 0..500 {
            let list = strategy.new_tree(&mut runner).unwrap().current();
            let kept = needed(&list);
            found += list.len() - kept.len();
            for (third, fourth) in (0..4).flat_map(|third| (0..16).map(move |fourth| (third, fourth))) {
                let ip = [10, 0, third, fourth];
                assert_eq!(decide(&list, ip, ""), decide(&kept, ip, ""), "{ip:?} in {list:?}, kept {kept:?}");
            }
        }
        assert!(found > 500, "{found}");
    }

    /// The lines that lint does not call needless.
    fn needed(list: &[String]) -> Vec<String> {
        let findings = lint("relayclients", &list.join("\n"), &[], &[]);
        let is_needless = |number: usize| {
            let at = format!(": relayclients:{number}: ");
            findings.iter().any(|finding| finding.contains(&at) && !finding.contains(": the suffix"))
        };
        (1..).zip(list).filter(|(number, _)| !is_needless(*number)).map(|(_, line)| line.clone()).collect()
    }

    /// The decision of decide() in lookup/client_list.rs, for a client whose name is confirmed.
    fn decide(lines: &[String], ip: [u8; 4], name: &str) -> Option<Vec<u8>> {
        let read: Vec<Line<'_>> = lines.iter().map(|line| Line::parse(line.as_bytes())).collect();
        let hits = |specific: fn(&Pattern<'_>, [u8; 4], &str) -> Option<u16>| {
            let hit = |(number, line): (usize, &Line<'_>)| {
                Some((specific(line.pattern.as_ref().ok()?, ip, name)?, line.exception, number, line.suffix.to_vec()))
            };
            read.iter().enumerate().filter_map(hit).max()
        };
        let network = hits(|pattern, ip, _| pattern.length_around(ip.into()).map(u16::from));
        let name = hits(|pattern, _, name| pattern.octets_of_name(name.as_bytes()));
        if [&network, &name].into_iter().flatten().any(|(_, exception, _, _)| *exception) {
            return None;
        }
        network.or(name).map(|(_, _, _, suffix)| suffix)
    }

    #[test]
    fn removing_names_that_could_go_changes_nothing() {
        use proptest::prelude::*;
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;

        const NAMES: &[&str] =
            &["=.ex", "=.b.ex", "=b.ex", "=a.b.ex", "=.a.b.ex", "=A.b.EX", "10.0.0.1", "10.0.0.0/24", "10."];
        let line = (any::<bool>(), proptest::sample::select(NAMES), proptest::sample::select(&["", ":a"][..]))
            .prop_map(|(exception, name, suffix)| format!("{}{name}{suffix}", if exception { "!" } else { "" }));
        let (mut runner, mut found) = (TestRunner::deterministic(), 0);
        let strategy = proptest::collection::vec(line, 1..8);
        for _ in 0..500 {
            let list = strategy.new_tree(&mut runner).unwrap().current();
            let kept = needed(&list);
            found += list.len() - kept.len();
            for ip in [[10, 0, 0, 1], [10, 0, 0, 2], [10, 1, 1, 1], [192, 0, 2, 1]] {
                for name in ["none", "x.ex", "b.ex", "x.b.ex", "a.b.ex", "x.a.b.ex"] {
                    assert_eq!(
                        decide(&list, ip, name),
                        decide(&kept, ip, name),
                        "{ip:?} {name}: {list:?}, kept {kept:?}"
                    );
                }
            }
        }
        assert!(found > 500, "{found}");
    }

    #[test]
    fn malformed_lines_say_what_was_meant() {
        let findings =
            lint("relayclients", "11.22.33\n!192.168.300.*\n10.0.0.1/8:x\n10.1.1.1\r\n !10.1.1.2\n", &[], &[]);
        let expected = [
            "error: relayclients:1: `11.22.33` never matches: fewer than four octets; did you mean 11.22.33.?",
            "error: relayclients:2: `!192.168.300.*` excepts nobody can say whom: an octet above 255 (300); while this",
            "error: relayclients:3: `10.0.0.1/8` never matches: the address is not the first of its network; did you mean 10.0.0.0/8?",
            "error: relayclients:4: ends in CR",
            "error: relayclients:5: ` !10.1.1.2` begins with a blank",
        ];
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.starts_with(expected), "{finding}");
        }
    }

    #[test]
    fn grants_to_everyone_are_errors_and_to_very_many_warnings() {
        for (text, expected) in [
            ("0.0.0.0/0", "error"),
            ("*.*.*.*", "error"),
            ("::/0", "error"),
            ("2000::/3", "error"),
            ("128-255.*.*.*", "error"),
            ("192.0.0.0/15", "warning"),
            ("200-201.7.*.*", "warning"),
            ("2001:d00::/24", "warning"),
            ("!0.0.0.0/0\n=.a.ex", ""),
            ("10.", ""),
            ("172.16.0.0/12", ""),
            ("192.0.0.0/16", ""),
            ("2001:db8::/32", ""),
            ("fc00::/7", ""),
        ] {
            let findings = lint("relayclients", text, &[], &[]);
            assert_eq!(findings.len(), usize::from(!expected.is_empty()), "{text}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.starts_with(expected)), "{text}: {findings:?}");
        }
    }

    #[test]
    fn a_grant_that_covers_a_gateway_is_told() {
        let gateway =
            |is_own| Gateway { address: "172.17.0.1".parse().unwrap(), what: "the default gateway".to_owned(), is_own };
        for (text, is_own, line) in [
            ("10.\n172.16.0.0/12\n", false, Some(2)),
            ("172.16.0.0/12\n!172.17.0.1\n", false, None),
            ("172.16.0.0/12\n!172.17.0.0/16\n172.17.0-1.*:x\n", false, Some(3)),
            ("10.\n=me\n", false, None),
            ("10.\n=me\n", true, Some(2)),
        ] {
            let findings = lint("relayclients", text, &[gateway(is_own)], &[]);
            let told = line.map(|line| format!("warning: relayclients:{line}: "));
            assert_eq!(findings.len(), usize::from(told.is_some()), "{text}: {findings:?}");
            for (finding, told) in findings.iter().zip(told) {
                assert!(finding.starts_with(&told) && finding.contains("172.17.0.1, the default gateway"), "{finding}");
            }
        }
        assert!(lint("relaymx", "172.16.0.0/12\n", &[gateway(true)], &["RELAYMX_ANYONE"]).is_empty());
    }

    #[test]
    fn relaymx_must_be_meant() {
        for (text, variables, expected) in [
            ("=me\n", &[][..], "error: relaymx:1: `=me` lets outsiders"),
            ("=me\n", &["RELAYMX_ANYONE"], ""),
            ("=me\n@gw.ex\n", &["RELAYMX_ANYONE"], "error: relaymx:1: `=me`"),
            ("=me\n192.0.2.0/24\n", &[], "warning: relaymx:1: everyone may relay"),
            ("=me\n192.0.2.0/24\n", &["RELAYMX_ANYONE"], ""),
            ("192.0.2.0/24\n", &[], "warning: relaymx:1: everyone may relay"),
            ("", &[], ""),
        ] {
            let findings = lint("relaymx", text, &[], variables);
            assert_eq!(findings.len(), usize::from(!expected.is_empty()), "{text:?} {variables:?}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.starts_with(expected)), "{findings:?}");
        }
    }
}
