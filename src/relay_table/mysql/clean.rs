//! Forgets the logins that no longer count, a bounded number at a time, so that nobody waits long for a lock.

use std::time::{Duration, Instant};

use mysql_async::{Statement, Value};

use crate::relay_table::age::Window;
use crate::relay_table::mysql::failure::Failure;
use crate::relay_table::mysql::session::{Session, octets, seconds};
use crate::relay_table::mysql::tried_again;
use crate::relay_table::sources::Layout;

/// What does not count: too old, too far in the future, or without a time.
const EXPIRED: &str = "(timestamp < ? OR timestamp > ? OR timestamp IS NULL)";
/// How long a batch may take before the next one is half as big: so long may a login have to wait for it.
const BATCH_TIME_MAX: Duration = Duration::from_millis(50);
/// No batch is made smaller than this.
const BATCH_MIN: u32 = 100;
const REPEATABLE: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// The database's clock.
pub(super) async fn now(session: &mut Session<'_>) -> Result<i64, Failure> {
    let rows = session.ask("SELECT UNIX_TIMESTAMP()").await?;
    let now = rows.first().and_then(|row| seconds(row, 0));
    now.ok_or_else(|| Failure::Broken("it does not know what time it is".to_owned()))
}

/// The bounds of what counts, as values of [`EXPIRED`].
async fn bounds(session: &mut Session<'_>, window: Window) -> Result<[Value; 2], Failure> {
    let live = window.live(now(session).await?);
    Ok([(*live.start()).into(), (*live.end()).into()])
}

/// How many rows do not count.
pub(super) async fn count(session: &mut Session<'_>, window: Window) -> Result<u64, Failure> {
    let bounds = bounds(session, window).await?;
    let (_, statement) =
        session.prepare(|_, columns| format!("SELECT COUNT({}) FROM {{}} WHERE {EXPIRED}", columns.address)).await?;
    let rows = session.rows(&statement, bounds.to_vec()).await?;
    Ok(rows.first().and_then(|row| seconds(row, 0)).and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// Deletes the rows that do not count; `told` hears of each batch.
pub(super) async fn clean(
    session: &mut Session<'_>,
    window: Window,
    batch: u32,
    told: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let bounds = bounds(session, window).await?;
    session.layout().await?;
    let (layout, statement) = session
        .prepare(|layout, _| match layout {
            // By the index on the time.
            Layout::IndiMail => format!("DELETE FROM {{}} WHERE {EXPIRED} ORDER BY timestamp LIMIT ?"),
            // There is none: by the key, page after page.
            Layout::Vpopmail => format!("DELETE FROM {{}} WHERE ip_addr >= ? AND ip_addr < ? AND {EXPIRED}"),
        })
        .await?;
    match layout {
        Layout::IndiMail => by_time(session, &statement, &bounds, batch, told).await,
        Layout::Vpopmail => by_address(session, &statement, &bounds, batch, told).await,
    }
}

async fn by_time(
    session: &mut Session<'_>,
    statement: &Statement,
    bounds: &[Value; 2],
    most: u32,
    told: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut batch = most;
    loop {
        let values = [bounds.as_slice(), &[batch.into()]].concat();
        let began = Instant::now();
        let deleted = delete(session, statement, &values).await?;
        told(deleted);
        if deleted < u64::from(batch) {
            return Ok(());
        }
        batch = next_batch(batch, most, began.elapsed());
    }
}

/// How many rows go at once, at most `most`, after so many have taken so long. Not fewer than [`BATCH_MIN`]: where the disk is
/// slow, each batch waits for it once.
fn next_batch(batch: u32, most: u32, took: Duration) -> u32 {
    if took > BATCH_TIME_MAX {
        (batch / 2).max(BATCH_MIN.min(most))
    } else if took < BATCH_TIME_MAX / 4 {
        batch.saturating_mul(2).min(most)
    } else {
        batch
    }
}

async fn by_address(
    session: &mut Session<'_>,
    statement: &Statement,
    bounds: &[Value; 2],
    most: u32,
    told: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut batch = most;
    let (_, next) = session
        .prepare(|_, _| "SELECT ip_addr FROM {} WHERE ip_addr >= ? ORDER BY ip_addr LIMIT 1 OFFSET ?".to_owned())
        .await?;
    let (_, last) = session.prepare(|_, _| format!("DELETE FROM {{}} WHERE ip_addr >= ? AND {EXPIRED}")).await?;
    let mut from: Value = "".into();
    loop {
        let found = session.rows(&next, vec![from.clone(), batch.into()]).await?;
        let to = found.first().and_then(|row| octets(row, 0)).map(Value::from);
        match to {
            // Without a unique key there may be no end of one address.
            Some(to) if to != from => {
                let values = [&[from, to.clone()], bounds.as_slice()].concat();
                let began = Instant::now();
                told(delete(session, statement, &values).await?);
                batch = next_batch(batch, most, began.elapsed());
                from = to;
            }
            Some(_) | None => {
                let values = [&[from], bounds.as_slice()].concat();
                told(delete(session, &last, &values).await?);
                return Ok(());
            }
        }
    }
}

/// Deletes a batch; at the isolation level that the binary log of this server can hold.
async fn delete(session: &mut Session<'_>, statement: &Statement, values: &[Value]) -> Result<u64, Failure> {
    let mut once = async |session: &mut Session<'_>| session.change(statement, values.to_vec()).await;
    match tried_again(session, &mut once).await {
        Err(failure) if failure.is_of_binlog() => {
            session.say(REPEATABLE).await?;
            tried_again(session, &mut once).await
        }
        deleted => deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_takes_too_long_is_halved_and_grows_again() {
        let after = |batch, most, milliseconds| next_batch(batch, most, Duration::from_millis(milliseconds));
        assert_eq!([after(1000, 1000, 50), after(1000, 1000, 51), after(150, 1000, 9000)], [1000, 500, 100]);
        assert_eq!([after(500, 1000, 13), after(500, 1000, 12), after(800, 1000, 1)], [500, 1000, 1000]);
        assert_eq!([after(7, 7, 9000), after(1, 1, 9000), after(7, 7, 1)], [7, 1, 7]);
    }
}
