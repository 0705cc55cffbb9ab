//! Dates and timestamps in their usual forms, as Trino's Hive formats read them: leniently. A field has up to nine digits and may have a sign, and
//! what is beyond its range carries over, so that 2024-02-30 is the first of March.

use memchr::memchr;

use super::value::{BadValue, trimmed};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// The years of Java's calendar, to either side of zero, and its days.
const MAX_YEAR: i64 = 999_999_999;
const FIRST_DAY: i64 = days_of(-MAX_YEAR, 1, 1);
const LAST_DAY: i64 = days_of(MAX_YEAR, 12, 31);

/// Days since 1970-01-01. What follows a space does not count.
///
/// # Errors
/// For a day that 32 bits do not hold.
pub(super) fn date(text: &[u8]) -> Result<Option<i32>, BadValue> {
    let text = trimmed(text);
    let text = memchr(b' ', text).map_or(text, |end| &text[..end]);
    let mut cursor = Cursor { text, at: 0 };
    match cursor.days(true) {
        Some(days) if cursor.is_at_end() => i32::try_from(days).map(Some).map_err(|_| BadValue),
        _ => Ok(None),
    }
}

/// Milliseconds since 1970-01-01 00:00:00, rounded half up, of `2024-01-02 03:04:05[.6]` or `2024-01-02T03:04[:05[.6]]`, without spaces around it.
///
/// # Errors
/// For a time that 64 bits of microseconds do not hold.
pub(super) fn timestamp(text: &[u8]) -> Result<Option<i64>, BadValue> {
    let Some((days, nanos)) = spaced(text).or_else(|| iso(text)) else { return Ok(None) };
    let day = SECONDS_PER_DAY * NANOS_PER_SECOND;
    let (days, nanos) = (days + nanos.div_euclid(day), nanos.rem_euclid(day));
    let seconds = days * SECONDS_PER_DAY + nanos / NANOS_PER_SECOND;
    in_range(seconds.saturating_mul(1000))?;
    Ok(Some(seconds * 1000 + (nanos % NANOS_PER_SECOND + NANOS_PER_MILLI / 2) / NANOS_PER_MILLI))
}

/// Milliseconds that fit when they are microseconds, as Trino holds them.
///
/// # Errors
/// If they do not.
pub(super) fn in_range(millis: i64) -> Result<i64, BadValue> {
    millis.checked_mul(1000).map(|_| millis).ok_or(BadValue)
}

fn spaced(text: &[u8]) -> Option<(i64, i64)> {
    let mut cursor = Cursor { text, at: 0 };
    let days = cursor.days(true)?;
    cursor.literal(b' ')?;
    let hour = cursor.number(true)?;
    cursor.literal(b':')?;
    let minute = cursor.number(true)?;
    cursor.literal(b':')?;
    let second = cursor.number(true)?;
    let fraction = cursor.fraction();
    cursor.is_at_end().then_some((days, nanos(hour, minute, second, fraction)?))
}

fn iso(text: &[u8]) -> Option<(i64, i64)> {
    let mut cursor = Cursor { text, at: 0 };
    let days = cursor.days(false)?;
    cursor.literal(b'T').or_else(|| cursor.literal(b't'))?;
    let hour = cursor.number(false)?;
    cursor.literal(b':')?;
    let minute = cursor.number(false)?;
    let (second, fraction) = match cursor.literal(b':') {
        Some(()) => (cursor.number(false)?, cursor.fraction()),
        None => (0, 0),
    };
    cursor.is_at_end().then_some((days, nanos(hour, minute, second, fraction)?))
}

/// Nanoseconds, of which there may be more than a day has, or fewer than none.
fn nanos(hour: i64, minute: i64, second: i64, fraction: i64) -> Option<i64> {
    let hours = hour.checked_mul(3600 * NANOS_PER_SECOND)?;
    let minutes = minute.checked_mul(60 * NANOS_PER_SECOND)?;
    hours.checked_add(minutes)?.checked_add(second.checked_mul(NANOS_PER_SECOND)?)?.checked_add(fraction)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, of a month from 1 to 12.
pub(super) const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years from March on, so that the day that is not always there is a year's last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year, month and day that are so many days after 1970-01-01.
pub(super) const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    // Months from March on.
    let months = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * months + 2) / 5 + 1, if months < 10 { months + 3 } else { months - 9 });
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Year, month and day with `-` between. Only the year of ISO's form may have a sign.
    fn days(&mut self, are_signed: bool) -> Option<i64> {
        let year = self.number(true)?;
        self.literal(b'-')?;
        let month = self.number(are_signed)?;
        self.literal(b'-')?;
        let day = self.number(are_signed)?;
        let months = year * 12 + month - 1;
        let year = months.div_euclid(12);
        let days = days_of(year, months.rem_euclid(12) + 1, 1) + day - 1;
        (year.abs() <= MAX_YEAR && (FIRST_DAY..=LAST_DAY).contains(&days)).then_some(days)
    }

    fn number(&mut self, is_signed: bool) -> Option<i64> {
        const MOST_DIGITS: usize = 9;
        let is_negative = is_signed && self.literal(b'-').is_some();
        if is_signed && !is_negative {
            let _ = self.literal(b'+');
        }
        let digits = self.digits(MOST_DIGITS);
        let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        (!digits.is_empty()).then_some(if is_negative { -value } else { value })
    }

    /// Nanoseconds after a point, if there is one.
    fn fraction(&mut self) -> i64 {
        const PLACES: usize = 9;
        if self.literal(b'.').is_none() {
            return 0;
        }
        let digits = self.digits(PLACES);
        let zeros = std::iter::repeat_n(&b'0', PLACES - digits.len());
        digits.iter().chain(zeros).fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    }

    fn digits(&mut self, most: usize) -> &[u8] {
        let rest = &self.text[self.at..];
        let count = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        &rest[..count]
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        let is_here = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_here);
        is_here.then_some(())
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }
}
