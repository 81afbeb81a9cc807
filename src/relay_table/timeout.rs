//! How long the table may take for a question.

use std::time::Duration;

use crate::control::environment::Environment;
use crate::relay_table::trouble::Trouble;

/// The time if `RELAY_DB_TIMEOUT` does not say otherwise, in seconds.
pub const SECONDS: u64 = 5;
/// The longest time that can be asked for, in seconds.
pub const SECONDS_MAX: u64 = 60;

/// What `RELAY_DB_TIMEOUT` says: for a question, from its beginning to the answer.
///
/// # Errors
///
/// [`Trouble::Configuration`] when it is no number of seconds from 1 to [`SECONDS_MAX`].
pub fn timeout(environment: &Environment) -> Result<Duration, Trouble> {
    of_variable(environment, "RELAY_DB_TIMEOUT")
}

/// What `MYSQL_TIMEOUT` says, for a question about a list; without it, as [`timeout`].
///
/// # Errors
///
/// As [`timeout`].
pub fn list_timeout(environment: &Environment) -> Result<Duration, Trouble> {
    let is_set = environment.get(b"MYSQL_TIMEOUT").is_some();
    of_variable(environment, if is_set { "MYSQL_TIMEOUT" } else { "RELAY_DB_TIMEOUT" })
}

fn of_variable(environment: &Environment, variable: &str) -> Result<Duration, Trouble> {
    let Some(text) = environment.get(variable.as_bytes()) else { return Ok(Duration::from_secs(SECONDS)) };
    let digits = Some(text).filter(|text| text.iter().all(u8::is_ascii_digit));
    let seconds = digits.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let seconds = seconds.filter(|seconds| (1..=SECONDS_MAX).contains(seconds)).map(Duration::from_secs);
    seconds.ok_or_else(|| {
        let said = text.escape_ascii();
        Trouble::Configuration(format!("{variable} is `{said}`: write seconds from 1 to {SECONDS_MAX}"))
    })
}
