//! The answer to DoGet: a result as a stream of Flight messages, with signs of life while it is waited for, and the bill at its end.

use std::{collections::VecDeque, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::FlightData;
use futures::{Stream, stream};
use glaux_engine::{
    Error,
    query::{Failure, QueryReport},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tonic::Status;

use super::{encode::Encoder, stats, status, trailers::Trailers};
use crate::statements::RowStream;

/// How long a client is left without a message. Proxies close streams on which nothing moves.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The rows of a running query as a stream of messages.
pub(super) fn of_rows(
    rows: RowStream,
    schema: SchemaRef,
    trailers: Trailers,
    deadline: Option<Instant>,
) -> impl Stream<Item = Result<FlightData, Status>> + Send {
    let encoder = Encoder::new();
    let queue = VecDeque::from([encoder.schema(&schema)]);
    let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ahead(Messages { rows, schema, encoder, queue, alive, deadline, trailers, ended: false })
}

/// Messages that are ready before their client wants them: reading and encoding need not wait for the network.
const AHEAD: usize = 2;

/// The messages from a task of their own, a little ahead. It ends with the stream.
fn ahead(mut messages: Messages) -> impl Stream<Item = Result<FlightData, Status>> + Send {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Some(message) = messages.next().await {
            if sender.send(message).await.is_err() {
                break;
            }
        }
        // The session has the bill before the client sees the end.
        drop(messages);
        drop(sender);
    });
    stream::unfold(Some((receiver, task)), |state| async move {
        let (mut receiver, mut task) = state?;
        if let Some(message) = receiver.recv().await {
            return Some((message, Some((receiver, task))));
        }
        match task.join_next().await {
            Some(Err(error)) => {
                let error = Error::internal("the task that reads a result ended early").with_source(error);
                Some((Err(status::of(&error)), None))
            }
            Some(Ok(())) | None => None,
        }
    })
}

/// An answer that is known already, as a stream of messages.
pub(super) fn of_batch(
    batch: &RecordBatch,
    report: Option<&QueryReport>,
    trailers: &Trailers,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + use<> {
    let schema = batch.schema();
    let mut encoder = Encoder::new();
    let mut queue = VecDeque::from([encoder.schema(&schema)]);
    let encoded = match schema.fields().is_empty() && batch.num_rows() == 0 {
        true => Ok(()),
        false => encoder.batch(batch, &mut queue),
    };
    if let Some(report) = report {
        trailers.write(|trailers| stats::write_trailers(report, trailers));
    }
    let end = encoded.err().map(|error| Err(status::of(&error)));
    stream::iter(queue.into_iter().map(Ok).chain(end))
}

struct Messages {
    rows: RowStream,
    schema: SchemaRef,
    encoder: Encoder,
    queue: VecDeque<FlightData>,
    alive: Interval,
    /// When the client stops waiting.
    deadline: Option<Instant>,
    trailers: Trailers,
    ended: bool,
}

impl Messages {
    async fn next(&mut self) -> Option<Result<FlightData, Status>> {
        loop {
            if let Some(message) = self.queue.pop_front() {
                self.alive.reset();
                return Some(Ok(message));
            }
            if self.ended {
                return None;
            }
            let over = async {
                match self.deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let batch = tokio::select! {
                biased;
                () = over => {
                    self.ended = true;
                    self.rows.stop();
                    return Some(Err(status::deadline_exceeded()));
                }
                batch = self.rows.next() => batch,
                _ = self.alive.tick() => {
                    return Some(self.encoder.empty(&self.schema).map_err(|error| status::of(&error)));
                }
            };
            let step = match batch {
                Some(Ok(batch)) => self.encoder.batch(&batch, &mut self.queue),
                Some(Err(error)) => Err(error),
                None => {
                    self.ended = true;
                    let report = self.rows.report();
                    self.trailers.write(|trailers| stats::write_trailers(&report, trailers));
                    // No batch carries them: clients count batches, and take one without rows for the end.
                    return None;
                }
            };
            if let Err(error) = step {
                self.ended = true;
                let report = self.rows.report();
                return Some(Err(status::of_failure(&Failure { error, report })));
            }
        }
    }
}
