//! Rows on their way from one table to another.

use mysql_async::Value;

use crate::relay_table::login::{Row, parse_stored};
use crate::relay_table::mysql::failure::Failure;
use crate::relay_table::mysql::session::{Session, octets, seconds};
use crate::relay_table::sources::Layout;
use crate::relay_table::trouble::Trouble;

/// Gives each row to `each`. What is no address, or has no time, grants nobody and is passed over.
pub(super) async fn each(
    session: &mut Session<'_>,
    each: &mut dyn FnMut(Row) -> Result<(), Trouble>,
) -> Result<(), Failure> {
    let (layout, statement) = session
        .prepare(|layout, columns| {
            let user = if layout == Layout::IndiMail { "email" } else { "NULL" };
            format!("SELECT {user}, {}, timestamp FROM {{}}", columns.address)
        })
        .await?;
    let mut has_given = false;
    let mut give = |row: &mysql_async::Row| {
        has_given = true;
        let text = |column| octets(row, column).map(|octets| String::from_utf8_lossy(octets).into_owned());
        let (user, address, time) = (text(0), text(1).and_then(|text| parse_stored(&text)), seconds(row, 2));
        match (user, address, time) {
            (Some(user), Some(address), Some(time)) => each(Row { user: Some(user), address, time }),
            (None, Some(address), Some(time)) if layout == Layout::Vpopmail => each(Row { user: None, address, time }),
            (_, _, _) => Ok(()),
        }
        .map_err(|trouble| Failure::Given(trouble.to_string()))
    };
    let given = session.each_row(&statement, &mut give).await;
    // To begin again, here or on another server, would give the same rows twice.
    given.map_err(|failure| if has_given { Failure::Given(failure.to_string()) } else { failure })
}

/// Puts rows in with one statement, each unless there is a newer one.
pub(super) async fn put(session: &mut Session<'_>, rows: &[Row]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let (layout, statement) = session
        .prepare(|layout, columns| {
            let (columns, marks) = match layout {
                Layout::IndiMail => ("email, ipaddr", "(?, ?, ?)"),
                Layout::Vpopmail => (columns.address, "(?, ?)"),
            };
            let marks = vec![marks; rows.len()].join(", ");
            format!(
                "INSERT INTO {{}} ({columns}, timestamp) VALUES {marks} ON DUPLICATE KEY UPDATE \
                 timestamp = IF(timestamp + 0 > VALUES(timestamp) + 0, timestamp, VALUES(timestamp))"
            )
        })
        .await?;
    let mut values: Vec<Value> = Vec::new();
    for row in rows {
        match (layout, &row.user) {
            (Layout::IndiMail, Some(user)) => values.push(user.as_str().into()),
            (Layout::IndiMail, None) => {
                return Err(Failure::Given(
                    "a row without a user has no place in a table where users relay".to_owned(),
                ));
            }
            (Layout::Vpopmail, _) => {}
        }
        values.push(row.address.to_string().into());
        values.push(row.time.into());
    }
    session.change(&statement, values).await.map(drop)
}
