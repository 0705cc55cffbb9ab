//! One run of a scan, shared by its streams: how far ahead it may read, and what it no longer needs to read. [`super::feed`] fills its queue.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use datafusion::{execution::TaskContext, physical_expr::expressions::DynamicFilterTracking};
use tokio::sync::Notify;

use super::{
    budget::{Budget, Held},
    io::ScanIo,
    spec::{PlannedFile, ScanSpec, Split},
    top::TopBound,
    unit::Unit,
};
use crate::{
    accounting::PrunedBy,
    error::{Error, Result},
};

/// Units under way while a bound moves that may make others needless.
pub(super) const CAREFUL: usize = 8;

/// Units under way, and files opened, at first where rows may soon be enough.
pub(super) const FIRST_STEP: usize = 2;

/// Units that wait for a stream.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub units: VecDeque<Box<dyn Unit>>,
    /// Rows of all units so far that pass whatever is in them.
    pub certain_rows: u64,
    /// No more will come, or why.
    pub ended: Option<Option<Error>>,
}

impl Queue {
    /// The bytes of the units that wait that are in memory already.
    pub(super) fn buffered(&self) -> u64 {
        self.units.iter().map(|unit| unit.buffered()).sum()
    }
}

/// What the streams of a run share.
#[derive(Debug)]
pub(crate) struct Execution {
    pub spec: Arc<ScanSpec>,
    pub io: ScanIo,
    pub batch_size: usize,
    /// What its streams read together.
    pub(super) splits: Vec<Arc<Split>>,
    streams: usize,
    queue: Mutex<Queue>,
    /// Units have come, or none will any more.
    pub(super) changed: Notify,
    /// Units were taken.
    pub(super) taken: Notify,
    top: Option<TopBound>,
    moving: Mutex<Moving>,
    /// Whether any part of the filter changes.
    has_moving: bool,
    /// Whether the filter speaks of partition or hidden columns.
    filters_by_values: bool,
    /// Rows that are still wanted.
    remaining: Option<AtomicUsize>,
    budget: Arc<Budget>,
    is_local: bool,
    /// Tells the fetcher that this scan runs.
    _entered: Arc<()>,
}

/// The parts of the filter that change while the query runs.
#[derive(Debug)]
struct Moving {
    tracking: DynamicFilterTracking,
    /// How often they have changed.
    generation: u64,
    is_settled: bool,
}

impl Execution {
    pub(super) fn new(
        spec: Arc<ScanSpec>,
        io: ScanIo,
        splits: Vec<Arc<Split>>,
        streams: usize,
        context: &TaskContext,
    ) -> Arc<Self> {
        let tracking = spec.predicate.as_ref().map_or(DynamicFilterTracking::Static, DynamicFilterTracking::classify);
        let is_settled = !matches!(tracking, DynamicFilterTracking::Watching(_));
        let (top, filters_by_values) = (TopBound::of(&spec), spec.filters_by_values());
        Arc::new(Self {
            batch_size: context.session_config().batch_size(),
            streams,
            queue: Mutex::default(),
            changed: Notify::new(),
            taken: Notify::new(),
            top,
            has_moving: spec.has_moving(),
            moving: Mutex::new(Moving { tracking, generation: 0, is_settled }),
            filters_by_values,
            remaining: spec.limit.map(AtomicUsize::new),
            budget: Budget::new(context),
            is_local: splits.first().is_some_and(|split| split.file.file.is_local()),
            _entered: io.fetch.fetcher().enter(),
            splits,
            io,
            spec,
        })
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next unit for a stream that has `open` under way; `None` if there is none, or it may not have more.
    pub(super) fn admit(&self, open: usize) -> Option<(Box<dyn Unit>, Held)> {
        if open >= self.depth().div_ceil(self.streams) {
            return None;
        }
        let mut queue = self.queue();
        loop {
            if self.is_satisfied() {
                self.count(PrunedBy::Limit, queue.units.drain(..).len());
                return None;
            }
            let unit = queue.units.front()?;
            if self.excludes(unit.as_ref(), false) {
                queue.units.pop_front();
                self.count(PrunedBy::DynamicFilter, 1);
                self.taken.notify_one();
                continue;
            }
            // A stream that has nothing goes on whatever it takes.
            let held = self.budget.hold(unit.bytes(), self.io.fetch.fetcher().share(), open == 0)?;
            let unit = queue.units.pop_front()?;
            self.taken.notify_one();
            return Some((unit, held));
        }
    }

    /// How many units may be under way, over all streams.
    fn depth(&self) -> usize {
        let fetcher = self.io.fetch.fetcher();
        // From this machine bytes come at once: those that wait would only leave the processor's caches.
        let most = if self.is_local { (2 * self.streams).min(fetcher.requests()) } else { fetcher.requests() };
        // It doubles with every so many units that ended without an end in sight.
        let finished = u32::try_from(self.budget.finished()).unwrap_or(u32::MAX);
        let grown =
            |from: usize, every: u32| from.max(self.streams).saturating_mul(2_usize.saturating_pow(finished / every)).min(most);
        if let Some(top) = &self.top {
            return if top.is_full() { grown(CAREFUL, 2 * CAREFUL as u32) } else { grown(1, 1) };
        }
        if self.spec.is_limited {
            return grown(FIRST_STEP, 1);
        }
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if !moving.is_settled {
            let now = self.spec.predicate.as_ref().map(DynamicFilterTracking::classify);
            moving.is_settled = !matches!(now, Some(DynamicFilterTracking::Watching(_)));
        }
        if moving.is_settled { most } else { grown(CAREFUL, 2 * CAREFUL as u32) }
    }

    /// Waits until there may be more to admit; an error if opening files has failed, `false` if nothing will come.
    pub(super) async fn more(&self) -> Result<bool> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.queue();
                if !queue.units.is_empty() {
                    return Ok(true);
                }
                if let Some(ended) = &mut queue.ended {
                    return match ended.take() {
                        Some(error) => Err(error),
                        None => Ok(false),
                    };
                }
            }
            changed.await;
        }
    }

    /// Whether a stream with `open` under way would take a unit, and has to wait until there is one.
    pub(super) fn has_room(&self, open: usize) -> bool {
        open < self.depth().div_ceil(self.streams) && self.queue().units.is_empty()
    }

    /// Whether a unit need not be read any more; `is_seen` if its sort keys have been.
    pub(crate) fn excludes(&self, unit: &dyn Unit, is_seen: bool) -> bool {
        if let Some(top) = &self.top {
            // Where a unit's best key is not known, statistics do not tell all (of NaN, say).
            return unit.best_key().is_some_and(|best| top.excludes(best, is_seen));
        }
        if !self.has_moving {
            return false;
        }
        let generation = {
            let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
            if moving.tracking.watcher().is_some_and(|watcher| watcher.changed()) {
                moving.generation += 1;
            }
            moving.generation
        };
        unit.fails_moving(generation)
    }

    /// Whether the filter lets nothing of a file pass, whatever is in it: told by its partition and hidden values.
    pub(crate) fn excludes_file(&self, planned: &PlannedFile) -> bool {
        self.filters_by_values && self.spec.excludes_file(planned)
    }

    pub(crate) fn top(&self) -> Option<&TopBound> {
        self.top.as_ref()
    }

    pub(crate) fn has_top(&self) -> bool {
        self.top.is_some()
    }

    /// Takes rows out of those that are still wanted; returns how many may be given.
    pub(super) fn take_rows(&self, rows: usize) -> usize {
        let Some(remaining) = &self.remaining else { return rows };
        let before = remaining.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(rows)));
        rows.min(before.unwrap_or_default())
    }

    pub(super) fn is_satisfied(&self) -> bool {
        self.remaining.as_ref().is_some_and(|remaining| remaining.load(Relaxed) == 0)
    }

    pub(super) fn count(&self, by: PrunedBy, units: usize) {
        self.io.meter().scan().pruned(by, units as u64);
    }
}
