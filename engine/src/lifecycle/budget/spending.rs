//! What one workgroup has spent, and what is reserved for its running queries. Arithmetic alone: it knows no file, no clock and no hook.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use chrono::{Days, NaiveDate};

use super::{spender::Spender, warning::Warning};
use crate::{
    accounting::{BudgetSpent, Period, Usd},
    lifecycle::{
        history::{Spending, WarningKey},
        report::QueryId,
    },
};

/// After this time a query that has ended and is not in a history that can be written was removed from it again.
const REMOVED: Duration = Duration::from_secs(60);

/// Days of which sums are kept.
const KEPT: Days = Days::new(31);

/// What one workgroup has spent, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// What the history has, by day of submission.
    recorded: BTreeMap<NaiveDate, Usd>,
    /// Queries of this process that are not among it.
    own: HashMap<QueryId, Own>,
    /// The warnings that were given.
    given: HashSet<WarningKey>,
}

/// A query of this process.
#[derive(Debug)]
struct Own {
    spender: Spender,
    /// What it may come to cost; once it has ended, what it cost.
    reserved: Usd,
    /// What it has cost so far.
    used: Usd,
    ended: Option<Instant>,
}

/// The sums of a period.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// What ended queries have cost.
    spent: Usd,
    /// What is reserved for those that run.
    reserved: Usd,
    /// What those that run have cost so far.
    used: Usd,
}

impl Spent {
    /// The queries of this process that the history may know by now.
    pub(super) fn queries(&self) -> Vec<QueryId> {
        self.own.keys().copied().collect()
    }

    /// A query that runs.
    pub(super) fn running(&self) -> Option<Spender> {
        self.own.values().find(|own| own.ended.is_none()).map(|own| own.spender.clone())
    }

    /// Takes in what the history has of these days. `is_written` says that nothing waits to be written to it.
    pub(super) fn recorded(&mut self, found: Spending, days: &RangeInclusive<NaiveDate>, is_written: bool) {
        let oldest = days.start().checked_sub_days(KEPT).unwrap_or(NaiveDate::MIN);
        self.recorded.retain(|day, _| !days.contains(day) && *day >= oldest);
        self.recorded.extend(found.by_day);
        self.own.retain(|query, own| match found.known.get(query) {
            // It is in the sums.
            Some(true) => false,
            Some(false) => true,
            None => !is_written || own.ended.is_none_or(|at| at.elapsed() < REMOVED),
        });
        self.given.retain(|key| key.begins >= oldest);
    }

    /// Refuses a query if there is no room for what it costs at least.
    pub(super) fn check(&self, spender: &Spender, least: Usd) -> Result<(), BudgetSpent> {
        if spender.limits.budget.is_hard { self.room(spender, least) } else { Ok(()) }
    }

    /// From now on something may be reserved for the query.
    pub(super) fn begin(&mut self, spender: &Spender) {
        let own = Own { spender: spender.clone(), reserved: Usd::ZERO, used: Usd::ZERO, ended: None };
        self.own.entry(spender.query).or_insert(own);
    }

    /// Reserves this much for a query in all. A query that has ended needs nothing.
    pub(super) fn reserve(&mut self, spender: &Spender, amount: Usd, used: Usd) -> Result<(), BudgetSpent> {
        if self.own.get(&spender.query).is_none_or(|own| own.ended.is_some()) {
            return Ok(());
        }
        self.check(spender, amount)?;
        if let Some(own) = self.own.get_mut(&spender.query) {
            own.reserved = own.reserved.max(amount);
            own.used = own.used.max(used);
        }
        Ok(())
    }

    /// The query has ended, and costs this.
    pub(super) fn end(&mut self, query: QueryId, cost: Usd) {
        if let Some(own) = self.own.get_mut(&query) {
            (own.reserved, own.used, own.ended) = (cost, cost, Some(Instant::now()));
        }
    }

    /// The warnings of a spender's budgets that are due and were not given.
    pub(super) fn warnings(&self, spender: &Spender) -> Vec<Warning> {
        let budget = &spender.limits.budget;
        let mut warnings = Vec::new();
        for (period, amount) in budget.amounts() {
            let sums = self.sums(period, spender);
            let spent = sums.spent + sums.used;
            for level in &budget.warning_levels {
                let warning = Warning::at(spender, period, amount, *level, spent);
                if spent.saturating_mul(100) >= amount.saturating_mul(u64::from(*level)) && !self.given.contains(&warning.key) {
                    warnings.push(warning);
                }
            }
        }
        warnings
    }

    /// Notes that a warning is given; whether it is for the first time.
    pub(super) fn is_first(&mut self, key: &WarningKey) -> bool {
        self.given.insert(key.clone())
    }

    /// Whether the query may cost this in all.
    fn room(&self, spender: &Spender, amount: Usd) -> Result<(), BudgetSpent> {
        let own = self.own.get(&spender.query).filter(|own| own.ended.is_none()).map(|own| own.reserved).unwrap_or_default();
        for (period, budget) in spender.limits.budget.amounts() {
            let Sums { spent, reserved, .. } = self.sums(period, spender);
            // What is reserved for the query itself is part of the amount.
            let others = Usd::from_atto(reserved.atto().saturating_sub(own.atto()));
            if spent + others + amount > budget {
                let (workgroup, begins) = (spender.limits.workgroup.to_string(), period.begin(spender.day));
                return Err(BudgetSpent { workgroup, period, begins, budget, spent, reserved });
            }
        }
        Ok(())
    }

    /// The sums of the period that a spender counts for.
    fn sums(&self, period: Period, spender: &Spender) -> Sums {
        let begins = period.begin(spender.day);
        let is_within = |day: NaiveDate| period.begin(day) == begins;
        let recorded = self.recorded.iter().filter(|(day, _)| is_within(**day)).map(|(_, cost)| *cost).sum();
        let mut sums = Sums { spent: recorded, ..Sums::default() };
        for own in self.own.values().filter(|own| is_within(own.spender.day)) {
            if own.ended.is_some() {
                sums.spent += own.reserved;
            } else {
                sums.reserved += own.reserved;
                sums.used += own.used;
            }
        }
        sums
    }
}
