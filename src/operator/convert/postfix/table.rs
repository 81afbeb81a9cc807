//! cidr tables, and the tables that stand in main.cf itself.

use std::net::IpAddr;

use crate::client::fault::Fault;
use crate::client::network::Network;
use crate::client::pattern::Pattern;
use crate::operator::convert::first_hit::{EVERYONE, FirstHit};
use crate::operator::convert::postfix::parameters::{logical_lines, split};
use crate::operator::convert::postfix::restrictions::Outcome;
use crate::operator::convert::{Conversion, NativeFile};

/// Why a row with an unusual right side lets nobody in.
const NO_COUNTERPART: &str = "an action that has no counterpart here; grants nothing";

/// Whether the first line is one of a cidr table: no parameter has a name that looks like a network.
pub(super) fn is_table(text: &str) -> bool {
    let lines = logical_lines(text);
    let first = lines.first().and_then(|(_, line)| line.split_whitespace().next()).unwrap_or_default();
    let first = first.strip_prefix('!').unwrap_or(first);
    let is_assignment = first.contains('=');
    let is_network = || first.starts_with('[') || first.contains('/') || first.parse::<IpAddr>().is_ok();
    !is_assignment && (first.eq_ignore_ascii_case("if") || is_network())
}

/// A cidr table by itself is read as that of check_client_access in smtpd_relay_restrictions.
pub(super) fn read(text: &str, conversion: &mut Conversion) {
    let comment = "read as the table of check_client_access in smtpd_relay_restrictions: OK lets a client relay";
    conversion.comment(NativeFile::RelayClients, comment);
    let rows: FirstHit<Outcome> = cidr(&logical_lines(text), conversion).into_iter().collect();
    for (network, granted) in rows.changes(|outcome| outcome == Some(&Outcome::Permit)) {
        conversion.line(NativeFile::RelayClients, format!("{}{network}", if granted { "" } else { "!" }));
    }
    for (network, denied) in rows.changes(|outcome| outcome == Some(&Outcome::Refuse)) {
        match network {
            Network::V4 { .. } => {
                let action = if denied { "deny" } else { "allow" };
                conversion.line(NativeFile::TcpSmtp, format!("{network}:{action}"));
            }
            Network::V6 { .. } if denied => {
                let why = "may not relay; to refuse its mail for the domains of this host, write a rule for tcpserver";
                conversion.not_carried(0, &format!("{network} REJECT"), why);
            }
            Network::V6 { .. } => {}
        }
    }
}

/// The rows of a cidr table. Where a row is not understood, those behind it grant nothing, unless it could only have let
/// clients in.
pub(super) fn cidr(lines: &[(usize, String)], conversion: &mut Conversion) -> Vec<(Network, Outcome)> {
    let mut rows = Vec::new();
    let close = |rows: &mut Vec<(Network, Outcome)>| {
        rows.extend(EVERYONE.map(|network| (network, Outcome::Unknown)));
    };
    for (number, line) in lines {
        let (pattern, result) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let outcome = Outcome::of(result);
        let words = ["if", "endif"];
        if words.iter().any(|word| pattern.eq_ignore_ascii_case(word)) {
            conversion.not_carried(*number, line, "a condition: nothing behind it is granted");
            close(&mut rows);
        } else if pattern.starts_with('!') {
            let closes = outcome != Outcome::Permit;
            let more = if closes { ": nothing behind it is granted" } else { "" };
            conversion.not_carried(*number, line, format!("whoever is not in a network{more}"));
            if closes {
                close(&mut rows);
            }
        } else {
            match (network(pattern), outcome) {
                (Ok(network), _) => rows.push((network, outcome)),
                (Err(why), Outcome::Permit) => conversion.not_carried(*number, line, why),
                (Err(why), Outcome::Refuse | Outcome::Next | Outcome::Unknown) => {
                    conversion.not_carried(*number, line, format!("{why}; nothing behind it is granted"));
                    close(&mut rows);
                }
            }
            if outcome == Outcome::Unknown {
                conversion.not_carried(*number, line, NO_COUNTERPART);
            }
        }
    }
    rows
}

/// A table that stands in main.cf: `cidr:{{192.0.2.0/24 OK}, ...}`, `inline:{192.0.2.1=OK, ...}`. `None` for any other.
pub(super) fn in_place(text: &str, line: usize, conversion: &mut Conversion) -> Option<Vec<(Network, Outcome)>> {
    let (kind, rows) = text.split_once(':')?;
    let rows = split(rows.trim().strip_prefix('{')?.strip_suffix('}')?);
    let inner =
        |row: &str| row.strip_prefix('{').and_then(|row| row.strip_suffix('}')).unwrap_or(row).trim().to_owned();
    let rows = rows.into_iter().map(inner);
    match kind {
        "cidr" => Some(cidr(&rows.map(|row| (line, row)).collect::<Vec<_>>(), conversion)),
        "inline" => {
            let mut pairs = Vec::new();
            for row in rows {
                let (key, value) = row.split_once('=')?;
                // A name could refuse: then who else relays is not known.
                pairs.push((prefix(key.trim())?, Outcome::of(value)));
                if Outcome::of(value) == Outcome::Unknown {
                    conversion.not_carried(line, &row, NO_COUNTERPART);
                }
            }
            // Such a table is searched from the whole address to its first octet.
            pairs.sort_by_key(|(network, _)| std::cmp::Reverse(network.length()));
            Some(pairs)
        }
        _ => None,
    }
}

/// `192.0.2.1`, or its first octets without a dot at the end.
fn prefix(key: &str) -> Option<Network> {
    let whole = key.parse::<IpAddr>().ok().map(Network::of_address);
    whole.or_else(|| {
        let prefix = format!("{key}.");
        match Pattern::parse(prefix.as_bytes()) {
            Ok(Pattern::Network(network)) if !key.ends_with('.') => Some(network),
            Ok(_) | Err(_) => None,
        }
    })
}

/// A network as Postfix writes it: an address, alone or with a length, IPv6 with or without brackets.
pub(super) fn network(text: &str) -> Result<Network, String> {
    let is_kind = |kind: &str| kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    if text.starts_with('/') || text.split_once(":/").is_some_and(|(kind, _)| is_kind(kind)) {
        return Err("a table or file, which is not read".to_owned());
    }
    if text.ends_with('.') || text.starts_with('$') {
        return Err(Fault::Unknown.to_string());
    }
    match Pattern::parse(text.as_bytes()) {
        Ok(Pattern::Network(Network::V4 { .. })) if text.contains(':') => {
            Err("an IPv4 address in IPv6 form: Postfix compares such clients as IPv4 and never finds this".to_owned())
        }
        Ok(Pattern::Network(network)) => Ok(network),
        Ok(_) => Err(Fault::Unknown.to_string()),
        Err(fault) => Err(fault.to_string()),
    }
}
