//! Patterns of clients and templates of answers, as Sun's tables write them.

use std::net::{IpAddr, Ipv4Addr};

use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::operator::convert::first_hit::EVERYONE;

/// The networks of a pattern: `*`, `$(192.0.2.10/24)`, `$<192.0.2.4/2>`, `${2001:db8::/32}`, an address, or a glob of
/// octets as `192.0.2.*` or `192.0.2.1%`.
///
/// # Errors
///
/// Why it can be no list of networks.
pub(super) fn clients(pattern: &str) -> Result<Vec<Network>, String> {
    if pattern == "*" {
        return Ok(EVERYONE.to_vec());
    }
    if let Some(text) = pattern.strip_prefix("$<") {
        return text
            .strip_suffix('>')
            .and_then(ignoring_last_bits)
            .map(|network| vec![network])
            .ok_or_else(|| "not $<address/n> with an IPv4 address and 0 to 32 bits that do not count".to_owned());
    }
    if pattern.contains(['*', '%']) {
        return octets(pattern);
    }
    let is_sun = pattern.starts_with("$(") || pattern.starts_with("${");
    match Pattern::parse(pattern.as_bytes()) {
        Ok(Pattern::Network(network)) if is_sun || network.length() == network.full_length() => Ok(vec![network]),
        Ok(_) => Err("not a pattern that matches a client's address".to_owned()),
        Err(fault) => Err(format!("not a pattern of addresses: {fault}")),
    }
}

/// `192.0.2.4/2`: the last two bits do not count.
fn ignoring_last_bits(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/')?;
    let address: Ipv4Addr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    Network::around(IpAddr::V4(address), 32u8.checked_sub(bits)?)
}

/// A glob that stands for ranges of octets. A `*` goes on to the end, or is one octet where all four are given.
fn octets(pattern: &str) -> Result<Vec<Network>, String> {
    let no_range = || "wildcards that stand for no ranges of octets".to_owned();
    let mut parts: Vec<&str> = pattern.split('.').collect();
    if parts.len() < 4 && parts.last() == Some(&"*") && parts.iter().filter(|part| part.contains('*')).count() == 1 {
        parts.resize(4, "*");
    }
    if parts.len() != 4 {
        return Err(no_range());
    }
    let ranges = parts.into_iter().map(|part| octet(part).ok_or_else(no_range)).collect::<Result<Vec<_>, _>>()?;
    let text = ranges.join(".");
    match Pattern::parse(text.as_bytes()) {
        Ok(pattern) => Ok(pattern.networks()),
        Err(fault) => Err(format!("{text}: {fault}")),
    }
}

/// `*`, `17`, or digits and `%` behind them, each for one more digit, as the range that they stand for.
fn octet(part: &str) -> Option<String> {
    if part == "*" {
        return Some(part.to_owned());
    }
    let digits = part.trim_end_matches('%');
    if part.is_empty()
        || part.len() > 3
        || digits.contains(|c: char| !c.is_ascii_digit())
        || (digits.starts_with('0') && part.len() > 1)
    {
        return None;
    }
    // Without a digit in front the first of several cannot be 0.
    let low = if digits.is_empty() && part.len() > 1 { part.replacen('%', "1", 1) } else { part.to_owned() };
    let low: u16 = low.replace('%', "0").parse().ok()?;
    let high: u16 = part.replace('%', "9").parse().ok()?;
    (low <= 255).then(|| format!("{low}-{}", high.min(255)))
}

/// What an entry answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// `$Y`, else `$N`.
    pub(super) grants: bool,
    /// What stands beside the flag, unquoted.
    pub(super) text: String,
}

impl Template {
    /// Reads the flags `$Y` and `$N`, in either case, and the text beside them.
    ///
    /// # Errors
    ///
    /// Which flag there is that cannot be carried over, or that there is none or both.
    pub(super) fn parse(template: &str) -> Result<Template, String> {
        let mut template_text = String::new();
        let mut verdicts = Vec::new();
        let mut characters = template.chars();
        while let Some(character) = characters.next() {
            if character != '$' {
                template_text.push(character);
                continue;
            }
            match characters.next() {
                Some('Y' | 'y') => verdicts.push(true),
                Some('N' | 'n') => verdicts.push(false),
                Some(quoted @ (' ' | '\t' | '$' | '*' | '%')) => template_text.push(quoted),
                Some(flag) => return Err(format!("the flag ${flag} cannot be carried over")),
                None => return Err("a $ with nothing behind it".to_owned()),
            }
        }
        match verdicts.as_slice() {
            [grants] => Ok(Template { grants: *grants, text: template_text.trim().to_owned() }),
            [] => Err("neither $Y nor $N".to_owned()),
            _ => Err("more than one of $Y and $N".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_networks() {
        for (pattern, expected) in [
            ("$(192.0.2.10/24)", "192.0.2.0/24"),
            ("$<192.0.2.4/2>", "192.0.2.4/30"),
            ("$<192.0.2.7/2>", "192.0.2.4/30"),
            ("$<192.0.2.7/0>", "192.0.2.7"),
            ("$<192.0.2.7/32>", "0.0.0.0/0"),
            ("${2001:db8::9/32}", "2001:db8::/32"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("*", "0.0.0.0/0 ::/0"),
            ("192.0.2.*", "192.0.2.0/24"),
            ("10.*", "10.0.0.0/8"),
            ("10.0.*.*", "10.0.0.0/16"),
            ("10.*.3.4%", ""),
            ("192.0.2.1%", "192.0.2.10/31 192.0.2.12/30 192.0.2.16/30"),
            ("192.0.2.%", "192.0.2.0/29 192.0.2.8/31"),
            ("192.0.2.25%", "192.0.2.250/31 192.0.2.252/30"),
            ("192.0.2.2%%", "192.0.2.200/29 192.0.2.208/28 192.0.2.224/27"),
        ] {
            let networks = clients(pattern).unwrap();
            if !expected.is_empty() {
                assert_eq!(
                    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                    expected,
                    "{pattern}"
                );
            }
        }
    }

    #[test]
    fn a_glob_matches_what_its_text_matches() {
        /// `*` any run, `%` one character.
        fn matches(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern, text) {
                ([], []) => true,
                ([b'*', rest @ ..], _) => (0..=text.len()).any(|end| matches(rest, &text[end..])),
                ([b'%', rest @ ..], [_, text @ ..]) => matches(rest, text),
                ([wanted, rest @ ..], [found, text @ ..]) => wanted == found && matches(rest, text),
                _ => false,
            }
        }
        for pattern in ["1%.0.2.*", "%%.0.2.7", "%.0.%%%.7", "2%%.0.*", "10.*.2.1%", "10.*", "%.%.%.%", "25%.0.2.7"] {
            let networks = clients(pattern).unwrap();
            for a in [0, 1, 9, 10, 19, 20, 99, 100, 200, 249, 250, 255] {
                for b in [0, 1, 17] {
                    for c in [0, 2, 99, 100, 255] {
                        for d in [0, 7, 10, 19, 20, 100] {
                            let ip = Ipv4Addr::new(a, b, c, d);
                            let held = networks.iter().any(|network| network.contains(ip.into()));
                            assert_eq!(held, matches(pattern.as_bytes(), ip.to_string().as_bytes()), "{pattern} {ip}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_network_says_so() {
        for pattern in [
            "192.0.2",
            "192.0.2.",
            "192.0.2.0/24",
            "010.0.0.1",
            "$(192.0.2.1/33)",
            "$<192.0.2.1/33>",
            "$<192.0.2.1>",
            "1*.0.2.1",
            "*.5",
            "10.*.5",
            "192.0.2*",
            "192.0.2.30%",
            "*.*.*.7",
            "$A.1",
            "=host",
            "@host",
            "=me",
            "%%%%.1.1.1",
            "0%.1.1.1",
        ] {
            assert!(clients(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn templates_grant_or_refuse_with_text() {
        for (template, grants, text) in [
            ("$Y", true, ""),
            ("$n", false, ""),
            ("$NGo$ away", false, "Go away"),
            ("$N Pay 5$$", false, "Pay 5$"),
            ("$YEXTERNAL", true, "EXTERNAL"),
        ] {
            assert_eq!(Template::parse(template), Ok(Template { grants, text: text.to_owned() }), "{template}");
        }
        for template in ["", "yes", "$Y$N", "$N$D30|no", "$C$|INTERNAL_IP;$3|$Y$E", "$"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }
}
