//! Answers policy's questions: lists and compiled lists of the control directory, DNS.

pub mod access_list;
pub mod accounts;
pub mod address;
mod bad_host;
mod client_list;
pub mod clients;
pub mod clients_compiled;
pub mod companion;
pub mod compile;
mod compiled;
mod env_rules;
pub mod ere;
pub mod ere_literal;
mod ere_set;
mod file_names;
pub mod host_access;
pub mod hosts;
pub mod keyed;
pub mod list;
mod listed;
mod mail_from;
mod own;
mod passwd;
mod pieces;
pub mod recipients;
mod relay_mx;
pub mod relay_table;
pub mod sender_line;
mod shape;
mod sql_list;
mod tls_clients;
pub mod undecided;
pub mod wildmat;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::control::{Setup, file_named};
use crate::dns::Dns;
use crate::errno::words;
use crate::lookup::accounts::Accounts;
use crate::lookup::accounts::database::Database;
use crate::lookup::client_list::{ClientList, World, decide};
use crate::lookup::clients::{Reading, Sought};
use crate::lookup::hosts::{Host, Hosts};
use crate::lookup::keyed::KeyedList;
use crate::lookup::list::Found;
use crate::lookup::listed::{Listed, may_have};
use crate::lookup::mail_from::MailFrom;
use crate::lookup::relay_table::RelayTable;
use crate::lookup::shape::Expressions;
use crate::lookup::undecided::Undecided;
use crate::policy::verdict::{Answer, Evidence, FileName, LookupFailed, Question, Using};
use crate::tls::has_certificate;

pub use crate::lookup::pieces::is_null_device;

/// The lists of one session. Nothing is read before it is asked for, and nothing twice that cannot change its answer.
pub struct Lookups<'s> {
    setup: &'s Setup,
    hosts: Hosts,
    /// Made when it is first asked, as the resolvers are: most sessions need neither.
    mail_from: Option<MailFrom<'s>>,
    /// The client does not change: read once, decided once.
    relay_clients: Option<Result<Option<Reading>, LookupFailed>>,
    relay_clients_answers: ByUse,
    relay_domains: Option<Result<Answer, LookupFailed>>,
    /// The lists of addresses that refuse, drop or except.
    listed: Listed,
    /// What accesslist and the rules have compiled.
    expressions: Expressions,
    /// The domain that was asked for last.
    relay_mx: Option<(Vec<u8>, Result<Answer, LookupFailed>)>,
    relay_table: RelayTable,
    /// Who has a mailbox, for who asks.
    accounts: Option<Accounts<'s>>,
    /// The moment that is supposed, in seconds since 1970; none is now.
    at: Option<i64>,
    may_ask_dns: bool,
    dns: Option<Dns>,
    /// What was noticed and not told yet, and all that was told.
    notes: Vec<String>,
    told: BTreeSet<String>,
}

/// What others have answered: the next session of the same client need not ask them again.
#[derive(Debug, Default)]
pub struct Known {
    /// A resolver that remembers its answers; none where DNS must not be asked.
    pub dns: Option<Dns>,
    relay_table: RelayTable,
    accounts: Database,
}

impl From<Option<Dns>> for Known {
    fn from(dns: Option<Dns>) -> Self {
        Self { dns, ..Self::default() }
    }
}

impl<'s> Lookups<'s> {
    /// The lists of the control directory of `setup`, and the resolvers that `DNSCACHEIP` or the system names.
    #[must_use]
    pub fn new(setup: &'s Setup) -> Self {
        Self { may_ask_dns: true, ..Self::without_dns(setup) }
    }

    /// The same with what is known of the world already; without a resolver in it, as [`Self::without_dns`].
    #[must_use]
    pub fn with_known(setup: &'s Setup, known: Known) -> Self {
        let Known { dns, relay_table, accounts } = known;
        let accounts = Some(Accounts::with_known(setup, accounts));
        Self { may_ask_dns: dns.is_some(), dns, relay_table, accounts, ..Self::without_dns(setup) }
    }

    /// What was learned of the world, for [`Self::with_known`].
    #[must_use]
    pub fn into_known(self) -> Known {
        let accounts = self.accounts.map(Accounts::into_known).unwrap_or_default();
        Known { dns: self.dns, relay_table: self.relay_table, accounts }
    }

    /// The same where the network must not be asked: who needs DNS is told that nobody can know.
    #[must_use]
    pub fn without_dns(setup: &'s Setup) -> Self {
        Self {
            setup,
            hosts: Hosts::new(&setup.control.directory),
            mail_from: None,
            relay_clients: None,
            relay_clients_answers: ByUse::default(),
            relay_domains: None,
            listed: Listed::default(),
            expressions: Expressions::default(),
            relay_mx: None,
            relay_table: RelayTable::default(),
            accounts: None,
            at: None,
            may_ask_dns: false,
            dns: None,
            notes: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    /// The same at another moment, in seconds since 1970: what `postern explain` supposes.
    #[must_use]
    pub fn at(self, moment: Option<u64>) -> Self {
        Self { at: moment.map(|moment| i64::try_from(moment).unwrap_or(i64::MAX)), ..self }
    }

    /// A command begins: DNS has its full time again.
    pub fn begin_command(&mut self) {
        if let Some(dns) = &mut self.dns {
            dns.begin();
        }
    }

    /// What was noticed about the lists since this was asked, for the log; nothing twice.
    pub fn take_notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.retain(|note| self.told.insert(note.clone()));
        notes
    }

    /// Answers a question of policy.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when a list cannot be read or used, or DNS does not answer: nobody can know now.
    pub fn answer(&mut self, question: Question<'_>) -> Result<Answer, LookupFailed> {
        self.answer_by(self.setup, question)
    }

    /// The same by the settings of a transaction. Who may relay is a matter of the connection's own, whatever they say.
    ///
    /// # Errors
    ///
    /// As [`Self::answer`].
    pub fn answer_by(&mut self, settings: &Setup, question: Question<'_>) -> Result<Answer, LookupFailed> {
        let setup = self.setup;
        match question {
            Question::OwnDomain(domain) => self.own_domain(domain),
            Question::RelayClients(_) if !may_have(setup, "RELAYCLIENTS", "relayclients") => Ok(Answer::Absent),
            Question::RelayDomains if !may_have(setup, "RELAYDOMAINS", "relaydomains") => Ok(Answer::Absent),
            Question::RelayMailFrom(_, _) if !may_have(setup, "RELAYMAILFROM", "relaymailfrom") => Ok(Answer::Absent),
            Question::RelayMx(_) if !may_have(setup, "", "relaymx") => Ok(Answer::Absent),
            Question::RelayClients(using) => self.relay_clients(using),
            Question::TlsClients(address) => tls_clients::answer(address, setup),
            Question::OwnCertificate => match has_certificate(setup) {
                true => Ok(entry("servercert.pem", None)),
                false => Ok(Answer::Absent),
            },
            Question::RelayDomains => self.relay_domains.get_or_insert_with(|| relay_domains(setup)).clone(),
            Question::RelayMailFrom(sender, using) => {
                self.prepare_dns(using);
                let new = || MailFrom::new(setup, list_name(setup, "RELAYMAILFROM", "relaymailfrom"));
                let mut world = World { setup, dns: self.dns.as_mut(), notes: &mut self.notes };
                let mail_from = self.mail_from.get_or_insert_with(new);
                mail_from.find(sender, sought(setup).as_ref(), using, &mut world)
            }
            Question::RelayTable(sender) => self.relay_table.answer(settings, sender, self.at),
            Question::RelayMx(domain) => self.relay_mx(domain),
            Question::HostAccess(sender) => match may_have(settings, "HOSTACCESS", "hostaccess") {
                true => host_access::answer(sender, settings, &mut self.notes),
                false => Ok(Answer::Absent),
            },
            Question::AccessList { sender, recipient } => match may_have(settings, "ACCESSLIST", "accesslist") {
                true => access_list::answer(sender, recipient, settings, &mut self.expressions),
                false => Ok(Answer::Absent),
            },
            Question::BadHost => bad_host::answer(setup),
            Question::Listed(listing, address) => self.listed.find(listing, address, settings),
            Question::Mailbox { recipient, check } => self.accounts().recipient(recipient, check),
            Question::Sender(sender) => self.accounts().sender(sender),
            Question::SameDomain(domain, other) => self.accounts().is_same_domain(domain, other),
            Question::Rules(rules, subject) => {
                env_rules::answer(rules, subject, settings, &mut self.expressions, &mut self.notes)
            }
            Question::OwnAddress(address) => match own::is_own_address(setup, address)? {
                true => Ok(entry("own address", None)),
                false => Ok(Answer::No),
            },
        }
    }

    fn accounts(&mut self) -> &mut Accounts<'s> {
        let setup = self.setup;
        self.accounts.get_or_insert_with(|| Accounts::new(setup))
    }

    fn prepare_dns(&mut self, using: Using) {
        if self.may_ask_dns && using == Using::Dns {
            let setup = self.setup;
            self.dns.get_or_insert_with(|| Dns::new(setup.environment.get(b"DNSCACHEIP")));
        }
    }

    fn own_domain(&mut self, domain: &[u8]) -> Result<Answer, LookupFailed> {
        match self.hosts.find(domain) {
            Ok(Host::NoFile) => Ok(Answer::Absent),
            Ok(Host::No) => Ok(Answer::No),
            Ok(Host::Listed(line)) => Ok(entry("rcpthosts", Some(line))),
            Ok(Host::Compiled) => Ok(entry("morercpthosts.cdb", None)),
            Err(Undecided::Unreadable(unreadable)) if is_compiled(&unreadable.path) => {
                Err(failed("morercpthosts.cdb".into(), unreadable.into()))
            }
            Err(undecided @ Undecided::Compiled { .. }) => Err(failed("morercpthosts.cdb".into(), undecided)),
            Err(undecided) => Err(failed("rcpthosts".into(), undecided)),
        }
    }

    fn relay_clients(&mut self, using: Using) -> Result<Answer, LookupFailed> {
        if let Some(known) = self.relay_clients_answers.get(using) {
            return known.clone();
        }
        self.prepare_dns(using);
        let setup = self.setup;
        let Some(sought) = sought(setup) else { return Ok(Answer::No) };
        let list = ClientList::new(&setup.control.directory, list_name(setup, "RELAYCLIENTS", "relayclients"));
        let notes = &mut self.notes;
        let reading = self.relay_clients.get_or_insert_with(|| {
            list.read(&sought, notes).map_err(|unreadable| failed(list.file.clone(), Undecided::Unreadable(unreadable)))
        });
        let mut world = World { setup, dns: self.dns.as_mut(), notes };
        let answer = match reading {
            Ok(Some(reading)) => decide(reading, &list.file, &sought, using, &mut world),
            Ok(None) => Ok(Answer::Absent),
            Err(failed) => Err(failed.clone()),
        };
        self.relay_clients_answers.keep(using, answer)
    }

    fn relay_mx(&mut self, domain: &[u8]) -> Result<Answer, LookupFailed> {
        if let Some((_, known)) = self.relay_mx.as_ref().filter(|(asked, _)| asked.eq_ignore_ascii_case(domain)) {
            return known.clone();
        }
        self.prepare_dns(Using::Dns);
        let mut world = World { setup: self.setup, dns: self.dns.as_mut(), notes: &mut self.notes };
        let answer = relay_mx::answer(domain, &mut world);
        self.relay_mx = Some((domain.to_vec(), answer.clone()));
        answer
    }
}

/// What a list said, by what it was allowed to use: what it said with DNS is no answer to who asks without, else the order
/// of the rules would be another one the second time.
#[derive(Debug, Clone, Default)]
struct ByUse {
    files: Option<Result<Answer, LookupFailed>>,
    dns: Option<Result<Answer, LookupFailed>>,
}

impl ByUse {
    fn get(&self, using: Using) -> Option<&Result<Answer, LookupFailed>> {
        match using {
            Using::Files => self.files.as_ref(),
            // Where DNS was not needed it makes no difference.
            Using::Dns => self.dns.as_ref().or(self.files.as_ref().filter(|known| **known != Ok(Answer::NeedsDns))),
        }
    }

    fn keep(&mut self, using: Using, answer: Result<Answer, LookupFailed>) -> Result<Answer, LookupFailed> {
        let place = match using {
            Using::Files => &mut self.files,
            Using::Dns => &mut self.dns,
        };
        place.insert(answer).clone()
    }
}

/// The name of a list: a variable may give it another one.
#[must_use]
pub fn list_name(setup: &Setup, variable: &str, name: &'static str) -> FileName {
    let named = setup.environment.get(variable.as_bytes()).filter(|named| !named.is_empty());
    named.map_or(name.into(), |named| file_named(named, &setup.environment, &setup.control.directory).into())
}

/// The client, if it has an address.
fn sought(setup: &Setup) -> Option<Sought<'_>> {
    setup.client.address.map(|ip| Sought { ip, name: setup.client.name.as_deref(), confirmed: false })
}

fn relay_domains(setup: &Setup) -> Result<Answer, LookupFailed> {
    let Some(name) = &setup.client.name else { return Ok(Answer::No) };
    let file = list_name(setup, "RELAYDOMAINS", "relaydomains");
    let list = KeyedList::new(setup.control.directory.join(file.as_ref()));
    match list.find_host(name).map_err(Undecided::Unreadable) {
        Ok(Found::Absent) => Ok(Answer::Absent),
        Ok(Found::No) => Ok(Answer::No),
        Ok(Found::Yes { line, value }) => Ok(Answer::Yes(Evidence { file, line: Some(line), suffix: value })),
        Err(undecided) => Err(failed(file, undecided)),
    }
}

fn entry(file: &'static str, line: Option<u32>) -> Answer {
    entry_of(file.into(), line)
}

fn entry_of(file: FileName, line: Option<u32>) -> Answer {
    Answer::Yes(Evidence { file, line, suffix: Vec::new() })
}

fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cdb")
}

fn compiled_failed(file: FileName, path: PathBuf, error: String) -> LookupFailed {
    LookupFailed::Compiled { file, path, error }
}

fn failed(file: FileName, undecided: Undecided) -> LookupFailed {
    match undecided {
        Undecided::Unreadable(unreadable) => {
            LookupFailed::Unreadable { file, path: unreadable.path, error: words(&unreadable.error).into_owned() }
        }
        Undecided::Compiled { path, error } => LookupFailed::Unreadable { file, path, error: error.to_string() },
        Undecided::Expression { line, error, .. } => LookupFailed::BadEntry { file, line, error: error.to_string() },
    }
}
