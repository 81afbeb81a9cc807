//! Networks of addresses, and ranges of octets cut into networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 network; a single address is one of full length. An IPv4-mapped one is IPv4 (D26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// IPv4.
    V4 {
        /// The first address.
        first: u32,
        /// The significant bits, 0 to 32.
        length: u8,
    },
    /// IPv6.
    V6 {
        /// The first address.
        first: u128,
        /// The significant bits, 0 to 128.
        length: u8,
    },
}

impl Network {
    /// The network of `length` bits that an address is in; `None` when the family has no such length.
    #[must_use]
    pub fn around(ip: IpAddr, length: u8) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) if length <= 32 => Some(Self::V4 { first: ip.to_bits() & mask4(length), length }),
            IpAddr::V6(ip) if length <= 128 => {
                Some(Self::V6 { first: ip.to_bits() & mask6(length), length }.canonical())
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    /// The network that consists of one address.
    #[must_use]
    pub fn of_address(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4 { first: ip.to_bits(), length: 32 },
            IpAddr::V6(ip) => Self::V6 { first: ip.to_bits(), length: 128 },
        }
    }

    /// Whether the address, IPv4-mapped or not, is in the network. Families do not mix.
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        match (self, ip.to_canonical()) {
            (Self::V4 { first, length }, IpAddr::V4(ip)) => ip.to_bits() & mask4(length) == first,
            (Self::V6 { first, length }, IpAddr::V6(ip)) => ip.to_bits() & mask6(length) == first,
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }

    /// Whether each address of the other network is in this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.length() <= other.length() && self.contains(other.first())
    }

    /// The first address.
    #[must_use]
    pub fn first(self) -> IpAddr {
        match self {
            Self::V4 { first, .. } => Ipv4Addr::from_bits(first).into(),
            Self::V6 { first, .. } => Ipv6Addr::from_bits(first).into(),
        }
    }

    /// The significant bits: 0 to 32, or 0 to 128.
    #[must_use]
    pub fn length(self) -> u8 {
        match self {
            Self::V4 { length, .. } | Self::V6 { length, .. } => length,
        }
    }

    /// The length of a single address: 32 or 128.
    #[must_use]
    pub fn full_length(self) -> u8 {
        match self {
            Self::V4 { .. } => 32,
            Self::V6 { .. } => 128,
        }
    }

    /// An IPv6 network of nothing but IPv4-mapped addresses is an IPv4 network.
    fn canonical(self) -> Self {
        match (self, self.first().to_canonical()) {
            (Self::V6 { length: length @ 96.., .. }, IpAddr::V4(first)) => {
                Self::V4 { first: first.to_bits(), length: length - 96 }
            }
            (network, _) => network,
        }
    }
}

/// An address alone is written without its length.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length() == self.full_length() {
            return self.first().fmt(f);
        }
        write!(f, "{}/{}", self.first(), self.length())
    }
}

fn mask4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// An IPv4 address with a range for each octet, low and high, as `192.168.40-43.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octets {
    pub(super) ranges: [(u8, u8); 4],
}

impl Octets {
    /// Whether each octet of the address is in its range.
    #[must_use]
    pub fn contains(&self, ip: Ipv4Addr) -> bool {
        self.ranges.iter().zip(ip.octets()).all(|((low, high), octet)| (*low..=*high).contains(&octet))
    }

    /// The length of that one of [`Self::networks`] which the address is in.
    #[must_use]
    pub fn length_around(&self, ip: Ipv4Addr) -> Option<u8> {
        if !self.contains(ip) {
            return None;
        }
        let Some(cut) = self.cut() else { return Some(0) };
        let (range, octet) = (self.ranges.get(cut)?, ip.octets().get(cut).copied()?);
        let block = Blocks::of(*range).find(|block| octet - block.first < block.size_or_256());
        block.map(|block| block.length + 8 * cut as u8)
    }

    /// How many networks there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let Some(cut) = self.cut() else { return 1 };
        let before = self.ranges.iter().take(cut).map(|(low, high)| u64::from(high - low) + 1);
        let last = self.ranges.get(cut).map_or(1, |range| Blocks::of(*range).count() as u64);
        before.product::<u64>() * last
    }

    /// The networks, in the order of their addresses, none of which could be a wider one.
    #[must_use]
    pub fn networks(&self) -> Vec<Network> {
        let everything = vec![Network::V4 { first: 0, length: 0 }];
        let Some((cut, range)) = self.cut().and_then(|cut| Some((cut, self.ranges.get(cut)?))) else {
            return everything;
        };
        let mut firsts = vec![0u32];
        for (index, (low, high)) in self.ranges.iter().enumerate().take(cut) {
            let shift = 24 - 8 * index;
            let octets = || (*low..=*high).map(u32::from);
            firsts = firsts.iter().flat_map(|first| octets().map(move |octet| first | octet << shift)).collect();
        }
        let shift = 24 - 8 * cut;
        let within = |first: u32| {
            Blocks::of(*range).map(move |block| Network::V4 {
                first: first | u32::from(block.first) << shift,
                length: block.length + 8 * cut as u8,
            })
        };
        firsts.into_iter().flat_map(within).collect()
    }

    /// The last octet that is not free, if there is one.
    fn cut(&self) -> Option<usize> {
        self.ranges.iter().rposition(|range| *range != (0, 255))
    }
}

/// The widest aligned blocks that make up a range of octets.
struct Blocks {
    next: u16,
    high: u8,
}

/// 2^(8-length) octets from `first` on.
struct Block {
    first: u8,
    length: u8,
}

impl Block {
    /// The size of a block of one octet or more; that of all 256 octets, which no difference of octets reaches, is 255.
    fn size_or_256(&self) -> u8 {
        1u8.checked_shl(8 - u32::from(self.length)).unwrap_or(u8::MAX)
    }
}

impl Blocks {
    fn of((low, high): (u8, u8)) -> Self {
        Self { next: low.into(), high }
    }
}

impl Iterator for Blocks {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let first = u8::try_from(self.next).ok().filter(|first| *first <= self.high)?;
        let left = u16::from(self.high) - u16::from(first) + 1;
        let aligned = if first == 0 { 8 } else { first.trailing_zeros() };
        let bits = aligned.min(left.ilog2());
        self.next += 1 << bits;
        Some(Block { first, length: 8 - bits as u8 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(ranges: [(u8, u8); 4]) -> Vec<String> {
        Octets { ranges }.networks().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ranges_become_the_widest_networks() {
        assert_eq!(texts([(192, 192), (168, 168), (40, 43), (0, 255)]), ["192.168.40.0/22"]);
        assert_eq!(texts([(10, 10), (0, 0), (0, 0), (1, 6)]), ["10.0.0.1", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6"]);
        assert_eq!(texts([(1, 2), (3, 3), (255, 255), (0, 255)]), ["1.3.255.0/24", "2.3.255.0/24"]);
        assert_eq!(texts([(0, 255); 4]), ["0.0.0.0/0"]);
    }

    proptest! {
        #[test]
        fn networks_and_ranges_hold_the_same_addresses(
            lows in proptest::array::uniform4(any::<u8>()), widths in proptest::array::uniform4(0u8..6),
            ip in proptest::array::uniform4(0u8..8), free in 0usize..4,
        ) {
            let mut ranges = [(0, 255); 4];
            for index in 0..=free {
                ranges[index] = (lows[index], lows[index].saturating_add(widths[index]));
            }
            let octets = Octets { ranges };
            let ip = Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|index| lows[index].wrapping_add(ip[index])));
            let networks = octets.networks();
            prop_assert_eq!(networks.len() as u64, octets.count());
            let around: Vec<u8> =
                networks.iter().filter(|network| network.contains(ip.into())).map(|network| network.length()).collect();
            prop_assert_eq!(around, octets.length_around(ip).into_iter().collect::<Vec<u8>>());
        }
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        let network = Network::around("::ffff:10.0.0.0".parse().unwrap(), 104).unwrap();
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!Network::around("::".parse().unwrap(), 0).unwrap().contains("10.1.2.3".parse().unwrap()));
    }
}
