//! The one predicate that tells whether a login still counts; smtpd, checkrelay and clearopensmtp share it.

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::control::environment::Environment;
use crate::relay_table::trouble::Trouble;

/// How long a login counts if `RELAY_CLEAR_MINUTES` does not say otherwise, in minutes.
pub const MINUTES_DEFAULT: u32 = 60;
/// The longest time that a login may count, in minutes: ten years.
pub const MINUTES_MAX: u32 = 10 * 366 * 24 * 60;
/// So far in the future a login may be, because clocks differ, in seconds.
pub const SKEW_SECONDS: i64 = 300;

/// How long a login counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    seconds: i64,
}

impl Window {
    /// What `RELAY_CLEAR_MINUTES` says, or [`MINUTES_DEFAULT`].
    ///
    /// # Errors
    ///
    /// [`Trouble::Configuration`] if it is anything but a positive decimal number up to [`MINUTES_MAX`].
    pub fn of(environment: &Environment) -> Result<Self, Trouble> {
        let Some(text) = environment.get(b"RELAY_CLEAR_MINUTES") else { return Ok(Self::of_minutes(MINUTES_DEFAULT)) };
        let minutes = Some(text).filter(|text| text.iter().all(u8::is_ascii_digit));
        let minutes = minutes.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        match minutes.filter(|minutes| (1..=MINUTES_MAX).contains(minutes)) {
            Some(minutes) => Ok(Self::of_minutes(minutes)),
            None => Err(Trouble::Configuration(format!(
                "RELAY_CLEAR_MINUTES is `{}`: write a number of minutes from 1 to {MINUTES_MAX}",
                text.escape_ascii()
            ))),
        }
    }

    const fn of_minutes(minutes: u32) -> Self {
        Self { seconds: minutes as i64 * 60 }
    }

    /// The times of logins that count at the moment `now`, both in seconds since 1970. One exactly as old as the window has
    /// expired; one in the future counts up to [`SKEW_SECONDS`].
    #[must_use]
    pub const fn live(self, now: i64) -> RangeInclusive<i64> {
        now.saturating_sub(self.seconds).saturating_add(1)..=now.saturating_add(SKEW_SECONDS)
    }

    /// Whether a login at `time` counts at the moment `now`.
    #[must_use]
    pub fn is_live(self, time: i64, now: i64) -> bool {
        self.live(now).contains(&time)
    }
}

/// This host's clock, in seconds since 1970: that of a table in a directory.
#[must_use]
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Result<Window, Trouble> {
        let pair = (b"RELAY_CLEAR_MINUTES".to_vec(), text.as_bytes().to_vec());
        Window::of(&[pair].into_iter().collect())
    }

    #[test]
    fn a_login_exactly_as_old_as_the_window_has_expired() {
        let hour = Window::of(&Environment::default()).unwrap();
        let now = 1_700_000_000;
        for (age, live) in [(3601, false), (3600, false), (3599, true), (0, true), (-300, true), (-301, false)] {
            assert_eq!(hour.is_live(now - age, now), live, "{age}");
        }
        assert!(!hour.is_live(0, now) && !hour.is_live(i64::MIN, now) && !hour.is_live(i64::MAX, now));
        assert!(window("1").unwrap().is_live(now - 59, now) && !window("1").unwrap().is_live(now - 60, now));
    }

    #[test]
    fn a_window_is_a_positive_number() {
        for bad in ["", "0", "00", "-5", "+5", "abc", "5m", " 5", "5 ", "5\n", "1.5", "5270401", "99999999999999999999"]
        {
            let Err(Trouble::Configuration(said)) = window(bad) else { panic!("{bad:?} is taken") };
            assert!(said.starts_with("RELAY_CLEAR_MINUTES is `"), "{said}");
        }
        assert_eq!(window("060"), Ok(Window { seconds: 3600 }));
        assert!(window("5270400").is_ok());
    }
}
