//! relaymx: whether an MX host of a domain is one that everyone may relay to (D45).

use std::net::IpAddr;

use crate::dns::Exchangers;
use crate::lookup::client_list::{ClientList, World, decide};
use crate::lookup::clients::Sought;
use crate::lookup::failed;
use crate::lookup::undecided::Undecided;
use crate::policy::verdict::{Answer, LookupFailed, Using};

/// The name of the list.
const FILE: &str = "relaymx";

/// What the list says about the MX hosts of a domain, or about its own address if it has none (RFC 5321, 5.1).
pub(super) fn answer(domain: &[u8], world: &mut World<'_>) -> Result<Answer, LookupFailed> {
    let list = ClientList::new(&world.setup.control.directory, FILE.into());
    // A list without entries is about nobody, whatever the DNS would say.
    let unreadable = |unreadable| failed(list.file.clone(), Undecided::Unreadable(unreadable));
    match list.has_entries().map_err(unreadable)? {
        None => return Ok(Answer::Absent),
        Some(false) => return Ok(Answer::No),
        Some(true) => {}
    }
    if let Some(ip) = literal(domain) {
        return weigh(&list, &Sought { ip, name: None, confirmed: false }, world);
    }
    let hosts = match dns(world)?.mail_exchangers(domain).map_err(dns_failed)? {
        Exchangers::Null => return Ok(Answer::No),
        Exchangers::None => vec![domain.to_vec()],
        Exchangers::Hosts(hosts) => hosts,
    };
    let mut failure = None;
    for host in hosts {
        let addresses = match dns(world)?.addresses(&host) {
            Ok(addresses) => addresses,
            Err(failed) => {
                failure.get_or_insert(dns_failed(failed));
                continue;
            }
        };
        for ip in addresses {
            match weigh(&list, &Sought { ip, name: Some(&host), confirmed: true }, world) {
                Ok(Answer::Yes(evidence)) => return Ok(Answer::Yes(evidence)),
                Ok(
                    Answer::No
                    | Answer::Absent
                    | Answer::Excepted(_)
                    | Answer::NeedsDns
                    | Answer::Unfit(_)
                    | Answer::Applied(_),
                ) => {}
                Err(failed) => drop(failure.get_or_insert(failed)),
            }
        }
    }
    failure.map_or(Ok(Answer::No), Err)
}

fn weigh(list: &ClientList, sought: &Sought<'_>, world: &mut World<'_>) -> Result<Answer, LookupFailed> {
    let reading = list.read(sought, world.notes);
    match reading.map_err(|unreadable| failed(list.file.clone(), Undecided::Unreadable(unreadable)))? {
        Some(reading) => decide(&reading, &list.file, sought, Using::Dns, world),
        None => Ok(Answer::Absent),
    }
}

fn dns<'a>(world: &'a mut World<'_>) -> Result<&'a mut crate::dns::Dns, LookupFailed> {
    let not_asked =
        || LookupFailed::Dns { file: FILE.into(), line: None, error: crate::lookup::client_list::NOT_ASKED.to_owned() };
    world.dns.as_deref_mut().ok_or_else(not_asked)
}

fn dns_failed(failed: crate::dns::DnsFailed) -> LookupFailed {
    LookupFailed::Dns { file: FILE.into(), line: None, error: failed.to_string() }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
fn literal(domain: &[u8]) -> Option<IpAddr> {
    let inner = std::str::from_utf8(domain).ok()?.strip_prefix('[')?.strip_suffix(']')?;
    let v6 = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).and_then(|_| inner.get(5..));
    v6.unwrap_or(inner).parse().ok()
}
