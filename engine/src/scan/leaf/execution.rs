//! One run of a scan, shared by its streams: how far ahead may be read, and what need not be read any more. [`super::feed`] fills its queue.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use datafusion::{
    common::{Result as DataFusionResult, ScalarValue},
    execution::{
        TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_expr::{
        PhysicalExprSimplifier,
        expressions::{DynamicFilterTracking, Literal},
        utils::collect_columns,
    },
    physical_expr_adapter::replace_columns_with_literals,
    physical_optimizer::pruning::PruningPredicateBuilder,
};
use parquet::{arrow::arrow_reader::statistics::StatisticsConverter, file::metadata::ParquetMetaData};
use tokio::sync::Notify;

use super::{prune, shape::Shape, spec::ScanSpec, top::TopBound, unit::Unit};
use crate::{
    accounting::PrunedBy,
    error::{Error, Result},
    scan::{belief, provider::PlannedFile},
};

/// Units under way while a bound moves that may make others needless.
pub(super) const CAREFUL: usize = 8;

/// Units under way, and files opened, at first where rows may soon be enough.
pub(super) const FIRST_STEP: usize = 2;

/// Row groups that wait for a stream.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub units: VecDeque<Unit>,
    /// Rows of all units so far that pass whatever is in them.
    pub certain_rows: u64,
    /// No more will come, or why.
    pub ended: Option<Option<Error>>,
}

impl Queue {
    /// The bytes of the small files whose row groups wait.
    pub(super) fn buffered(&self) -> u64 {
        self.units.iter().filter(|unit| unit.group == 0).map(|unit| unit.file.buffered()).sum()
    }
}

/// What the streams of a run share.
#[derive(Debug)]
pub(super) struct Execution {
    pub spec: Arc<ScanSpec>,
    pub batch_size: usize,
    streams: usize,
    queue: Mutex<Queue>,
    /// Units have come, or none will any more.
    pub(super) changed: Notify,
    /// Units were taken.
    pub(super) taken: Notify,
    shapes: Mutex<Vec<Arc<Shape>>>,
    top: Option<TopBound>,
    moving: Mutex<Moving>,
    /// Whether the filter speaks of partition or hidden columns.
    filters_by_values: bool,
    /// Rows that are still wanted.
    remaining: Option<AtomicUsize>,
    /// Units that have ended.
    finished: AtomicUsize,
    held: AtomicU64,
    reservation: MemoryReservation,
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
    pub(super) fn new(spec: Arc<ScanSpec>, streams: usize, context: &TaskContext) -> Arc<Self> {
        let fetcher = Arc::clone(spec.table.context.fetch.fetcher());
        let tracking = spec.predicate.as_ref().map_or(DynamicFilterTracking::Static, DynamicFilterTracking::classify);
        let is_settled = !matches!(tracking, DynamicFilterTracking::Watching(_));
        let top = spec.top.as_ref().filter(|top| top.tells_keys()).and_then(|top| {
            let key = |(key, options): &(_, _)| {
                let key: &Arc<dyn datafusion::physical_expr::PhysicalExpr> = key;
                Some((key.data_type(&spec.output).ok()?, *options))
            };
            TopBound::new(top.fetch, &top.keys.iter().map(key).collect::<Option<Vec<_>>>()?)
        });
        let filters_by_values = spec.predicate.as_ref().is_some_and(|predicate| {
            collect_columns(predicate).iter().any(|column| spec.schema.file_schema().index_of(column.name()).is_err())
        });
        Arc::new(Self {
            batch_size: context.session_config().batch_size(),
            streams,
            queue: Mutex::default(),
            changed: Notify::new(),
            taken: Notify::new(),
            shapes: Mutex::default(),
            top,
            moving: Mutex::new(Moving { tracking, generation: 0, is_settled }),
            filters_by_values,
            remaining: spec.limit.map(AtomicUsize::new),
            finished: AtomicUsize::new(0),
            held: AtomicU64::new(0),
            reservation: MemoryConsumer::new("scan").register(context.memory_pool()),
            is_local: spec.files.first().is_some_and(|planned| planned.file.is_local()),
            _entered: fetcher.enter(),
            spec,
        })
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next unit for a stream that has `open` under way; `None` if there is none, or it may not have more.
    pub(super) fn admit(self: &Arc<Self>, open: usize) -> Option<(Unit, Held)> {
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
            if self.excludes(unit, false) {
                queue.units.pop_front();
                self.count(PrunedBy::DynamicFilter, 1);
                self.taken.notify_one();
                continue;
            }
            // A stream that has nothing goes on whatever it takes.
            let held = self.hold(unit.bytes, open == 0)?;
            let unit = queue.units.pop_front()?;
            self.taken.notify_one();
            return Some((unit, held));
        }
    }

    /// How many units may be under way, over all streams.
    fn depth(&self) -> usize {
        let fetcher = self.spec.table.context.fetch.fetcher();
        // From this machine bytes come at once: those that wait would only leave the processor's caches.
        let most = if self.is_local { (2 * self.streams).min(fetcher.requests()) } else { fetcher.requests() };
        // It doubles with every so many units that ended without an end in sight.
        let finished = u32::try_from(self.finished.load(Relaxed)).unwrap_or(u32::MAX);
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

    /// Reserves the bytes that a unit will hold. `None` if there is no room, unless it `must`.
    fn hold(self: &Arc<Self>, bytes: u64, must: bool) -> Option<Held> {
        let share = self.spec.table.context.fetch.fetcher().share();
        if !must && self.held.load(Relaxed) + bytes > share {
            return None;
        }
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        if self.reservation.try_grow(size).is_err() {
            if !must {
                return None;
            }
            self.reservation.grow(size);
        }
        self.held.fetch_add(bytes, Relaxed);
        Some(Held { execution: Arc::clone(self), bytes })
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
    pub(super) fn excludes(&self, unit: &Unit, is_seen: bool) -> bool {
        if let Some(top) = &self.top {
            // Where a row group's best key is not known, statistics do not tell all (of NaN, say).
            return unit.best.as_ref().is_some_and(|best| top.excludes(best, is_seen));
        }
        let shape = &unit.file.shape;
        let Some(told) = &shape.told else { return false };
        let generation = {
            let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
            if moving.tracking.watcher().is_some_and(|watcher| watcher.changed()) {
                moving.generation += 1;
            }
            moving.generation
        };
        if unit.was_kept(generation) {
            return false;
        }
        let pruning = shape.moving_pruning(generation, told);
        let is_excluded = pruning.is_some_and(|pruning| prune::excludes(&pruning, shape, &unit.file.metadata, unit.group));
        if !is_excluded {
            unit.keep(generation);
        }
        is_excluded
    }

    /// Whether the filter lets nothing of a file pass, whatever is in it: told by its partition and hidden values.
    pub(super) fn excludes_file(&self, planned: &PlannedFile) -> bool {
        let Some(predicate) = self.spec.predicate.as_ref().filter(|_| self.filters_by_values) else { return false };
        let file = self.spec.schema.file_schema();
        let folded = replace_columns_with_literals(Arc::clone(predicate), &self.spec.literals(planned)).and_then(|predicate| {
            let predicate = PhysicalExprSimplifier::new(file).simplify(predicate)?;
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(file)).try_build(predicate)
        });
        folded.is_ok_and(|folded| {
            let literal = folded.orig_expr().downcast_ref::<Literal>();
            literal.is_some_and(|literal| matches!(literal.value(), ScalarValue::Boolean(Some(false) | None)))
        })
    }

    /// Whether any column of the files is wanted.
    pub(super) fn needs_data(&self) -> bool {
        let file = self.spec.schema.file_schema();
        let is_of_file = |expr: &_| collect_columns(expr).iter().any(|column| file.index_of(column.name()).is_ok());
        self.spec.predicate.iter().any(is_of_file) || self.spec.projection.expr_iter().any(|expr| is_of_file(&expr))
    }

    pub(super) fn top(&self) -> Option<&TopBound> {
        self.top.as_ref()
    }

    pub(super) fn has_top(&self) -> bool {
        self.top.is_some()
    }

    /// The shape of a file; made if it is the first of its schema.
    pub(super) fn shape(&self, planned: &PlannedFile, metadata: &ParquetMetaData) -> DataFusionResult<Arc<Shape>> {
        let find = |shapes: &[Arc<Shape>]| shapes.iter().rev().find(|shape| shape.fits(planned, metadata)).map(Arc::clone);
        if let Some(shape) = find(&self.shapes.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(shape);
        }
        let shape = Arc::new(Shape::new(&self.spec, planned, metadata)?);
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        // Values that differ from file to file make shapes that nobody asks for again.
        if shapes.len() >= 8 {
            shapes.remove(0);
        }
        shapes.push(Arc::clone(&shape));
        Ok(shape)
    }

    /// For each row group the best leading key that it may hold, as [`TopBound::excludes`] takes it; where nothing is known, none.
    pub(super) fn best_keys(&self, shape: &Shape, metadata: &ParquetMetaData) -> Option<Vec<Option<Box<[u8]>>>> {
        let (top, column) = (self.top.as_ref()?, shape.leading_key()?);
        let (field, options) = (shape.file.field_with_name(column.name()).ok()?, top.leading_options());
        // A NaN is greater than all numbers, or less, and statistics do not tell of it.
        if field.data_type().is_floating() {
            return None;
        }
        let converter = StatisticsConverter::try_new(column.name(), &shape.file, &shape.parquet).ok()?;
        let groups = || metadata.row_groups();
        let values =
            if options.descending { converter.row_group_maxes(groups()) } else { converter.row_group_mins(groups()) }.ok()?;
        let nulls = converter.with_missing_null_counts_as_zero(false).row_group_null_counts(groups()).ok()?;
        let null = ScalarValue::try_new_null(field.data_type()).ok()?.to_array().ok()?;
        let null = top.leading(&null).ok()?.pop()?;
        let keys = top.leading(&values).ok()?;
        let best = keys.into_iter().enumerate().map(|(group, key)| {
            let nulls = arrow::array::Array::is_valid(&nulls, group).then(|| nulls.value(group));
            let rows = u64::try_from(metadata.row_group(group).num_rows()).unwrap_or(u64::MAX);
            match nulls {
                Some(nulls) if nulls == rows => Some(null.clone()),
                _ if !belief::is_sound(metadata.row_group(group)) => None,
                _ if values.is_null(group) => None,
                Some(0) => Some(key),
                // There may be a null, which is better than any value, or worse.
                _ => Some(if options.nulls_first { null.clone() } else { key }),
            }
        });
        Some(best.collect())
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

    pub(super) fn count(&self, by: PrunedBy, row_groups: usize) {
        self.spec.table.scan.meter().scan().pruned(by, row_groups as u64);
    }
}

/// Bytes that are reserved for a unit until this is dropped, which is its end.
#[derive(Debug)]
pub(super) struct Held {
    execution: Arc<Execution>,
    bytes: u64,
}

impl Held {
    /// Takes more, whether or not there is room: so that nothing else begins.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.execution.reservation.grow(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.execution.held.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }

    /// The bytes that are held.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.execution.finished.fetch_add(1, Relaxed);
        self.execution.held.fetch_sub(self.bytes, Relaxed);
        self.execution.reservation.shrink(usize::try_from(self.bytes).unwrap_or(usize::MAX));
    }
}
