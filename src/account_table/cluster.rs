//! Which database of an IndiMail cluster has an account: `host.cntrl`, `mcdinfo`, and the tables of the central database.

use mysql_async::Row;

use crate::account_table::mysql::{Subject, select};
use crate::relay_table::mysql::{Patience, octets};
use crate::relay_table::sources::{Purpose, Server, Sources};
use crate::relay_table::trouble::Trouble;

/// The longest name that the central database has for an alias domain, in octets.
const ALIAS_OCTETS_MAX: usize = 64;
/// The user that stands for all that have no row of their own.
const EVERYBODY: &[u8] = b"*";

/// The real name of a domain that is not in `users/cdb`: that of the central database, if it has one.
pub(super) fn real_domain(domain: &[u8], sources: Sources<'_>, patience: Patience) -> Result<Option<Vec<u8>>, Trouble> {
    if domain.len() > ALIAS_OCTETS_MAX || !domain.is_ascii() {
        return Ok(None);
    }
    let Some(central) = sources.central()? else { return Ok(None) };
    let text = "SELECT alias, domain FROM aliasdomain WHERE alias = ?";
    let rows = select(central, sources, patience, text, vec![domain.to_vec()])?;
    let row = rows.iter().find(|row| is(row, 0, domain));
    Ok(row.and_then(|row| octets(row, 1)).map(<[u8]>::to_ascii_lowercase))
}

/// The server that has an account; none if a domain that is spread over several has none of that name. A domain that
/// `mcdinfo` does not name is at the server of `host.mysql`.
pub(super) fn server(
    subject: Subject<'_>,
    sources: Sources<'_>,
    patience: Patience,
) -> Result<Option<Server>, Trouble> {
    let members = sources.members(subject.domain)?;
    let Some(first) = members.first() else { return sources.server(Purpose::Read).map(Some) };
    if !first.is_distributed {
        return Ok(Some(first.server.clone()));
    }
    let Some(host) = mail_host(subject, sources, patience)? else { return Ok(None) };
    let is_there = |mail_host: &str| host.iter().any(|name| name.eq_ignore_ascii_case(mail_host.as_bytes()));
    match members.into_iter().find(|member| is_there(&member.mail_host)) {
        Some(member) => Ok(Some(member.server)),
        None => Err(Trouble::Configuration(format!(
            "mcdinfo: no server of {} is at {}",
            subject.domain.escape_ascii(),
            host.iter().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

/// The name and address of the host that has the mailbox of a user.
fn mail_host(subject: Subject<'_>, sources: Sources<'_>, patience: Patience) -> Result<Option<Vec<Vec<u8>>>, Trouble> {
    let missing =
        || Trouble::Configuration("host.cntrl: is missing, and mcdinfo has a domain on several hosts".to_owned());
    let central = sources.central()?.ok_or_else(missing)?;
    let text = format!(
        "SELECT c.pw_name, c.pw_domain, c.host, h.ipaddr FROM {} c LEFT JOIN host_table h ON h.host = c.host \
         WHERE c.pw_name IN (?, ?) AND c.pw_domain = ?",
        central.table
    );
    let values = vec![subject.user.to_vec(), EVERYBODY.to_vec(), subject.domain.to_vec()];
    let rows = select(central, sources, patience, &text, values)?;
    let of = |user: &[u8]| rows.iter().find(|row| is(row, 0, user) && is(row, 1, subject.domain));
    let row = of(subject.user).or_else(|| of(EVERYBODY));
    Ok(row.map(|row| [2, 3].into_iter().filter_map(|column| octets(row, column)).map(<[u8]>::to_vec).collect()))
}

fn is(row: &Row, column: usize, wanted: &[u8]) -> bool {
    octets(row, column).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
