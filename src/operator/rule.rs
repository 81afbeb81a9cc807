//! What the compiled rules of tcpserver make of a client: denied, or which variables smtpd gets.

use std::net::IpAddr;

use crate::cdb::read::{Cdb, CdbError};
use crate::client::rules::{Client, Item, items};

/// The rule for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Its key.
    pub key: Vec<u8>,
    /// tcpserver closes the connection.
    pub denies: bool,
}

/// Looks the rule for a client up, as tcpserver would, and changes the variables by it; none where there is no rule.
///
/// # Errors
///
/// [`CdbError`] of a damaged file.
pub fn apply(
    cdb: &Cdb,
    ip: IpAddr,
    name: Option<&[u8]>,
    variables: &mut Vec<(Vec<u8>, Vec<u8>)>,
) -> Result<Option<Ruling>, CdbError> {
    let ip = ip.to_string();
    let client = Client { ip: ip.as_bytes(), host: name, info: None };
    let Some((key, value)) = client.rule(cdb)? else { return Ok(None) };
    let mut denies = false;
    for item in items(&value) {
        match item {
            Item::Deny => denies = true,
            Item::Set(text) => {
                let (name, value) = text.split_at(memchr::memchr(b'=', text).unwrap_or(text.len()));
                variables.push((name.to_vec(), value.strip_prefix(b"=").unwrap_or_default().to_vec()));
            }
            Item::Unset(name) => variables.retain(|(set, _)| set != name),
        }
    }
    Ok(Some(Ruling { key, denies }))
}
