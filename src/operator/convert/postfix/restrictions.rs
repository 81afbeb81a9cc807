//! smtpd_relay_restrictions and smtpd_recipient_restrictions: who gets through both to a domain that is not served.

use std::collections::BTreeMap;

use crate::client::network::Network;
use crate::operator::convert::Conversion;
use crate::operator::convert::first_hit::{EVERYONE, FirstHit};
use crate::operator::convert::postfix::parameters::{Item, Parameters, split};
use crate::operator::convert::postfix::table;

/// The lists that must both let a recipient in, and what Postfix takes where one is not set.
const LISTS: [(&str, &str); 2] = [
    ("smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"),
    ("smtpd_recipient_restrictions", ""),
];

/// What a row of a table says about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Permit,
    Refuse,
    /// The next restriction decides.
    Next,
    /// It cannot be said here: nobody is let in by it, nor by what stands behind.
    Unknown,
}

/// What one list lets through to a domain that is not served.
#[derive(Default)]
struct List {
    /// Where permit_mynetworks stands.
    mynetworks: Option<usize>,
    /// The networks that restrictions ask about, by where each restriction stands.
    tables: BTreeMap<usize, FirstHit<Outcome>>,
    auth: bool,
    mx_backup: bool,
    /// Whoever is neither let in nor refused before gets through.
    is_open: bool,
    /// Some clients are refused, or may be, before relaying is.
    refuses_clients: bool,
    /// Strangers get through to the domains that are served.
    lets_strangers_in: bool,
}

/// Both lists.
pub(super) struct Access {
    lists: Vec<List>,
    pub(super) lets_strangers_in: bool,
}

impl Outcome {
    /// The right side of an access table (access(5)).
    pub(super) fn of(result: &str) -> Outcome {
        let word = result.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        match word.as_str() {
            "OK" | "PERMIT" => Outcome::Permit,
            "REJECT" | "DEFER" => Outcome::Refuse,
            "DUNNO" | "WARN" | "INFO" | "PREPEND" | "BCC" => Outcome::Next,
            code if is_number && code.len() == 3 && code.starts_with(['4', '5']) => Outcome::Refuse,
            // As tables of POP before SMTP have it.
            _ if is_number => Outcome::Permit,
            _ => Outcome::Unknown,
        }
    }
}

impl Access {
    pub(super) fn read(parameters: &Parameters, conversion: &mut Conversion) -> Access {
        let mut access = Access { lists: Vec::new(), lets_strangers_in: true };
        for (name, default) in LISTS {
            let items = match parameters.last(name) {
                Some(_) => parameters.items(name),
                None => parameters.parts(0, default),
            };
            let list = List::read(&items, conversion);
            access.lets_strangers_in &= list.lets_strangers_in;
            access.lists.push(list);
        }
        access
    }

    /// Whether neither list stops anybody.
    pub(super) fn is_open(&self) -> bool {
        self.lists.iter().all(|list| list.is_open)
    }

    /// Whether those who authenticate get through both lists.
    pub(super) fn lets_auth_in(&self) -> bool {
        self.lists.iter().all(|list| list.is_open || list.auth)
    }

    /// Whether both lists let mail through to domains whose MX this host is, from everybody.
    pub(super) fn lets_backup_in(&self) -> bool {
        !self.is_open() && self.lists.iter().all(|list| list.mx_backup || (list.is_open && !list.refuses_clients))
    }

    /// Whether any list asks about mynetworks.
    pub(super) fn asks_mynetworks(&self) -> bool {
        self.lists.iter().any(|list| list.mynetworks.is_some())
    }

    /// Says which networks mynetworks has, in their order.
    pub(super) fn set_mynetworks(&mut self, own: &[(Network, Outcome)]) {
        for list in &mut self.lists {
            list.tables.extend(list.mynetworks.map(|stage| (stage, own.iter().copied().collect())));
        }
    }

    /// Whether both lists let a client through: the answers change only at the networks of a table.
    pub(super) fn grants(&self) -> FirstHit<bool> {
        let mut grants = FirstHit::default();
        for (network, _) in self.lists.iter().flat_map(|list| list.tables.values()).flat_map(FirstHit::iter) {
            grants.put(network, self.lists.iter().all(|list| list.grants(network)));
        }
        grants
    }
}

impl List {
    /// Whether it lets these clients through, as far as no table has a network within theirs.
    fn grants(&self, network: Network) -> bool {
        let mut said = self.tables.values().filter_map(|table| table.at(network));
        said.find(|outcome| **outcome != Outcome::Next).map_or(self.is_open, |outcome| *outcome == Outcome::Permit)
    }

    fn read(items: &[Item], conversion: &mut Conversion) -> List {
        let mut list = List { is_open: true, lets_strangers_in: true, ..List::default() };
        let (mut is_served, mut is_warning) = (false, false);
        for (stage, restriction) in restrictions(items).into_iter().enumerate() {
            // What only warns stops nobody, and what it lets through is not said.
            if std::mem::replace(&mut is_warning, restriction.word == "warn_if_reject") {
                continue;
            }
            match restriction.word.as_str() {
                "permit" => break,
                "reject" | "defer" => {
                    list.is_open = false;
                    list.lets_strangers_in = is_served;
                    break;
                }
                "permit_auth_destination" => is_served = true,
                "warn_if_reject" => {}
                // Behind the refusal of relaying only the domains that are served matter.
                _ if !list.is_open => {}
                "permit_mynetworks" => {
                    list.mynetworks.get_or_insert(stage);
                }
                "permit_sasl_authenticated" => list.auth = true,
                "permit_mx_backup" if !list.refuses_clients => list.mx_backup = true,
                "reject_unauth_destination" | "defer_unauth_destination" | "check_relay_domains" => {
                    list.is_open = false
                }
                "check_client_access" => {
                    let rows = table(&restriction, conversion);
                    list.refuses_clients |= rows.iter().any(|(_, outcome)| *outcome != Outcome::Permit);
                    list.tables.insert(stage, rows.into_iter().collect());
                }
                word => {
                    let why = other(word).unwrap_or("not known, so nobody behind it relays");
                    if other(word).is_none() {
                        list.refuses_clients = true;
                        list.tables.insert(stage, unknown().into_iter().collect());
                    }
                    conversion.not_carried(restriction.line, &restriction.shown(), why);
                }
            }
        }
        list
    }
}

/// The table of check_client_access; one that is not read may refuse anybody, so nobody behind it relays.
fn table(restriction: &Restriction, conversion: &mut Conversion) -> Vec<(Network, Outcome)> {
    let line = restriction.line;
    table::in_place(&restriction.argument, line, conversion).unwrap_or_else(|| {
        let why = "a table that is not read and may refuse anybody, so nobody behind it relays: convert a cidr table \
                   by itself, and this file without it";
        conversion.not_carried(line, &restriction.shown(), why);
        unknown().to_vec()
    })
}

/// What a restriction that is not read says about every client.
fn unknown() -> [(Network, Outcome); 2] {
    EVERYONE.map(|network| (network, Outcome::Unknown))
}

/// One restriction with what it is about.
struct Restriction {
    line: usize,
    /// In lower case; as it stands there if its parameters are not known.
    word: String,
    argument: String,
}

impl Restriction {
    fn shown(&self) -> String {
        format!("{} {}", self.word, self.argument)
    }
}

fn restrictions(items: &[Item]) -> Vec<Restriction> {
    let mut result = Vec::new();
    let mut items = items.iter();
    while let Some(item) = items.next() {
        let whole = item.text.as_ref().unwrap_or_else(|text| text);
        // `{check_x y}` is one part and two words.
        let inner = whole.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(whole);
        let mut words = split(inner).into_iter();
        let word = words.next().unwrap_or_default().to_ascii_lowercase();
        let argument = if takes_argument(&word) {
            let next = || items.next().map(|item| item.text.clone().unwrap_or_else(|text| text));
            words.next().map(str::to_owned).or_else(next).unwrap_or_default()
        } else {
            String::new()
        };
        result.push(Restriction { line: item.line, word, argument });
    }
    result
}

fn takes_argument(word: &str) -> bool {
    let starts = ["check_", "reject_rbl", "reject_rhsbl", "permit_dnswl", "permit_rhswl", "sleep"];
    word != "check_relay_domains" && starts.iter().any(|start| word.starts_with(start))
}

/// Why a restriction that decides by something else than the client's address is left out; `None` if it is not known.
fn other(word: &str) -> Option<&'static str> {
    if word == "permit_mx_backup" {
        return Some("behind a table that refuses clients, which relaymx cannot tell");
    }
    if word.starts_with("permit_") {
        return Some("lets clients relay by what has no counterpart here");
    }
    let refuses = ["reject_", "defer_", "check_", "sleep"];
    let is_map = word.contains(':');
    (is_map || refuses.iter().any(|start| word.starts_with(start))).then_some("refuses for other reasons than relaying")
}
