//! Names in lists of clients that DNS does not know: nobody can be such a client, or nobody can say whom a line excepts.

use std::path::Path;

use crate::client::cause::shown;
use crate::client::pattern::Pattern;
use crate::dns::Dns;
use crate::operator::finding::Finding;
use crate::operator::lint::told::{Kind, Told};

/// The most names that are asked for in one list; each may take [`crate::dns::DEADLINE_SECONDS`].
const NAMES_MAX: usize = 500;
/// After so many questions without an answer no more are asked.
const FAILURES_MAX: usize = 3;

/// A name in a list.
pub(super) struct Named<'t> {
    /// The number of the line, from 1.
    pub number: u32,
    /// The line excepts.
    pub exception: bool,
    pub pattern: Pattern<'t>,
}

/// Asks for the addresses of every name.
pub(super) fn lint_names<'t>(path: &Path, lines: impl Iterator<Item = Named<'t>>, dns: &mut Dns) -> Vec<Finding> {
    let mut told = Told::new(path);
    let (mut asked, mut failures) = (0, 0);
    for Named { number, exception, pattern } in lines {
        let (name, is_client) = match pattern {
            Pattern::Name(name) => (name, true),
            Pattern::AddressesOf(name) => (name, false),
            Pattern::Network(_) | Pattern::Octets(_) | Pattern::Suffix(_) | Pattern::Me => continue,
        };
        if asked == NAMES_MAX || failures == FAILURES_MAX {
            let text = "the names from here on were not looked up: too many, or DNS does not answer";
            told.warning(Kind::Unresolvable, number, text.to_owned());
            break;
        }
        asked += 1;
        dns.begin();
        let addresses = if is_client { dns.addresses(name) } else { dns.host_or_exchangers(name) };
        let name = shown(name);
        match addresses {
            Ok(addresses) if !addresses.is_empty() => {}
            Ok(_) if is_client => {
                let text = format!("`={name}` matches nobody: the name has no addresses that could confirm it");
                told.warning(Kind::Unresolvable, number, text);
            }
            Ok(_) if exception => {
                let text = "has no addresses, so nobody can say whom it excepts: whoever the list lets relay gets 451";
                told.error(number, format!("`!@{name}` {text}"));
            }
            Ok(_) => {
                let text = format!("`@{name}` matches nobody: neither the name nor its MX hosts have addresses");
                told.warning(Kind::Unresolvable, number, text);
            }
            Err(failed) => {
                failures += 1;
                told.warning(Kind::Unresolvable, number, format!("`{name}` cannot be looked up now: {failed}"));
            }
        }
    }
    told.findings()
}
