//! What must hold of every list of clients and senders: order, text and compiled form, malformed lines, staleness (D49).
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use postern::control::Setup;
use postern::lookup::Lookups;
use postern::policy::verdict::{Answer, LookupFailed, Question, Using};
use proptest::prelude::*;
use support::program;
use tempfile::TempDir;

/// A control directory with this list.
fn directory(name: &str, lines: &[impl AsRef<str>]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("me"), "mx.test\n").unwrap();
    let text: String = lines.iter().map(|line| format!("{}\n", line.as_ref())).collect();
    fs::write(directory.path().join(name), text).unwrap();
    directory
}

fn setup(directory: &Path, ip: IpAddr, variables: &[(&str, &str)]) -> Setup {
    let address = ("TCPREMOTEIP", ip.to_string());
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let environment = variables.chain([address]).map(|(name, value)| (name.into(), value.into())).collect();
    Setup::load(environment, directory, None).unwrap()
}

/// What a list says in the end, without the place where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Granted(Vec<u8>),
    Refused,
    Later,
    NeedsDns,
}

fn said(answer: Result<Answer, LookupFailed>) -> Said {
    match answer {
        Ok(Answer::Yes(evidence)) => Said::Granted(evidence.suffix),
        Ok(Answer::No | Answer::Absent | Answer::Excepted(_) | Answer::Unfit(_) | Answer::Applied(_)) => Said::Refused,
        Ok(Answer::NeedsDns) => Said::NeedsDns,
        Err(_) => Said::Later,
    }
}

fn relay_clients(directory: &Path, ip: IpAddr) -> Said {
    let setup = setup(directory, ip, &[]);
    said(Lookups::without_dns(&setup).answer(Question::RelayClients(Using::Files)))
}

fn compile(directory: &Path, list: &str) {
    let mut command = Command::new(program("qmail-cdb"));
    let output = command.arg(list).env("CONTROLDIR", directory).env_remove("SYSCONFDIR").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Lines about few addresses, so that they meet; some malformed.
fn line() -> impl Strategy<Value = String> {
    let octet = || 0u8..4;
    let pattern = prop_oneof![
        4 => (octet(), octet()).prop_map(|(c, d)| format!("10.0.{c}.{d}")),
        4 => octet().prop_map(|c| format!("10.0.{c}.")),
        4 => (octet(), octet(), 8u8..33).prop_map(|(c, d, length)| format!("$(10.0.{c}.{d}/{length})")),
        2 => (octet(), octet()).prop_map(|(c, d)| format!("10.0.{c}-{}.{d}-{}", c + 1, d + 2)),
        2 => octet().prop_map(|c| format!("10.0.{c}-{}.*", c + 2)),
        2 => (0u16..3, 100u8..129).prop_map(|(d, length)| format!("${{2001:db8::{d}/{length}}}")),
        1 => Just("10.0.0.1/8".to_owned()),
        1 => Just("10.0.3-1.*".to_owned()),
    ];
    (prop::bool::weighted(0.35), pattern).prop_map(|(exception, pattern)| {
        // Of equal lines the last one gives the suffix, so equal lines have equal suffixes here.
        let suffix = if pattern.len() % 2 == 0 { "" } else { ":@gw.ex" };
        if exception { format!("!{pattern}") } else { format!("{}{suffix}", pattern.trim_matches('[')) }
    })
}

fn clients() -> Vec<IpAddr> {
    let ip4 = (0..5u8).flat_map(|c| (0..6u8).map(move |d| IpAddr::from([10, 0, c, d])));
    let ip6 = (0..4u16).map(|d| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, d]));
    ip4.chain(ip6).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_lines_does_not_matter(
        (lines, shuffled) in prop::collection::vec(line(), 0..8).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle()))
    ) {
        let (one, other) = (directory("relayclients", &lines), directory("relayclients", &shuffled));
        for ip in clients() {
            let (one, other) = (relay_clients(one.path(), ip), relay_clients(other.path(), ip));
            // The suffix is that of the last of equal lines: the only thing that the order of lines can change.
            match (one, other) {
                (Said::Granted(_), Said::Granted(_)) => {}
                (one, other) => prop_assert_eq!(one, other, "{} in {:?}", ip, lines),
            }
        }
    }

    #[test]
    fn a_line_that_becomes_nonsense_lets_nobody_in(
        lines in prop::collection::vec(line(), 1..8), which in any::<prop::sample::Index>(),
        nonsense in prop::sample::select(&["/33", "x", ".1.1.1", "\u{201d}", "/", "-", " # comment", "\r"][..]),
        list in prop::sample::select(&["relayclients", "relaymx"][..]),
    ) {
        let mut broken = lines.clone();
        let line = which.get(&lines);
        let (start, suffix) = line.split_once(':').unwrap_or((line, ""));
        broken[which.index(lines.len())] = format!("{start}{nonsense}:{suffix}");
        let (before, after) = (directory(list, &lines), directory(list, &broken));
        let ask = |directory: &Path, ip: IpAddr| {
            let domain = match ip {
                IpAddr::V4(ip) => format!("[{ip}]"),
                IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
            };
            let setup = setup(directory, ip, &[]);
            let question = match list {
                "relayclients" => Question::RelayClients(Using::Files),
                _ => Question::RelayMx(domain.as_bytes()),
            };
            said(Lookups::without_dns(&setup).answer(question))
        };
        for ip in clients() {
            if !matches!(ask(before.path(), ip), Said::Granted(_)) {
                let after = ask(after.path(), ip);
                prop_assert!(!matches!(after, Said::Granted(_)), "{ip}: {lines:?} refuses, {broken:?} does not");
            }
        }
    }

    #[test]
    fn a_condition_that_becomes_nonsense_lets_nobody_in(
        network in prop::sample::select(&["10.0.0.0/8", "10.0.1.", "10.0.0-1.*", "=me", "@gw.ex", "=.b.ex"][..]),
        sender in prop::sample::select(&["@b.ex", "a@b.ex", "=localhosts", "=localusers"][..]),
        cut in 0usize..12, insert in prop::sample::select(&["", "x", "&", "@", "!", "*", " ", "/"][..]),
    ) {
        let line = format!("{sender}&{network}");
        let mut broken = line.clone();
        let operator = sender.len();
        let at = (operator + 1 + cut).min(broken.len());
        broken.insert_str(at, insert);
        let (before, after) = (directory("relaymailfrom", &[&line]), directory("relaymailfrom", &[&broken]));
        let ask = |directory: &Path, sender: &str| {
            let setup = setup(directory, IpAddr::from([192, 0, 2, 1]), &[]);
            said(Lookups::without_dns(&setup).answer(Question::RelayMailFrom(sender.as_bytes(), Using::Files)))
        };
        for sender in ["a@b.ex", "x@b.ex", "a@mx.test", "root@mx.test", "x@y.ex", &line, &broken] {
            if !matches!(ask(before.path(), sender), Said::Granted(_)) {
                let after = ask(after.path(), sender);
                prop_assert!(!matches!(after, Said::Granted(_)), "{sender}: {line} refuses, {broken} does not");
            }
        }
    }
}

/// Ten thousand clients, known and unknown, in a list of all forms: the text and the compiled list never differ.
#[test]
fn text_and_compiled_list_agree() {
    let mut lines: Vec<String> = (0..40u32).map(|n| format!("10.{}.{}.{}", n % 4, n % 7, n)).collect();
    lines.extend((0..20u32).map(|n| format!("!10.{}.{}.", n % 4, n % 5)));
    lines.extend((0..20u32).map(|n| format!("$(10.{}.{}.0/{}):@gw{n}.ex", n % 5, n * 8, 14 + n % 16)));
    lines.extend(
        ["10.3.40-43.*", "!10.3.41.7-9", "${2001:db8::/33}", "!2001:db8:0:1::/64", "10.300.", "=me"].map(String::from),
    );
    let text = directory("relayclients", &lines);
    let compiled = directory("relayclients", &lines);
    compile(compiled.path(), "relayclients");
    let mut seed = 7u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u32
    };
    let mut granted = 0;
    for number in 0..10_000 {
        let ip = match number % 10 {
            0 => IpAddr::from([0x2001, 0xdb8, (random() % 2 * 0x8000) as u16, (random() % 3) as u16, 0, 0, 0, 1]),
            1 => IpAddr::from(random().to_be_bytes()),
            _ => IpAddr::from([10, (random() % 5) as u8, (random() % 48) as u8, (random() % 48) as u8]),
        };
        let ask = |directory: &Path| {
            let setup = setup(directory, ip, &[]);
            let mut lookups = Lookups::without_dns(&setup);
            (lookups.answer(Question::RelayClients(Using::Files)), lookups.take_notes())
        };
        let (by_text, notes) = ask(text.path());
        assert_eq!((by_text.clone(), notes), ask(compiled.path()), "{ip}");
        granted += u32::from(matches!(by_text, Ok(Answer::Yes(_))));
    }
    println!("10000 clients, {granted} of them granted");
    assert!((2_000..8_000).contains(&granted), "{granted}");
}

/// Senders, too: what qmail-cdb makes of the list says what the list says, with or without the text beside it.
#[test]
fn senders_and_their_conditions_survive_compiling() {
    let lines =
        ["@a.ex&10.0.0.0/8", "@a.ex&192.0.2.1", "joe@b.ex", "a&b@c.ex", "=localhosts&10.1.", "@d.ex&10.0.0.0/33"];
    let text = directory("relaymailfrom", &lines);
    let compiled = directory("relaymailfrom", &lines);
    compile(compiled.path(), "relaymailfrom");
    fs::remove_file(compiled.path().join("relaymailfrom")).unwrap();
    for ip in ["10.1.2.3", "10.2.2.3", "192.0.2.1", "192.0.2.2"] {
        for sender in
            ["x@a.ex", "Joe@B.ex", "x@b.ex", "a&b@c.ex", "x@mx.test", "x@d.ex", "x@a.ex&10.0.0.0/8", "=localhosts"]
        {
            let ask = |directory: &Path| {
                let setup = setup(directory, ip.parse().unwrap(), &[]);
                said(Lookups::without_dns(&setup).answer(Question::RelayMailFrom(sender.as_bytes(), Using::Files)))
            };
            assert_eq!(ask(text.path()), ask(compiled.path()), "{sender} from {ip}");
        }
    }
    let ask = |ip: IpAddr| {
        let setup = setup(compiled.path(), ip, &[]);
        said(Lookups::without_dns(&setup).answer(Question::RelayMailFrom(b"x@a.ex", Using::Files)))
    };
    assert_eq!(ask([10, 1, 2, 3].into()), Said::Granted(Vec::new()));
    assert_eq!(ask([192, 0, 2, 2].into()), Said::Refused);
}

/// A line for other clients, or for other senders, is never a reason for 451.
#[test]
fn a_line_that_cannot_help_cannot_hurt() {
    let ask = |line: &str, rcpthosts_is_broken: bool| {
        let control = directory("relaymailfrom", &[line]);
        if rcpthosts_is_broken {
            fs::create_dir(control.path().join("rcpthosts")).unwrap();
        }
        let setup = setup(control.path(), [192, 0, 2, 1].into(), &[]);
        said(Lookups::without_dns(&setup).answer(Question::RelayMailFrom(b"a@b.ex", Using::Dns)))
    };
    assert_eq!(ask("=localhosts&203.0.113.", true), Said::Refused);
    assert_eq!(ask("=localhosts&192.0.2.", true), Said::Later);
    assert_eq!(ask("=localhosts&@gw.ex", false), Said::Refused);
    assert_eq!(ask("@b.ex&@gw.ex", false), Said::Later);
}

/// D49: a compiled list that is not that of the text is not used, and this is said.
#[test]
fn a_stale_compiled_list_is_not_used() {
    let control = directory("relayclients", &["192.0.2.1"]);
    let list = control.path().join("relayclients");
    let ask = |ip: [u8; 4]| {
        let setup = setup(control.path(), ip.into(), &[]);
        let mut lookups = Lookups::without_dns(&setup);
        (said(lookups.answer(Question::RelayClients(Using::Files))), lookups.take_notes())
    };
    let granted = Said::Granted(Vec::new());
    compile(control.path(), "relayclients");
    assert_eq!(ask([192, 0, 2, 1]), (granted.clone(), Vec::new()));
    // The compiled list is read at all.
    let made = fs::metadata(&list).unwrap().modified().unwrap();
    let edit = |text: &str, time: SystemTime| {
        let mut file = File::options().write(true).truncate(true).open(&list).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.set_modified(time).unwrap();
    };
    edit("192.0.2.9\n", made);
    assert_eq!(ask([192, 0, 2, 1]), (granted.clone(), Vec::new()), "same size, time and inode: nobody could know");
    edit("192.0.2.2\n\n", made);
    let other = "relayclients.cdb: made of another source and not used; compile it again with qmail-cdb".to_owned();
    assert_eq!(ask([192, 0, 2, 1]), (Said::Refused, vec![other.clone()]));
    assert_eq!(ask([192, 0, 2, 2]), (granted.clone(), vec![other]));
    edit("192.0.2.1\n", made + Duration::from_secs(3600));
    let older = "relayclients.cdb: older than its source and not used; compile it again with qmail-cdb".to_owned();
    assert_eq!(ask([192, 0, 2, 1]), (granted, vec![older]));
    fs::remove_file(&list).unwrap();
    assert_eq!(ask([192, 0, 2, 1]), (Said::Refused, Vec::new()), "without the text there is no list");
}

/// An exact list of a variable's name, and its compiled form.
#[test]
fn a_variable_renames_a_list() {
    let control = directory("friends", &["192.0.2.1"]);
    let setup = setup(control.path(), [192, 0, 2, 1].into(), &[("RELAYCLIENTS", "friends")]);
    let answer = Lookups::without_dns(&setup).answer(Question::RelayClients(Using::Files)).unwrap();
    let Answer::Yes(evidence) = answer else { panic!("{answer:?}") };
    assert_eq!(evidence.to_string(), "friends:1");
}

/// `-v` tells whom each line stands for; what is malformed is told on the other descriptor, and the rest is compiled.
#[test]
fn qmail_cdb_shows_what_it_compiles() {
    let lines = ["# friends", "192.168.40-43.*", "!$(10.1.2.3/8):x", "172.16.1.3/21", "=.partner.ex", "10.0.0.1-3"];
    let control = directory("relayclients", &lines);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program("qmail-cdb"));
        command.args(arguments).env("CONTROLDIR", control.path()).env_remove("SYSCONFDIR").output().unwrap()
    };
    let output = run(&["-v", "relayclients"]);
    let expected = "relayclients:2: grants 192.168.40.0/22\nrelayclients:3: excepts 10.0.0.0/8\n\
                    relayclients:5: grants =.partner.ex\nrelayclients:6: grants 10.0.0.1 10.0.0.2/31\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let warning = "qmail-cdb: warning: relayclients:4: 172.16.1.3/21: the address is not the first of its network; \
                   did you mean 172.16.0.0/21?; entry ignored\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), warning);
    assert_eq!(output.status.code(), Some(0));
    // Without its text a compiled list of clients is of no use.
    let refused = run(&["-m", "relayclients"]);
    assert_eq!(refused.status.code(), Some(100), "{refused:?}");
    assert!(control.path().join("relayclients").exists());
}
