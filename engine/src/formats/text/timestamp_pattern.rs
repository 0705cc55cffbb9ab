//! What the patterns of `timestamp.formats` are made of, and how their text is read.

use crate::error::{Error, Result};

/// The property whose patterns they are.
pub(super) const TIMESTAMP_FORMATS: &str = "timestamp.formats";

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimestampFormat(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// In any case.
    Literal(Vec<u8>),
    Number {
        field: Field,
        is_signed: bool,
        /// Digits, at most.
        most: usize,
    },
    /// Of a second; what is finer than milliseconds is cut off.
    Fraction {
        most: usize,
    },
    Month,
    Weekday,
    HalfDay,
    Offset,
    ZoneName,
    ZoneId,
    /// Milliseconds since 1970, and nothing else.
    Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    Month,
    Day,
    DayOfYear,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    Minute,
    Second,
    Milli,
}

impl Field {
    pub(super) const COUNT: usize = Self::Milli as usize + 1;
}

impl TimestampFormat {
    /// The patterns of a property: separated by commas, which a backslash escapes, as it does itself.
    ///
    /// # Errors
    /// `Invalid` for other escapes and for letters that mean nothing, `Unsupported` for fields that are not read.
    pub(super) fn list(property: &str) -> Result<Vec<Self>> {
        let (mut patterns, mut pattern) = (Vec::new(), String::new());
        let mut chars = property.chars();
        while let Some(c) = chars.next() {
            match c {
                ',' => patterns.push(std::mem::take(&mut pattern)),
                '\\' => match chars.next() {
                    Some(escaped @ (',' | '\\')) => pattern.push(escaped),
                    _ => {
                        let message = format!("property \"{TIMESTAMP_FORMATS}\" has a backslash that escapes nothing");
                        return Err(
                            Error::invalid(message).with_hint("Write \\, for a comma within a pattern and \\\\ for a backslash")
                        );
                    }
                },
                c => pattern.push(c),
            }
        }
        patterns.push(pattern);
        patterns.iter().filter(|pattern| !pattern.is_empty()).map(|pattern| Self::of(pattern)).collect()
    }

    fn of(pattern: &str) -> Result<Self> {
        if pattern.eq_ignore_ascii_case("millis") {
            return Ok(Self(vec![Item::Millis]));
        }
        let mut items = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if first.is_ascii_alphabetic() {
                let count = run(rest, first);
                rest = &rest[count..];
                items.push(item(first, count, rest)?);
            } else {
                let (literal, after) = literal(rest);
                items.push(Item::Literal(literal.into_bytes()));
                rest = after;
            }
        }
        Ok(Self(items))
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.0
    }
}

/// How often a letter stands at the start.
fn run(text: &str, letter: char) -> usize {
    text.chars().take_while(|c| *c == letter).count()
}

/// Text up to the next letter that is not in quotes, and what is after it. Two quotes are one, in quotes or not.
fn literal(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut is_quoted = false;
    let mut chars = text.chars();
    loop {
        let rest = chars.as_str();
        match chars.next() {
            Some('\'') if chars.as_str().starts_with('\'') => {
                literal.push('\'');
                chars.next();
            }
            Some('\'') => is_quoted = !is_quoted,
            Some(c) if c.is_ascii_alphabetic() && !is_quoted => return (literal, rest),
            Some(c) => literal.push(c),
            None => return (literal, rest),
        }
    }
}

fn item(letter: char, count: usize, rest: &str) -> Result<Item> {
    let number = |field, most| Item::Number { field, is_signed: false, most };
    Ok(match letter {
        'y' | 'Y' if count == 2 => return Err(unsupported(letter, count, "Write yyyy: years of two digits have no century")),
        // A year ends before the digits of another field.
        'y' | 'Y' => {
            let most = if next_is_number(rest) { count } else { 9 };
            Item::Number { field: Field::Year, is_signed: letter == 'y', most }
        }
        'M' if count >= 3 => Item::Month,
        'M' => number(Field::Month, 2),
        'd' => number(Field::Day, 2),
        'D' => number(Field::DayOfYear, 3),
        'H' => number(Field::Hour, 2),
        'k' => number(Field::ClockHour, 2),
        'K' => number(Field::HourOfHalf, 2),
        'h' => number(Field::ClockHourOfHalf, 2),
        'm' => number(Field::Minute, 2),
        's' => number(Field::Second, 2),
        'S' => Item::Fraction { most: count },
        'E' => Item::Weekday,
        'a' => Item::HalfDay,
        'Z' if count >= 3 => Item::ZoneId,
        'Z' => Item::Offset,
        'z' if count < 4 => Item::ZoneName,
        'C' | 'G' | 'x' | 'w' | 'e' | 'z' => {
            return Err(unsupported(letter, count, "Read the column as a string, and convert it in the query"));
        }
        _ => {
            let message = format!("property \"{TIMESTAMP_FORMATS}\" has the unknown pattern letter \"{letter}\"");
            return Err(Error::invalid(message).with_hint("Patterns are those of Joda-Time; put text in single quotes"));
        }
    })
}

/// Whether what follows in a pattern are digits.
fn next_is_number(pattern: &str) -> bool {
    match pattern.chars().next() {
        Some('M') => run(pattern, 'M') <= 2,
        Some(letter) => "cCxyYdhHmsSeDFwWkK".contains(letter),
        None => false,
    }
}

fn unsupported(letter: char, count: usize, hint: &str) -> Error {
    let field = letter.to_string().repeat(count);
    let message = format!("property \"{TIMESTAMP_FORMATS}\" has the field \"{field}\", which is not supported");
    Error::unsupported(message).with_hint(hint)
}
