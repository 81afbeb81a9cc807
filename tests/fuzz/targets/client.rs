//! Lines about clients and senders: what is read can be said again, and the compiled list says what the text says.

use std::fs::{self, File};
use std::net::IpAddr;

use postern::cdb::make::Maker;
use postern::client::line::Line;
use postern::client::network::Network;
use postern::client::pattern::{NETWORKS_MAX, Pattern};
use postern::control::Setup;
use postern::lookup::Lookups;
use postern::lookup::clients_compiled::{Fingerprint, compile};
use postern::lookup::sender_line::{Sender, SenderLine};
use postern::policy::verdict::{Question, Using};

use super::rule::presentable;

/// More networks of a pattern are not looked at one by one.
const NETWORKS_SEEN_MAX: usize = 40;
/// Longer lists are cut here.
const LIST_OCTETS_MAX: usize = 400;

/// A file of lines, each read as one of relayclients and as one of relaymailfrom.
pub fn client(input: &[u8]) {
    for entry in input.split(|byte| *byte == b'\n') {
        let line = Line::parse(entry);
        assert!(line.exception || !entry.starts_with(b"!"));
        let parts = line.text.len() + line.suffix.len();
        let signs = usize::from(entry.starts_with(b"!")) + 1;
        assert!(parts <= entry.len() && entry.len() <= parts + signs, "octets are lost");
        match &line.pattern {
            Ok(pattern) => one_pattern(pattern),
            Err(fault) => presentable(&fault.to_string()),
        }
        match SenderLine::parse(entry) {
            SenderLine::Address => {}
            SenderLine::Condition { sender, client } => {
                let sender: &[u8] = match sender {
                    Sender::Literal(text) => text,
                    Sender::LocalHosts => b"=localhosts",
                    Sender::LocalUsers => b"=localusers",
                };
                let again = client.map_or(sender.to_vec(), |client| [sender, b"&", client].concat());
                assert!(again.eq_ignore_ascii_case(entry));
                assert!(client.is_none_or(|client| Pattern::parse(client).is_ok()));
                // The `&` of an address is in front of its domain.
                assert!(client.is_none() || sender.starts_with(b"=") || sender.contains(&b'@'));
            }
            SenderLine::Malformed { fault, .. } => presentable(&fault.to_string()),
        }
    }
}

/// Its networks are the ones that it says it is, whoever asks.
fn one_pattern(pattern: &Pattern<'_>) {
    let networks = pattern.networks();
    assert!(networks.len() as u64 <= NETWORKS_MAX);
    assert!(networks.is_sorted_by_key(|network| network.first()));
    for network in networks.iter().take(NETWORKS_SEEN_MAX) {
        assert_eq!(Pattern::parse(network.to_string().as_bytes()).unwrap().networks(), [*network]);
        for ip in around(*network) {
            let mut lengths = networks.iter().filter(|network| network.contains(ip)).map(|network| network.length());
            assert_eq!(pattern.length_around(ip), lengths.next(), "{ip}");
            assert_eq!(lengths.next(), None, "{ip} is in two networks");
        }
    }
    assert_eq!(networks.is_empty(), !matches!(pattern, Pattern::Network(_) | Pattern::Octets(_)));
}

/// The first and the last address of a network, and those before and behind it.
fn around(network: Network) -> Vec<IpAddr> {
    let spare = u32::from(network.full_length() - network.length());
    match network.first() {
        IpAddr::V4(first) => {
            let first = first.to_bits();
            let last = first | u32::MAX.checked_shr(32 - spare).unwrap_or(0);
            let all = [first.wrapping_sub(1), first, last, last.wrapping_add(1)];
            all.into_iter().map(|ip| IpAddr::V4(ip.into())).collect()
        }
        IpAddr::V6(first) => {
            let first = first.to_bits();
            let last = first | u128::MAX.checked_shr(128 - spare).unwrap_or(0);
            let all = [first.wrapping_sub(1), first, last, last.wrapping_add(1)];
            all.into_iter().map(|ip| IpAddr::V6(ip.into())).collect()
        }
    }
}

/// A list of clients as text and compiled: the same answers and the same complaints.
pub fn clients(input: &[u8]) {
    let input = &input[..input.len().min(LIST_OCTETS_MAX)];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relayclients");
    fs::write(&path, input).unwrap();
    let mut setup = Setup::default();
    setup.control.directory = directory.path().to_path_buf();
    setup.client.name = Some(b"client.b.example".to_vec());
    let parsed = input.split(|byte| *byte == b'\n').map(Line::parse).filter_map(|line| line.pattern.ok());
    let ips: Vec<IpAddr> = parsed.filter_map(|pattern| pattern.networks().first().copied()).flat_map(around).collect();
    let mut ask = || -> Vec<String> {
        let fixed = [IpAddr::from([10, 1, 2, 3]), IpAddr::from([192, 0, 2, 1])];
        let answers = ips.iter().take(NETWORKS_SEEN_MAX).chain(&fixed).map(|ip| {
            setup.client.address = Some(*ip);
            let mut lookups = Lookups::without_dns(&setup);
            let answers = [Using::Files, Using::Dns].map(|using| lookups.answer(Question::RelayClients(using)));
            let notes = lookups.take_notes();
            notes.iter().for_each(|note| presentable(note));
            format!("{ip}: {answers:?} {notes:?}")
        });
        answers.collect()
    };
    let by_text = ask();
    let mut maker = Maker::new(File::create(directory.path().join("relayclients.cdb")).unwrap());
    let fingerprint = Fingerprint::of(&fs::metadata(&path).unwrap(), input);
    compile(input, &fingerprint, &mut maker).unwrap();
    maker.finish().unwrap();
    assert_eq!(by_text, ask());
}
