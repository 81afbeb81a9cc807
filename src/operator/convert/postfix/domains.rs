//! rcpthosts: the domains that Postfix takes mail for from everybody.

use crate::operator::convert::clients::is_name;
use crate::operator::convert::postfix::parameters::{DESTINATION, Item, Parameters};
use crate::operator::convert::{Conversion, NativeFile};

/// The parameters that list domains, and whether Postfix lets their subdomains in too.
const LISTS: [(&str, bool); 4] = [
    ("mydestination", false),
    ("virtual_alias_domains", false),
    ("virtual_mailbox_domains", false),
    ("relay_domains", true),
];

pub(super) fn read(parameters: &Parameters, conversion: &mut Conversion) {
    for (name, by_default) in LISTS {
        let items = match (parameters.last(name), name) {
            (None, "mydestination") => parameters.parts(0, DESTINATION),
            (_, _) => parameters.items(name),
        };
        let with_subdomains = by_default && matches_subdomains(parameters, name);
        domains(&items, with_subdomains, conversion);
    }
}

/// Whether `parent_domain_matches_subdomains` names the list, as it does when it is not set.
fn matches_subdomains(parameters: &Parameters, name: &str) -> bool {
    let items = parameters.items("parent_domain_matches_subdomains");
    let is_set = parameters.last("parent_domain_matches_subdomains").is_some();
    !is_set || items.iter().any(|item| item.text.as_deref() == Ok(name))
}

fn domains(items: &[Item], with_subdomains: bool, conversion: &mut Conversion) {
    let mut excepted: Vec<String> = Vec::new();
    let mut is_closed = false;
    for Item { line, text } in items {
        let shown = text.as_ref().unwrap_or_else(|fault| fault);
        let (is_exception, entry) = shown.strip_prefix('!').map_or((false, &**shown), |rest| (true, rest));
        let lower = entry.to_ascii_lowercase();
        let domain = lower.strip_prefix('.').unwrap_or(&lower);
        let is_readable = text.is_ok() && is_name(domain);
        if is_exception {
            is_closed |= !is_readable;
            excepted.push(lower.clone());
            conversion.not_carried(*line, shown, "rcpthosts has no exceptions: what it would take away is not listed");
            continue;
        }
        let lines = match (lower.starts_with('.'), with_subdomains) {
            (true, _) => vec![lower.clone()],
            (false, true) => vec![lower.clone(), format!(".{lower}")],
            (false, false) => vec![lower.clone()],
        };
        for entry in lines {
            if !is_readable {
                conversion.not_carried(*line, shown, "a table, a file, or not the name of a domain");
                break;
            } else if is_closed || excepted.iter().any(|except| overlap(except, &entry, with_subdomains)) {
                conversion.not_carried(*line, &entry, "an exception before it takes part of it away");
            } else {
                conversion.line(NativeFile::RcptHosts, entry);
            }
        }
    }
}

/// Whether a domain of `entry` may be one of the exception; both may begin with a dot, which means the subdomains.
fn overlap(except: &str, entry: &str, with_subdomains: bool) -> bool {
    let (except_domain, entry_domain) = (except.trim_start_matches('.'), entry.trim_start_matches('.'));
    let is_below = |domain: &str, parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'));
    let excepts_subdomains = with_subdomains || except.starts_with('.');
    except_domain == entry_domain
        || (excepts_subdomains && is_below(entry_domain, except_domain))
        || (entry.starts_with('.') && is_below(except_domain, entry_domain))
}
