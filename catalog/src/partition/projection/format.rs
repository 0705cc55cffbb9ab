//! Java's date patterns, as in `projection.<key>.format`: numeric fields, names of months and quoted text.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::unit::Unit;
use crate::error::{Error, Result};

/// A field of a date, by its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Fraction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field, usize),
}

/// A pattern of `java.time.format.DateTimeFormatter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatePattern {
    parts: Vec<Part>,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl DatePattern {
    /// # Errors
    /// `Unsupported` for letters that are not supported, naming them; `Invalid` for a quote that is not closed.
    pub(super) fn parse(pattern: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            if c == '\'' {
                if rest.next_if_eq(&'\'').is_some() {
                    text.push('\'');
                    continue;
                }
                loop {
                    match rest.next() {
                        Some('\'') if rest.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err(Error::invalid(format!("date format \"{pattern}\" has a quote that is not closed"))),
                    }
                }
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while rest.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Field(field(pattern, c, count)?, count));
            } else {
                text.push(c);
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        if !parts.iter().any(|part| matches!(part, Part::Field(..))) {
            return Err(Error::invalid(format!("date format \"{pattern}\" has no date fields")));
        }
        Ok(Self { parts })
    }

    pub(super) fn format(&self, at: NaiveDateTime) -> String {
        let mut text = String::new();
        for part in &self.parts {
            let (field, count) = match part {
                Part::Text(literal) => {
                    text.push_str(literal);
                    continue;
                }
                Part::Field(field, count) => (*field, *count),
            };
            let number = match field {
                Field::Year if count == 2 => i64::from(at.year().rem_euclid(100)),
                Field::Year => i64::from(at.year()),
                Field::Month => i64::from(at.month()),
                Field::MonthName => {
                    text.push_str(MONTHS[at.month0() as usize]);
                    continue;
                }
                Field::Day => i64::from(at.day()),
                Field::DayOfYear => i64::from(at.ordinal()),
                Field::Hour => i64::from(at.hour()),
                Field::Minute => i64::from(at.minute()),
                Field::Second => i64::from(at.second()),
                Field::Fraction => {
                    let nanos = format!("{:09}", at.nanosecond() % 1_000_000_000);
                    text.extend(nanos.chars().chain(std::iter::repeat('0')).take(count));
                    continue;
                }
            };
            text.push_str(&format!("{number:0count$}"));
        }
        text
    }

    /// The time of a text; fields that the pattern lacks have their least values. `None` if the text does not match the pattern.
    pub(super) fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let mut rest = text;
        let (mut year, mut month, mut day, mut ordinal) = (1970_i32, 1_u32, 1_u32, None);
        let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0_u32);
        for (at, part) in self.parts.iter().enumerate() {
            let (field, count) = match part {
                Part::Text(literal) => {
                    rest = rest.strip_prefix(literal.as_str())?;
                    continue;
                }
                Part::Field(field, count) => (*field, *count),
            };
            if field == Field::MonthName {
                let name = rest.get(..3)?;
                month = 1 + u32::try_from(MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?).ok()?;
                rest = &rest[3..];
                continue;
            }
            // One letter takes all digits, unless another field follows immediately.
            let follows = matches!(self.parts.get(at + 1), Some(Part::Field(..)));
            let most = if count == 1 && !follows { 19 } else { count };
            let digits = rest.chars().take(most).take_while(char::is_ascii_digit).count();
            if digits == 0 || (count > 1 && digits < count) {
                return None;
            }
            let number: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let small = || u32::try_from(number).ok();
            match field {
                Field::Year if count == 2 => year = 2000 + i32::try_from(number).ok()?,
                Field::Year => year = i32::try_from(number).ok()?,
                Field::Month => month = small()?,
                Field::Day => day = small()?,
                Field::DayOfYear => ordinal = Some(small()?),
                Field::Hour => hour = small()?,
                Field::Minute => minute = small()?,
                Field::Second => second = small()?,
                Field::Fraction => nanos = u32::try_from(number * 10_u64.checked_pow(9_u32.checked_sub(count as u32)?)?).ok()?,
                Field::MonthName => {}
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let date = match ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal)?,
            None => NaiveDate::from_ymd_opt(year, month, day)?,
        };
        Some(date.and_time(NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?))
    }

    /// The finest unit in the pattern.
    pub(super) fn precision(&self) -> Unit {
        let of = |field: Field| match field {
            Field::Year => Unit::Years,
            Field::Month | Field::MonthName => Unit::Months,
            Field::Day | Field::DayOfYear => Unit::Days,
            Field::Hour => Unit::Hours,
            Field::Minute => Unit::Minutes,
            Field::Second => Unit::Seconds,
            Field::Fraction => Unit::Milliseconds,
        };
        let fields = self.parts.iter().filter_map(|part| match part {
            Part::Field(field, _) => Some(of(*field)),
            Part::Text(_) => None,
        });
        fields.max().unwrap_or(Unit::Days)
    }

    /// Whether texts sort as their times do: fields from the coarsest to the finest, each of a fixed width.
    pub(super) fn is_sorted(&self) -> bool {
        let mut last: Option<Unit> = None;
        for part in &self.parts {
            let Part::Field(field, count) = part else { continue };
            let unit = match field {
                Field::Year if *count == 4 => Unit::Years,
                Field::Month if *count == 2 => Unit::Months,
                Field::Day if *count == 2 => Unit::Days,
                Field::DayOfYear if *count == 3 => Unit::Days,
                Field::Hour if *count == 2 => Unit::Hours,
                Field::Minute if *count == 2 => Unit::Minutes,
                Field::Second if *count == 2 => Unit::Seconds,
                Field::Fraction => Unit::Milliseconds,
                _ => return false,
            };
            if last.is_some_and(|last| unit <= last) || (last.is_none() && unit != Unit::Years) {
                return false;
            }
            last = Some(unit);
        }
        true
    }
}

fn field(pattern: &str, letter: char, count: usize) -> Result<Field> {
    Ok(match (letter, count) {
        ('y' | 'u', 1..=4) => Field::Year,
        ('M' | 'L', 1 | 2) => Field::Month,
        ('M' | 'L', 3) => Field::MonthName,
        ('d', 1 | 2) => Field::Day,
        ('D', 1..=3) => Field::DayOfYear,
        ('H', 1 | 2) => Field::Hour,
        ('m', 1 | 2) => Field::Minute,
        ('s', 1 | 2) => Field::Second,
        ('S', 1..=9) => Field::Fraction,
        _ => {
            let letters: String = std::iter::repeat_n(letter, count).collect();
            return Err(Error::unsupported(format!("\"{letters}\" in the date format \"{pattern}\" is not supported"))
                .with_hint("Use yyyy, MM, MMM, dd, DDD, HH, mm, ss and SSS, and quote letters that are text"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn writes_and_reads_what_it_wrote() {
        let moment = at("2024-03-07T05:06:07.089");
        for (pattern, text) in [
            ("yyyy-MM-dd", "2024-03-07"),
            ("yyyy/MM/dd/HH", "2024/03/07/05"),
            ("yyyyMMdd", "20240307"),
            ("d.M.yyyy", "7.3.2024"),
            ("MMM-yyyy", "Mar-2024"),
            ("yyyy-DDD", "2024-067"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2024-03-07T05:06:07.089"),
            ("'it''s' yy", "it's 24"),
        ] {
            let format = DatePattern::parse(pattern).unwrap();
            assert_eq!(format.format(moment), text, "{pattern}");
            let read = format.read(text).unwrap_or_else(|| panic!("{pattern} does not read {text}"));
            assert_eq!(format.format(read), text, "{pattern}");
            assert_eq!(format.read(&format!("{text}x")), None, "{pattern}");
        }
    }

    #[test]
    fn has_a_precision_and_an_order() {
        let of = |pattern: &str| DatePattern::parse(pattern).unwrap();
        assert_eq!((of("yyyy-MM").precision(), of("yyyy-MM").is_sorted()), (Unit::Months, true));
        assert_eq!((of("dd/MM/yyyy").precision(), of("dd/MM/yyyy").is_sorted()), (Unit::Days, false));
        assert!(!of("yyyy-M-d").is_sorted());
        assert!(of("yyyy/MM/dd/HH").is_sorted());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(DatePattern::parse("yyyy-ww").unwrap_err().to_string().contains("\"ww\""));
        assert!(DatePattern::parse("yyyy'").is_err());
        assert!(DatePattern::parse("--").is_err());
    }
}
