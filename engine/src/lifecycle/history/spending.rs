//! What workgroups have spent, as the history has it, and which warnings of their budgets were given.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, params};

use super::{
    History, read,
    record::{TextBounds, UsageFilter},
    schema::failed,
};
use crate::{
    accounting::{Period, Usd},
    error::Result,
    lifecycle::QueryId,
};

/// What the queries of a workgroup have cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::lifecycle) struct Spending {
    /// By day of submission: of those that have ended and, in other processes, of those that run.
    pub(in crate::lifecycle) by_day: BTreeMap<NaiveDate, Usd>,
    /// Of the queries that were asked about, those that the history has, and whether they have ended there. Those that have are in the sums.
    pub(in crate::lifecycle) known: HashMap<QueryId, bool>,
}

/// A warning that is given once: at this level of this budget, in the period that begins on this day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::lifecycle) struct WarningKey {
    pub(in crate::lifecycle) workgroup: String,
    pub(in crate::lifecycle) period: Period,
    pub(in crate::lifecycle) begins: NaiveDate,
    pub(in crate::lifecycle) budget: Usd,
    /// A per cent; 0 stands for a budget that ends queries.
    pub(in crate::lifecycle) level: u8,
}

impl History {
    /// What the queries of a workgroup that were submitted on these days have cost, and how these queries of this process stand.
    ///
    /// # Errors
    /// As of the file.
    pub(in crate::lifecycle) async fn spending(
        &self,
        workgroup: String,
        days: RangeInclusive<NaiveDate>,
        own: Vec<QueryId>,
    ) -> Result<Spending> {
        let instance = self.instance.id().to_owned();
        self.read(move |connection| {
            // In one transaction: what has ended is in the sums. In memory the caller has one.
            let _snapshot = match connection.is_autocommit() {
                true => Some(connection.unchecked_transaction().map_err(|e| failed(&e))?),
                false => None,
            };
            let by_day = sums(connection, &workgroup, &days, &instance)?;
            let mut known = HashMap::new();
            for query in own {
                if let Some(record) = read::get(connection, query)? {
                    known.insert(query, record.ended_at.is_some());
                }
            }
            Ok(Spending { by_day, known })
        })
        .await
    }

    /// Notes that a warning is given; `false` if it was before, by any process.
    ///
    /// # Errors
    /// As of the file.
    pub(in crate::lifecycle) async fn note_warning(&self, key: WarningKey, at: DateTime<Utc>) -> Result<bool> {
        const SQL: &str = "INSERT OR IGNORE INTO budget_warnings (workgroup, period, begins, budget_usd, level, given_at)
            VALUES (?, ?, ?, ?, ?, ?)";
        let note = move |connection: &Connection| {
            let WarningKey { workgroup, period, begins, budget, level } = &key;
            let (begins, budget) = (begins.to_string(), budget.to_string());
            let mut statement = connection.prepare_cached(SQL)?;
            statement.execute(params![workgroup, period.as_str(), begins, budget, level, at.timestamp_millis()])
        };
        Ok(self.writer.call(move |connection| note(connection).map_err(|e| failed(&e))).await? > 0)
    }
}

fn sums(
    connection: &Connection,
    workgroup: &str,
    days: &RangeInclusive<NaiveDate>,
    instance: &str,
) -> Result<BTreeMap<NaiveDate, Usd>> {
    let texts = [("workgroup".to_owned(), TextBounds::of([workgroup.to_owned()].into()))].into();
    let filter = UsageFilter { since: Some(*days.start()), until: Some(*days.end()), texts };
    let mut by_day: BTreeMap<NaiveDate, Usd> = BTreeMap::new();
    for total in read::totals(connection, &filter)? {
        *by_day.entry(total.day).or_default() += total.bill.total();
    }
    for (day, cost) in running_elsewhere(connection, workgroup, instance).map_err(|e| failed(&e))? {
        if days.contains(&day) {
            *by_day.entry(day).or_default() += cost;
        }
    }
    Ok(by_day)
}

/// What the running queries of other processes have cost so far.
fn running_elsewhere(connection: &Connection, workgroup: &str, instance: &str) -> rusqlite::Result<Vec<(NaiveDate, Usd)>> {
    // The few that run are looked through, not all of the workgroup.
    const SQL: &str = "SELECT date(submitted_at / 1000, 'unixepoch'), cost_nano_usd, cost_rest_atto_usd FROM queries
        WHERE state IN ('QUEUED', 'RUNNING') AND ended_at IS NULL AND instance <> ? AND +workgroup = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map([instance, workgroup], |row| {
        let day: String = row.get(0)?;
        Ok((day.parse::<NaiveDate>().unwrap_or_default(), read::amount(row.get(1)?, row.get(2)?)))
    })?;
    rows.collect()
}
