//! The lists of a control directory, line by line: what never matches, and what matches more than it seems to.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::control::text::{Entry, entries};
use crate::lookup::ere::Expression;
use crate::operator::finding::Finding;
use crate::smtp::printable::printable;

/// The findings in a list of that name, with these octets in it.
pub(super) fn lint_list(path: &Path, name: &str, text: &[u8], regular_expressions: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.starts_with(b"\xef\xbb\xbf") {
        let advice = "begins with a byte order mark, which is part of the first entry: save the file without one";
        findings.push(Finding::error(path, advice).in_line(1));
    }
    for entry in entries(text) {
        let problem = of_any_list(&entry).or_else(|| match name {
            "rcpthosts" => of_rcpthosts(&entry),
            "relayclients" => of_relayclients(&entry),
            "relaydomains" => of_relaydomains(&entry),
            "relaymailfrom" if regular_expressions => of_expressions(&entry),
            _ => None,
        });
        findings.extend(problem.map(|text| Finding::error(path, text).in_line(entry.line)));
    }
    if name == "relaymailfrom" && entries(text).next().is_some() {
        findings.push(Finding::warning(
            path,
            "lets everyone relay who knows one of these senders, because a sender is easily forged: \
             grant by address (relayclients) or with AUTH instead",
        ));
    }
    findings
}

fn shown(entry: &Entry<'_>) -> String {
    String::from_utf8_lossy(&printable(entry.text)).into_owned()
}

fn of_any_list(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text;
    if text.ends_with(b"\r") {
        return Some("ends in CR and never matches: save the file with LF line ends".to_string());
    }
    if text.first().is_some_and(u8::is_ascii_whitespace) {
        return Some(format!("`{}` begins with a blank, which is part of the entry: remove it", shown(entry)));
    }
    let quotes = ['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];
    let typographic = str::from_utf8(text).is_ok_and(|text| text.contains(quotes));
    typographic.then(|| format!("`{}` has typographic quotes, as pasted from a web page: type it anew", shown(entry)))
}

fn of_rcpthosts(entry: &Entry<'_>) -> Option<String> {
    let host = shown(entry);
    if let Some((_, domain)) = host.rsplit_once('@') {
        return Some(format!("`{host}` never matches: rcpthosts has domains, not addresses; write `{domain}`"));
    }
    if let Some(domain) = host.strip_prefix('*') {
        return Some(format!(
            "`{host}` never matches: there are no wildcards here; for the subdomains write `{domain}`"
        ));
    }
    host.contains([' ', '\t', ':']).then(|| format!("`{host}` never matches: one domain a line, and nothing else"))
}

fn of_relayclients(entry: &Entry<'_>) -> Option<String> {
    let text = shown(entry);
    if text.parse::<IpAddr>().is_ok() {
        return None;
    }
    // An IPv6 address contains colons; the suffix follows the last one behind a complete address.
    let key = match text.rsplit_once(':') {
        Some((key, _)) if key.parse::<IpAddr>().is_ok() => return None,
        Some(_) => text.split(':').next().unwrap_or_default(),
        None => &text,
    };
    if is_prefix(key) || key.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let advice = if is_prefix(&format!("{key}.")) {
        format!("did you mean `{key}.`?")
    } else if key.contains('/') {
        "networks with a prefix length are not understood; write the address up to a dot, as `192.0.2.`".to_string()
    } else {
        "write an address, as `192.0.2.7`, or its beginning up to a dot, as `192.0.2.`".to_string()
    };
    Some(format!("`{key}` never matches: {advice}"))
}

/// One to three octets, each followed by a dot.
fn is_prefix(key: &str) -> bool {
    let Some(octets) = key.strip_suffix('.') else { return false };
    let octets: Vec<&str> = octets.split('.').collect();
    let plain = |octet: &&str| octet.parse::<u8>().is_ok_and(|number| number.to_string() == **octet);
    octets.len() <= 3 && octets.iter().all(plain)
}

fn of_relaydomains(entry: &Entry<'_>) -> Option<String> {
    let text = shown(entry);
    let key = text.split(':').next().unwrap_or_default();
    match key {
        "" => Some("the empty name never matches: it would let everyone relay".to_string()),
        "unknown" => Some("`unknown` never matches: it is what clients without a name are called".to_string()),
        key if key.starts_with('*') => {
            Some(format!("`{key}` never matches: there are no wildcards here; write `{}`", key.trim_start_matches('*')))
        }
        _ => None,
    }
}

fn of_expressions(entry: &Entry<'_>) -> Option<String> {
    let pattern = entry.text.strip_prefix(b"!").unwrap_or(entry.text);
    let error = Expression::new(pattern).err()?;
    Some(format!("`{}` is no regular expression: {error}; senders that need it get 451", shown(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_cannot_match_are_found() {
        let table: &[(&str, &[u8], &[u32])] = &[
            ("rcpthosts", b"a.example\n.b.example\nuser@c.example\n*.d.example\ne.example:\n", &[3, 4, 5]),
            (
                "relayclients",
                b"192.0.2.7\n192.0.2.:x\n2001:db8::1\n2001:db8::1:@gw\n11.22.33\n10.0.0.0/8\n010.\n",
                &[5, 6, 7],
            ),
            ("relaydomains", b".a.example:\n:x\nunknown\n*.b\n", &[2, 3, 4]),
            ("locals", b"a\r\n b\n\xe2\x80\x9cc\xe2\x80\x9d\n", &[1, 2, 3]),
        ];
        for (name, text, lines) in table {
            let findings = lint_list(Path::new(name), name, text, false);
            let found: Vec<_> = findings.iter().filter_map(|finding| finding.line).collect();
            assert_eq!(found, *lines, "{findings:?}");
        }
    }

    #[test]
    fn a_bad_expression_is_found_only_where_expressions_are_used() {
        let of = |regular_expressions| lint_list(Path::new("x"), "relaymailfrom", b"ok@a\n[\n", regular_expressions);
        assert_eq!(of(true).iter().filter_map(|finding| finding.line).collect::<Vec<_>>(), [2]);
        assert_eq!(of(false).iter().filter_map(|finding| finding.line).count(), 0);
    }
}
