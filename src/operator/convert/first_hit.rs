//! A list read from top to bottom, where the first hit decides, as one where the most specific network decides.

use std::collections::BTreeMap;

use crate::client::network::Network;

/// Networks, each with what it decides; the most specific one that holds a client does.
///
/// Two networks hold each other or have nothing in common. So once a network that an earlier one holds is left out, of
/// those that hold a client the most specific is also the first.
#[derive(Debug)]
pub(super) struct FirstHit<V> {
    lines: BTreeMap<Network, V>,
}

impl<V> Default for FirstHit<V> {
    fn default() -> Self {
        Self { lines: BTreeMap::new() }
    }
}

impl<V> FirstHit<V> {
    /// Adds the next network of the list; `false` if an earlier one holds it, so that it never decides.
    pub(super) fn add(&mut self, network: Network, decides: V) -> bool {
        let is_alive = self.at(network).is_none();
        if is_alive {
            self.lines.insert(network, decides);
        }
        is_alive
    }

    /// Sets what decides for `network`, whatever there is.
    pub(super) fn put(&mut self, network: Network, decides: V) {
        self.lines.insert(network, decides);
    }

    /// What decides for all of `network`, as far as none within it does.
    pub(super) fn at(&self, network: Network) -> Option<&V> {
        self.lines.get(&network).or_else(|| self.above(network))
    }

    /// What would decide for `network` without its own line.
    pub(super) fn above(&self, network: Network) -> Option<&V> {
        let mut wider = (0..network.length()).rev().filter_map(|length| Network::around(network.first(), length));
        wider.find_map(|wider| self.lines.get(&wider))
    }

    /// Where the answer changes that `answer` makes of what decides, or of nothing: each network with its answer, without
    /// those where the next wider one gives the same.
    pub(super) fn changes<A: PartialEq>(&self, answer: impl Fn(Option<&V>) -> A) -> impl Iterator<Item = (Network, A)> {
        self.iter().filter_map(move |(network, decides)| {
            let here = answer(Some(decides));
            (here != answer(self.above(network))).then_some((network, here))
        })
    }

    /// Every network with what it decides, in the order of addresses, a wider one before those within it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Network, &V)> {
        self.lines.iter().map(|(network, decides)| (*network, decides))
    }
}

impl<V> FromIterator<(Network, V)> for FirstHit<V> {
    fn from_iter<I: IntoIterator<Item = (Network, V)>>(list: I) -> Self {
        let mut hits = Self::default();
        for (network, decides) in list {
            hits.add(network, decides);
        }
        hits
    }
}

/// All addresses: the networks that `*` stands for.
pub(super) const EVERYONE: [Network; 2] = [Network::V4 { first: 0, length: 0 }, Network::V6 { first: 0, length: 0 }];

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// Few addresses, so that networks meet.
    fn address() -> impl Strategy<Value = IpAddr> {
        (any::<bool>(), any::<u8>()).prop_map(|(is_ipv6, low)| match is_ipv6 {
            false => Ipv4Addr::from_bits(u32::from(low & 0xf) | u32::from(low >> 4) << 28).into(),
            true => Ipv6Addr::from_bits(u128::from(low & 0xf) | u128::from(low >> 4) << 124).into(),
        })
    }

    proptest! {
        #[test]
        fn the_most_specific_is_the_first_hit(
            list in prop::collection::vec((address(), 0u8..=128, any::<bool>()), 0..12),
            clients in prop::collection::vec(address(), 20),
        ) {
            let list: Vec<(Network, bool)> = list
                .into_iter()
                .map(|(ip, length, yes)| (Network::around(ip, if ip.is_ipv4() { length % 33 } else { length }).unwrap(), yes))
                .collect();
            let hits: FirstHit<bool> = list.iter().copied().collect();
            for client in clients {
                let first = list.iter().find(|(network, _)| network.contains(client)).map(|(_, yes)| *yes);
                let holding = hits.iter().filter(|(network, _)| network.contains(client));
                let specific = holding.max_by_key(|(network, _)| network.length()).map(|(_, yes)| *yes);
                prop_assert_eq!(first, specific);
                prop_assert_eq!(first, hits.at(Network::of_address(client)).copied());
            }
        }

        #[test]
        fn first_match_and_most_specific_decide_alike(
            rows in prop::collection::vec((0u32..16, 0u8..5, any::<bool>()), 0..12),
        ) {
            // Sixteen addresses, every network among them.
            let network = |first: u32, short: u8| Network::around(Ipv4Addr::from_bits(first).into(), 32 - short).unwrap();
            let entries: Vec<(Network, bool)> =
                rows.iter().map(|(first, short, grants)| (network(*first, *short), *grants)).collect();
            let hits: FirstHit<bool> = entries.iter().copied().collect();
            let result: Vec<(Network, bool)> = hits.changes(|grants| grants == Some(&true)).collect();
            for bits in 0..16 {
                let ip = Ipv4Addr::from_bits(bits).into();
                let first = entries.iter().find(|(network, _)| network.contains(ip)).is_some_and(|(_, grants)| *grants);
                let holding = result.iter().filter(|(network, _)| network.contains(ip));
                let narrowest = holding.max_by_key(|(network, _)| network.length()).is_some_and(|(_, grants)| *grants);
                prop_assert_eq!(first, narrowest, "{}", ip);
            }
        }
    }
}
