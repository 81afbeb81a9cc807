//! Postfix: mynetworks, relay_domains and the relay restrictions of main.cf, or a cidr table of clients.

use crate::client::network::Network;
use crate::operator::convert::first_hit::FirstHit;
use crate::operator::convert::{Conversion, NativeFile};

mod domains;
mod parameters;
mod restrictions;
mod table;

use parameters::{Item, Parameters};
use restrictions::{Access, Outcome};

/// What the input looks like, for `postern convert --help`.
pub(super) const FORM: &str = "\
postfix: main.cf (what master.cf overrides is not seen), or one cidr table of check_client_access. Tables that main.cf \
names are not read: convert a cidr table by itself.

    mynetworks = 127.0.0.0/8, !192.0.2.9, 192.0.2.0/24
    mydestination = $myhostname, local.ex
    relay_domains = partner.ex
";

/// The parameters that say who may relay; what is said of all others is that they are not about it.
const USED: &[&str] = &[
    "mynetworks",
    "mydestination",
    "relay_domains",
    "virtual_alias_domains",
    "virtual_mailbox_domains",
    "permit_mx_backup_networks",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "myhostname",
    "mydomain",
    "parent_domain_matches_subdomains",
];

/// Reads main.cf, or a cidr table.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    if table::is_table(text) {
        return table::read(text, conversion);
    }
    let parameters = Parameters::read(text, conversion);
    if parameters.is_broken {
        return;
    }
    let mut access = Access::read(&parameters, conversion);
    clients(&parameters, &mut access, conversion);
    if access.lets_strangers_in {
        domains::read(&parameters, conversion);
    } else {
        let why = "the restrictions refuse strangers whatever the recipient, so no domain is listed";
        conversion.not_carried(0, "mydestination, relay_domains", why);
    }
    backup(&parameters, &access, conversion);
    let elsewhere = |name: &str| !USED.contains(&name) && !parameters.is_referred(name);
    for parameter in parameters.all().filter(|parameter| elsewhere(&parameter.name)) {
        let why = match parameter.name.as_str() {
            "smtpd_client_restrictions" | "smtpd_helo_restrictions" | "smtpd_sender_restrictions" => {
                "refuses mail for other reasons than relaying, which smtpd does not do by this"
            }
            "mynetworks_style" | "inet_interfaces" | "proxy_interfaces" => {
                "the addresses of that host: list in relayclients what is meant"
            }
            _ => "not about relaying",
        };
        conversion.not_carried(parameter.line, &parameter.shown(), why);
    }
}

/// relayclients: who gets through both lists of restrictions.
fn clients(parameters: &Parameters, access: &mut Access, conversion: &mut Conversion) {
    if access.is_open() {
        let why =
            "no restriction keeps strangers from relaying: an open relay. To have one, write `open` into relaylevel";
        conversion.not_carried(0, "smtpd_relay_restrictions, smtpd_recipient_restrictions", why);
        return;
    }
    if access.asks_mynetworks() {
        access.set_mynetworks(&mynetworks(parameters, conversion));
    }
    for (network, granted) in access.grants().changes(|grants| grants == Some(&true)) {
        conversion.line(NativeFile::RelayClients, format!("{}{network}", if granted { "" } else { "!" }));
    }
    if !access.lets_auth_in() {
        let why = "there AUTH alone lets nobody relay, here it does: offer no AUTH";
        conversion.comment(NativeFile::RelayClients, why);
    }
}

/// The networks of mynetworks in their order; those with `!` are not in it.
fn mynetworks(parameters: &Parameters, conversion: &mut Conversion) -> Vec<(Network, Outcome)> {
    if parameters.last("mynetworks").is_none() {
        let why = "not set, so Postfix takes the addresses of its host: list in relayclients what is meant";
        conversion.not_carried(0, "mynetworks", why);
    }
    networks(&parameters.items("mynetworks"), conversion)
}

/// An address list of Postfix: the first entry that holds the client decides. Behind an exception whose extent is not
/// known nothing is granted.
fn networks(items: &[Item], conversion: &mut Conversion) -> Vec<(Network, Outcome)> {
    let mut rows = Vec::new();
    let mut is_closed = false;
    for Item { line, text } in items {
        let shown = text.as_ref().unwrap_or_else(|fault| fault);
        let (is_exception, pattern) = shown.strip_prefix('!').map_or((false, &**shown), |rest| (true, rest));
        let network = text.as_ref().map_err(|_| UNKNOWN.to_owned()).and_then(|_| table::network(pattern));
        match (network, is_exception) {
            (Ok(_), false) if is_closed => {
                conversion.not_carried(*line, shown, "behind an exception that could not be carried over");
            }
            (Ok(network), false) => rows.push((network, Outcome::Permit)),
            (Ok(network), true) => rows.push((network, Outcome::Next)),
            (Err(why), false) => conversion.not_carried(*line, shown, why),
            (Err(why), true) => {
                is_closed = true;
                conversion.not_carried(*line, shown, format!("{why}; nothing behind this exception is granted"));
            }
        }
    }
    rows
}

/// Why an item that has `$name` in it still was not used.
const UNKNOWN: &str = "uses a parameter that this file does not set, or a form of it that is not read";

/// relaymx: permit_mx_backup.
fn backup(parameters: &Parameters, access: &Access, conversion: &mut Conversion) {
    if !access.lets_backup_in() {
        return;
    }
    let items = parameters.items("permit_mx_backup_networks");
    if items.is_empty() {
        conversion.line(NativeFile::RelayMx, "=me");
        conversion.line(NativeFile::Variables, "RELAYMX_ANYONE=1");
        return;
    }
    let rows: FirstHit<Outcome> = networks(&items, conversion).into_iter().collect();
    for (network, granted) in rows.changes(|outcome| outcome == Some(&Outcome::Permit)) {
        conversion.line(NativeFile::RelayMx, format!("{}{network}", if granted { "" } else { "!" }));
    }
    let why = "any MX host of the domain counts; there the first one did, and this host had to be another";
    conversion.comment(NativeFile::RelayMx, why);
}

#[cfg(test)]
mod tests;
