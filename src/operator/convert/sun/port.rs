//! PORT_ACCESS: who may connect.

use crate::client::network::Network;
use crate::operator::convert::Conversion;
use crate::operator::convert::first_hit::{EVERYONE, FirstHit};
use crate::operator::convert::sun::pattern::{Template, clients};
use crate::operator::convert::sun::table::{Entry, Item, Table};
use crate::operator::convert::sun::{Doubt, items};

/// How every installation's table begins: clients that INTERNAL_IP knows may connect, whatever the other lines say.
const ASKS_INTERNAL: &str = "$C$|INTERNAL_IP;$3|$Y";

/// Who may connect; `true` is allowed. Whoever is in neither list may.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// What stands above the line that asks INTERNAL_IP.
    before: FirstHit<bool>,
    asks_internal: bool,
    after: FirstHit<bool>,
}

impl Ports {
    /// Whether tcpserver shall close the connection of these clients.
    pub(super) fn refuses(&self, network: Network, is_internal: bool) -> bool {
        match (self.before.at(network), self.after.at(network)) {
            (Some(allowed), _) => !allowed,
            (None, _) if self.asks_internal && is_internal => false,
            (None, allowed) => allowed == Some(&false),
        }
    }

    /// The networks at which the answer may change.
    pub(super) fn networks(&self) -> impl Iterator<Item = Network> {
        self.before.iter().chain(self.after.iter()).map(|(network, _)| network)
    }
}

/// Reads the table.
pub(super) fn read(tables: &[Table], conversion: &mut Conversion) -> Ports {
    let mut ports = Ports::default();
    let mut doubt = Doubt::default();
    for item in items(tables, "PORT_ACCESS") {
        let entry = match item {
            Item::Entry(entry) => entry,
            Item::Break { line, text, why } => {
                conversion.not_carried(*line, text, *why);
                doubt.arises(*line);
                continue;
            }
        };
        if entry.pattern.trim_matches(['*', '|']).is_empty() && starts_with(&entry.template, ASKS_INTERNAL) {
            ports.asks_internal = true;
            continue;
        }
        match connection(entry) {
            // Who may connect after all is not more than tcpserver lets in without rules.
            Ok((_, template)) if template.grants && doubt.why(conversion).is_some() => {
                conversion.not_carried(entry.line, &entry.text, doubt.why(conversion).unwrap_or_default());
            }
            Ok((networks, template)) => {
                let list = if ports.asks_internal { &mut ports.after } else { &mut ports.before };
                for network in networks {
                    list.add(network, template.grants);
                }
                if !template.grants && !template.text.is_empty() {
                    conversion.not_carried(
                        entry.line,
                        &template.text,
                        "tcpserver closes the connection without a text",
                    );
                }
            }
            Err(why) => conversion.not_carried(entry.line, &entry.text, why),
        }
    }
    ports
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The clients of `TCP|server|port|client|port`, and whether they may connect.
fn connection(entry: &Entry) -> Result<(Vec<Network>, Template), String> {
    let template = Template::parse(&entry.template)?;
    if entry.pattern == "*" {
        return Ok((EVERYONE.to_vec(), template));
    }
    let fields: Vec<&str> = entry.pattern.split('|').collect();
    let [protocol, server, port, client, from_port] = fields.as_slice() else {
        return Err("not TCP|server address|server port|client address|client port".to_owned());
    };
    check_service(protocol, server, port, from_port)?;
    Ok((clients(client)?, template))
}

/// Checks that a line is about any service, or the one on port 25.
pub(super) fn check_service(protocol: &str, server: &str, port: &str, from_port: &str) -> Result<(), String> {
    if protocol != "*" && !protocol.eq_ignore_ascii_case("TCP") {
        return Err("not about TCP".to_owned());
    }
    if server != "*" {
        return Err("about one address of this server: give that service its own control directory".to_owned());
    }
    if port != "*" && port != "25" {
        return Err(format!("about port {port}: give that service its own control directory"));
    }
    if from_port != "*" {
        return Err("about the client's port, which nothing here looks at".to_owned());
    }
    Ok(())
}
