//! Ranges of dates: their ends as texts or relative to now, and the steps between them, in UTC.

use chrono::NaiveDateTime;

use super::{format::DatePattern, unit::Unit};
use crate::error::{Error, Result};

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    At(NaiveDateTime),
    /// An offset from now.
    Now(i64, Unit),
}

impl Bound {
    /// A date in the key's format, or `NOW`, `NOW-3YEARS`, `NOW + 1 MONTH`.
    pub(super) fn parse(text: &str, format: &DatePattern) -> Option<Self> {
        let trimmed = text.trim();
        let Some(distance) = trimmed.get(..3).filter(|now| now.eq_ignore_ascii_case("now")).map(|_| trimmed[3..].trim()) else {
            return format.read(trimmed).map(Self::At);
        };
        if distance.is_empty() {
            return Some(Self::Now(0, Unit::Days));
        }
        let sign = match distance.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let rest = distance[1..].trim_start();
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().ok()?;
        Some(Self::Now(sign * count, Unit::parse(&rest[digits..])?))
    }

    fn moment(self, now: NaiveDateTime, format: &DatePattern) -> Option<NaiveDateTime> {
        match self {
            Self::At(moment) => Some(moment),
            // At the precision of the format: a day has no hours.
            Self::Now(count, unit) => {
                let moment = unit.after(now, count)?;
                format.read(&format.format(moment)).or(Some(moment))
            }
        }
    }
}

/// The values of a key of type `date`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DateRange {
    pub format: DatePattern,
    pub low: Bound,
    pub high: Bound,
    pub interval: i64,
    pub unit: Unit,
}

impl DateRange {
    /// The values from `low` to `high`, inclusive; at most `most`.
    ///
    /// # Errors
    /// `LimitExceeded` beyond that.
    pub(super) fn between(
        &self,
        now: NaiveDateTime,
        low: Option<NaiveDateTime>,
        high: Option<NaiveDateTime>,
        most: usize,
    ) -> Result<Vec<String>> {
        let (Some(first), Some(last)) = (self.low.moment(now, &self.format), self.high.moment(now, &self.format)) else {
            return Ok(Vec::new());
        };
        let last = high.map_or(last, |high| high.min(last));
        let mut values = Vec::new();
        for step in self.steps_before(first, low).. {
            let Some(at) = self.at(first, step).filter(|at| *at <= last) else { break };
            if low.is_some_and(|low| at < low) {
                continue;
            }
            if values.len() >= most {
                return Err(Error::new(
                    crate::error::ErrorKind::LimitExceeded,
                    format!("partition projection results in more than {most} dates"),
                )
                .with_hint("Add a filter on the partition key, or make its range shorter"));
            }
            values.push(self.format.format(at));
        }
        Ok(values)
    }

    /// Whether a text is one of the values.
    pub(super) fn holds(&self, now: NaiveDateTime, text: &str) -> bool {
        let Some(at) = self.format.read(text).filter(|at| self.format.format(*at) == text) else { return false };
        self.between(now, Some(at), Some(at), 1).is_ok_and(|values| values == [text])
    }

    fn at(&self, first: NaiveDateTime, step: i64) -> Option<NaiveDateTime> {
        self.unit.after(first, step.checked_mul(self.interval)?)
    }

    /// The number of steps known to be before `low`.
    fn steps_before(&self, first: NaiveDateTime, low: Option<NaiveDateTime>) -> i64 {
        let Some(low) = low.filter(|low| *low > first) else { return 0 };
        // Binary search for the greatest step before it.
        let (mut below, mut above) = (0_i64, 1_i64);
        while self.at(first, above).is_some_and(|at| at < low) {
            below = above;
            above = above.saturating_mul(2);
        }
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if self.at(first, middle).is_some_and(|at| at < low) { below = middle } else { above = middle }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(format: &str, low: &str, high: &str, interval: i64, unit: Unit) -> DateRange {
        let format = DatePattern::parse(format).unwrap();
        let [low, high] = [low, high].map(|text| Bound::parse(text, &format).unwrap());
        DateRange { format, low, high, interval, unit }
    }

    fn now() -> NaiveDateTime {
        "2024-03-10T15:20:00".parse().unwrap()
    }

    #[test]
    fn steps_from_one_end_to_the_other() {
        let months = range("yyyy-MM", "2023-11", "NOW", 1, Unit::Months);
        assert_eq!(months.between(now(), None, None, 10).unwrap(), ["2023-11", "2023-12", "2024-01", "2024-02", "2024-03"]);
        let days = range("yyyy/MM/dd", "NOW-2DAYS", " now + 1 day ", 1, Unit::Days);
        assert_eq!(days.between(now(), None, None, 10).unwrap(), ["2024/03/08", "2024/03/09", "2024/03/10", "2024/03/11"]);
        assert_eq!(days.between(now(), None, None, 3).unwrap_err().kind(), crate::error::ErrorKind::LimitExceeded);
    }

    #[test]
    fn skips_to_the_middle_of_a_long_range() {
        let hours = range("yyyy-MM-dd-HH", "0001-01-01-00", "9999-12-31-23", 6, Unit::Hours);
        let at = |text: &str| hours.format.read(text);
        let found = hours.between(now(), at("2024-01-31-20"), at("2024-02-01-13"), 10).unwrap();
        assert_eq!(found, ["2024-02-01-00", "2024-02-01-06", "2024-02-01-12"]);
        assert!(hours.holds(now(), "2024-02-01-06"));
        assert!(!hours.holds(now(), "2024-02-01-07"), "between two steps");
        assert!(!hours.holds(now(), "2024-2-1-6"), "of another form");
    }

    #[test]
    fn invalid_bounds_are_rejected() {
        let format = DatePattern::parse("yyyy").unwrap();
        for text in ["NOW*3DAYS", "NOW-DAYS", "NOW-3", "NOW-3FORTNIGHTS", "NOWHERE", "x"] {
            assert_eq!(Bound::parse(text, &format), None, "{text}");
        }
    }
}
