//! Answers policy's questions: lists and compiled lists of the control directory.

pub mod accounts;
pub mod address;
pub mod compile;
mod compiled;
pub mod ere;
mod ere_set;
mod helper;
pub mod hosts;
pub mod keyed;
pub mod list;
mod passwd;
mod pieces;
mod recipients;
pub mod undecided;
pub mod wildmat;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::control::Setup;
use crate::control::load::read_list;
use crate::control::text::entries;
use crate::errno::words;
use crate::lookup::address::{AddressList, Match, Syntax};
use crate::lookup::hosts::{Host, Hosts};
use crate::lookup::keyed::KeyedList;
use crate::lookup::list::Found;
use crate::lookup::undecided::Undecided;
use crate::policy::verdict::{Answer, Evidence, LookupFailed, Question};

/// The lists of one session. Nothing is read before it is asked for, and nothing twice that cannot change its answer.
pub struct Lookups<'s> {
    setup: &'s Setup,
    hosts: Hosts,
    relay_mail_from: AddressList,
    /// The client does not change: asked once.
    relay_clients: Option<Result<Answer, LookupFailed>>,
    relay_domains: Option<Result<Answer, LookupFailed>>,
    /// The sender that was asked for last.
    sender: Option<(Vec<u8>, Result<Answer, LookupFailed>)>,
}

impl<'s> Lookups<'s> {
    /// The lists of the control directory of `setup`.
    #[must_use]
    pub fn new(setup: &'s Setup) -> Self {
        let directory = &setup.control.directory;
        Self {
            setup,
            hosts: Hosts::new(directory),
            relay_mail_from: AddressList::new(directory, "relaymailfrom"),
            relay_clients: None,
            relay_domains: None,
            sender: None,
        }
    }

    /// Answers a question of policy.
    ///
    /// # Errors
    ///
    /// [`LookupFailed`] when a list cannot be read or used: nobody can know now.
    pub fn answer(&mut self, question: Question<'_>) -> Result<Answer, LookupFailed> {
        let setup = self.setup;
        match question {
            Question::OwnDomain(domain) => self.own_domain(domain),
            Question::RelayClients => self.relay_clients.get_or_insert_with(|| relay_clients(setup)).clone(),
            Question::RelayDomains => self.relay_domains.get_or_insert_with(|| relay_domains(setup)).clone(),
            Question::RelayMailFrom(sender) => self.relay_mail_from(sender),
            Question::OwnAddress(address) => own_address(setup, address),
        }
    }

    fn own_domain(&mut self, domain: &[u8]) -> Result<Answer, LookupFailed> {
        match self.hosts.find(domain) {
            Ok(Host::NoFile) => Ok(Answer::Absent),
            Ok(Host::No) => Ok(Answer::No),
            Ok(Host::Listed(line)) => Ok(entry("rcpthosts", Some(line))),
            Ok(Host::Compiled) => Ok(entry("morercpthosts.cdb", None)),
            Err(Undecided::Unreadable(unreadable)) if is_compiled(&unreadable.path) => {
                Err(failed("morercpthosts.cdb", unreadable.into()))
            }
            Err(undecided @ Undecided::Compiled { .. }) => Err(failed("morercpthosts.cdb", undecided)),
            Err(undecided) => Err(failed("rcpthosts", undecided)),
        }
    }

    fn relay_mail_from(&mut self, sender: &[u8]) -> Result<Answer, LookupFailed> {
        if let Some((_, known)) = self.sender.as_ref().filter(|(asked, _)| asked == sender) {
            return known.clone();
        }
        let syntax = if self.setup.control.regular_expressions { Syntax::Expressions } else { Syntax::Wildcards };
        let answer = match self.relay_mail_from.find(sender, syntax) {
            Ok(Match::Absent) => Ok(Answer::Absent),
            Ok(Match::No) => Ok(Answer::No),
            Ok(Match::Yes { line: Some(line), .. }) => Ok(entry("relaymailfrom", Some(line))),
            Ok(Match::Yes { line: None, .. }) => Ok(entry("relaymailfrom.cdb", None)),
            Err(Undecided::Compiled { path, error }) => Err(compiled("relaymailfrom.cdb", path, error.to_string())),
            Err(Undecided::Unreadable(unreadable)) if is_compiled(&unreadable.path) => {
                Err(compiled("relaymailfrom.cdb", unreadable.path, words(&unreadable.error).into_owned()))
            }
            Err(undecided) => Err(failed("relaymailfrom", undecided)),
        };
        self.sender = Some((sender.to_vec(), answer.clone()));
        answer
    }
}

fn relay_clients(setup: &Setup) -> Result<Answer, LookupFailed> {
    let Some(address) = setup.client.address else { return Ok(Answer::No) };
    let list = KeyedList::new(setup.control.directory.join("relayclients"));
    keyed("relayclients", list.find_client(address).map_err(Undecided::Unreadable))
}

fn relay_domains(setup: &Setup) -> Result<Answer, LookupFailed> {
    let Some(name) = &setup.client.name else { return Ok(Answer::No) };
    let list = KeyedList::new(setup.control.directory.join("relaydomains"));
    keyed("relaydomains", list.find_host(name).map_err(Undecided::Unreadable))
}

fn keyed(file: &'static str, found: Result<Found, Undecided>) -> Result<Answer, LookupFailed> {
    match found {
        Ok(Found::Absent) => Ok(Answer::Absent),
        Ok(Found::No) => Ok(Answer::No),
        Ok(Found::Yes { line, value }) => Ok(Answer::Yes(Evidence { file, line: Some(line), suffix: value })),
        Err(undecided) => Err(failed(file, undecided)),
    }
}

fn entry(file: &'static str, line: Option<u32>) -> Answer {
    Answer::Yes(Evidence { file, line, suffix: Vec::new() })
}

fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cdb")
}

fn compiled(file: &'static str, path: PathBuf, error: String) -> LookupFailed {
    LookupFailed::Compiled { file, path, error }
}

fn failed(file: &'static str, undecided: Undecided) -> LookupFailed {
    match undecided {
        Undecided::Unreadable(unreadable) => {
            LookupFailed::Unreadable { file, path: unreadable.path, error: words(&unreadable.error).into_owned() }
        }
        Undecided::Compiled { path, error } => LookupFailed::Unreadable { file, path, error: error.to_string() },
        Undecided::Expression { line, error, .. } => LookupFailed::BadEntry { file, line, error: error.to_string() },
    }
}

/// Whether an address is one of this host: of an interface that is up, or in `moreipme`; not one in `notipme`.
fn own_address(setup: &Setup, address: Ipv4Addr) -> Result<Answer, LookupFailed> {
    let listed = |file: &'static str| {
        let path = setup.control.directory.join(file);
        match read_list(&path) {
            Ok(text) => {
                Ok(text.is_some_and(|text| entries(&text).any(|entry| entry.text == address.to_string().as_bytes())))
            }
            Err(error) => Err(LookupFailed::Unreadable { file, path, error: words(&error).into_owned() }),
        }
    };
    if listed("notipme")? {
        return Ok(Answer::No);
    }
    if address.is_unspecified() || listed("moreipme")? || of_an_interface(address)? {
        return Ok(entry("own address", None));
    }
    Ok(Answer::No)
}

fn of_an_interface(address: Ipv4Addr) -> Result<bool, LookupFailed> {
    let interfaces =
        nix::ifaddrs::getifaddrs().map_err(|error| LookupFailed::OwnAddresses(words(&error.into()).into_owned()))?;
    let up = nix::net::if_::InterfaceFlags::IFF_UP;
    Ok(interfaces
        .filter(|interface| interface.flags.contains(up))
        .filter_map(|interface| interface.address)
        .filter_map(|own| own.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip))
        .any(|own| IpAddr::V4(own) == IpAddr::V4(address)))
}
