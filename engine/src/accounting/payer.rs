//! Who pays for what a query scans, and the error of a budget that has no room for it. Budgets themselves are kept by `lifecycle`.

use std::fmt::{self, Debug};

use chrono::{Datelike, NaiveDate};

use super::Usd;
use crate::error::{Error, ErrorKind};

/// What a budget is for: a day or a month, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    Day,
    Month,
}

impl Period {
    /// As stored, and as hooks are told: `day`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The first day of the period that a day lies in.
    #[must_use]
    pub fn begin(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }

    /// The period that begins on a day, in words: `2025-06-15`, `2025-06`.
    fn name(self, begins: NaiveDate) -> String {
        match self {
            Self::Day => begins.to_string(),
            Self::Month => begins.format("%Y-%m").to_string(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A budget that has no room for what a query wants to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSpent {
    pub workgroup: String,
    pub period: Period,
    /// The first day of the period.
    pub begins: NaiveDate,
    pub budget: Usd,
    /// What the period's queries have cost so far.
    pub spent: Usd,
    /// What is reserved for those that run, besides.
    pub reserved: Usd,
}

impl BudgetSpent {
    /// The error of a query that it ends, or does not let begin.
    #[must_use]
    pub fn error(&self) -> Error {
        let (budget, figures) = (self.name(), self.figures());
        self.refused(format!("{budget} is used up: {figures}"))
    }

    /// The error of a query that does not begin because it may cost this much.
    #[must_use]
    pub fn over_quote(&self, price: Usd) -> Error {
        let (budget, figures) = (self.name(), self.figures());
        self.refused(format!("the query may cost up to {price} USD, and {budget} has no room for it: {figures}"))
    }

    fn refused(&self, message: String) -> Error {
        let period = self.period;
        Error::new(ErrorKind::LimitExceeded, message).with_hint(format!(
            "Wait for the next {period}, or ask an administrator: ALTER WORKGROUP raises budget_per_{period}_usd. Statements \
             that scan nothing still run"
        ))
    }

    fn name(&self) -> String {
        format!("the budget of workgroup \"{}\" for {}", self.workgroup, self.period.name(self.begins))
    }

    fn figures(&self) -> String {
        let Self { budget, spent, reserved, .. } = self;
        let spent = format!("{spent} of {budget} USD are spent");
        if reserved.is_zero() { spent } else { format!("{spent}, {reserved} USD are reserved by running queries") }
    }
}

/// Pays for what one query scans.
pub(crate) trait Payer: Debug + Send + Sync {
    /// Grants at least `scanned_bytes` of table data in all; returns how many bytes are granted. What the query's requests have cost until then is
    /// paid as well.
    ///
    /// # Errors
    /// The budget that has no room for it.
    fn extend(&self, scanned_bytes: u64) -> Result<u64, BudgetSpent>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_with_its_first_day() {
        let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        assert_eq!(Period::Day.begin(day), day);
        assert_eq!(Period::Month.begin(day).to_string(), "2024-02-01");
    }

    #[test]
    fn the_error_names_workgroup_period_and_money() {
        let spent = BudgetSpent {
            workgroup: "bi".to_owned(),
            period: Period::Month,
            begins: NaiveDate::from_ymd_opt(2025, 6, 1).unwrap(),
            budget: Usd::from_atto(2_000_000_000_000_000_000),
            spent: Usd::from_atto(1_999_950_000_000_000_000),
            reserved: Usd::ZERO,
        };
        assert_eq!(spent.error().message(), "the budget of workgroup \"bi\" for 2025-06 is used up: 1.99995 of 2 USD are spent");
        let reserved = BudgetSpent { reserved: Usd::from_atto(50_000_000_000_000), ..spent };
        assert!(reserved.error().message().ends_with("are spent, 0.00005 USD are reserved by running queries"));
        assert!(reserved.error().hint().unwrap().contains("budget_per_month_usd"));
    }
}
