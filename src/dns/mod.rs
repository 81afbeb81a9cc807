//! Asks the DNS for addresses and mail exchangers, when a rule needs them, within one deadline.

mod failed;
mod message;
mod name;
mod servers;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use failed::DnsFailed;
use failed::Why;
use message::{ALIASES_MAX, Kind, Record, Reply};
use name::Name;
pub use servers::parse_server;
use transport::Time;

/// How many seconds the questions of one decision may take in all.
pub const DEADLINE_SECONDS: u64 = 5;
/// The most addresses of one name; of a name with more, none can be relied on.
pub const ADDRESSES_MAX: usize = 256;
/// The most mail exchangers of one domain.
pub const EXCHANGERS_MAX: usize = 32;
/// The most answers that are kept; then they are forgotten.
const ANSWERS_MAX: usize = 1024;

/// Asks resolvers; nothing is read or opened before the first question; answers are kept for the session.
#[derive(Debug)]
pub struct Dns {
    /// The text of DNSCACHEIP.
    listed: Option<Vec<u8>>,
    /// Whom it or /etc/resolv.conf names, once somebody had to be asked.
    servers: Option<Vec<SocketAddr>>,
    deadline: Duration,
    /// Of this decision, from its first question on.
    time: Option<Time>,
    answers: BTreeMap<(Name, Kind), Result<Vec<Record>, DnsFailed>>,
}

/// Who takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchangers {
    /// There is no MX record, or no such domain: mail would go to the addresses of the name itself.
    None,
    /// Nobody: the domain says that it takes no mail (RFC 7505).
    Null,
    /// These hosts, the preferred ones first, in lower case without final dot; empty when the records name only what
    /// cannot be a host.
    Hosts(Vec<Vec<u8>>),
}

impl Dns {
    /// `servers` is the text of DNSCACHEIP: addresses as [`parse_server`] reads them, separated by blanks. Without one
    /// it is the servers of /etc/resolv.conf that are asked, else 127.0.0.1.
    #[must_use]
    pub fn new(servers: Option<&[u8]>) -> Self {
        Self::with_deadline(servers, Duration::from_secs(DEADLINE_SECONDS))
    }

    /// The same, with another time than [`DEADLINE_SECONDS`] for the questions of one decision.
    #[must_use]
    pub fn with_deadline(servers: Option<&[u8]>, deadline: Duration) -> Self {
        let listed = servers.map(<[u8]>::to_vec);
        Self { listed, servers: None, deadline, time: None, answers: BTreeMap::new() }
    }

    /// A new decision begins: its questions have [`DEADLINE_SECONDS`] in all, over all servers, repetitions and TCP,
    /// counted from the first that must be asked.
    pub fn begin(&mut self) {
        self.time = None;
    }

    /// The IPv4 and IPv6 addresses of a name or of what it is an alias for, IPv4-mapped ones as IPv4; empty when there
    /// is no such name, or none.
    ///
    /// # Errors
    /// [`DnsFailed`] when either family could not be had, now or when it was asked for before.
    pub fn addresses(&mut self, name: &[u8]) -> Result<Vec<IpAddr>, DnsFailed> {
        let Some(name) = Name::parse(name) else { return Ok(Vec::new()) };
        let mut addresses = self.addresses_of_kind(&name, Kind::A)?;
        addresses.extend(self.addresses_of_kind(&name, Kind::Aaaa)?);
        limited(Kind::A, &name, without_repetition(addresses))
    }

    /// The hosts that take mail for a domain.
    ///
    /// # Errors
    /// [`DnsFailed`], as for [`Dns::addresses`].
    pub fn mail_exchangers(&mut self, domain: &[u8]) -> Result<Exchangers, DnsFailed> {
        let Some(domain) = Name::parse(domain) else { return Ok(Exchangers::None) };
        let records = self.records(&domain, Kind::Mx)?;
        if records.is_empty() {
            return Ok(Exchangers::None);
        }
        if records.iter().all(|record| *record == Record::Nobody) {
            return Ok(Exchangers::Null);
        }
        let mut hosts: Vec<(u16, Name)> = records.into_iter().filter_map(exchanger).collect();
        hosts.sort();
        let hosts = without_repetition(hosts.into_iter().map(|(_, host)| host.as_bytes().to_vec()));
        if hosts.len() > EXCHANGERS_MAX {
            return Err(DnsFailed::new(Kind::Mx, &domain, Why::TooMany(EXCHANGERS_MAX, "hosts")));
        }
        Ok(Exchangers::Hosts(hosts))
    }

    /// Whether one of the addresses of `name` is `ip`: forward confirmation. Only the family of `ip` is asked for.
    ///
    /// # Errors
    /// [`DnsFailed`], as for [`Dns::addresses`].
    pub fn confirms(&mut self, name: &[u8], ip: IpAddr) -> Result<bool, DnsFailed> {
        let ip = ip.to_canonical();
        let kind = if ip.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let Some(name) = Name::parse(name) else { return Ok(false) };
        Ok(self.addresses_of_kind(&name, kind)?.contains(&ip))
    }

    /// The addresses of a host, or if it has none those of its mail exchangers: what `@name` stands for.
    ///
    /// # Errors
    /// [`DnsFailed`], as for [`Dns::addresses`]; of any of them.
    pub fn host_or_exchangers(&mut self, name: &[u8]) -> Result<Vec<IpAddr>, DnsFailed> {
        let addresses = self.addresses(name)?;
        let Some(parsed) = Name::parse(name).filter(|_| addresses.is_empty()) else { return Ok(addresses) };
        let mut addresses = Vec::new();
        match self.mail_exchangers(name)? {
            Exchangers::None | Exchangers::Null => {}
            Exchangers::Hosts(hosts) => {
                for host in hosts {
                    addresses.extend(self.addresses(&host)?);
                }
            }
        }
        limited(Kind::Mx, &parsed, without_repetition(addresses))
    }

    fn addresses_of_kind(&mut self, name: &Name, kind: Kind) -> Result<Vec<IpAddr>, DnsFailed> {
        let address = |record| match record {
            Record::Address(address) => Some(address),
            Record::Exchanger(..) | Record::Nobody => None,
        };
        limited(kind, name, self.records(name, kind)?.into_iter().filter_map(address).collect())
    }

    /// The records of this kind, from memory or from a server.
    fn records(&mut self, name: &Name, kind: Kind) -> Result<Vec<Record>, DnsFailed> {
        let key = (name.clone(), kind);
        if let Some(known) = self.answers.get(&key) {
            return known.clone();
        }
        let time = *self.time.get_or_insert_with(|| Time::begin(self.deadline));
        if time.is_over() {
            // Not kept: it was not asked, and may be when the next decision begins.
            return Err(DnsFailed::new(kind, name, Why::NoTime(time.total)));
        }
        let listed = self.listed.as_deref();
        let servers = self.servers.get_or_insert_with(|| servers::servers(listed));
        let answer = resolve(servers, time, name, kind).map_err(|why| DnsFailed::new(kind, name, why));
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.clear();
        }
        self.answers.insert(key, answer.clone());
        answer
    }
}

/// Asks, and asks again for what a reply calls the real name without saying more about it.
fn resolve(servers: &[SocketAddr], time: Time, name: &Name, kind: Kind) -> Result<Vec<Record>, Why> {
    let mut name = name.clone();
    for _ in 0..=ALIASES_MAX {
        match transport::ask(servers, time, &name, kind) {
            Ok(Reply::Records(records)) => return Ok(records),
            Ok(Reply::Alias(real)) => name = real,
            Err(causes) if causes.is_empty() => return Err(Why::NoTime(time.total)),
            Err(causes) => return Err(Why::Servers(causes)),
        }
    }
    Err(Why::TooMany(ALIASES_MAX, "aliases"))
}

fn limited(kind: Kind, name: &Name, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, DnsFailed> {
    if addresses.len() > ADDRESSES_MAX {
        return Err(DnsFailed::new(kind, name, Why::TooMany(ADDRESSES_MAX, "addresses")));
    }
    Ok(addresses)
}

fn exchanger(record: Record) -> Option<(u16, Name)> {
    match record {
        Record::Exchanger(preference, host) => Some((preference, host?)),
        Record::Address(_) | Record::Nobody => None,
    }
}

/// The first of each.
fn without_repetition<T: Clone + Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}
