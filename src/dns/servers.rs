//! Whom to ask: the servers of DNSCACHEIP, else of /etc/resolv.conf, else our own host.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most servers that are asked; more are not looked at.
const SERVERS_MAX: usize = 8;
/// What is read of /etc/resolv.conf.
const RESOLV_CONF_OCTETS_MAX: u64 = 65_536;
/// Where a server listens unless its address says otherwise.
const PORT: u16 = 53;

/// The servers to ask; never empty. `text` is that of DNSCACHEIP; what is no address in it is passed over.
pub(super) fn servers(text: Option<&[u8]>) -> Vec<SocketAddr> {
    let listed = text.map(listed).unwrap_or_default();
    let found = if listed.is_empty() { name_servers(&resolv_conf()) } else { listed };
    if found.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))] } else { found }
}

/// One word of DNSCACHEIP: `192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1` or `[2001:db8::1]:5300`; `None` if it is none
/// of these.
#[must_use]
pub fn parse_server(word: &[u8]) -> Option<SocketAddr> {
    let word = str::from_utf8(word).ok()?;
    let in_brackets = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let without_port = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => word.parse::<IpAddr>(),
    };
    without_port.map(|address| SocketAddr::from((address, PORT))).or_else(|_| word.parse()).ok()
}

fn listed(text: &[u8]) -> Vec<SocketAddr> {
    let words = text.split(u8::is_ascii_whitespace);
    words.filter_map(parse_server).take(SERVERS_MAX).collect()
}

/// The `nameserver` lines.
fn name_servers(text: &[u8]) -> Vec<SocketAddr> {
    let server = |line: &[u8]| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let is_one = words.next() == Some(b"nameserver");
        let address: IpAddr = str::from_utf8(words.next().filter(|_| is_one)?).ok()?.parse().ok()?;
        Some(SocketAddr::from((address, PORT)))
    };
    text.split(|octet| *octet == b'\n').filter_map(server).take(SERVERS_MAX).collect()
}

/// The text of the file; empty when it cannot be read, as the resolver of the C library takes it.
fn resolv_conf() -> Vec<u8> {
    let mut text = Vec::new();
    let read = File::open("/etc/resolv.conf").and_then(|file| file.take(RESOLV_CONF_OCTETS_MAX).read_to_end(&mut text));
    read.map(|_| text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_read() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1:53")),
            ("192.0.2.1:5300", Some("192.0.2.1:5300")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5300", Some("[2001:db8::1]:5300")),
            ("[192.0.2.1]", None),
            ("192.0.2", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("ns.far.ex", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(parse_server(word.as_bytes()), expected.map(|server| server.parse().unwrap()), "{word:?}");
        }
    }

    #[test]
    fn servers_are_listed_in_order_and_none_without_end() {
        let expected: Vec<SocketAddr> = vec!["[::1]:53".parse().unwrap(), "192.0.2.1:54".parse().unwrap()];
        assert_eq!(servers(Some(b" ::1 nonsense  192.0.2.1:54\t")), expected);
        assert_eq!(listed("192.0.2.1 ".repeat(20).as_bytes()).len(), SERVERS_MAX);
        assert_eq!(name_servers("nameserver 192.0.2.1\n".repeat(20).as_bytes()).len(), SERVERS_MAX);
        assert!(!servers(Some(b"nonsense")).is_empty() && !servers(None).is_empty());
    }

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let text = b"# nameserver 192.0.2.9\nsearch far.ex\nnameserver 192.0.2.1\n nameserver\t::1 # local\n\
            nameserver\nnameserver ns.far.ex\nnameservers 192.0.2.8\nnameserver 192.0.2.2:54\nnameserver 192.0.2.3";
        let expected: Vec<SocketAddr> =
            ["192.0.2.1:53", "[::1]:53", "192.0.2.3:53"].iter().map(|server| server.parse().unwrap()).collect();
        assert_eq!(name_servers(text), expected);
    }
}
