//! Dates as RFC 5322, 3.3 writes them.

use crate::control::zone::Zone;

const DAY_SECONDS: u64 = 86_400;
/// The length of the longest date until the year 9999.
const DATE_OCTETS: usize = 31;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sat, 21 Nov 2026 19:21:46 +0000` for the seconds since 1970-01-01 00:00:00 UTC, as clocks of the zone show it.
#[must_use]
pub fn rfc5322(moment: u64, zone: &Zone) -> String {
    let offset_minutes = zone.offset_seconds(moment) / 60;
    let ahead_minutes = u64::from(offset_minutes.unsigned_abs());
    let seconds = moment.saturating_add_signed(i64::from(offset_minutes) * 60);
    let days = seconds / DAY_SECONDS;
    let (year, month, day) = civil(days);
    let name = |names: &'static [&'static str], number: u64| names.get(number as usize).copied().unwrap_or_default();
    // Digit by digit: `format!` takes six times as many instructions, and each connection has a date.
    let mut date = String::with_capacity(DATE_OCTETS);
    date.push_str(name(&DAYS, days % 7));
    date.push_str(", ");
    if day >= 10 {
        date.push(digit(day / 10));
    }
    date.push(digit(day));
    date.push(' ');
    date.push_str(name(&MONTHS, month));
    date.push(' ');
    push_two(&mut date, year / 100);
    push_two(&mut date, year);
    for (mark, number) in [(' ', seconds % DAY_SECONDS / 3600), (':', seconds % 3600 / 60), (':', seconds % 60)] {
        date.push(mark);
        push_two(&mut date, number);
    }
    date.push_str(if offset_minutes < 0 { " -" } else { " +" });
    push_two(&mut date, ahead_minutes / 60);
    push_two(&mut date, ahead_minutes % 60);
    date
}

fn push_two(date: &mut String, number: u64) {
    date.push(digit(number / 10));
    date.push(digit(number));
}

/// The last digit of a number.
fn digit(number: u64) -> char {
    char::from(b'0' + (number % 10) as u8)
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

    fn zone(name: &[u8]) -> Zone {
        Zone::of(&[(b"TZ".to_vec(), name.to_vec())].into_iter().collect()).unwrap()
    }

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
            assert_eq!(rfc5322(seconds, &Zone::default()), date);
        }
    }

    #[test]
    fn clocks_are_changed_on_both_hemispheres() {
        let (berlin, sydney) = (b"CET-1CEST,M3.5.0,M10.5.0/3", b"AEST-10AEDT,M10.1.0,M4.1.0/3");
        let (newfoundland, greenland) = (b"NST3:30NDT,M3.2.0,M11.1.0", b"<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
        let table: [(&[u8], u64, &str); 12] = [
            (berlin, 1_774_745_999, "Sun, 29 Mar 2026 01:59:59 +0100"),
            (berlin, 1_774_746_000, "Sun, 29 Mar 2026 03:00:00 +0200"),
            (berlin, 1_792_889_999, "Sun, 25 Oct 2026 02:59:59 +0200"),
            (berlin, 1_792_890_000, "Sun, 25 Oct 2026 02:00:00 +0100"),
            (sydney, 1_775_318_399, "Sun, 5 Apr 2026 02:59:59 +1100"),
            (sydney, 1_775_318_400, "Sun, 5 Apr 2026 02:00:00 +1000"),
            (sydney, 1_791_043_199, "Sun, 4 Oct 2026 01:59:59 +1000"),
            (sydney, 1_791_043_200, "Sun, 4 Oct 2026 03:00:00 +1100"),
            (newfoundland, 1_798_774_200, "Fri, 1 Jan 2027 00:00:00 -0330"),
            (newfoundland, 1_798_774_199, "Thu, 31 Dec 2026 23:59:59 -0330"),
            (greenland, 1_774_745_999, "Sat, 28 Mar 2026 22:59:59 -0200"),
            (greenland, 1_774_746_000, "Sun, 29 Mar 2026 00:00:00 -0100"),
        ];
        for (name, seconds, date) in table {
            assert_eq!(rfc5322(seconds, &zone(name)), date, "{}", name.escape_ascii());
        }
    }
}
