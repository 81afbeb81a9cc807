//! Networks in tcp.smtp: whoever reads the compiled rules finds the most specific line.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod support;
#[path = "support/tools.rs"]
mod tools;

use std::{
    cell::Cell,
    io::Cursor,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::Stdio,
};

use postern::cdb::{make::Maker, read::Cdb};
use postern::client::{
    pattern::Pattern,
    rule,
    rules::{self, Client, Manner},
};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use tools::*;

const STOCK_TCPRULESCHECK: &str = "/usr/bin/tcprulescheck";

/// What our tcprulescheck says about a client, after Debian's unmodified one, where it is installed, said the same.
fn both_check(directory: &Path, ip: &str) -> String {
    let client = [("TCPREMOTEIP", ip)];
    let ours = run(directory, &["tcprulescheck", "rules.cdb"], &client, Stdio::null());
    if Path::new(STOCK_TCPRULESCHECK).exists() {
        let stock = run_program(Path::new(STOCK_TCPRULESCHECK), directory, &["rules.cdb"], &client, Stdio::null());
        assert_eq!(ours, stock, "{ip}");
    } else {
        println!("ours only: {STOCK_TCPRULESCHECK} is not installed");
    }
    assert_eq!((ours.status.code(), ours.stderr.as_slice()), (Some(0), b"".as_slice()), "{ip}");
    String::from_utf8(ours.stdout).unwrap()
}

///
#[test]
fn x16_a_network_is_found_by_an_unmodified_reader() {
    let dir = tempfile::tempdir().unwrap();
    let output = tcprules(dir.path(), b"192.168.40.0/22:allow,RELAYCLIENT=\"\"\n");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "silent on success");
    for third in 40..44 {
        let granted = format!("rule 192.168.{third}.:\nset environment variable RELAYCLIENT=\nallow connection\n");
        assert_eq!(both_check(dir.path(), &format!("192.168.{third}.9")), granted);
    }
    for outside in ["192.168.39.255", "192.168.44.0", "192.16.40.1", "::ffff:192.168.40.9"] {
        assert_eq!(both_check(dir.path(), outside), "default:\nallow connection\n", "{outside}");
    }
    assert_eq!(records(&dir.path().join("rules.cdb")).len(), 4);
}

///
#[test]
fn x17_a_denied_network_is_exactly_that() {
    let dir = tempfile::tempdir().unwrap();
    assert!(tcprules(dir.path(), b"192.0.2.64/26:deny\n").status.success());
    let denied: Vec<Vec<u8>> = (64..128).map(|last| format!("192.0.2.{last}").into_bytes()).collect();
    let keys: Vec<Vec<u8>> = records(&dir.path().join("rules.cdb")).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, denied);
    for (last, expected) in [(63, "default:\nallow connection\n"), (128, "default:\nallow connection\n")] {
        assert_eq!(both_check(dir.path(), &format!("192.0.2.{last}")), expected);
    }
    for last in [64, 127] {
        assert_eq!(
            both_check(dir.path(), &format!("192.0.2.{last}")),
            format!("rule 192.0.2.{last}:\ndeny connection\n")
        );
    }
}

/// families do not mix, and the reader is warned that this is not everybody.
#[test]
fn x10_all_of_ipv4_is_no_ipv6_client() {
    let dir = tempfile::tempdir().unwrap();
    let output = tcprules(dir.path(), b"0.0.0.0/0:allow,RELAYCLIENT=\"\"\n:deny\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("1: every IPv4 client and no IPv6 client matches this"), "{said}");
    for (ip, key) in [("0.0.0.1", "0."), ("9.8.7.6", "9."), ("255.255.255.255", "255.")] {
        let granted = format!("rule {key}:\nset environment variable RELAYCLIENT=\nallow connection\n");
        assert_eq!(both_check(dir.path(), ip), granted);
    }
    for ip in ["2001:db8::1", "::1", "::ffff:9.8.7.6"] {
        assert_eq!(both_check(dir.path(), ip), "rule :\ndeny connection\n", "{ip}");
    }
}

/// X-03's patterns, behind `info@` too.
#[test]
fn ranges_and_whole_octets_are_networks() {
    let dir = tempfile::tempdir().unwrap();
    let cdb = |rules: &str| {
        assert!(tcprules(dir.path(), rules.as_bytes()).status.success(), "{rules}");
        std::fs::read(dir.path().join("rules.cdb")).unwrap()
    };
    let network = cdb("192.168.40.0/22:deny\n");
    for same in ["192.168.40-43.*", "192.168.40-43.0-255", "$(192.168.41.7/22)", "192.168.40-43."] {
        assert_eq!(cdb(&format!("{same}:deny\n")), network, "{same}");
    }
    assert_eq!(cdb("joe@192.0.2.6/31:deny\n"), cdb("joe@192.0.2.6:deny\njoe@192.0.2.7:deny\n"));
    let joe = [("TCPREMOTEIP", "192.0.2.7"), ("TCPREMOTEINFO", "joe")];
    let output = run(dir.path(), &["tcprulescheck", "rules.cdb"], &joe, Stdio::null());
    assert_eq!(output.stdout, b"rule joe@192.0.2.7:\ndeny connection\n");
}

/// A line with a network somewhere does not change what the lines of old forms mean among themselves.
#[test]
fn the_most_specific_line_gets_a_key_and_old_lines_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let rules = "10.1.0.0/20:deny,A=\"20\"\n10.1.0.0/23:deny,A=\"23\"\n10.1.1.:allow,A=\"first\"\n10.1.0-3.:allow,A=\"range\"\n\
                 10.1.2.0/24:allow,A=\"late\"\n10.1.1.:deny\n10.1.8.0/23:allow,A=\"b\"\n10.1.8.0/23:deny\n";
    assert!(tcprules(dir.path(), rules.as_bytes()).status.success());
    for (ip, word) in
        [("10.1.0.9", "range"), ("10.1.1.9", "first"), ("10.1.2.9", "range"), ("10.1.4.9", "deny"), ("10.1.8.9", "b")]
    {
        assert!(both_check(dir.path(), ip).contains(word), "{ip}");
    }
}

#[test]
fn doubtful_patterns_are_warned_about() {
    let cases = [
        ("@mail.example.org:allow", "names are not looked up here"),
        ("=me:allow", "only a client whose name is \"me\""),
        ("*.*.*.*:allow", "no IPv6 client matches"),
        ("fe80::/64:allow", "does not find fe80::/64 for a client whose address is written with ::"),
        ("2001:0:0:5::allow", "2001::/48 can be found"),
    ];
    for (line, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let output = tcprules(dir.path(), format!("{line}\n").as_bytes());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains(words) && said.lines().count() == 1, "{line}: {said}");
        let strict = run(dir.path(), &["tcprules", "--strict", "s.cdb", "s.tmp"], &[], input(line.as_bytes()));
        assert_eq!(strict.status.code(), Some(100), "{line}");
    }
    let dir = tempfile::tempdir().unwrap();
    let plain = tcprules(dir.path(), b"@10.0.0.1:deny\n=mefisto:deny\n=.me:deny\nfe80::/10:deny\njoe@=me:deny\n");
    assert_eq!((plain.status.code(), plain.stderr.as_slice()), (Some(0), b"".as_slice()));
}

/// Rules of which each sets V to its number, compiled.
fn compiled(directory: &Path, lines: &[String]) -> Cdb {
    let text: String =
        lines.iter().enumerate().map(|(number, line)| format!("{line}:allow,V=\"{number}\"\n")).collect();
    let path = directory.join("rules.cdb");
    let mut maker = Maker::new(Cursor::new(Vec::new()));
    rules::compile(text.as_bytes(), Manner::Classic, &mut maker, |_, _, _| {}).unwrap();
    std::fs::write(&path, maker.finish().unwrap().into_inner()).unwrap();
    Cdb::open(&path).unwrap()
}

/// The number of the line whose rule was found.
fn number(record: Option<(Vec<u8>, Vec<u8>)>) -> Option<usize> {
    let (_, value) = record?;
    let text = String::from_utf8(value).unwrap();
    Some(text.strip_prefix("+V=").unwrap().strip_suffix('\0').unwrap().parse().unwrap())
}

/// The most specific of the lines that hold the client, the first among equals. A range in one number is a rule for each of
/// its numbers, as ever; anything else is as specific as the network in it that holds the client.
fn most_specific(lines: &[String], ip: IpAddr) -> Option<usize> {
    let length = |line: &str| match line.strip_suffix('.').map(|rest| (rest, rest.matches('.').count() as u8 + 1)) {
        Some((prefix, octets)) if prefix.contains('-') => {
            let whole = format!("{prefix}{}", ".*".repeat(4 - usize::from(octets)));
            Pattern::parse(whole.as_bytes()).unwrap().length_around(ip).map(|_| 8 * octets)
        }
        None if line.matches('-').count() == 1 && !line.contains(['*', ':']) => {
            Pattern::parse(line.as_bytes()).unwrap().length_around(ip).map(|_| 32)
        }
        None if line.ends_with(':') && !line.ends_with("::") => {
            let groups = line.matches(':').count();
            let network = format!("{}{}/{}", line, vec!["0"; 8 - groups].join(":"), 16 * groups);
            Pattern::parse(network.as_bytes()).unwrap().length_around(ip)
        }
        Some(_) | None => Pattern::parse(line.as_bytes()).unwrap().length_around(ip),
    };
    let lengths = lines.iter().enumerate().filter_map(|(number, line)| Some((length(line)?, number)));
    lengths.max_by_key(|(length, number)| (*length, std::cmp::Reverse(*number))).map(|(_, number)| number)
}

fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    let octet = || select(&[0, 1, 2, 3, 4, 7, 8, 64, 127, 128, 255][..]);
    (select(&[10, 11][..]), select(&[0, 1, 2, 3][..]), octet(), octet())
        .prop_map(|(a, b, c, d)| Ipv4Addr::new(a, b, c, d))
}

fn ipv4_line() -> impl Strategy<Value = String> {
    let length = prop_oneof![4 => 8u8..=32, 1 => 0u8..8];
    (ipv4(), length, 0u8..9, 0u8..4, 0u8..4).prop_map(|(ip, length, form, low, more)| {
        let [a, b, c, d] = ip.octets();
        let (third, last) = (c.saturating_add(low), d.saturating_add(more));
        match form {
            0 => ip.to_string(),
            1 => format!("{a}.{b}.{c}."),
            2 => format!("{a}.{b}."),
            3 => format!("{a}.{b}.{c}-{third}."),
            4 => format!("{a}.{b}.{c}.{d}-{last}"),
            5 => format!("{a}.{b}.{c}-{third}.*"),
            6 => format!("{a}.{b}.{c}-{third}.{d}-{last}"),
            _ => format!("$({ip}/{length})"),
        }
    })
}

fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    let group = || prop_oneof![3 => Just(0u16), 2 => Just(1), 1 => Just(0xdb8), 1 => 0u16..0x30, 1 => any::<u16>()];
    (select(&[0x2001u16, 0xfe80, 1][..]), vec(group(), 7)).prop_map(|(first, rest)| {
        Ipv6Addr::from(std::array::from_fn::<u16, 8, _>(|at| if at == 0 { first } else { rest[at - 1] }))
    })
}

fn ipv6_line() -> impl Strategy<Value = String> {
    (ipv6(), 4u8..=128, 0u8..6, 2usize..8).prop_map(|(ip, length, form, groups)| match form {
        0 => ip.to_string(),
        1 => ip.segments()[..groups].iter().map(|group| format!("{group:x}:")).collect(),
        // On a boundary, or where it may become too many keys.
        2 | 3 => format!("${{{ip}/{}}}", 16 * groups),
        _ => format!("${{{ip}/{length}}}"),
    })
}

fn play(lines: impl Strategy<Value = String>, each: impl Fn(&Path, Vec<String>, u64) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let readable = |line: &String| matches!(rule::parse(format!("{line}:deny").as_bytes()), Ok(rule::Line::Rule(_)));
    let lines = vec(lines.prop_filter("too many keys", readable), 1..12);
    TestRunner::new(config)
        .run(&(lines, any::<u64>()), |(lines, seed)| each(tempfile::tempdir().unwrap().path(), lines, seed))
        .unwrap();
}

/// Clients near the addresses: those themselves, and with some bits changed.
fn near<T>(addresses: Vec<T>, mut seed: u64, change: impl Fn(&T, u64) -> T) -> Vec<T> {
    let mut clients: Vec<T> = addresses
        .iter()
        .flat_map(|address| (0..8).map(move |_| address))
        .map(|address| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            change(address, seed >> 16)
        })
        .collect();
    clients.extend(addresses);
    clients
}

#[test]
fn the_most_specific_ipv4_line_is_found() {
    let (asked, found) = (Cell::new(0), Cell::new(0));
    play(ipv4_line(), |directory, lines, seed| {
        let cdb = compiled(directory, &lines);
        let firsts = lines.iter().map(|line| {
            let numbers: Vec<u32> =
                line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|at| numbers.get(at).map_or(0, |number| *number as u8)))
        });
        for ip in near(firsts.collect(), seed, |ip, random| Ipv4Addr::from_bits(ip.to_bits() ^ 1 << (random % 25))) {
            let client = Client { ip: ip.to_string().as_bytes(), ..Client::default() }.rule(&cdb).unwrap();
            let expected = most_specific(&lines, ip.into());
            prop_assert_eq!(number(client), expected, "{} {:?}", ip, lines);
            asked.set(asked.get() + 1);
            found.set(found.get() + usize::from(expected.is_some()));
        }
        Ok(())
    });
    println!("{} IPv4 clients, {} of them have a rule", asked.get(), found.get());
    assert!(asked.get() > 5000 && found.get() > 1000);
}

/// The keys of a reader that cuts the text of `inet_ntop` back at colons (Debian's ucspi-tcp-ipv6).
fn colon_keys(ip: Ipv6Addr) -> Vec<Vec<u8>> {
    let text = ip.to_string().into_bytes();
    let cuts = (0..text.len()).rev().filter(|at| text[*at] == b':').map(|at| text[..=at].to_vec()).collect::<Vec<_>>();
    std::iter::once(text).chain(cuts).collect()
}

/// The keys of a reader that asks for strings of bits (ucspi-tcp6).
fn bit_keys(ip: Ipv6Addr) -> Vec<Vec<u8>> {
    let mut longest = vec![b'^'];
    for bit in format!("{:0128b}", ip.to_bits()).bytes() {
        let ones = longest.iter().skip(1).filter(|letter| **letter != b'0').count() as u8;
        longest.push(if bit == b'1' { 0x60 + ones } else { b'0' });
    }
    let expanded = ip.segments().map(|group| format!("{group:04X}")).join(":").into_bytes();
    std::iter::once(expanded).chain((2..=128).rev().map(|bits| longest[..=bits].to_vec())).collect()
}

#[test]
fn the_most_specific_ipv6_line_is_found_by_every_reader() {
    let (asked, found, by_colons) = (Cell::new(0), Cell::new(0), Cell::new(0));
    play(ipv6_line(), |directory, lines, seed| {
        let cdb = compiled(directory, &lines);
        let firsts = lines.iter().map(|line| match line.strip_prefix("${") {
            Some(rest) => rest.split('/').next().unwrap().parse().unwrap(),
            None => line.parse().unwrap_or_else(|_| format!("{line}:").parse::<Ipv6Addr>().unwrap()),
        });
        let doubtful = lines.iter().any(|line| match rule::parse(format!("{line}:deny").as_bytes()) {
            Ok(rule::Line::Rule(rule)) => rule.doubt().is_some(),
            _ => true,
        });
        let change = |ip: &Ipv6Addr, random: u64| {
            let bits = ip.to_bits() ^ 1 << (random % 128);
            // Zeros at the end make `::`.
            Ipv6Addr::from_bits(if random & 256 == 0 { bits } else { bits >> (random % 96) << (random % 96) | 1 })
        };
        for ip in near(firsts.collect(), seed, change) {
            let expected = most_specific(&lines, ip.into());
            let text = ip.to_string();
            let ours = Client { ip: text.as_bytes(), ..Client::default() }.rule(&cdb).unwrap();
            prop_assert_eq!(number(ours), expected, "{} {:?}", ip, lines);
            let bits = cdb.first(bit_keys(ip), 1000).unwrap();
            prop_assert_eq!(number(bits), expected, "by bits: {} {:?}", ip, lines);
            // An address that ends in `::` cannot be told from what remains of others.
            if !doubtful && !text.ends_with("::") {
                let colons = cdb.first(colon_keys(ip), 1000).unwrap();
                prop_assert_eq!(number(colons), expected, "by colons: {} {:?}", ip, lines);
                by_colons.set(by_colons.get() + 1);
            }
            asked.set(asked.get() + 1);
            found.set(found.get() + usize::from(expected.is_some()));
        }
        Ok(())
    });
    println!(
        "{} IPv6 clients, {} of them have a rule; {} asked for by colons",
        asked.get(),
        found.get(),
        by_colons.get()
    );
    assert!(asked.get() > 5000 && found.get() > 1000 && by_colons.get() > 1000);
}

/// By colons, nobody outside a network is ever found in it, whatever zeros it has.
#[test]
fn no_reader_finds_a_network_for_somebody_else() {
    let inside = Cell::new(0);
    play(ipv6_line(), |directory, lines, seed| {
        let lines = &lines[..1];
        let cdb = compiled(directory, lines);
        for ip in near(vec![(); 40], seed, |(), _| ()).iter().enumerate().map(|(at, ())| mixed(seed, at as u64)) {
            let colons = number(cdb.first(colon_keys(ip), 1000).unwrap());
            let expected = most_specific(lines, ip.into());
            prop_assert!(colons.is_none() || colons == expected, "{} {:?}", ip, lines);
            inside.set(inside.get() + usize::from(expected.is_some()));
        }
        Ok(())
    });
    assert!(inside.get() > 100, "{}", inside.get());
}

/// An address of few different groups.
fn mixed(seed: u64, at: u64) -> Ipv6Addr {
    let mut random = seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let segments = std::array::from_fn::<u16, 8, _>(|at| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let groups: &[u16] = if at == 0 { &[0x2001, 0xfe80, 1] } else { &[0, 0, 0, 1, 1, 0xdb8] };
        groups[(random >> 33) as usize % groups.len()]
    });
    Ipv6Addr::from(segments)
}
