//! Who may relay by IndiMail's documented rules alone, with the defects that the README lists put right.

use regex_lite::Regex;

use crate::directory::{Caller, Directory};

/// What becomes of a recipient far away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// tcpserver hangs up.
    Denied,
    /// It is accepted, with this behind it.
    Granted(String),
    Refused,
    Later,
}

/// In the order of time: tcp.smtp, relayclients, relaydomains, relaymailfrom (D03: any grant suffices).
pub fn verdict(directory: &Directory, caller: &Caller) -> Said {
    match rule(&directory.rules, caller) {
        Some(instruction) if instruction.starts_with("deny") => return Said::Denied,
        Some(instruction) => {
            if let Some((_, value)) = instruction.split_once(",RELAYCLIENT=") {
                let quote = value.chars().next().unwrap();
                return Said::Granted(value[1..].split(quote).next().unwrap().to_string());
            }
        }
        None => {}
    }
    let client = directory.clients.as_ref().and_then(|lines| keyed(lines, &client_keys(caller.ip)));
    let name = caller.name.filter(|name| *name != "unknown"); // D28
    let name = || keyed(directory.names.as_ref()?, &name_keys(name?));
    if let Some(suffix) = client.or_else(name) {
        return Said::Granted(suffix);
    }
    if caller.sender.is_empty() {
        return Said::Refused;
    }
    sender(directory, &caller.sender.to_ascii_lowercase())
}

/// The instruction of the first line with the first key that has one.
fn rule(lines: &[String], caller: &Caller) -> Option<String> {
    let (ip, host) = (caller.ip, caller.name);
    let mut keys = Vec::new();
    if let Some(info) = caller.info {
        keys.push(format!("{info}@{ip}"));
        keys.extend(host.map(|host| format!("{info}@={host}")));
    }
    keys.push(ip.to_string());
    keys.extend(host.map(|host| format!("={host}")));
    keys.extend(cuts(ip));
    keys.extend(host.iter().flat_map(|host| suffixes(host)).map(|suffix| format!("={suffix}")));
    keys.extend(host.map(|_| "=".to_string()));
    keys.push(String::new());
    let rules: Vec<(Vec<String>, &str)> = lines.iter().filter_map(|line| parse_rule(line)).collect();
    let find = |key: &String| rules.iter().find(|(keys, _)| keys.contains(key)).map(|(_, rule)| (*rule).to_string());
    keys.iter().find_map(find)
}

/// The keys of a line, of which a range of octets makes several, and its instruction.
fn parse_rule(line: &str) -> Option<(Vec<String>, &str)> {
    let line = trimmed(line);
    // As the Debian and IndiMail builds do: an IPv6 address has colons.
    let colon = line.find(":allow").or(line.find(":deny")).filter(|_| !line.starts_with('#'))?;
    let (address, instruction) = (&line[..colon], &line[colon + 1..]);
    let keys = match address.split_once('-').filter(|_| !address.contains(['=', '@'])) {
        None => vec![address.to_string()],
        Some((left, right)) => {
            let (before, low) = left.split_at(left.rfind('.').map_or(0, |dot| dot + 1));
            let (high, behind) = right.split_at(right.find('.').unwrap_or(right.len()));
            let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>()) else { return None };
            (low..=high.min(255)).map(|octet| format!("{before}{octet}{behind}")).collect()
        }
    };
    Some((keys, instruction))
}

/// The value of the first key, in any of its spellings, that has lines, and of these the last one. D02: a line without a colon has an empty value.
fn keyed(lines: &[String], keys: &[Vec<String>]) -> Option<String> {
    let value = |line: &String, key: &str| {
        let line = trimmed(line);
        let start = line.get(..key.len()).filter(|start| start.eq_ignore_ascii_case(key))?;
        match &line[start.len()..] {
            "" => Some(String::new()),
            rest => rest.strip_prefix(':').map(str::to_string),
        }
    };
    let is_entry = |line: &&String| !line.starts_with('#');
    let spelt = |keys: &Vec<String>, line: &String| keys.iter().find_map(|key| value(line, key));
    keys.iter().find_map(|keys| lines.iter().filter(is_entry).filter_map(|line| spelt(keys, line)).next_back())
}

/// The address and its prefixes that end in a dot; D26: an IPv4 address may be written as IPv6 does.
fn client_keys(ip: &str) -> Vec<Vec<String>> {
    let plain = ip.strip_prefix("::ffff:").unwrap_or(ip);
    let keys = std::iter::once(plain.to_string()).chain(cuts(plain).into_iter().filter(|key| key.ends_with('.')));
    keys.map(|key| if plain.contains(':') { vec![key] } else { vec![format!("::ffff:{key}"), key] }).collect()
}

fn name_keys(name: &str) -> Vec<Vec<String>> {
    std::iter::once(name.to_string()).chain(suffixes(name)).map(|key| vec![key]).collect()
}

/// What is left of an address when it is cut behind a dot or a colon, the longest first.
fn cuts(ip: &str) -> Vec<String> {
    ip.match_indices(['.', ':']).map(|(at, _)| ip[..=at].to_string()).rev().collect()
}

fn suffixes(name: &str) -> Vec<String> {
    name.match_indices('.').map(|(at, _)| name[at..].to_string()).collect()
}

/// relaymailfrom.cdb, then relaymailfrom, about a sender in lower case.
fn sender(directory: &Directory, sender: &str) -> Said {
    let domain = sender.rfind('@').map(|at| &sender[at..]);
    let is_literal = |line: &str| {
        line.eq_ignore_ascii_case(sender) || domain.is_some_and(|domain| line.eq_ignore_ascii_case(domain))
    };
    let granted = |is_granted: bool| if is_granted { Said::Granted(String::new()) } else { Said::Refused };
    // D30: `@domain` counts here, too.
    if directory.compiled_senders.iter().flatten().any(|key| is_literal(key)) {
        return granted(true);
    }
    let lines: Vec<&str> = directory.senders.iter().flatten().map(|line| trimmed(line)).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if !directory.regular_expressions {
        let is_granted = lines.iter().any(|line| is_literal(line))
            || lines.iter().fold(false, |verdict, line| {
                let (negated, pattern) = line.strip_prefix('!').map_or((false, *line), |pattern| (true, pattern));
                // D33: the case of a pattern does not matter.
                let applies = wildcard(pattern.to_ascii_lowercase().as_bytes(), sender.as_bytes());
                if applies { !negated } else { verdict }
            });
        return granted(is_granted);
    }
    let counts = |line: &&str| {
        let (negated, expression) = line.strip_prefix('!').map_or((false, *line), |expression| (true, expression));
        Regex::new(&format!("(?i){expression}")).ok().map(|expression| expression.is_match(sender) != negated)
    };
    let counted: Vec<Option<bool>> = lines.iter().map(counts).collect();
    // D05: what does not compile matches nobody, and who could have been granted by it has to wait.
    match counted.contains(&Some(true)) {
        false if counted.contains(&None) => Said::Later,
        is_granted => granted(is_granted),
    }
}

/// `*`, `?` and sets of octets and ranges.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|taken| wildcard(rest, &text[taken..])),
        [b'?', rest @ ..] => !text.is_empty() && wildcard(rest, &text[1..]),
        [b'[', set @ ..] => {
            let Some((first, behind)) = text.split_first() else { return false };
            let end = set.iter().position(|byte| *byte == b']').unwrap();
            let in_set = match &set[..end] {
                [low, b'-', high] => (low..=high).contains(&first),
                others => others.contains(first),
            };
            in_set && wildcard(&set[end + 1..], behind)
        }
        [plain, rest @ ..] => text.first() == Some(plain) && wildcard(rest, &text[1..]),
    }
}

fn trimmed(line: &str) -> &str {
    line.trim_end_matches([' ', '\t'])
}
