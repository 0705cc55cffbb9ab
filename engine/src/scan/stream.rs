//! One stream of a scan: admits units as far ahead as it may, and decodes those that have arrived.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use arrow::array::RecordBatch;
use datafusion::{
    error::Result as DataFusionResult,
    physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, Time},
};
use futures::{FutureExt, Stream, StreamExt, stream, stream::FuturesUnordered};

use super::{
    feed::Running,
    unit::{Next, Opening, Rows},
};
use crate::{
    accounting::{Meter, PrunedBy},
    error::{Error, ErrorKind, Result, to_datafusion},
};

/// Units that are collected between two batches: filters are evaluated on the way, and a stream has to give way in time.
const AT_ONCE: usize = 4;

/// The rows of one stream of a run.
pub(super) fn batches(
    running: Arc<Running>,
    stream: usize,
    baseline: BaselineMetrics,
    metrics: &ExecutionPlanMetricsSet,
) -> impl Stream<Item = DataFusionResult<RecordBatch>> + Send + 'static {
    let waiting = MetricBuilder::new(metrics).subset_time("time_waiting", stream);
    let state = State { running, open: FuturesUnordered::new(), ready: VecDeque::new(), current: None, baseline, waiting };
    stream::try_unfold(state, |mut state| async move {
        let batch = state.next().await.map_err(to_datafusion)?;
        Ok(batch.map(|batch| (batch, state)))
    })
}

struct State {
    running: Arc<Running>,
    /// Units whose bytes are under way.
    open: FuturesUnordered<Opening>,
    /// Units that can be decoded, or why not: that matters only when it is their turn.
    ready: VecDeque<Result<Box<dyn Rows>>>,
    current: Option<Box<dyn Rows>>,
    baseline: BaselineMetrics,
    waiting: Time,
}

impl State {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.running.begin();
        let execution = Arc::clone(&self.running.execution);
        let counters = Arc::clone(execution.io.meter());
        loop {
            if execution.is_satisfied() {
                self.baseline.done();
                return Ok(None);
            }
            self.admit();
            self.harvest();
            if let Some(current) = &mut self.current {
                let started = Instant::now();
                let decoded = current.next();
                let time = started.elapsed();
                self.baseline.elapsed_compute().add_duration(time);
                counters.scan().decoding(time);
                let batch = match decoded? {
                    Next::Rows(batch) => batch,
                    Next::Fetch => {
                        let started = Instant::now();
                        current.fetch().await.inspect_err(|error| note_refusal(error, &counters))?;
                        let time = started.elapsed();
                        self.waiting.add_duration(time);
                        counters.scan().waiting(time);
                        continue;
                    }
                    Next::End => {
                        self.current = None;
                        continue;
                    }
                };
                let wanted = execution.take_rows(batch.num_rows());
                self.baseline.record_output(wanted);
                return Ok(Some(if wanted < batch.num_rows() { batch.slice(0, wanted) } else { batch }));
            }
            if let Some(ready) = self.ready.pop_front() {
                let ready = ready.inspect_err(|error| note_refusal(error, &counters))?;
                // What has become needless meanwhile is not decoded, and not paid for.
                if execution.excludes(ready.unit(), true) {
                    counters.scan().pruned(PrunedBy::DynamicFilter, 1);
                } else {
                    self.current = Some(ready);
                }
                continue;
            }
            let started = Instant::now();
            let is_over = self.wait().await?;
            let time = started.elapsed();
            self.waiting.add_duration(time);
            counters.scan().waiting(time);
            if is_over {
                self.baseline.done();
                return Ok(None);
            }
        }
    }

    /// Takes in as many units as may be under way.
    fn admit(&mut self) {
        let execution = &self.running.execution;
        loop {
            let here = self.open.len() + self.ready.len() + usize::from(self.current.is_some());
            let Some((unit, held)) = execution.admit(here) else { return };
            self.open.push(unit.open(held));
        }
    }

    /// Collects what has come, and lets what is under way ask for more, without waiting. Those that are left are polled again before this
    /// stream waits.
    fn harvest(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(Some(opened)) = self.open.next().now_or_never() else { break };
            self.ready.extend(opened.transpose());
        }
    }

    /// Waits for a unit's bytes, or for a unit; `true` if there will be none.
    async fn wait(&mut self) -> Result<bool> {
        if self.open.is_empty() {
            return Ok(!self.running.execution.more().await?);
        }
        tokio::select! {
            biased;
            opened = self.open.next() => {
                if let Some(opened) = opened {
                    self.ready.extend(opened.transpose());
                }
            }
            more = self.running.execution.more(), if self.may_admit() => {
                if !more? {
                    // Only what is under way is left.
                    if let Some(opened) = self.open.next().await {
                        self.ready.extend(opened.transpose());
                    }
                }
            }
        }
        Ok(false)
    }

    /// Whether one more unit would be taken in, and there is none yet.
    fn may_admit(&self) -> bool {
        self.running.execution.has_room(self.open.len() + self.ready.len())
    }
}

/// Notes that the query ends because of what it may scan, if that is why a unit that is wanted cannot be read.
fn note_refusal(error: &Error, meter: &Meter) {
    if error.kind() == ErrorKind::LimitExceeded {
        meter.allowance().refuse();
    }
}
