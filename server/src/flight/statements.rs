//! Statements between GetFlightInfo and the end of DoGet: planned and not fetched, running, or carried out with an answer that waits.
//!
//! A query begins when it is first fetched. A statement that changes something is carried out at once, exactly once, and its answer can be
//! fetched as often as the ticket is good for, or never.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use glaux_engine::{
    Error, ErrorKind,
    clock::Clock,
    query::{CancelReason, Canceller, Estimate, Failure, PlannedQuery, QueryId, QueryReport},
};
use uuid::Uuid;

use super::{feed::Feed, ticket};

/// How many endpoints a result has at most.
const MAX_ENDPOINTS: u16 = 16;

/// One statement that a client may fetch.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: Uuid,
    pub(super) user: String,
    pub(super) query: QueryId,
    pub(super) schema: SchemaRef,
    pub(super) estimate: Option<Estimate>,
    /// In how many streams the result may be fetched at once.
    pub(super) endpoints: u16,
    pub(super) ordered: bool,
    canceller: Canceller,
    expires_at: Mutex<DateTime<Utc>>,
    /// Whether it has begun to be fetched.
    fetched: AtomicBool,
    stage: tokio::sync::Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    Planned(Box<PlannedQuery>),
    Running { feed: Arc<Feed>, opened: Vec<u16> },
    Answered(Box<Answer>),
    Gone,
}

/// What DoGet gives.
#[derive(Debug)]
pub(super) enum Opened {
    Feed(Arc<Feed>),
    Answer(Box<Answer>),
}

/// What a statement that is no query answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) batch: RecordBatch,
    pub(super) report: QueryReport,
}

impl Held {
    pub(super) fn expires_at(&self) -> DateTime<Utc> {
        *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one of the result's endpoints; the first that is opened begins the query.
    ///
    /// # Errors
    /// That of running the query; `NotFound` if the endpoint has been fetched before.
    pub(super) async fn open(&self, endpoint: u16) -> Result<Opened, OpenError> {
        self.fetched.store(true, Relaxed);
        let mut stage = self.stage.lock().await;
        if matches!(&*stage, Stage::Planned(_))
            && let Stage::Planned(planned) = std::mem::replace(&mut *stage, Stage::Gone)
        {
            let query = planned.run().await.map_err(|failure| OpenError::Failed(Box::new(failure)))?;
            *stage = Stage::Running { feed: Feed::new(query), opened: Vec::new() };
        }
        match &mut *stage {
            Stage::Running { feed, opened } if endpoint < self.endpoints && !opened.contains(&endpoint) => {
                opened.push(endpoint);
                Ok(Opened::Feed(Arc::clone(feed)))
            }
            Stage::Answered(answer) => Ok(Opened::Answer(answer.clone())),
            Stage::Running { .. } | Stage::Planned(_) | Stage::Gone => Err(OpenError::Gone(ticket::gone())),
        }
    }

    /// Stops it, at whatever stage; `false` if it has ended.
    pub(super) fn cancel(&self) -> bool {
        let stopped = self.canceller.cancel(CancelReason::User);
        if let Ok(mut stage) = self.stage.try_lock()
            && matches!(&*stage, Stage::Planned(_))
        {
            // Dropping a planned query ends it.
            *stage = Stage::Gone;
        }
        stopped
    }
}

/// Why an endpoint cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    Gone(Error),
    Failed(Box<Failure>),
}

/// All statements that are held for clients.
#[derive(Debug)]
pub(super) struct Statements {
    held: Mutex<HashMap<Uuid, Arc<Held>>>,
    clock: Arc<dyn Clock>,
    /// How long a result waits to be fetched.
    lifetime: Duration,
    /// Results of one user that may wait at the same time.
    limit: usize,
}

impl Statements {
    pub(super) fn new(clock: Arc<dyn Clock>, lifetime: Duration, limit: usize) -> Self {
        Self { held: Mutex::default(), clock, lifetime, limit }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the user may have one more statement held.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn admit(&self, user: &str) -> Result<(), Error> {
        let held = self.lock();
        let waits = |held: &&Arc<Held>| held.user == user && !held.fetched.load(Relaxed);
        if held.len() >= self.limit && held.values().filter(waits).count() >= self.limit {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("{} results of \"{user}\" wait to be fetched", self.limit))
                .with_hint("Fetch results with DoGet or cancel them; [flight] max_held_statements sets the limit"));
        }
        Ok(())
    }

    /// Holds a statement until it is fetched. What is no query is carried out first.
    ///
    /// # Errors
    /// Of carrying it out.
    pub(super) async fn hold(&self, planned: PlannedQuery, user: &str, parallel: u16) -> Result<Arc<Held>, Failure> {
        let ordered = planned.is_ordered();
        let (query, canceller, estimate) = (planned.id(), planned.canceller(), planned.estimate());
        let (schema, stage) = if planned.is_query() {
            (planned.schema(), Stage::Planned(Box::new(planned)))
        } else {
            let answer = carry_out(planned).await?;
            (answer.batch.schema(), Stage::Answered(Box::new(answer)))
        };
        let held = Arc::new(Held {
            id: Uuid::now_v7(),
            user: user.to_owned(),
            query,
            schema,
            estimate,
            endpoints: if ordered { 1 } else { parallel.clamp(1, MAX_ENDPOINTS) },
            ordered,
            canceller,
            expires_at: Mutex::new(self.clock.now() + self.lifetime),
            fetched: AtomicBool::new(false),
            stage: tokio::sync::Mutex::new(stage),
        });
        self.lock().insert(held.id, Arc::clone(&held));
        Ok(held)
    }

    /// # Errors
    /// `NotFound`.
    pub(super) fn get(&self, id: Uuid) -> Result<Arc<Held>, Error> {
        self.lock().get(&id).cloned().ok_or_else(ticket::gone)
    }

    /// Forgets a statement whose result has been fetched. Of several endpoints, the others may still be asked for.
    pub(super) fn fetched(&self, held: &Held) {
        if held.endpoints == 1 {
            self.lock().remove(&held.id);
        }
    }

    /// Forgets a statement.
    pub(super) fn remove(&self, id: Uuid) {
        self.lock().remove(&id);
    }

    /// Gives a statement that has not been fetched as much time again.
    pub(super) fn renew(&self, held: &Held) -> DateTime<Utc> {
        let until = self.clock.now() + self.lifetime;
        *held.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = until;
        until
    }

    /// The statements of a user that have not been fetched.
    pub(super) fn of_user(&self, user: &str) -> Vec<Arc<Held>> {
        let now = self.clock.now();
        self.lock().values().filter(|held| held.user == user && held.expires_at() > now).cloned().collect()
    }

    /// Forgets those whose time is over; queries that were never fetched end by that. What is being fetched stays until it has ended, so
    /// that it can be cancelled.
    pub(super) fn sweep(&self) {
        let now = self.clock.now();
        let running = |held: &Held| held.fetched.load(Relaxed) && !held.canceller.report().state.is_terminal();
        let over: Vec<_> = self.lock().extract_if(|_, held| held.expires_at() <= now && !running(held)).collect();
        drop(over);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// Runs a statement to its end.
///
/// # Errors
/// Its own, with its figures.
pub(super) async fn carry_out(planned: PlannedQuery) -> Result<Answer, Failure> {
    let canceller = planned.canceller();
    let mut query = planned.run().await?;
    let schema = query.schema();
    let failed = |error| Failure { error, report: canceller.report() };
    let batches: Vec<_> = (&mut query).try_collect().await.map_err(failed)?;
    let whole = concat_batches(&schema, &batches);
    let whole =
        whole.map_err(|error| failed(Error::internal("a statement's answer cannot be put together").with_source(error)))?;
    Ok(Answer { batch: whole, report: canceller.report() })
}
