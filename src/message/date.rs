//! Dates as RFC 5322, 3.3 writes them, in UTC (D21).

const DAY_SECONDS: u64 = 86_400;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sat, 21 Nov 2026 19:21:46 +0000` for the seconds since 1970-01-01 00:00:00 UTC.
#[must_use]
pub fn rfc5322(seconds: u64) -> String {
    let days = seconds / DAY_SECONDS;
    let (year, month, day) = civil(days);
    let name = |names: &'static [&'static str], number: u64| names.get(number as usize).copied().unwrap_or_default();
    let (hour, minute, second) = (seconds % DAY_SECONDS / 3600, seconds % 3600 / 60, seconds % 60);
    let (day_name, month_name) = (name(&DAYS, days % 7), name(&MONTHS, month));
    format!("{day_name}, {day} {month_name} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month from 0 and day of the month of a day counted from 1970-01-01, by years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date() {
        let table = [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_288_906, "Sat, 21 Nov 2026 19:21:46 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        ];
        for (seconds, date) in table {
            assert_eq!(rfc5322(seconds), date);
        }
    }
}
