//! hostaccess: which domain's mail may come from which address.

use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::client::Client;
use crate::client::pattern::Pattern;
use crate::control::Setup;
use crate::lookup::address::each_entry;
use crate::lookup::undecided::Undecided;
use crate::lookup::{entry_of, failed, list_name};
use crate::policy::verdict::{Answer, LookupFailed};
use crate::smtp::path::domain;

/// What a line says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Any will do.
    Any,
    /// It has this one, among few.
    Named,
    /// It has others.
    Other,
    /// It cannot be read: why.
    Malformed(String),
}

/// Whether a line refuses the sender; the line that does.
pub(super) fn answer(sender: &[u8], setup: &Setup, notes: &mut Vec<String>) -> Result<Answer, LookupFailed> {
    let file = list_name(setup, "HOSTACCESS", "hostaccess");
    let path = setup.control.directory.join(file.as_ref());
    let mut walk = Walk::default();
    let read = each_entry(&path, |_| true, |line, entry| walk.see(line, entry, sender, &setup.client));
    let read = read.map_err(|unreadable| failed(file.clone(), Undecided::Unreadable(unreadable)))?;
    let is_set = |name: &[u8]| setup.environment.get(name).is_some();
    if read.is_none() {
        return Ok(Answer::Absent);
    }
    if walk.accepted {
        return Ok(Answer::No);
    }
    let by_domain = walk.other_address.filter(|_| is_set(b"PARANOID"));
    let by_address = walk.other_domain.filter(|_| !is_set(b"DOMAIN_MASQUERADE"));
    match (by_domain.or(by_address), walk.malformed) {
        // D63: nobody knows whom a line that cannot be read would have let through.
        (Some(_), Some((line, error))) => Err(LookupFailed::BadEntry { file, line, error }),
        (Some(line), None) => Ok(entry_of(file, Some(line))),
        (None, malformed) => {
            notes.extend(malformed.map(|(line, error)| format!("{file}:{line}: {error}; this line is passed over")));
            Ok(Answer::No)
        }
    }
}

/// What the lines so far have said.
#[derive(Debug, Default)]
struct Walk {
    accepted: bool,
    /// The first line that names the sender's domain, and other addresses, as far as anybody can know.
    other_address: Option<u32>,
    /// The first line that names the client's address, and another domain.
    other_domain: Option<u32>,
    /// The first line about the sender's domain whose addresses cannot be read, and why.
    malformed: Option<(u32, String)>,
}

impl Walk {
    fn see(&mut self, line: u32, entry: &[u8], sender: &[u8], client: &Client) -> ControlFlow<()> {
        // D63: a line without a colon says nothing; in the original it also silences those behind it.
        let Some((wanted, addresses)) = parts(entry) else { return ControlFlow::Continue(()) };
        let is_any = wanted == b"*";
        let has_domain = match domain(sender) {
            _ if sender.is_empty() => wanted == b"<>",
            Some(domain) => is_any || wanted.eq_ignore_ascii_case(domain),
            None => is_any,
        };
        let address = address(addresses, client);
        // D63: a line that was about the client or the domain counts, whatever follows.
        match address {
            Address::Any | Address::Named if has_domain => {
                self.accepted = true;
                return ControlFlow::Break(());
            }
            Address::Named => drop(self.other_domain.get_or_insert(line)),
            Address::Other | Address::Malformed(_) if has_domain && !is_any => {
                self.other_address.get_or_insert(line);
            }
            Address::Any | Address::Other | Address::Malformed(_) => {}
        }
        if let Address::Malformed(error) = address
            && has_domain
        {
            self.malformed.get_or_insert((line, error));
        }
        ControlFlow::Continue(())
    }
}

/// Domain and addresses of a line.
#[must_use]
pub fn parts(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', entry)?;
    Some((entry.get(..colon)?, entry.get(colon + 1..)?))
}

/// What the addresses of a line say of a client.
#[must_use]
pub fn address(wanted: &[u8], client: &Client) -> Address {
    if wanted == b"*" || wanted == b"*.*.*.*" {
        return Address::Any;
    }
    if wanted == client.address_text {
        return Address::Named;
    }
    let named = |has: bool| if has { Address::Named } else { Address::Other };
    if let Some(fields) = fields(wanted) {
        if let Some(field) = fields.iter().find(|field| !is_possible(field)) {
            let field = String::from_utf8_lossy(field);
            return Address::Malformed(format!("no address has `{field}` in it: octets are 0 to 255"));
        }
        let Some(IpAddr::V4(ip)) = client.address.map(|ip| ip.to_canonical()) else { return Address::Other };
        return named(fields.iter().zip(ip.octets()).all(|(field, octet)| has_octet(field, octet)));
    }
    match Pattern::parse(wanted) {
        Ok(pattern @ (Pattern::Network(_) | Pattern::Octets(_))) => {
            named(client.address.is_some_and(|ip| pattern.length_around(ip).is_some()))
        }
        Ok(Pattern::Name(_) | Pattern::Suffix(_) | Pattern::AddressesOf(_) | Pattern::Me) => {
            Address::Malformed("there are only addresses and networks here".to_owned())
        }
        Err(fault) => Address::Malformed(fault.to_string()),
    }
}

/// The four fields of the original's own form: `*`, digits with `?` for some, `20-33`, `20-`.
fn fields(wanted: &[u8]) -> Option<[&[u8]; 4]> {
    let mut parts = wanted.split(|byte| *byte == b'.');
    let fields = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let is_number = |text: &[u8]| (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let is_field = |field: &&[u8]| match memchr::memchr(b'-', field) {
        Some(dash) => {
            let (low, high) = field.split_at(dash);
            is_number(low) && (high == b"-" || high.strip_prefix(b"-").is_some_and(is_number))
        }
        None => {
            *field == b"*"
                || ((1..=3).contains(&field.len())
                    && field.iter().all(|octet| octet.is_ascii_digit() || *octet == b'?'))
        }
    };
    (parts.next().is_none() && fields.iter().all(is_field)).then_some(fields)
}

/// The bounds of `20-33` and `20-`; none for other fields.
fn range(field: &[u8]) -> Option<(u16, u16)> {
    let dash = memchr::memchr(b'-', field)?;
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u16>().ok();
    let (low, high) = field.split_at(dash);
    Some((number(low)?, high.strip_prefix(b"-").and_then(number).unwrap_or(u16::MAX)))
}

/// Whether any octet is in the field.
fn is_possible(field: &[u8]) -> bool {
    if let Some((low, high)) = range(field) {
        return low <= high && low <= 255;
    }
    match field {
        [b'3'..=b'9', _, _] | [b'0', _, ..] => false,
        [b'2', tens @ b'0'..=b'9', ones] => *tens < b'5' || (*tens == b'5' && matches!(ones, b'0'..=b'5' | b'?')),
        _ => true,
    }
}

fn has_octet(field: &[u8], octet: u8) -> bool {
    if field == b"*" {
        return true;
    }
    if let Some((low, high)) = range(field) {
        return (low..=high).contains(&u16::from(octet));
    }
    let text = octet.to_string();
    text.len() == field.len() && text.bytes().zip(field).all(|(digit, wanted)| *wanted == b'?' || *wanted == digit)
}
