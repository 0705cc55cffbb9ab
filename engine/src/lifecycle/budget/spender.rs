//! A query that is paid out of budgets.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::lifecycle::{limits::Limits, report::QueryId};

/// A query that is paid out of its workgroup's budgets.
#[derive(Debug, Clone)]
pub(in crate::lifecycle) struct Spender {
    pub(in crate::lifecycle) query: QueryId,
    /// That it was submitted on, and that it counts for.
    pub(in crate::lifecycle) day: NaiveDate,
    pub(in crate::lifecycle) limits: Arc<Limits>,
}
