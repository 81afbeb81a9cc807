//! What this host's network looks like: its addresses, its default gateways, its bridges.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use nix::net::if_::InterfaceFlags;

/// RTF_UP and RTF_GATEWAY of a route (Linux, route(7)).
const UP_BY_GATEWAY: u32 = 3;

/// An address that stands for many: whoever is behind it may look like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The address.
    pub address: IpAddr,
    /// What it is, as `the default gateway`.
    pub what: String,
    /// It is one of this host's own.
    pub is_own: bool,
}

/// The default gateways of this host, and its own addresses on bridges, where containers look out of. What cannot be
/// read counts as none.
#[must_use]
pub fn gateways() -> Vec<Gateway> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (routes4, routes6) = (read("/proc/net/route"), read("/proc/net/ipv6_route"));
    let routed = routes4.lines().filter_map(gateway4).chain(routes6.lines().filter_map(gateway6));
    let default = routed.map(|address| Gateway { address, what: "the default gateway".to_owned(), is_own: false });
    let bridges = addresses().into_iter().filter(|(interface, _)| is_bridge(interface)).map(|(interface, address)| {
        Gateway { address, what: format!("this host's address on the bridge {interface}"), is_own: true }
    });
    let mut gateways: Vec<Gateway> = Vec::new();
    for gateway in default.chain(bridges) {
        if !gateways.contains(&gateway) {
            gateways.push(gateway);
        }
    }
    gateways
}

/// The addresses of interfaces that are up, each with the name of its interface; IPv4-mapped ones as IPv4.
#[must_use]
pub fn addresses() -> Vec<(String, IpAddr)> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = interface.address?;
            let ip4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            let ip = ip4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()).to_canonical()));
            Some((interface.interface_name, ip?))
        })
        .collect()
}

fn is_bridge(interface: &str) -> bool {
    let known = interface == "docker0" || interface.starts_with("br-");
    known || Path::new("/sys/class/net").join(interface).join("bridge").is_dir()
}

/// The gateway of a line of /proc/net/route: interface, destination, gateway, flags, three numbers, mask.
fn gateway4(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
    let is_default = number(1)? == 0 && number(7)? == 0 && number(3)? & UP_BY_GATEWAY == UP_BY_GATEWAY;
    // The kernel prints the octets in network order as a number of its own.
    is_default.then(|| Ipv4Addr::from(number(2).unwrap_or_default().to_ne_bytes()).into())
}

/// The gateway of a line of /proc/net/ipv6_route: destination, its length, source, its length, next hop, three numbers,
/// flags, interface.
fn gateway6(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "00", _, _, hop, _, _, _, flags, _] = fields.as_slice() else { return None };
    let is_default = u32::from_str_radix(flags, 16).ok()? & UP_BY_GATEWAY == UP_BY_GATEWAY;
    let hop = Ipv6Addr::from_bits(u128::from_str_radix(hop, 16).ok()?);
    (is_default && !hop.is_unspecified()).then(|| hop.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_of_a_default_route_is_found() {
        let gateway = u32::from_ne_bytes([203, 0, 113, 1]);
        let line = format!("eth0\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0");
        assert_eq!(gateway4(&line), Some(IpAddr::from([203, 0, 113, 1])));
        assert_eq!(gateway4("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"), None);
        assert_eq!(gateway4("Iface\tDestination\tGateway \tFlags"), None);
        let (none, hop) = ("0".repeat(32), "fe800000000000000000000000000001");
        let rest = "00000400 00000003 00000000 00000003     eth0";
        assert_eq!(gateway6(&format!("{none} 00 {none} 00 {hop} {rest}")), "fe80::1".parse().ok());
        assert_eq!(gateway6(&format!("{hop} 40 {none} 00 {hop} {rest}")), None);
        assert_eq!(gateway6(&format!("{none} 00 {none} 00 {none} 00000400 1 1 00200200 lo")), None);
    }
}
