//! What an access table says about a client, and which line has the last word.

use crate::client::network::Network;
use crate::operator::convert::first_hit::FirstHit;

/// What an access table says about a client.
#[derive(Debug)]
pub(super) enum Client {
    /// May relay, even if INTERNAL_IP does not name it; and if it does, by this line or else by that table.
    Granted { line: usize, from_internal: bool },
    /// May not relay, even if INTERNAL_IP names it.
    Vetoed { line: usize, text: String },
    /// May not relay unless INTERNAL_IP names it, which puts it on another channel.
    LeftToOthers { line: usize, text: String },
}

impl Client {
    pub(super) fn line(&self) -> usize {
        match self {
            Client::Granted { line, .. } | Client::Vetoed { line, .. } | Client::LeftToOthers { line, .. } => *line,
        }
    }

    /// What its refusals say.
    pub(super) fn text(&self) -> String {
        match self {
            Client::Granted { .. } => String::new(),
            Client::Vetoed { text, .. } | Client::LeftToOthers { text, .. } => text.clone(),
        }
    }
}

/// Refuses the clients of a network even if they are internal, as far as no earlier line was about them as internal clients;
/// whether a grant to them as strangers had to go for it.
pub(super) fn veto(clients: &mut FirstHit<Client>, network: Network, line: usize, text: &str) -> bool {
    let gives_way =
        |client: &Client| matches!(client, Client::LeftToOthers { .. } | Client::Granted { from_internal: false, .. });
    let within = clients.iter().filter(|(place, client)| network.covers(*place) && gives_way(client));
    let mut places: Vec<Network> = within.map(|(place, _)| place).collect();
    if clients.at(network).is_none_or(gives_way) {
        places.push(network);
    }
    let mut takes_away = false;
    for place in places {
        takes_away |= matches!(clients.at(place), Some(Client::Granted { .. }));
        clients.put(place, Client::Vetoed { line, text: text.to_owned() });
    }
    takes_away
}
