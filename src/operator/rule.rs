//! What the compiled rules of tcpserver say of a client: denied, or which variables smtpd gets.

use std::net::IpAddr;

use crate::cdb::read::{Cdb, CdbError};
use crate::client::rules::{Client, Item, items};

/// What the rule for a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// tcpserver closes the connection; the key of the rule.
    Denied(Vec<u8>),
    /// smtpd starts with these variables; none where there is no rule.
    Allowed(Vec<(Vec<u8>, Vec<u8>)>),
}

/// Looks the rule for a client up, as tcpserver would.
///
/// # Errors
///
/// [`CdbError`] of a damaged file.
pub fn ruling(cdb: &Cdb, ip: IpAddr, name: Option<&[u8]>) -> Result<Ruling, CdbError> {
    let ip = ip.to_string();
    let client = Client { ip: ip.as_bytes(), host: name, info: None };
    let Some((key, value)) = client.rule(cdb)? else { return Ok(Ruling::Allowed(Vec::new())) };
    let mut pairs = Vec::new();
    for item in items(&value) {
        match item {
            Item::Deny => return Ok(Ruling::Denied(key)),
            Item::Set(text) => {
                let (name, value) = text.split_at(memchr::memchr(b'=', text).unwrap_or(text.len()));
                pairs.push((name.to_vec(), value.strip_prefix(b"=").unwrap_or_default().to_vec()));
            }
            Item::Unset(name) => pairs.retain(|(set, _)| set != name),
        }
    }
    Ok(Ruling::Allowed(pairs))
}
