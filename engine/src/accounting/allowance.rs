//! What one query may still scan. Table data is reserved before it is asked for, and counted when a decoder is handed it, so that neither the
//! query's limit nor the money that was granted for it is overrun, however many streams read ahead.
//!
//! What was reserved and turns out not to be needed is given back. A read for which there is no room right now waits for that (`scan/io`); it is
//! refused once it would not fit even if everything else were given back.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::{Notify, futures::Notified};

use super::{BudgetSpent, Payer};

/// Reads after which the payer is asked again, whether or not more bytes are wanted: requests cost money too.
const READS: u64 = 256;

/// The table data that one query may scan, has reserved, and has scanned.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// What decoders were handed; never beyond `bound`.
    scanned: AtomicU64,
    /// The same, and what is reserved.
    committed: AtomicU64,
    /// What may be committed: the limit, or what the payer has granted so far.
    bound: AtomicU64,
    reads: AtomicU64,
    /// The query needs more than it may scan.
    is_refused: AtomicBool,
    terms: Mutex<Terms>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Terms {
    limit: Option<u64>,
    payer: Option<Arc<dyn Payer>>,
    /// The budget because of which something was refused last; `None` if it was the limit.
    spent: Option<BudgetSpent>,
}

/// Why bytes cannot be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is room only if some of what is reserved is given back.
    Later,
    /// There is no room in any case.
    Never,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            scanned: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            bound: AtomicU64::new(u64::MAX),
            reads: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
            terms: Mutex::default(),
            changed: Notify::new(),
        }
    }
}

impl Allowance {
    fn lock(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how much the query may scan, before it scans anything.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        let mut terms = self.lock();
        terms.limit = limit;
        if terms.payer.is_none() {
            self.bound.store(limit.unwrap_or(u64::MAX), Relaxed);
        }
    }

    /// How much the query may scan, if there is a limit.
    #[must_use]
    pub(crate) fn limit(&self) -> Option<u64> {
        self.lock().limit
    }

    /// Has everything beyond `granted` paid by `payer`, within the limit.
    pub(crate) fn pay_by(&self, payer: Arc<dyn Payer>, granted: u64) {
        let mut terms = self.lock();
        self.bound.store(granted.min(terms.limit.unwrap_or(u64::MAX)), Relaxed);
        terms.payer = Some(payer);
    }

    /// What decoders were handed.
    #[must_use]
    pub(crate) fn scanned(&self) -> u64 {
        self.scanned.load(Relaxed)
    }

    /// Whether so many more bytes fit without asking for more.
    #[cfg(test)]
    fn has_room(&self, bytes: u64) -> bool {
        self.committed.load(Relaxed).saturating_add(bytes) <= self.bound.load(Relaxed)
    }

    /// Remembers that the query ends because it needs more than it may scan.
    pub(crate) fn refuse(&self) {
        self.is_refused.store(true, Relaxed);
    }

    /// Whether the query needs more than it may scan.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Relaxed)
    }

    /// The budget because of which something was refused; `None` if it was the limit.
    #[must_use]
    pub(crate) fn spent(&self) -> Option<BudgetSpent> {
        self.lock().spent.clone()
    }

    /// Ready when something was scanned or given back since this was called.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Reserves bytes, before they are asked for.
    ///
    /// # Errors
    /// Why they cannot be.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, Refusal> {
        while !self.commit(bytes) {
            if let Err(spent) = self.extend(self.wanted(bytes), false) {
                let least = self.scanned().saturating_add(bytes);
                return Err(if self.extend(least, false).is_ok() { Refusal::Later } else { self.never(spent) });
            }
        }
        let reservation = Reservation { allowance: Arc::clone(self), bytes };
        if self.reads.fetch_add(1, Relaxed) % READS == READS - 1 {
            // What was forced is beyond it.
            let held = self.committed.load(Relaxed).min(self.bound.load(Relaxed));
            self.extend(held, true).map_err(|spent| self.never(spent))?;
        }
        Ok(reservation)
    }

    /// Reserves bytes although there is no room: something that is reserved must be given back before they can be scanned.
    pub(crate) fn force(self: &Arc<Self>, bytes: u64) -> Reservation {
        self.committed.fetch_add(bytes, Relaxed);
        // Whoever waits goes on waiting from now.
        self.changed.notify_waiters();
        Reservation { allowance: Arc::clone(self), bytes }
    }

    /// Counts table data that a decoder is handed, out of what was reserved for it; `false` if the query may not scan that much.
    pub(super) fn take(&self, bytes: u64, reserved: &mut u64) -> bool {
        let within = |scanned: u64| Some(scanned.saturating_add(bytes)).filter(|scanned| *scanned <= self.bound.load(Relaxed));
        while self.scanned.fetch_update(Relaxed, Relaxed, within).is_err() {
            if let Err(spent) = self.extend(self.scanned().saturating_add(bytes), false) {
                self.never(spent);
                self.refuse();
                return false;
            }
        }
        let covered = bytes.min(*reserved);
        *reserved -= covered;
        self.committed.fetch_add(bytes - covered, Relaxed);
        self.changed.notify_waiters();
        true
    }

    fn wanted(&self, bytes: u64) -> u64 {
        self.committed.load(Relaxed).saturating_add(bytes)
    }

    fn commit(&self, bytes: u64) -> bool {
        let within = |committed: u64| Some(committed.saturating_add(bytes)).filter(|all| *all <= self.bound.load(Relaxed));
        self.committed.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    /// Makes `bound` at least `total`. With `is_due` the payer is asked in any case.
    fn extend(&self, total: u64, is_due: bool) -> Result<(), Option<BudgetSpent>> {
        let terms = self.lock();
        let limit = terms.limit.unwrap_or(u64::MAX);
        if total > limit {
            return Err(None);
        }
        if total <= self.bound.load(Relaxed) && !is_due {
            return Ok(());
        }
        if let Some(payer) = &terms.payer {
            let granted = payer.extend(total)?;
            self.bound.fetch_max(granted.max(total).min(limit), Relaxed);
        }
        Ok(())
    }

    fn never(&self, spent: Option<BudgetSpent>) -> Refusal {
        self.lock().spent = spent;
        Refusal::Never
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            self.committed.fetch_sub(bytes, Relaxed);
            self.changed.notify_waiters();
        }
    }
}

/// Bytes that are reserved until they are counted, or until this is dropped.
#[derive(Debug)]
#[must_use = "what is reserved is given back when this is dropped"]
pub(crate) struct Reservation {
    allowance: Arc<Allowance>,
    pub(super) bytes: u64,
}

impl Reservation {
    /// Of nothing.
    #[cfg(test)]
    pub(super) fn none(allowance: &Arc<Allowance>) -> Self {
        Self { allowance: Arc::clone(allowance), bytes: 0 }
    }

    /// Gives back all but these bytes; `None`, and all of it, if it has fewer.
    #[must_use]
    pub(crate) fn keep(mut self, bytes: u64) -> Option<Self> {
        let rest = self.bytes.checked_sub(bytes)?;
        self.bytes = bytes;
        self.allowance.give_back(rest);
        Some(self)
    }

    /// Takes in another one of the same query.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.bytes += mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.allowance.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::accounting::{Period, Usd};

    fn limited(limit: u64) -> Arc<Allowance> {
        let allowance = Arc::new(Allowance::default());
        allowance.set_limit(Some(limit));
        allowance
    }

    /// Counts bytes out of a reservation.
    fn take(allowance: &Allowance, bytes: u64, reservation: &mut Reservation) -> bool {
        allowance.take(bytes, &mut reservation.bytes)
    }

    #[test]
    fn what_is_reserved_and_what_is_scanned_stay_below_the_limit_together() {
        let allowance = limited(10);
        let mut first = allowance.reserve(4).unwrap();
        let second = allowance.reserve(6).unwrap();
        assert_eq!(allowance.reserve(1).unwrap_err(), Refusal::Later);
        assert_eq!(allowance.reserve(11).unwrap_err(), Refusal::Never);
        assert!(take(&allowance, 3, &mut first));
        assert_eq!((allowance.scanned(), allowance.has_room(1)), (3, false));
        // What was not scanned of it is given back.
        drop(first);
        let third = allowance.reserve(1).unwrap();
        drop(second);
        assert_eq!(allowance.reserve(7).unwrap_err(), Refusal::Later);
        drop(third);
        assert_eq!(allowance.reserve(8).unwrap_err(), Refusal::Never);
        assert!(allowance.reserve(7).is_ok());
        assert!(!allowance.is_refused(), "a read that is refused may not be needed");
    }

    #[test]
    fn reads_that_wait_are_never_refused_for_their_number() {
        let allowance = limited(10);
        let first = allowance.reserve(10).unwrap();
        for _ in 0..=READS {
            assert_eq!(allowance.reserve(1).unwrap_err(), Refusal::Later);
        }
        drop(first);
        for _ in 0..=READS {
            assert!(allowance.reserve(10).is_ok());
        }
    }

    #[test]
    fn a_part_of_a_reservation_is_kept() {
        let allowance = limited(10);
        let part = allowance.reserve(10).unwrap().keep(4).unwrap();
        assert!(allowance.has_room(6) && !allowance.has_room(7));
        assert!(part.keep(5).is_none());
        assert!(allowance.has_room(10));
    }

    #[test]
    fn no_more_than_the_limit_is_scanned_whatever_was_reserved() {
        let allowance = limited(10);
        let mut parked = allowance.reserve(10).unwrap();
        let mut forced = allowance.force(6);
        assert!(take(&allowance, 6, &mut forced));
        assert!(!take(&allowance, 5, &mut parked));
        assert!(allowance.is_refused() && allowance.spent().is_none());
        assert!(take(&allowance, 4, &mut parked));
        assert_eq!(allowance.scanned(), 10);
        drop((parked, forced));
        // Nothing was reserved for these.
        let mut none = Reservation::none(&allowance);
        assert!(!take(&allowance, 1, &mut none));
        assert_eq!(allowance.scanned(), 10);
    }

    /// Pays for so many bytes, in steps.
    #[derive(Debug)]
    struct Purse {
        most: u64,
        step: u64,
        asked: AtomicU64,
    }

    impl Payer for Purse {
        fn extend(&self, scanned_bytes: u64) -> Result<u64, BudgetSpent> {
            self.asked.fetch_add(1, Relaxed);
            if scanned_bytes > self.most {
                return Err(BudgetSpent {
                    workgroup: "bi".to_owned(),
                    period: Period::Day,
                    begins: NaiveDate::default(),
                    budget: Usd::ZERO,
                    spent: Usd::ZERO,
                    reserved: Usd::ZERO,
                });
            }
            Ok((scanned_bytes + self.step).min(self.most))
        }
    }

    fn paid(limit: Option<u64>, most: u64, step: u64) -> (Arc<Allowance>, Arc<Purse>) {
        let allowance = Arc::new(Allowance::default());
        allowance.set_limit(limit);
        let purse = Arc::new(Purse { most, step, asked: AtomicU64::new(0) });
        allowance.pay_by(Arc::clone(&purse) as Arc<dyn Payer>, 0);
        (allowance, purse)
    }

    #[test]
    fn the_payer_is_asked_before_more_is_read_than_was_granted() {
        let (allowance, purse) = paid(None, 100, 20);
        let held: Vec<_> = (0..10).map(|_| allowance.reserve(10).unwrap()).collect();
        assert_eq!(purse.asked.load(Relaxed), 4, "10, 40, 70 and 100 in all");
        assert_eq!(allowance.reserve(1).unwrap_err(), Refusal::Later);
        drop(held);
        assert_eq!(allowance.reserve(101).unwrap_err(), Refusal::Never);
        assert_eq!(allowance.spent().unwrap().workgroup, "bi");
        assert!(allowance.reserve(100).is_ok());
    }

    #[test]
    fn the_limit_holds_whatever_the_payer_grants() {
        let (allowance, _) = paid(Some(30), 100, 50);
        let held = allowance.reserve(10).unwrap();
        assert!(allowance.has_room(20) && !allowance.has_room(21));
        assert_eq!(allowance.reserve(31).unwrap_err(), Refusal::Never);
        assert!(allowance.spent().is_none(), "it was the limit");
        drop(held);
    }

    #[test]
    fn the_payer_is_asked_now_and_then_for_what_requests_cost() {
        let (allowance, purse) = paid(None, 1_000, 1_000);
        for _ in 0..2 * READS {
            drop(allowance.reserve(1).unwrap());
        }
        assert_eq!(purse.asked.load(Relaxed), 3);
    }

    #[test]
    fn many_threads_do_not_overrun_it() {
        let allowance = limited(1_000);
        std::thread::scope(|scope| {
            for size in 1..=16_u64 {
                let allowance = &allowance;
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        if let Ok(mut reservation) = allowance.reserve(size) {
                            assert!(take(allowance, size / 2, &mut reservation));
                        }
                    }
                });
            }
        });
        let scanned = allowance.scanned();
        assert!(scanned <= 1_000 && allowance.committed.load(Relaxed) == scanned, "{scanned}");
    }
}
