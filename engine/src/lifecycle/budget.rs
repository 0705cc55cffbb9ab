//! The budgets of workgroups, while queries run. What has been spent is what the history says, so that it survives restarts and is shared by all
//! processes of a data directory; what the queries of this process may still cost is reserved here, before they scan for it.
//!
//! A query reserves in steps, and no more than its quote: whole quotes would keep money from others that is hardly ever spent. With
//! `refuse_over_quote` it reserves its whole quote before it begins, or is refused. A query whose next step finds no room ends; what it has scanned until
//! then was paid for, so that a budget is exceeded by no more than what requests cost beyond the last step.
//!
//! A query counts for the day (UTC) that it was submitted on, as in `system.usage`.

mod purse;
mod spender;
mod spending;
#[cfg(test)]
mod tests;
mod warning;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use chrono::{Months, NaiveDate};

pub(super) use self::{purse::Purse, spender::Spender};
use self::{
    spending::Spent,
    warning::{Warning, announce},
};
use super::history::History;
use crate::{
    accounting::{BudgetSpent, Period, Usd},
    clock::Clock,
    error::Result,
    hooks::Hooks,
};

/// How often queries of dead processes are looked for, which seem to run.
const REAP: Duration = Duration::from_secs(5);

/// The budgets of all workgroups that have one.
pub(super) struct Budgets {
    history: Arc<History>,
    clock: Arc<dyn Clock>,
    hooks: OnceLock<Arc<Hooks>>,
    workgroups: Mutex<HashMap<Arc<str>, Spent>>,
    /// One look at the history at a time, so that an older one never replaces a newer.
    looking: tokio::sync::Mutex<Option<Instant>>,
}

impl Budgets {
    pub(super) fn new(history: Arc<History>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            history,
            clock,
            hooks: OnceLock::new(),
            workgroups: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// Sets what is called when budgets run low; `false` if that was done before.
    pub(super) fn set_hooks(&self, hooks: Arc<Hooks>) -> bool {
        self.hooks.set(hooks).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Spent>> {
        self.workgroups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from the history what the spender's workgroup has spent by now.
    ///
    /// # Errors
    /// As of the history's file.
    async fn look(&self, spender: &Spender) -> Result<()> {
        let mut reaped = self.looking.lock().await;
        if reaped.is_none_or(|at| at.elapsed() > REAP) {
            self.history.settle().await;
            *reaped = Some(Instant::now());
        }
        let workgroup = &spender.limits.workgroup;
        let own = self.lock().get(workgroup).map(Spent::queries).unwrap_or_default();
        let days = month_of(spender.day);
        let found = self.history.spending(workgroup.to_string(), days.clone(), own).await?;
        // What has ended and is not in the file waits to be written, or was removed from it again.
        let is_written = self.history.waiting().is_none();
        self.lock().entry(Arc::clone(workgroup)).or_default().recorded(found, &days, is_written);
        Ok(())
    }

    /// Whether there is room for a query that costs at least this.
    ///
    /// # Errors
    /// The budget's, if it has none left; as of the history's file.
    async fn check(&self, spender: &Spender, least: Usd) -> Result<()> {
        self.look(spender).await?;
        let checked = self.lock().entry(Arc::clone(&spender.limits.workgroup)).or_default().check(spender, least);
        checked.map_err(|spent| {
            self.announce(Warning::used_up(spender, &spent));
            spent.error()
        })
    }

    /// Reserves this much for a query in all, if it has begun and not ended. `used` is what it comes to cost now.
    fn reserve(&self, spender: &Spender, amount: Usd, used: Usd) -> Result<(), BudgetSpent> {
        let (reserved, warnings) = {
            let mut workgroups = self.lock();
            let spent = workgroups.entry(Arc::clone(&spender.limits.workgroup)).or_default();
            (spent.reserve(spender, amount, used), spent.warnings(spender))
        };
        warnings.into_iter().for_each(|warning| self.announce(warning));
        reserved
    }

    /// From here on something is reserved for a query, until it ends.
    fn begin(&self, spender: &Spender) {
        self.lock().entry(Arc::clone(&spender.limits.workgroup)).or_default().begin(spender);
    }

    /// A query has ended, and costs this. Called before the history knows.
    pub(super) fn end(&self, spender: &Spender, cost: Usd) {
        let warnings = {
            let mut workgroups = self.lock();
            let Some(spent) = workgroups.get_mut(&spender.limits.workgroup) else { return };
            spent.end(spender.query, cost);
            spent.warnings(spender)
        };
        warnings.into_iter().for_each(|warning| self.announce(warning));
    }

    /// A query has ended because of this budget.
    pub(super) fn refused(&self, spender: &Spender, spent: &BudgetSpent) {
        self.announce(Warning::used_up(spender, spent));
    }

    /// Writes a warning to the log and calls its hook, once in each period, apart from everything else.
    fn announce(&self, warning: Warning) {
        let is_first = self.lock().get_mut(&warning.key.workgroup[..]).is_some_and(|spent| spent.is_first(&warning.key));
        if !is_first {
            return;
        }
        let hooks = self.hooks.get_or_init(|| Arc::new(Hooks::none()));
        let hook = warning.hook.as_ref().map(|name| (name.clone(), hooks.find(name)));
        hooks.apart(announce(Arc::clone(&self.history), self.clock.now(), warning, hook));
    }

    /// Looks at the history for those workgroups whose queries run, since other processes spend too.
    pub(super) async fn look_again(&self) {
        let running: Vec<Spender> = self.lock().values().filter_map(Spent::running).collect();
        for spender in running {
            if let Err(error) = self.look(&spender).await {
                tracing::warn!(%error, workgroup = %spender.limits.workgroup, "what other processes spend could not be read");
            }
        }
    }
}

/// The days of the month that a day lies in.
fn month_of(day: NaiveDate) -> std::ops::RangeInclusive<NaiveDate> {
    let first = Period::Month.begin(day);
    let last = first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX);
    first..=last
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("workgroups", &self.lock().keys()).finish_non_exhaustive()
    }
}
