//! What one query pays from: it reserves money of its workgroup's budgets before the query scans for it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Budgets, spender::Spender};
use crate::{
    accounting::{BudgetSpent, Payer, Usd},
    error::Result,
};

/// Bytes for which money is reserved at a time: few, so that queries that run together leave each other what they do not need.
const STEP: u64 = 10_000_000;

type Cost = Box<dyn Fn(u64) -> Usd + Send + Sync>;

/// The purse of a query.
pub(in crate::lifecycle) struct Purse {
    budgets: Arc<Budgets>,
    spender: Spender,
    /// What the query costs once it has scanned so many bytes.
    cost: Cost,
    /// What it will scan at most, as far as is known.
    most: AtomicU64,
}

impl Purse {
    pub(in crate::lifecycle) fn new(budgets: &Arc<Budgets>, spender: Spender, cost: Cost) -> Self {
        Self { budgets: Arc::clone(budgets), spender, cost, most: AtomicU64::new(u64::MAX) }
    }

    /// Refuses a query whose budgets have no room for anything that is scanned.
    ///
    /// # Errors
    /// `LimitExceeded`; as of the history's file.
    pub(in crate::lifecycle) async fn check(&self) -> Result<()> {
        self.budgets.check(&self.spender, (self.cost)(1)).await
    }

    /// Reserves what the query scans first; returns how many bytes that is. The query must end with [`Budgets::end`].
    ///
    /// # Errors
    /// `LimitExceeded` if there is no room for its whole quote, and it is to be refused then.
    pub(in crate::lifecycle) fn open(&self, quoted_bytes: Option<u64>) -> Result<u64> {
        let limits = &self.spender.limits;
        let limit = limits.max_scan.map_or(u64::MAX, |limit| limit.value);
        let most = quoted_bytes.unwrap_or(u64::MAX).min(limit);
        self.most.store(most, Relaxed);
        self.budgets.begin(&self.spender);
        let takes_all = limits.refuse_over_quote && most < u64::MAX;
        let first = if takes_all { most } else { most.min(STEP) };
        let price = (self.cost)(first);
        match self.budgets.reserve(&self.spender, price, (self.cost)(0)) {
            Ok(()) => Ok(first),
            Err(spent) if takes_all => Err(spent.over_quote(price)),
            // As it scans, smaller amounts may find room.
            Err(_) => Ok(0),
        }
    }
}

impl Payer for Purse {
    fn extend(&self, scanned_bytes: u64) -> Result<u64, BudgetSpent> {
        let most = self.most.load(Relaxed);
        let wanted = scanned_bytes.max(scanned_bytes.saturating_add(STEP).min(most));
        let needed = (self.cost)(scanned_bytes);
        let amount = if wanted == scanned_bytes { needed } else { (self.cost)(wanted) };
        if self.budgets.reserve(&self.spender, amount, needed).is_ok() {
            return Ok(wanted);
        }
        self.budgets.reserve(&self.spender, needed, needed).map(|()| scanned_bytes)
    }
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purse").field("spender", &self.spender).finish_non_exhaustive()
    }
}
