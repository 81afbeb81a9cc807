//! The addresses of a database host, without the name services of the C library, which a static program lacks.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use crate::control::environment::Environment;
use crate::dns::Dns;

/// The hosts that this one knows by itself.
const HOSTS: &str = "/etc/hosts";

/// The addresses of a host: the text itself, those of /etc/hosts, or those that the DNS tells within the time.
pub(super) fn addresses(host: &str, environment: &Environment, time: Duration) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let known = listed(host, &fs::read_to_string(HOSTS).unwrap_or_default());
    if !known.is_empty() {
        return Ok(known);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
    }
    let mut dns = Dns::with_deadline(environment.get(b"DNSCACHEIP"), time);
    match dns.addresses(host.as_bytes()) {
        Ok(addresses) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(addresses) => Ok(addresses),
        Err(failed) => Err(failed.to_string()),
    }
}

/// The addresses of a name in the text of /etc/hosts; IPv4 first, because more servers listen there.
fn listed(host: &str, text: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut addresses: Vec<IpAddr> = lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_host_need_no_dns() {
        let text = "127.0.0.1 localhost # x\n::1 db.ex localhost\n192.0.2.7 DB.ex\nnonsense db.ex\n";
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(listed("db.EX", text), [address("192.0.2.7"), address("::1")]);
        assert!(listed("x", text).is_empty());
        let asked = |host| addresses(host, &Environment::default(), Duration::from_secs(1));
        assert_eq!(asked("2001:db8::1"), Ok(vec![address("2001:db8::1")]));
        assert!(asked("localhost").is_ok_and(|found| found.contains(&address("127.0.0.1"))));
    }
}
