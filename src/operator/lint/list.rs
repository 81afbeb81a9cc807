//! The lists of a control directory, line by line: what can never match.

use std::net::IpAddr;
use std::path::Path;

use crate::client::Client;
use crate::control::text::{Entry, entries};
use crate::lookup::access_list::Access;
use crate::lookup::ere::Expression;
use crate::lookup::host_access::{self, Address};
use crate::lookup::wildmat::{self, is_pattern};
use crate::operator::finding::Finding;
use crate::operator::lint::assigned::Assignments;
use crate::operator::lint::{Circumstances, gates};
use crate::policy::listing::Listing;
use crate::screen::rules::Parsed;
use crate::smtp::printable::printable;

/// The findings in a list of that name, with these octets in it.
pub(super) fn lint_list(path: &Path, name: &str, text: &[u8], circumstances: &Circumstances<'_>) -> Vec<Finding> {
    let problem_of = |entry: &Entry<'_>| of_any_list(entry).or_else(|| of_line(entry, name, circumstances));
    let finding = |entry: Entry<'_>| Some(Finding::error(path, problem_of(&entry)?).in_line(entry.line));
    let mut findings: Vec<Finding> = entries(text).filter_map(finding).collect();
    if let Some(first) = entries(text).find(|entry| name == "relaydomains" && problem_of(entry).is_none()) {
        findings.push(Finding::warning(path, unconfirmed(&first)).in_line(first.line));
    }
    findings
}

fn of_line(entry: &Entry<'_>, name: &str, circumstances: &Circumstances<'_>) -> Option<String> {
    let expressions = circumstances.regular_expressions;
    let is_of_addresses = Listing::ALL.iter().any(|listing| listing.names().file == name);
    if is_of_addresses {
        let malformed = if expressions { of_expressions(entry) } else { of_wildcard(entry) };
        return malformed.or_else(|| match name {
            "badhelo" => gates::of_badhelo(entry, expressions),
            _ if expressions => None,
            "badip" => gates::of_badip(entry),
            _ => of_addresses(entry),
        });
    }
    match name {
        "rcpthosts" | "locals" => of_hosts(entry, name),
        "virtualdomains" => of_virtualdomains(entry),
        "moreipme" | "notipme" => of_own_addresses(entry),
        "tlsclients" => of_tlsclients(entry),
        "relaydomains" => of_relaydomains(entry),
        "hostaccess" => of_hostaccess(entry),
        "accesslist" => of_accesslist(entry, circumstances),
        "signatures" | "bodycheck" => of_content(entry, name == "bodycheck"),
        _ => None,
    }
}

/// The findings in a list of wildcards.
pub(super) fn lint_patterns(path: &Path, name: &str, text: &[u8], circumstances: &Circumstances<'_>) -> Vec<Finding> {
    let expressions = circumstances.regular_expressions;
    // In badhost a line with `!` is no exception, and expressions are read too.
    let is_of_hosts = name == "badhost";
    if expressions && !is_of_hosts {
        let advice = "is not read, because QREGEX asks for regular expressions: write them into the list itself";
        return vec![Finding::warning(path, advice)];
    }
    let problem_of = |entry: &Entry<'_>| {
        of_any_list(entry).or_else(|| match (is_of_hosts, expressions) {
            (_, true) => of_expressions(entry),
            (true, false) if circumstances.file_names => gates::of_badhost(entry),
            (true, false) => of_wildcard(entry).or_else(|| gates::of_badhost(entry)),
            (false, false) => of_wildcard(entry).or_else(|| of_whole_addresses(entry)),
        })
    };
    let mut findings: Vec<Finding> =
        entries(text).filter_map(|entry| Some(Finding::error(path, problem_of(&entry)?).in_line(entry.line))).collect();
    if !is_of_hosts && entries(text).all(|entry| entry.text.starts_with(b"!")) && entries(text).next().is_some() {
        findings.push(Finding::warning(path, "has only exceptions, so nothing in it ever matches"));
    }
    findings
}

/// The lists that are read only where a variable asks for them, and are there in vain.
pub(super) fn lint_switched_off(directory: &Path, assignments: &Assignments) -> Vec<Finding> {
    let switches: [(&str, &str, &[&str]); 8] = [
        ("badip", "BADIPCHECK", &["BADIP"]),
        ("badhost", "BADHOSTCHECK", &["BADHOST"]),
        ("badhelo", "BADHELOCHECK", &["BADHELO"]),
        ("signatures", "VIRUSCHECK", &[]),
        ("bodycheck", "BODYCHECK", &[]),
        ("recipients", "CHECKRECIPIENT", &["CHECKSENDER"]),
        ("chkrcptdomains", "CHECKRECIPIENT", &[]),
        ("chksenderdomains", "CHECKSENDER", &[]),
    ];
    let there = |(list, variable, others): (&str, &str, &[&str])| {
        let path = directory.join(list);
        let is_off = !assignments.has(variable) && !others.iter().any(|name| assignments.has(name));
        (is_off && path.exists()).then(|| {
            Finding::warning(path, format!("is not read here: tcp.smtp or the run script must set {variable}"))
        })
    };
    switches.into_iter().filter_map(there).collect()
}

/// What to do about quotes in the wrong place.
pub(super) const TYPOGRAPHIC: &str = "has typographic quotes, as pasted from a web page: type it anew";

/// A byte order mark belongs to the first entry.
pub(super) fn byte_order_mark(path: &Path, text: &[u8]) -> Option<Finding> {
    let advice = "begins with a byte order mark, which is part of the first entry: save the file without one";
    text.starts_with(b"\xef\xbb\xbf").then(|| Finding::error(path, advice).in_line(1))
}

/// Whether a text has quotes as word processors and web pages make them.
pub(super) fn has_typographic_quotes(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']))
}

pub(super) fn shown(entry: &Entry<'_>) -> String {
    String::from_utf8_lossy(&printable(entry.text)).into_owned()
}

pub(super) fn of_any_list(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text;
    if text.ends_with(b"\r") {
        return Some("ends in CR, which is part of the entry: save the file with LF line ends".to_string());
    }
    if text.first().is_some_and(u8::is_ascii_whitespace) {
        return Some(format!("`{}` begins with a blank, which is part of the entry: remove it", shown(entry)));
    }
    has_typographic_quotes(text)
        .then(|| format!("`{}` has typographic quotes, as pasted from a web page: type it anew", shown(entry)))
}

/// A line of a list of domains.
fn of_hosts(entry: &Entry<'_>, list: &str) -> Option<String> {
    let host = shown(entry);
    if let Some((_, domain)) = host.rsplit_once('@') {
        return Some(format!("`{host}` never matches: {list} has domains, not addresses; write `{domain}`"));
    }
    if let Some(domain) = host.strip_prefix(['.', '*']).filter(|_| list == "locals") {
        let domain = domain.trim_start_matches('.');
        return Some(format!(
            "`{host}` never matches: subdomains are not covered here; write `{domain}` and each of them"
        ));
    }
    if host == "*" {
        return Some("`*` never matches: there are no wildcards here; write each domain".to_owned());
    }
    if let Some(domain) = host.strip_prefix('*') {
        return Some(format!(
            "`{host}` never matches: there are no wildcards here; for the subdomains write `{domain}`"
        ));
    }
    host.contains([' ', '\t', ':']).then(|| format!("`{host}` never matches: one domain a line, and nothing else"))
}

fn of_virtualdomains(entry: &Entry<'_>) -> Option<String> {
    let line = shown(entry);
    let Some((host, _)) = line.split_once(':') else {
        return Some(format!("`{line}` has no colon: write `host:prepend`, or `host:` for an exception"));
    };
    host.starts_with('*').then(|| {
        let suffix = host.trim_start_matches('*');
        format!("`{line}` never matches: there are no wildcards here; for the subdomains write `{suffix}:...`")
    })
}

/// A line of moreipme or notipme.
fn of_own_addresses(entry: &Entry<'_>) -> Option<String> {
    let is_address = str::from_utf8(entry.text).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    (!is_address).then(|| format!("`{}` never matches: it is no IP address", shown(entry)))
}

fn of_tlsclients(entry: &Entry<'_>) -> Option<String> {
    let is_address = matches!(memchr::memchr(b'@', entry.text), Some(1..)) && !is_pattern(entry.text);
    (!is_address).then(|| format!("`{}` never matches: write the mail address of a certificate", shown(entry)))
}

/// The name of an address is what its owner publishes.
fn unconfirmed(entry: &Entry<'_>) -> String {
    let text = shown(entry);
    let name = text.split(':').next().unwrap_or_default();
    format!(
        "`{name}` lets whoever publishes such a name for his address relay, unless tcpserver runs with -p: write `={name}` \
         into relayclients, where names are confirmed"
    )
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

fn of_hostaccess(entry: &Entry<'_>) -> Option<String> {
    let Some((_, addresses)) = host_access::parts(entry.text) else {
        return Some(format!("`{}` says nothing: write `domain:addresses`", shown(entry)));
    };
    match host_access::address(addresses, &Client::default()) {
        Address::Malformed(error) => {
            let then = "mail of that domain gets 451 where PARANOID or another line would refuse it";
            Some(format!("`{}` cannot be read: {error}; {then}", shown(entry)))
        }
        Address::Any | Address::Named | Address::Other => None,
    }
}

fn of_accesslist(entry: &Entry<'_>, circumstances: &Circumstances<'_>) -> Option<String> {
    let Some(Access { sender, recipient, .. }) = Access::parse(entry.text) else {
        let form = "write `rcpt:sender:recipient` or `from:sender:recipient`";
        return Some(format!("`{}` says nothing: {form}", shown(entry)));
    };
    let patterns = [sender, recipient];
    if circumstances.regular_expressions {
        let error = patterns.into_iter().find_map(|pattern| Expression::new(pattern).err())?;
        return Some(format!("`{}` has no regular expression: {error}; whoever needs it gets 451", shown(entry)));
    }
    let is_broken = !circumstances.file_names && !patterns.into_iter().all(wildmat::is_whole);
    is_broken.then(|| unclosed(entry))
}

fn of_content(entry: &Entry<'_>, has_expressions: bool) -> Option<String> {
    let parsed = match Parsed::of(entry.text) {
        Ok(parsed) => parsed,
        Err(option) => {
            let option = String::from_utf8_lossy(&printable(&option)).into_owned();
            return Some(format!(
                "`{option}` is no option: every message gets 451; write -header, -body, -headerblackhole or -bodyblackhole"
            ));
        }
    };
    if parsed.pattern.is_empty() {
        return Some(format!(
            "`{}` has nothing before its colon, so it is about every message: remove it",
            shown(entry)
        ));
    }
    let error = Expression::new(&parsed.pattern).err().filter(|_| has_expressions)?;
    Some(format!("`{}` is no regular expression: {error}; every message gets 451", shown(entry)))
}

/// A wildcard that nothing matches.
fn of_wildcard(entry: &Entry<'_>) -> Option<String> {
    let pattern = entry.text.strip_prefix(b"!").unwrap_or(entry.text);
    (!wildmat::is_whole(pattern)).then(|| unclosed(entry))
}

pub(super) fn unclosed(entry: &Entry<'_>) -> String {
    format!("`{}` is no wildcard: a `[` without its `]`, or nothing behind the last backslash", shown(entry))
}

/// A line of a list of addresses where wildcards are used.
pub(super) fn of_addresses(entry: &Entry<'_>) -> Option<String> {
    let pattern = entry.text.strip_prefix(b"!").unwrap_or(entry.text);
    // Without an `@` a line is about local names, but what has a dot is meant as a domain.
    let is_domain = !pattern.contains(&b'@') && pattern.contains(&b'.') && !is_pattern(pattern);
    let domain = shown(entry);
    let domain = domain.trim_start_matches(['!', '.']);
    if is_domain {
        return Some(format!("`{}` never matches an address of that domain: write `@{domain}`", shown(entry)));
    }
    // An exception is compared with the whole address.
    if entry.text.starts_with(b"!") { of_whole_addresses(entry) } else { None }
}

/// A line that is compared with whole addresses, and is about a domain alone.
fn of_whole_addresses(entry: &Entry<'_>) -> Option<String> {
    let (sign, pattern) = entry.text.strip_prefix(b"!").map_or(("", entry.text), |rest| ("!", rest));
    let is_domain = match memchr::memchr(b'@', pattern) {
        Some(at) => at == 0,
        None => pattern.contains(&b'.') && !is_pattern(pattern),
    };
    is_domain.then(|| {
        let domain = String::from_utf8_lossy(&printable(pattern)).into_owned();
        let domain = domain.trim_start_matches(['@', '.']);
        format!("`{}` never matches an address of that domain: write `{sign}*@{domain}`", shown(entry))
    })
}

pub(super) fn of_expressions(entry: &Entry<'_>) -> Option<String> {
    let pattern = entry.text.strip_prefix(b"!").unwrap_or(entry.text);
    let error = Expression::new(pattern).err()?;
    Some(format!("`{}` is no regular expression: {error}; whoever needs it gets 451", shown(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::finding::Severity;

    #[test]
    fn lines_that_cannot_match_are_found() {
        let table: &[(&str, &[u8], &[u32])] = &[
            ("rcpthosts", b"a.example\n.b.example\nuser@c.example\n*.d.example\ne.example:\n", &[3, 4, 5]),
            ("relaydomains", b".a.example:\n:x\nunknown\n*.b\n", &[2, 3, 4]),
            ("bodycheck", b"fine:x\n[:x\na:b:-head\nc:d:-body\n", &[2, 3]),
            ("locals", b"a\r\n b\n\xe2\x80\x9cc\xe2\x80\x9d\n", &[1, 2, 3]),
        ];
        for (name, text, lines) in table {
            let assignments = Assignments::default();
            let circumstances = Circumstances::new(&assignments, false, &[]);
            let findings = lint_list(Path::new(name), name, text, &circumstances);
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            assert_eq!(errors.filter_map(|finding| finding.line).collect::<Vec<_>>(), *lines, "{findings:?}");
            let unconfirmed = findings.iter().filter(|finding| finding.text.contains("unless tcpserver runs with -p"));
            assert_eq!(unconfirmed.count(), usize::from(*name == "relaydomains"));
        }
    }
}
