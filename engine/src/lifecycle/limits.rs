//! The limits that hold for one query: those of its session and those of its workgroup. Plain data; `execute/limits` reads them from the catalog.

use std::{sync::Arc, time::Duration};

use crate::{
    accounting::{Period, Tariff, Usd},
    error::{Error, ErrorKind, Result},
    session::SessionOptions,
};

/// Queries of a workgroup that may wait for a slot where nobody says otherwise.
pub(crate) const MAX_QUEUED: usize = 1_000;

/// The limits that hold for one query.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub workgroup: Arc<str>,
    /// Bytes of table data that it may scan.
    pub max_scan: Option<Limit<u64>>,
    /// Whether it is refused if its quote is above what it may scan, or above what its budgets have left.
    pub refuse_over_quote: bool,
    /// How long it may take.
    pub timeout: Option<Limit<Duration>>,
    /// Bytes of memory that it may hold.
    pub memory_limit: Option<u64>,
    /// Whether tables with partition keys have to be filtered by one of them.
    pub require_partition_filter: bool,
    /// What it is billed by, if the workgroup says so.
    pub tariff: Option<Arc<Tariff>>,
    /// Queries of the workgroup that run at a time.
    pub max_concurrent_queries: Option<usize>,
    /// Queries of the workgroup that wait for that.
    pub max_queued_queries: usize,
    pub budget: Budget,
}

/// A limit, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit<T> {
    pub value: T,
    /// The workgroup's; else the session's.
    pub is_workgroups: bool,
}

/// What the queries of a workgroup may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// In a day (UTC).
    pub per_day: Option<Usd>,
    /// In a month (UTC).
    pub per_month: Option<Usd>,
    /// Per cents of a budget at which its hook is called.
    pub warning_levels: Vec<u8>,
    /// Whether queries end when it is used up.
    pub is_hard: bool,
    /// What is called, by its name in the configuration.
    pub hook: Option<String>,
}

impl<T: PartialOrd> Limit<T> {
    /// Which of the two limits holds. A session tightens its workgroup's and never widens it if that is enforced; else the workgroup's is for
    /// sessions that have none.
    #[must_use]
    pub(crate) fn of(session: Option<T>, workgroup: Option<T>, is_enforced: bool) -> Option<Self> {
        match (session, workgroup) {
            (Some(session), Some(workgroup)) if is_enforced && workgroup < session => {
                Some(Self { value: workgroup, is_workgroups: true })
            }
            (Some(value), _) => Some(Self { value, is_workgroups: false }),
            (None, Some(value)) => Some(Self { value, is_workgroups: true }),
            (None, None) => None,
        }
    }
}

impl Limits {
    /// Those of a session alone.
    #[must_use]
    pub(crate) fn of_session(session: &SessionOptions) -> Self {
        Self {
            workgroup: session.workgroup.as_str().into(),
            max_scan: Limit::of(session.max_scan, None, true),
            refuse_over_quote: false,
            timeout: Limit::of(session.timeout, None, true),
            memory_limit: None,
            require_partition_filter: false,
            tariff: None,
            max_concurrent_queries: None,
            max_queued_queries: MAX_QUEUED,
            budget: Budget::default(),
        }
    }

    /// Whether a query is quoted before it begins, to judge it by that.
    pub(crate) fn judges_quotes(&self) -> bool {
        self.refuse_over_quote && (self.max_scan.is_some() || self.budget.is_set())
    }

    /// Refuses a query whose quote is above what it may scan, if such queries are to be refused. Without a quote nothing bounds what it scans.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(crate) fn check_quote(&self, quoted_bytes: Option<u64>) -> Result<()> {
        let is_over = |limit: u64| quoted_bytes.is_none_or(|bytes| bytes > limit);
        let Some(limit) = self.max_scan.filter(|limit| self.refuse_over_quote && is_over(limit.value)) else { return Ok(()) };
        let message = match quoted_bytes {
            Some(bytes) => format!("the query may scan up to {bytes} bytes, more than its limit of {} bytes", limit.value),
            None => format!("there is no upper bound on what the query may scan, and its limit is {} bytes", limit.value),
        };
        Err(Error::new(ErrorKind::LimitExceeded, message).with_hint(format!(
            "Filter by partition keys, or select fewer columns. Workgroup \"{}\" refuses queries by their quotes: its \
             refuse_over_quote is true",
            self.workgroup
        )))
    }
}

impl Budget {
    /// Whether there is one.
    #[must_use]
    pub(crate) fn is_set(&self) -> bool {
        self.per_day.is_some() || self.per_month.is_some()
    }

    /// The amounts that there are.
    pub(crate) fn amounts(&self) -> impl Iterator<Item = (Period, Usd)> + use<> {
        let amounts = [(Period::Day, self.per_day), (Period::Month, self.per_month)];
        amounts.into_iter().filter_map(|(period, amount)| Some((period, amount?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_tightens_its_workgroups_limit_and_never_widens_it() {
        let of = |session, workgroup, is_enforced| {
            Limit::of(session, workgroup, is_enforced).map(|limit: Limit<u64>| (limit.value, limit.is_workgroups))
        };
        assert_eq!(of(None, None, true), None);
        assert_eq!(of(Some(5), None, true), Some((5, false)));
        assert_eq!(of(None, Some(7), true), Some((7, true)));
        assert_eq!(of(Some(5), Some(7), true), Some((5, false)));
        assert_eq!(of(Some(9), Some(7), true), Some((7, true)));
        // A default only.
        assert_eq!(of(Some(9), Some(7), false), Some((9, false)));
        assert_eq!(of(None, Some(7), false), Some((7, true)));
    }

    #[test]
    fn a_quote_above_the_limit_is_refused_if_that_is_wanted() {
        let session = SessionOptions { max_scan: Some(10), ..SessionOptions::default() };
        let mut limits = Limits::of_session(&session);
        assert!(limits.check_quote(Some(11)).is_ok() && !limits.judges_quotes());
        limits.refuse_over_quote = true;
        assert!(limits.check_quote(Some(10)).is_ok() && limits.judges_quotes());
        let error = limits.check_quote(Some(11)).unwrap_err();
        assert_eq!(error.message(), "the query may scan up to 11 bytes, more than its limit of 10 bytes");
        assert!(limits.check_quote(None).unwrap_err().message().contains("no upper bound"));
        limits.max_scan = None;
        assert!(limits.check_quote(None).is_ok() && !limits.judges_quotes());
    }
}
