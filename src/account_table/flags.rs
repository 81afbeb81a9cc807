//! How many accounts carry a flag, counted in every table that smtpd might ask. Never linked into smtpd.

use std::collections::BTreeSet;

use crate::account_table::assign::Assign;
use crate::account_table::layout::Tables;
use crate::account_table::mysql::select;
use crate::account_table::question::Counts;
use crate::account_table::statement::{Statement, count, table_of};
use crate::relay_table::mysql::{Patience, seconds};
use crate::relay_table::sources::{Purpose, Server, Sources};
use crate::relay_table::trouble::Trouble;

/// Counts the active accounts by their flags, with one statement for each table; inactive ones cannot send in any case.
///
/// # Errors
///
/// [`Trouble`] when a table cannot be counted in the time there is: a part of the accounts would be no answer.
pub fn counts(flags: &[u64], sources: Sources<'_>, patience: Patience) -> Result<Counts, Trouble> {
    let tables = tables(sources)?;
    let mut sums = vec![0u64; flags.len()];
    for server in servers(sources)? {
        for table in &tables {
            let Statement { text, values } = count(table, flags);
            let rows = select(server.clone(), sources, patience, &text, values)?;
            for (column, sum) in sums.iter_mut().enumerate() {
                let number =
                    rows.first().and_then(|row| seconds(row, column)).and_then(|number| number.try_into().ok());
                let number: u64 = number.ok_or_else(|| Trouble::Table(format!("{table}: the count is no number")))?;
                *sum = sum.saturating_add(number);
            }
        }
    }
    Ok(Counts(sums))
}

/// The tables of accounts, quoted. Where each domain has one, `users/cdb` tells which those are.
fn tables(sources: Sources<'_>) -> Result<Vec<String>, Trouble> {
    let tables = Tables::of(&sources)?;
    if !tables.layout.has_table_for_each_domain() {
        return Ok(vec![tables.active]);
    }
    let assign = Assign::find(sources.environment, &sources.places.working);
    let domains = assign.map_or(Ok(Vec::new()), |assign| assign.domains()).map_err(Trouble::Table)?;
    let names: BTreeSet<String> = domains.iter().map(|domain| table_of(&domain.name)).collect();
    Ok(names.into_iter().collect())
}

/// The server of domains that no file names, and those of a cluster.
fn servers(sources: Sources<'_>) -> Result<Vec<Server>, Trouble> {
    let mut servers = vec![sources.server(Purpose::Read)?];
    for server in sources.cluster()?.unwrap_or_default() {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    Ok(servers)
}
