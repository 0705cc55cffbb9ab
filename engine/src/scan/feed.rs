//! Runs a scan: fills its queue and opens its files ahead, in their order or by their best sort keys, as far as the memory allows.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

use datafusion::{common::Result as DataFusionResult, execution::TaskContext};
use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinHandle};

use super::{
    execution::{CAREFUL, Execution, FIRST_STEP},
    format::{Format, Opener},
    io::ScanIo,
    spec::{ScanSpec, Split},
    unit::Unit,
};
use crate::{
    accounting::PrunedBy,
    error::{Error, Result, to_datafusion},
};

/// Units that wait in the queue before no more files are opened.
const QUEUED: usize = 256;

/// Splits whose units are put in order together, for `ORDER BY ... LIMIT`.
const ORDERED_SPLITS: usize = 512;

/// An execution that feeds itself as long as a stream holds it.
#[derive(Debug)]
pub(super) struct Running {
    pub execution: Arc<Execution>,
    opener: Arc<dyn Opener>,
    feeder: OnceLock<Ended>,
}

/// A task that ends with its holder.
#[derive(Debug)]
pub(super) struct Ended<T = ()>(pub JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// An execution of these splits, which so many streams share.
    ///
    /// # Errors
    /// Those of [`Format::begin`].
    pub(super) fn new(
        spec: &Arc<ScanSpec>,
        io: &ScanIo,
        format: &Arc<dyn Format>,
        splits: Vec<Arc<Split>>,
        streams: usize,
        context: &TaskContext,
    ) -> DataFusionResult<Arc<Self>> {
        let execution = Execution::new(Arc::clone(spec), io.clone(), splits, streams, context);
        let opener = Arc::clone(format).begin(&execution).map_err(to_datafusion)?;
        Ok(Arc::new(Self { execution, opener, feeder: OnceLock::new() }))
    }

    /// Begins to open files, at the first stream's first poll: by then the filters of joins are known.
    pub(super) fn begin(&self) {
        self.feeder.get_or_init(|| {
            let feeder = Feeder { execution: Arc::clone(&self.execution), opener: Arc::clone(&self.opener) };
            Ended(tokio::spawn(feeder.feed()))
        });
    }
}

/// What fills an execution's queue.
struct Feeder {
    execution: Arc<Execution>,
    opener: Arc<dyn Opener>,
}

impl Feeder {
    /// Opens the files and queues what is left of them.
    async fn feed(self) {
        let fed = self.feed_all().await;
        self.execution.queue().ended = Some(fed.err());
        self.execution.changed.notify_waiters();
    }

    async fn feed_all(&self) -> Result<()> {
        let execution = &self.execution;
        let most = execution.io.fetch.fetcher().requests();
        self.opener.prepare().await?;
        let mut rest = execution.splits.as_slice();
        let mut step = if execution.spec.is_limited { FIRST_STEP } else { usize::MAX };
        while !rest.is_empty() {
            let window = if execution.has_top() { self.ordered(rest) } else { step.min(rest.len()) };
            let (splits, later) = rest.split_at(window);
            rest = later;
            let opening = stream::iter(splits.to_vec()).map(|split| {
                let (execution, opener) = (Arc::clone(execution), Arc::clone(&self.opener));
                async move {
                    let url = split.file.file.url();
                    let open = async move {
                        if execution.excludes_file(&split.file) { Ok(Vec::new()) } else { opener.open(&split).await }
                    };
                    let mut opened = Ended(tokio::spawn(open));
                    (&mut opened.0).await.unwrap_or_else(|error| Err(given_up(&url, error)))
                }
            });
            let mut opening = opening.buffered(most.min(step));
            let mut ordered = Vec::new();
            while let Some(units) = opening.next().await {
                let units = units?;
                if execution.has_top() {
                    ordered.extend(units);
                } else if self.push(units).await.is_break() {
                    return Ok(());
                }
            }
            // The units whose best keys are best first: they make the bound tight soonest. Those of which nothing is known come last.
            ordered.sort_by(|a, b| {
                let (a, b) = (a.best_key(), b.best_key());
                a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(&b))
            });
            if self.push(ordered).await.is_break() {
                return Ok(());
            }
            step = step.saturating_mul(2);
        }
        Ok(())
    }

    /// How many of the first of these splits are ordered together: some are held in memory meanwhile.
    fn ordered(&self, splits: &[Arc<Split>]) -> usize {
        let mut room = self.buffered_at_most();
        let fitting = splits.iter().take(ORDERED_SPLITS).take_while(|split| {
            let bytes = self.opener.held(split);
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        fitting.count().clamp(1, splits.len())
    }

    /// Bytes in memory that may wait for their turn.
    fn buffered_at_most(&self) -> u64 {
        self.execution.io.fetch.fetcher().share() / 2
    }

    /// Queues units as there is room; breaks when no more rows are wanted.
    async fn push(&self, units: Vec<Box<dyn Unit>>) -> ControlFlow<()> {
        let execution = &self.execution;
        let mut units = units;
        let mut is_enough = false;
        if let Some(limit) = execution.spec.limit {
            // Rows that certainly pass need no others behind them.
            let mut queue = execution.queue();
            let enough = units.iter().position(|unit| {
                queue.certain_rows += unit.certain_rows();
                queue.certain_rows >= limit as u64
            });
            if let Some(last) = enough {
                execution.count(PrunedBy::Limit, units.len() - last - 1);
                units.truncate(last + 1);
                is_enough = true;
            }
        }
        let room = if execution.spec.is_limited { CAREFUL } else { QUEUED };
        let mut units = units.into_iter().peekable();
        while units.peek().is_some() {
            let taken = execution.taken.notified();
            {
                let mut queue = execution.queue();
                // A split's units come together: they share its buffers.
                let has_room = queue.units.len() < room && queue.buffered() < self.buffered_at_most();
                if has_room || queue.units.is_empty() {
                    queue.units.extend(units.by_ref());
                }
            }
            execution.changed.notify_waiters();
            if execution.is_satisfied() {
                return ControlFlow::Break(());
            }
            if units.peek().is_some() {
                taken.await;
            }
        }
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The error of a task that did not come to its end.
pub(super) fn given_up(url: &str, error: JoinError) -> Error {
    if error.is_panic() {
        return Error::corrupt(format!("file \"{url}\" cannot be read: its metadata cannot be decoded"))
            .with_hint("Remove or rewrite the file; files whose names begin with _ or . are ignored");
    }
    Error::internal("opening a file was interrupted").with_source(error)
}
