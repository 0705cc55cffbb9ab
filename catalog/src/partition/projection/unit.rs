//! Units of time in projections, and their addition to a time.

use chrono::{Months, NaiveDateTime, TimeDelta};

/// The unit of a step, or of an offset from now; from the coarsest to the finest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Years,
    Months,
    Weeks,
    Days,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Unit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        Some(match text.strip_suffix('S').unwrap_or(&text) {
            "YEAR" => Self::Years,
            "MONTH" => Self::Months,
            "WEEK" => Self::Weeks,
            "DAY" => Self::Days,
            "HOUR" => Self::Hours,
            "MINUTE" => Self::Minutes,
            "SECOND" => Self::Seconds,
            "MILLISECOND" | "MILLI" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// The time `count` units later, or earlier; `None` if it cannot be represented.
    pub(super) fn after(self, from: NaiveDateTime, count: i64) -> Option<NaiveDateTime> {
        let months = |each: i64| {
            let total = count.checked_mul(each)?;
            let months = Months::new(u32::try_from(total.unsigned_abs()).ok()?);
            if total < 0 { from.checked_sub_months(months) } else { from.checked_add_months(months) }
        };
        let delta = match self {
            Self::Years => return months(12),
            Self::Months => return months(1),
            Self::Weeks => TimeDelta::try_weeks(count)?,
            Self::Days => TimeDelta::try_days(count)?,
            Self::Hours => TimeDelta::try_hours(count)?,
            Self::Minutes => TimeDelta::try_minutes(count)?,
            Self::Seconds => TimeDelta::try_seconds(count)?,
            Self::Milliseconds => TimeDelta::try_milliseconds(count)?,
        };
        from.checked_add_signed(delta)
    }
}
