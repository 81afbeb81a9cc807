//! Lists of clients: what is found in them, and that what could go could.

use super::*;
use crate::control::environment::Environment;
use crate::operator::lint::assigned::Assignments;

fn lint(name: &str, text: &str, gateways: &[Gateway], variables: &[&str]) -> Vec<String> {
    let environment: Environment =
        variables.iter().map(|variable| (variable.as_bytes().to_vec(), Vec::new())).collect();
    let assignments = Assignments::of_environment(&environment);
    let circumstances = Circumstances::new(&assignments, false, gateways);
    let (findings, _) = lint_clients(Path::new(name), name, text.as_bytes(), &circumstances);
    findings.iter().map(ToString::to_string).collect()
}

fn lines(text: &str) -> Vec<u32> {
    let assignments = Assignments::default();
    let circumstances = Circumstances::new(&assignments, false, &[]);
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
                assert_eq!(decide(&list, ip, name), decide(&kept, ip, name), "{ip:?} {name}: {list:?}, kept {kept:?}");
            }
        }
    }
    assert!(found > 500, "{found}");
}

#[test]
fn malformed_lines_say_what_was_meant() {
    let findings = lint("relayclients", "11.22.33\n!192.168.300.*\n10.0.0.1/8:x\n10.1.1.1\r\n !10.1.1.2\n", &[], &[]);
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
