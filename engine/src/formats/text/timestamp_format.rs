//! The patterns of `timestamp.formats`: Joda-Time's, as far as they are met in files.
//!
//! A pattern must match a value whole. If its fields are no time, or no pattern matches, the value is read in the usual forms.

use chrono::{DateTime, TimeZone};
use chrono_tz::{America, Tz, UTC};

use super::{
    date::{self, days_of, in_range},
    timestamp_pattern::{Field, Item, TimestampFormat},
    value::{BadValue, trimmed, whole},
};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Values that are shorter are none, in any form.
const SHORTEST: usize = 8;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HALF_DAYS: [&str; 2] = ["AM", "PM"];

/// The names that `z` stands for.
static ZONES: [(&str, Tz); 11] = [
    ("UTC", UTC),
    ("GMT", UTC),
    ("UT", UTC),
    ("EST", America::New_York),
    ("EDT", America::New_York),
    ("CST", America::Chicago),
    ("CDT", America::Chicago),
    ("MST", America::Denver),
    ("MDT", America::Denver),
    ("PST", America::Los_Angeles),
    ("PDT", America::Los_Angeles),
];

/// Milliseconds since 1970-01-01 00:00:00 of a value in one of the formats or a usual form.
///
/// # Errors
/// For a time that 64 bits of microseconds do not hold.
pub(super) fn timestamp(text: &[u8], formats: &[TimestampFormat]) -> Result<Option<i64>, BadValue> {
    if text.len() < SHORTEST {
        return Ok(None);
    }
    let text = trimmed(text);
    match formats.iter().find_map(|format| fields(format, text)).and_then(|fields| fields.millis()) {
        Some(millis) => in_range(millis).map(Some),
        None => date::timestamp(text),
    }
}

/// What a pattern found in a value.
#[derive(Default)]
struct Fields {
    numbers: [Option<i64>; Field::COUNT],
    weekday: Option<i64>,
    is_afternoon: bool,
    zone: Option<Zone>,
    /// The whole value, of `millis`.
    millis: Option<i64>,
}

enum Zone {
    /// Milliseconds ahead of UTC.
    Offset(i64),
    Named(Tz),
}

fn fields(format: &TimestampFormat, text: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut rest = text;
    for item in format.items() {
        let taken = fields.take(item, rest)?;
        rest = &rest[taken..];
    }
    rest.is_empty().then_some(fields)
}

impl Fields {
    /// How many bytes an item has at the start of a text.
    fn take(&mut self, item: &Item, text: &[u8]) -> Option<usize> {
        match item {
            Item::Literal(literal) => starts_with(text, literal).then_some(literal.len()),
            Item::Number { field, is_signed, most } => {
                let sign = usize::from(*is_signed && matches!(text, [b'-' | b'+', b'0'..=b'9', ..]));
                let digits = digits(&text[sign..], *most);
                self.numbers[*field as usize] = Some(whole(&text[..sign + digits])?);
                Some(sign + digits)
            }
            Item::Fraction { most } => {
                let digits = digits(text, *most);
                let millis = text[..digits].iter().chain([&b'0'; 3]).take(3);
                let millis = millis.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
                self.numbers[Field::Milli as usize] = Some(millis);
                (digits > 0).then_some(digits)
            }
            Item::Month => {
                let (month, length) = name(text, &MONTHS)?;
                self.numbers[Field::Month as usize] = Some(month + 1);
                Some(length)
            }
            Item::Weekday => {
                let (weekday, length) = name(text, &WEEKDAYS)?;
                self.weekday = Some(weekday);
                Some(length)
            }
            Item::HalfDay => {
                let (half, length) = name(text, &HALF_DAYS)?;
                self.is_afternoon = half == 1;
                Some(length)
            }
            Item::Offset => {
                let (offset, length) = offset(text)?;
                self.zone = Some(Zone::Offset(offset));
                Some(length)
            }
            Item::ZoneName => {
                let found = ZONES.iter().filter(|(name, _)| text.starts_with(name.as_bytes()));
                let (name, zone) = found.max_by_key(|(name, _)| name.len())?;
                self.zone = Some(Zone::Named(*zone));
                Some(name.len())
            }
            Item::ZoneId => {
                let is_of_id = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
                let length = text.iter().take_while(|byte| is_of_id(byte)).count();
                self.zone = Some(Zone::Named(str::from_utf8(&text[..length]).ok()?.parse().ok()?));
                Some(length)
            }
            Item::Millis => {
                let at = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
                let is_fraction = |rest: &[u8]| rest.len() != 1 && rest.iter().skip(1).all(u8::is_ascii_digit);
                let is_number = !text.starts_with(b"+") && is_fraction(&text[at..]);
                self.millis = Some(whole(&text[..at]).filter(|_| is_number)?);
                Some(text.len())
            }
        }
    }

    fn number(&self, field: Field) -> Option<i64> {
        self.numbers[field as usize]
    }

    /// A field's value, or what it is without one; none outside of its range.
    fn within(&self, field: Field, first: i64, last: i64, default: i64) -> Option<i64> {
        let value = self.number(field).unwrap_or(default);
        (first..=last).contains(&value).then_some(value)
    }

    fn millis(&self) -> Option<i64> {
        if self.millis.is_some() {
            return self.millis;
        }
        /// The years that milliseconds reach.
        const YEARS: (i64, i64) = (-292_275_054, 292_278_993);
        let year = self.within(Field::Year, YEARS.0, YEARS.1, 1970)?;
        let month = self.within(Field::Month, 1, 12, 1)?;
        let mut days = if self.number(Field::DayOfYear).is_some() {
            let first = days_of(year, 1, 1);
            first + self.within(Field::DayOfYear, 1, days_of(year + 1, 1, 1) - first, 1)? - 1
        } else {
            let first = days_of(year, month, 1);
            let next = if month == 12 { days_of(year + 1, 1, 1) } else { days_of(year, month + 1, 1) };
            first + self.within(Field::Day, 1, next - first, 1)? - 1
        };
        if let Some(weekday) = self.weekday {
            // 1970-01-01 was a Thursday. A weekday moves the date within its week.
            days += weekday - (days + 3).rem_euclid(7);
        }
        let minute = self.within(Field::Minute, 0, 59, 0)?;
        let second = self.within(Field::Second, 0, 59, 0)?;
        let milli = self.number(Field::Milli).unwrap_or_default();
        let local = days * MILLIS_PER_DAY + ((self.hour()? * 60 + minute) * 60 + second) * 1000 + milli;
        match self.zone {
            None => Some(local),
            Some(Zone::Offset(offset)) => Some(local - offset),
            Some(Zone::Named(zone)) => {
                let local = DateTime::from_timestamp_millis(local)?.naive_utc();
                Some(zone.from_local_datetime(&local).earliest()?.timestamp_millis())
            }
        }
    }

    fn hour(&self) -> Option<i64> {
        if self.number(Field::Hour).is_some() {
            return self.within(Field::Hour, 0, 23, 0);
        }
        if self.number(Field::ClockHour).is_some() {
            return Some(self.within(Field::ClockHour, 1, 24, 24)? % 24);
        }
        let of_half = match self.number(Field::ClockHourOfHalf) {
            Some(_) => self.within(Field::ClockHourOfHalf, 1, 12, 12)? % 12,
            None => self.within(Field::HourOfHalf, 0, 11, 0)?,
        };
        Some(of_half + if self.is_afternoon { 12 } else { 0 })
    }
}

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

fn digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// The place of a name, whole or by its first three letters, and its length.
fn name(text: &[u8], names: &[&str]) -> Option<(i64, usize)> {
    const SHORT: usize = 3;
    let forms = names.iter().zip(0..).flat_map(|(name, at)| [(at, *name), (at, &name[..SHORT.min(name.len())])]);
    let longest = forms.filter(|(_, form)| starts_with(text, form.as_bytes())).max_by_key(|(_, form)| form.len())?;
    Some((longest.0, longest.1.len()))
}

/// `Z`, `+01`, `+0130`, `+01:30`, `+01:30:15`: milliseconds, and how many bytes they have.
fn offset(text: &[u8]) -> Option<(i64, usize)> {
    let is_behind = match text.first()? {
        b'Z' | b'z' => return Some((0, 1)),
        b'-' => true,
        b'+' => false,
        _ => return None,
    };
    let two = |at: usize| text.get(at..at + 2).filter(|two| two.iter().all(u8::is_ascii_digit)).and_then(whole::<i64>);
    let mut seconds = two(1).filter(|hours| *hours <= 23)? * 3600;
    let mut at = 3;
    let has_colons = text.get(at) == Some(&b':');
    for unit in [60, 1] {
        match text.get(at) {
            Some(b':') if has_colons => at += 1,
            Some(b'0'..=b'9') if !has_colons => {}
            _ => break,
        }
        seconds += two(at).filter(|value| *value <= 59)? * unit;
        at += 2;
    }
    Some((if is_behind { -seconds } else { seconds } * 1000, at))
}
