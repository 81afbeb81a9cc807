//! Who is calling: address, name, ident answer and the relay permission that tcpserver's rules gave.

pub mod address;
pub mod cause;
pub mod fault;
pub mod key;
pub mod line;
pub mod network;
pub mod pattern;
pub mod rule;
pub mod rules;

use std::net::IpAddr;

/// The client of this connection, as tcpserver describes it (tcp-environ(5)) or as the socket on descriptor 0 shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The address, an IPv4-mapped one as IPv4 (D26); none when nobody told us.
    pub address: Option<IpAddr>,
    /// The address as text for replies, log and trace; `unknown` when nobody told us.
    pub address_text: Vec<u8>,
    /// The client's name from DNS, `TCPREMOTEHOST`; none when it has none.
    pub name: Option<Vec<u8>>,
    /// The ident answer, `TCPREMOTEINFO`.
    pub info: Option<Vec<u8>>,
    /// `RELAYCLIENT`: the client may relay, and this is put behind each of its recipients.
    pub relay_suffix: Option<Vec<u8>>,
    /// `RELAYCLASS`: what tcp.smtp calls clients of this kind, for log and trace.
    pub class: Option<Vec<u8>>,
}

impl Client {
    /// What stands for the client where nobody told us its name or address.
    pub const UNKNOWN: &[u8] = b"unknown";

    /// The name, or `unknown`.
    #[must_use]
    pub fn shown_name(&self) -> &[u8] {
        self.name.as_deref().unwrap_or(Self::UNKNOWN)
    }

    /// Sets the address from its text; what is not an address is shown and matches nothing.
    pub fn set_address_text(&mut self, text: &[u8]) {
        self.address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        self.address_text = text.to_vec();
        if let Some(mapped) = self.address.filter(|address| address.to_canonical() != *address) {
            self.set_address(mapped);
        }
    }

    /// Sets the address; an IPv4-mapped one becomes IPv4.
    pub fn set_address(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        self.address = Some(address);
        self.address_text = address.to_string().into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_ipv4() {
        let mut client = Client::default();
        client.set_address_text(b"::ffff:192.0.2.1");
        assert_eq!(client.address_text, b"192.0.2.1");
        assert_eq!(client.address, Some(IpAddr::from([192, 0, 2, 1])));
        client.set_address_text(b"2001:DB8::1");
        assert_eq!(client.address_text, b"2001:DB8::1");
        client.set_address_text(b"not an address");
        assert_eq!((client.address, client.address_text.as_slice()), (None, b"not an address".as_slice()));
    }
}
