//! Runs a scan: fills its queue, opens its files ahead, in their order or in that of their best sort keys, as far as there is room.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

use datafusion::execution::TaskContext;
use futures::{StreamExt, stream};
use tokio::task::JoinHandle;

use super::{
    execution::{CAREFUL, Execution, FIRST_STEP},
    footer, open,
    spec::ScanSpec,
    unit::Unit,
};
use crate::{
    accounting::PrunedBy,
    error::{Error, Result},
    scan::{
        metadata::{SMALL_FILE, unreadable},
        provider::PlannedFile,
    },
};

/// Units that wait in the queue before no more files are opened.
const QUEUED: usize = 256;

/// Files whose row groups are put in order together, for `ORDER BY ... LIMIT`.
const ORDERED_FILES: usize = 512;

/// An execution that feeds itself as long as a stream holds it.
#[derive(Debug)]
pub(super) struct Running {
    pub execution: Arc<Execution>,
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
    pub(super) fn new(spec: Arc<ScanSpec>, streams: usize, context: &TaskContext) -> Arc<Self> {
        Arc::new(Self { execution: Execution::new(spec, streams, context), feeder: OnceLock::new() })
    }

    /// Begins to open files, at the first stream's first poll: by then the filters of joins are known.
    pub(super) fn begin(&self) {
        self.feeder.get_or_init(|| Ended(tokio::spawn(Arc::clone(&self.execution).feed())));
    }
}

impl Execution {
    /// Opens the files and queues what is left of them.
    async fn feed(self: Arc<Self>) {
        let fed = Self::feed_all(&self).await;
        self.queue().ended = Some(fed.err());
        self.changed.notify_waiters();
    }

    async fn feed_all(this: &Arc<Self>) -> Result<()> {
        let most = this.spec.table.context.fetch.fetcher().requests();
        footer::learn(&this.spec, this.needs_data()).await?;
        let mut rest = this.spec.files.as_slice();
        let mut step = if this.spec.is_limited { FIRST_STEP } else { usize::MAX };
        while !rest.is_empty() {
            let window = if this.has_top() { this.ordered_files(rest) } else { step.min(rest.len()) };
            let (files, later) = rest.split_at(window);
            rest = later;
            let opening = stream::iter(files.to_vec()).map(|planned| {
                let execution = Arc::clone(this);
                async move {
                    let url = planned.file.url();
                    let mut opened = Ended(tokio::spawn(async move { open::open(&execution, &planned).await }));
                    (&mut opened.0).await.unwrap_or_else(|error| {
                        Err(if error.is_panic() {
                            unreadable(&url, "its metadata do not decode")
                        } else {
                            Error::internal("opening a file was given up").with_source(error)
                        })
                    })
                }
            });
            let mut opening = opening.buffered(most.min(step));
            let mut ordered = Vec::new();
            while let Some(units) = opening.next().await {
                let units = units?;
                if this.has_top() {
                    ordered.extend(units);
                } else if this.push(units).await.is_break() {
                    return Ok(());
                }
            }
            // The row groups whose best keys are best first: they make the bound tight soonest. Those of which nothing is known come last.
            ordered.sort_by(|a: &Unit, b: &Unit| a.best.is_none().cmp(&b.best.is_none()).then_with(|| a.best.cmp(&b.best)));
            if this.push(ordered).await.is_break() {
                return Ok(());
            }
            step = step.saturating_mul(2);
        }
        Ok(())
    }

    /// How many of the first of these files are ordered together: the small ones among them are held whole meanwhile.
    fn ordered_files(&self, files: &[Arc<PlannedFile>]) -> usize {
        let mut room = self.buffered_at_most();
        let fitting = files.iter().take(ORDERED_FILES).take_while(|planned| {
            let size = Some(planned.file.meta.size).filter(|size| *size <= SMALL_FILE).unwrap_or_default();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        fitting.count().clamp(1, files.len())
    }

    /// Bytes of small files that may wait for their turn.
    fn buffered_at_most(&self) -> u64 {
        self.spec.table.context.fetch.fetcher().share() / 2
    }

    /// Queues units as there is room; breaks when no more rows are wanted.
    async fn push(&self, units: Vec<Unit>) -> ControlFlow<()> {
        let mut units = units;
        let mut is_enough = false;
        if let Some(limit) = self.spec.limit {
            // Rows that certainly pass need no others behind them.
            let mut queue = self.queue();
            let enough = units.iter().position(|unit| {
                queue.certain_rows += unit.certain_rows();
                queue.certain_rows >= limit as u64
            });
            if let Some(last) = enough {
                self.count(PrunedBy::Limit, units.len() - last - 1);
                units.truncate(last + 1);
                is_enough = true;
            }
        }
        let room = if self.spec.is_limited { CAREFUL } else { QUEUED };
        let mut units = units.into_iter().peekable();
        while units.peek().is_some() {
            let taken = self.taken.notified();
            {
                let mut queue = self.queue();
                // A file's units come together: they share its buffers.
                let has_room = queue.units.len() < room && queue.buffered() < self.buffered_at_most();
                if has_room || queue.units.is_empty() {
                    queue.units.extend(units.by_ref());
                }
            }
            self.changed.notify_waiters();
            if self.is_satisfied() {
                return ControlFlow::Break(());
            }
            if units.peek().is_some() {
                taken.await;
            }
        }
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
