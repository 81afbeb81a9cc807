//! Compiled lists and rules: whole, not older than their source, of this source, and not open to everyone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cdb::read::Cdb;
use crate::client::cause::shown;
use crate::client::rules::{Client, Item, items};
use crate::errno::words;
use crate::lookup::clients_compiled::check;
use crate::operator::finding::Finding;
use crate::operator::host::Gateway;
use crate::operator::lint::world_writable;

/// The longest value of a rule that is looked at, in octets.
pub(super) const VALUE_OCTETS_MAX: usize = 1 << 20;
/// Each of these keys is a 256th of all IPv4 addresses; so many of them are everyone.
const EIGHTHS_MAX: u32 = 128;

/// A compiled list must be whole, and not older than its source.
pub(super) fn lint_cdb(path: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = damaged(path).into_iter().collect();
    let source = path.with_extension("");
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    // Without a source nothing is newer.
    if changed(&source) > changed(path) {
        findings.push(Finding::warning(path, format!("is older than {}: make it again", source.display())));
    }
    findings
}

fn damaged(path: &Path) -> Option<Finding> {
    let problem = match Cdb::open(path) {
        Ok(cdb) => {
            let error = cdb.iter(VALUE_OCTETS_MAX).find_map(Result::err)?;
            format!("is damaged ({}): make it again", error.stock_words())
        }
        Err(error) => format!("cannot be read: {}", words(&error)),
    };
    Some(Finding::error(path, problem))
}

/// The list's own name with `.cdb` behind it.
pub(super) fn compiled_path(list: &Path) -> PathBuf {
    let mut name = list.as_os_str().to_os_string();
    name.push(".cdb");
    PathBuf::from(name)
}

/// The compiled form of a list of clients, which counts only beside the very text it was made of.
pub(super) fn lint_compiled_clients(list: &Path) -> Vec<Finding> {
    let path = compiled_path(list);
    let made = match fs::metadata(&path) {
        Ok(made) => made,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![Finding::error(&path, format!("cannot be read: {error}"))],
    };
    let mut findings: Vec<Finding> = world_writable(&path, &made).into_iter().collect();
    if let Some(damaged) = damaged(&path) {
        findings.push(damaged);
        return findings;
    }
    let checked = match (Cdb::open(&path), fs::metadata(list)) {
        (Ok(cdb), Ok(source)) => {
            check(&cdb, &made, &source, || fs::read(list)).map_err(|unused| format!("is {unused}"))
        }
        (Ok(_), Err(error)) if error.kind() == ErrorKind::NotFound => {
            Err(format!("is not used without its text, {}: put that back, or remove both", list.display()))
        }
        (Err(error), _) | (_, Err(error)) => Err(format!("cannot be compared with its text: {error}")),
    };
    findings.extend(checked.err().map(|problem| Finding::warning(&path, problem)));
    findings
}

/// Whether rules are those of their source, and whether they let everyone relay, or whoever looks like a gateway.
pub(super) fn lint_rules(path: &Path, gateways: &[Gateway]) -> Vec<Finding> {
    let mut findings = lint_cdb(path);
    let sources = [path.to_path_buf(), path.with_extension("")];
    for source in sources.iter().filter_map(|path| Some((path, fs::metadata(path).ok()?))) {
        findings.extend(world_writable(source.0, &source.1));
    }
    let Ok(cdb) = Cdb::open(path) else { return findings };
    let mut eighths = 0u32;
    for (key, value) in cdb.iter(VALUE_OCTETS_MAX).filter_map(Result::ok) {
        let grants = grants(&value);
        eighths += u32::from(grants && is_public_eighth(&key));
        if grants && key.is_empty() {
            let text = "the rule for everyone (the empty address) sets RELAYCLIENT: this is an open relay";
            findings.push(Finding::error(path, text));
        }
    }
    if eighths > 0 {
        let text = format!("{eighths} rules such as `11.:` set RELAYCLIENT, each for 16,777,216 public addresses");
        let is_everyone = eighths >= EIGHTHS_MAX;
        let finding = if is_everyone { Finding::error } else { Finding::warning };
        let advice = if is_everyone { "this is an open relay" } else { "are they all yours?" };
        findings.push(finding(path.to_path_buf(), format!("{text}: {advice}")));
    }
    findings.extend(gateways.iter().filter_map(|gateway| of_gateway(path, &cdb, gateway)));
    findings
}

/// Whether a rule lets its clients relay.
fn grants(value: &[u8]) -> bool {
    let is_grant = |item| matches!(item, Item::Set(text) if text.starts_with(b"RELAYCLIENT="));
    items(value).any(is_grant)
}

/// `11.`, but not `10.` and `127.`, where nobody from outside is.
fn is_public_eighth(key: &[u8]) -> bool {
    let octet = key.strip_suffix(b".").filter(|octet| !octet.is_empty() && octet.iter().all(u8::is_ascii_digit));
    octet.is_some_and(|octet| !matches!(octet, b"10" | b"127"))
}

fn of_gateway(path: &Path, cdb: &Cdb, gateway: &Gateway) -> Option<Finding> {
    let ip = gateway.address.to_string();
    let (key, value) = Client { ip: ip.as_bytes(), host: None, info: None }.rule(cdb).ok().flatten()?;
    // That the rule for everyone grants has been said.
    let holds = grants(&value) && !key.is_empty();
    let advice = format!(", or give `{ip}` a rule of its own");
    let text = || super::clients::covers_gateway(&shown(&key), gateway, &advice);
    holds.then(|| Finding::warning(path, format!("rule {}", text())))
}
