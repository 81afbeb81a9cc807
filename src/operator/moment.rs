//! Moments as an operator writes them: RFC 3339, or seconds since 1970.

const DAY_SECONDS: i64 = 86_400;

/// The seconds since 1970-01-01 00:00:00 UTC of `2026-11-21T19:21:46Z`, `2026-11-21 20:21:46.5+01:00` or `1795288906`.
///
/// # Errors
///
/// What to write instead.
pub fn parse(text: &str) -> Result<u64, String> {
    let seconds = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => rfc3339(text.as_bytes()).and_then(|seconds| u64::try_from(seconds).ok()),
    };
    seconds.ok_or_else(|| format!("`{text}` is no moment: write 2026-11-21T19:21:46Z, or seconds since 1970"))
}

fn rfc3339(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let (time, rest) = rest.split_at_checked(8)?;
    let (year, month, day) = parts(date, b'-', [0..4, 5..7, 8..10])?;
    let (hour, minute, second) = parts(time, b':', [0..2, 3..5, 6..8])?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day)
    {
        return None;
    }
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let behind = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(digits..).filter(|_| digits > 0)?
        }
        _ => rest,
    };
    let offset = match behind {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), offset @ ..] if offset.len() == 5 && offset.get(2) == Some(&b':') => {
            let (hours, minutes) = (number(offset.get(0..2)?)?, number(offset.get(3..5)?)?);
            let seconds = (hours * 60 + minutes) * 60;
            if hours > 23 || minutes > 59 {
                return None;
            }
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    Some(days_before(year, month, day) * DAY_SECONDS + (hour * 60 + minute) * 60 + second - offset)
}

/// The three numbers of a date or of a time, between two separators.
fn parts(text: &[u8], separator: u8, places: [std::ops::Range<usize>; 3]) -> Option<(i64, i64, i64)> {
    let [first, second, third] = places;
    let separated = text.get(first.end) == Some(&separator) && text.get(second.end) == Some(&separator);
    let number = |place| number(text.get(place)?);
    separated.then_some(())?;
    Some((number(first)?, number(second)?, number(third)?))
}

fn number(digits: &[u8]) -> Option<i64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to this one.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let of_years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let of_months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    of_years + of_months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let table = [
            ("0", Some(0)),
            ("1795288906", Some(1_795_288_906)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-21T19:21:46Z", Some(1_795_288_906)),
            ("2026-11-21 20:21:46.25+01:00", Some(1_795_288_906)),
            ("2026-11-21t14:21:46-05:00", Some(1_795_288_906)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2100-02-29T00:00:00Z", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("2026-11-21", None),
            ("2026-11-21T19:21:46", None),
            ("2026-11-21T24:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-21T19:21:46.Z", None),
            ("2026-11-21T19:21:46+0100", None),
            ("", None),
            ("now", None),
            ("-5", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse(text).ok(), seconds, "{text}");
        }
    }
}
