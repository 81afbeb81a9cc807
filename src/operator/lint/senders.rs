//! relaymailfrom: senders that are enough by themselves, conditions that cannot be read, and lines that could go.

use std::collections::BTreeMap;
use std::path::Path;

use crate::client::cause::shown;
use crate::client::pattern::Pattern;
use crate::control::text::{Entry, entries};
use crate::lookup::sender_line::{Sender, SenderLine};
use crate::operator::finding::Finding;
use crate::operator::lint::Circumstances;
use crate::operator::lint::clients::{covers_gateway, length_around, of_width};
use crate::operator::lint::ladder::{Claim, Elsewhere, Standing, Standings};
use crate::operator::lint::list::{of_addresses, of_any_list, of_expressions};
use crate::operator::lint::names::Named;
use crate::operator::lint::told::{Kind, Told};

/// A line with a client behind `&`.
pub(super) struct Condition<'t> {
    number: u32,
    pattern: Pattern<'t>,
    /// The whole line.
    text: &'t [u8],
    /// In lower case.
    sender: Vec<u8>,
}

impl<'t> Condition<'t> {
    pub(super) fn named(&self) -> Named<'t> {
        Named { number: self.number, exception: false, pattern: self.pattern }
    }
}

/// Examines relaymailfrom; returns the conditions too, in the order of lines.
pub(super) fn lint_senders<'t>(
    path: &Path,
    text: &'t [u8],
    circumstances: &Circumstances<'_>,
) -> (Vec<Finding>, Vec<Condition<'t>>) {
    let mut told = Told::new(path);
    let mut lines = Lines::default();
    for entry in entries(text) {
        lines.see(&entry, circumstances, &mut told);
    }
    for condition in &lines.conditions {
        let text = shown(condition.text);
        if of_width(condition.number, &text, &condition.pattern, &mut told) {
            continue;
        }
        for gateway in circumstances.gateways {
            if length_around(&condition.pattern, gateway).is_some() {
                told.warning(Kind::Gateway, condition.number, covers_gateway(&text, gateway, ""));
            }
        }
    }
    // A wildcard or an expression may match what another line means.
    if !circumstances.regular_expressions && !lines.has_patterns {
        lines.tell_needless(&mut told);
    }
    (told.findings(), lines.conditions)
}

#[derive(Default)]
struct Lines<'t> {
    conditions: Vec<Condition<'t>>,
    /// Senders in lower case that need no condition: the first line of each.
    alone: BTreeMap<Vec<u8>, u32>,
    /// The other lines of the same senders, with the first.
    repeated: Vec<(u32, u32)>,
    has_patterns: bool,
}

impl<'t> Lines<'t> {
    fn see(&mut self, entry: &Entry<'t>, circumstances: &Circumstances<'_>, told: &mut Told<'_>) {
        if let Some(problem) = of_any_list(entry) {
            told.error(entry.line, problem);
            return;
        }
        match SenderLine::parse(entry.text) {
            SenderLine::Address => {
                let problem = match circumstances.regular_expressions {
                    true => of_expressions(entry),
                    false => of_addresses(entry),
                };
                self.has_patterns |= entry.text.iter().any(|byte| matches!(byte, b'!' | b'*' | b'?' | b'[' | b'\\'));
                match problem {
                    Some(problem) => told.error(entry.line, problem),
                    // What is denied is no grant.
                    None if entry.text.starts_with(b"!") => {}
                    None => self.alone(entry, told),
                }
            }
            SenderLine::Condition { client: None, sender } => match sender {
                Sender::LocalHosts => told.error(entry.line, of_local_hosts()),
                Sender::LocalUsers | Sender::Literal(_) => self.alone(entry, told),
            },
            SenderLine::Condition { client: Some(client), sender } => {
                let sender = match sender {
                    Sender::Literal(text) => text.to_ascii_lowercase(),
                    Sender::LocalHosts => b"=localhosts".to_vec(),
                    Sender::LocalUsers => b"=localusers".to_vec(),
                };
                if let Ok(pattern) = Pattern::parse(client) {
                    self.conditions.push(Condition { number: entry.line, pattern, text: entry.text, sender });
                }
            }
            SenderLine::Malformed { exception, client: _, fault } => {
                let gets = "; while this exception is here, whoever the list lets relay gets 451";
                let consequence = if exception { gets } else { "" };
                told.error(entry.line, format!("`{}` never matches: {fault}{consequence}", shown(entry.text)));
            }
        }
    }

    /// A sender alone: whoever knows it can write it.
    fn alone(&mut self, entry: &Entry<'t>, told: &mut Told<'_>) {
        match self.alone.entry(entry.text.to_ascii_lowercase()) {
            std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(entry.line)),
            std::collections::btree_map::Entry::Occupied(first) => self.repeated.push((entry.line, *first.get())),
        }
        let text = shown(entry.text);
        let advice = format!(
            "`{text}` lets everyone relay who writes such a sender, and a sender is easily forged: only grants by address \
             or AUTH resist; say from where, as `{text}&192.0.2.0/24`"
        );
        told.warning(Kind::SenderOnly, entry.line, advice);
    }

    fn tell_needless(&self, told: &mut Told<'_>) {
        let mut needless = |number: u32, text: String| told.warning(Kind::Needless, number, text);
        for (number, first) in &self.repeated {
            needless(*number, format!("says what line {first} says: remove one of them"));
        }
        for (sender, number) in &self.alone {
            if let Some(line) = domain_of(sender).and_then(|domain| self.alone.get(domain)) {
                needless(*number, format!("`{}` is covered by line {line}, its domain: remove it", shown(sender)));
            }
        }
        let mut by_sender: BTreeMap<&[u8], Vec<&Condition<'t>>> = BTreeMap::new();
        for condition in &self.conditions {
            let sender = condition.sender.as_slice();
            let alone = [Some(sender), domain_of(sender)].into_iter().flatten().find_map(|wider| self.alone.get(wider));
            match alone {
                Some(line) => {
                    let text =
                        format!("`{}` is covered by line {line}, which asks for no client", shown(condition.text));
                    needless(condition.number, format!("{text}: remove one of them"));
                }
                None => by_sender.entry(sender).or_default().push(condition),
            }
        }
        for (number, wider) in by_sender.values().flat_map(|conditions| needless_clients(conditions)) {
            needless(number, format!("grants what line {wider} grants: remove it"));
        }
    }
}

fn of_local_hosts() -> String {
    "`=localhosts` lets everyone relay who writes an address of this host as sender, which is the first thing that spammers \
     try: say from where, as `=localhosts&192.0.2.0/24`"
        .to_owned()
}

/// `@domain` of `user@domain`.
fn domain_of(sender: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', sender).filter(|at| *at > 0)?;
    sender.get(at..)
}

/// Of the conditions of one sender those that others cover, with the number of one that does.
fn needless_clients(conditions: &[&Condition<'_>]) -> Vec<(u32, u32)> {
    fn claim<K>(number: u32, key: K) -> Claim<'static, K> {
        Claim { key, line: number, exception: false, suffix: b"" }
    }
    let (mut networks, mut names, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for condition in conditions {
        let number = condition.number;
        match condition.pattern {
            Pattern::Network(network) => networks.push(claim(number, network)),
            Pattern::Octets(octets) => networks.extend(octets.networks().into_iter().map(|part| claim(number, part))),
            Pattern::Name(name) | Pattern::Suffix(name) => names.push(claim(number, name.to_ascii_lowercase())),
            Pattern::AddressesOf(name) => words.push(claim(number, name.to_ascii_lowercase())),
            Pattern::Me => words.push(claim(number, b"=me".to_vec())),
        }
    }
    let mut standings = Standings::default();
    standings.of_networks(networks, &Elsewhere::default());
    standings.of_names(names, &Elsewhere::default());
    standings.of_words(words, &Elsewhere::default());
    let covering = |standing| match standing {
        Standing::Repeats(line) | Standing::CoveredBy(line) => Some(line),
        // There are neither suffixes nor exceptions here.
        Standing::Overridden(_) | Standing::Excepted(_) | Standing::ExceptsNothing => None,
    };
    standings.unneeded().filter_map(|(number, standing)| Some((number, covering(standing)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::host::Gateway;
    use crate::operator::lint::assigned::Assignments;

    fn lint(text: &str, regular_expressions: bool) -> Vec<String> {
        let gateways =
            [Gateway { address: "172.17.0.1".parse().unwrap(), what: "the default gateway".to_owned(), is_own: false }];
        let assignments = Assignments::default();
        let circumstances = Circumstances::new(&assignments, regular_expressions, &gateways);
        let (findings, _) = lint_senders(Path::new("relaymailfrom"), text.as_bytes(), &circumstances);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_sender_that_is_enough_by_itself_is_told() {
        let found = lint("joe@a.ex\n@b.ex\n!x@c.ex\n=localusers\n=localhosts\n@d.ex&198.51.100.0/24\n", false);
        let starts = [
            "warning: relaymailfrom:1:",
            "warning: relaymailfrom:2:",
            "warning: relaymailfrom:4:",
            "error: relaymailfrom:5:",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        assert!(found.iter().zip(starts).all(|(found, start)| found.starts_with(start)), "{found:?}");
        assert!(found[0].contains("easily forged"), "{found:?}");
    }

    #[test]
    fn conditions_are_examined_like_clients() {
        for (text, expected) in [
            (
                "@a.ex&192.0.2.1/24",
                "error: relaymailfrom:1: `@a.ex&192.0.2.1/24` never matches: the address is not the first of its network; did you mean 192.0.2.0/24?",
            ),
            ("!@a.ex&10.", "error: relaymailfrom:1: `!@a.ex&10.` never matches: only user@domain"),
            ("@a.ex&0.0.0.0/0", "error: relaymailfrom:1: `@a.ex&0.0.0.0/0` is everyone"),
            (
                "@a.ex&172.16.0.0/12",
                "warning: relaymailfrom:1: `@a.ex&172.16.0.0/12` holds 172.17.0.1, the default gateway",
            ),
            (
                "@a.ex&10.\n\u{201c}@b.ex\u{201d}",
                "error: relaymailfrom:2: `\u{201c}@b.ex\u{201d}` has typographic quotes",
            ),
        ] {
            let found = lint(text, false);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
        let found = lint("!@a.ex&10.\n", false);
        assert!(found[0].ends_with("whoever the list lets relay gets 451"), "{found:?}");
    }

    #[test]
    fn lines_that_could_go_are_found() {
        let needless = |text: &str| -> Vec<String> {
            lint(text, false).into_iter().filter(|finding| finding.contains("remove")).collect()
        };
        for (text, line) in [
            ("@a.ex\nJoe@A.ex\n", Some(2)),
            ("@a.ex\n@A.ex\n", Some(2)),
            ("@a.ex\njoe@a.ex&10.\n", Some(2)),
            ("@a.ex&10.1.\n@a.ex&10.\n", Some(1)),
            ("@a.ex&=.b.ex\n@a.ex&=c.b.ex\n", Some(2)),
            ("@a.ex&10.1.\n@b.ex&10.\n", None),
            ("!joe@a.ex\n@a.ex\nx@a.ex\n", None),
        ] {
            let found = needless(text);
            assert_eq!(found.len(), usize::from(line.is_some()), "{text:?}: {found:?}");
            let at = line.map(|line| format!(":{line}: ")).unwrap_or_default();
            assert!(found.iter().all(|finding| finding.contains(&at)), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn a_bad_expression_is_found_only_where_expressions_are_used() {
        let errors =
            |found: Vec<String>| found.into_iter().filter(|finding| finding.starts_with("error")).collect::<Vec<_>>();
        let found = errors(lint("ok@a\n[\n", true));
        assert!(
            found.len() == 1 && found[0].starts_with("error: relaymailfrom:2: `[` is no regular expression"),
            "{found:?}"
        );
        assert!(errors(lint("ok@a\n[\n", false)).is_empty());
    }
}
