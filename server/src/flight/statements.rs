//! Statements between GetFlightInfo and the end of DoGet: planned and not fetched, running, or carried out with an answer that waits.
//!
//! A query begins when it is first fetched. A statement that changes something is carried out at once, exactly once, and its answer can be
//! fetched as often as the ticket is good for, or never. What is never fetched goes when its time is over, with its session, soon after its
//! connection, or when newer ones have used up a share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use glaux_engine::{
    Error, ErrorKind, Result, Session,
    clock::Clock,
    query::{CancelReason, Canceller, Estimate, Failure, PlannedQuery, QueryId, QueryReport},
};
use uuid::Uuid;

use super::{
    feed::Feed,
    shares::{Holder, Kept, Precedence, Share, Shared, Shares},
    ticket,
};
use crate::transport::ConnectionHandle;

/// How many endpoints a result has at most.
const MAX_ENDPOINTS: u16 = 16;

/// One statement that a client may fetch.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: Uuid,
    pub(super) user: String,
    holder: Holder,
    /// By which connection it was asked for, if that is known.
    connection: Option<Arc<ConnectionHandle>>,
    held_since: Instant,
    pub(super) query: QueryId,
    pub(super) schema: SchemaRef,
    pub(super) estimate: Option<Estimate>,
    /// In how many streams the result may be fetched at once.
    pub(super) endpoints: u16,
    pub(super) ordered: bool,
    canceller: Canceller,
    expires_at: Mutex<DateTime<Utc>>,
    /// No renewal leads beyond this.
    ends_at: DateTime<Utc>,
    /// Whether it has begun to be fetched.
    fetched: AtomicBool,
    /// Whether it was carried out, and only its answer is left.
    is_answer: bool,
    /// Whether its time was shortened, because nobody is there to fetch it.
    is_orphan: AtomicBool,
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

/// Whose a statement is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) holder: Holder,
    pub(super) connection: Option<Arc<ConnectionHandle>>,
}

impl Kept for Held {
    fn id(&self) -> Uuid {
        self.id
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn holder(&self) -> Holder {
        self.holder
    }

    fn precedence(self: &Arc<Self>) -> Option<Precedence> {
        if self.is_running() {
            return None;
        }
        let missed = !self.has_lost_its_connection() && !self.fetched.load(Relaxed);
        Some(Precedence { missed: missed.into(), since: self.held_since })
    }
}

impl Held {
    /// Whether its rows are being fetched.
    fn is_running(&self) -> bool {
        self.fetched.load(Relaxed) && !self.is_answer && !self.canceller.report().state.is_terminal()
    }

    fn has_lost_its_connection(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| !connection.is_open())
    }

    pub(super) fn expires_at(&self) -> DateTime<Utc> {
        *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one of the result's endpoints for its user, in a session of theirs; the first that is opened begins the query.
    ///
    /// # Errors
    /// That of running the query; `NotFound` if the endpoint has been fetched before.
    pub(super) async fn open(&self, endpoint: u16, session: &Session) -> Result<Opened, OpenError> {
        self.fetched.store(true, Relaxed);
        let mut stage = self.stage.lock().await;
        if matches!(&*stage, Stage::Planned(_))
            && let Stage::Planned(planned) = std::mem::replace(&mut *stage, Stage::Gone)
        {
            planned.asked_by(session);
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

/// How long a result waits to be fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    /// Without a renewal.
    pub(super) waiting: Duration,
    /// With all renewals.
    pub(super) renewed: Duration,
    /// Once its connection is gone: its ticket may be in other hands.
    pub(super) orphaned: Duration,
}

/// All statements that are held for clients.
#[derive(Debug)]
pub(super) struct Statements {
    held: Mutex<Shared<Held>>,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
}

impl Statements {
    pub(super) fn new(clock: Arc<dyn Clock>, lifetimes: Lifetimes, shares: Shares) -> Self {
        Self { held: Mutex::new(Shared::new(shares)), clock, lifetimes }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a statement until it is fetched. What is no query is carried out first. Beyond a share, the oldest that waits goes.
    ///
    /// # Errors
    /// Of carrying it out.
    pub(super) async fn hold(&self, planned: PlannedQuery, owner: Owner, parallel: u16) -> Result<Arc<Held>, Failure> {
        let ordered = planned.is_ordered();
        let (query, canceller, estimate) = (planned.id(), planned.canceller(), planned.estimate());
        let (schema, stage) = if planned.is_query() {
            (planned.schema(), Stage::Planned(Box::new(planned)))
        } else {
            let answer = carry_out(planned).await?;
            (answer.batch.schema(), Stage::Answered(Box::new(answer)))
        };
        let Owner { user, holder, connection } = owner;
        let held = Arc::new(Held {
            id: Uuid::now_v7(),
            user,
            holder,
            connection,
            held_since: Instant::now(),
            query,
            schema,
            estimate,
            endpoints: if ordered { 1 } else { parallel.clamp(1, MAX_ENDPOINTS) },
            ordered,
            canceller,
            expires_at: Mutex::new(self.clock.now() + self.lifetimes.waiting.min(self.lifetimes.renewed)),
            ends_at: self.clock.now() + self.lifetimes.renewed,
            fetched: AtomicBool::new(false),
            is_answer: matches!(stage, Stage::Answered(_)),
            is_orphan: AtomicBool::new(false),
            stage: tokio::sync::Mutex::new(stage),
        });
        let gone = self.lock().insert(Arc::clone(&held));
        metrics::counter!("glaux_displaced_total", "what" => "results").increment(gone.len() as u64);
        // Queries that are dropped end, and are recorded.
        drop(gone);
        Ok(held)
    }

    /// # Errors
    /// `NotFound`, which says by which limit the result was displaced, if it was.
    pub(super) fn get(&self, id: Uuid) -> Result<Arc<Held>> {
        let held = self.lock();
        if let Some(found) = held.get(&id) {
            return Ok(Arc::clone(found));
        }
        Err(held.displaced_by(&id).map_or_else(ticket::gone, |share| displaced(share, held.shares())))
    }

    /// Forgets what a session that has ended has not fetched.
    pub(super) fn close_session(&self, session: Uuid) {
        let over = self.lock().extract(|held| held.holder == Holder::Session(session) && !held.is_running());
        drop(over);
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

    /// Gives a statement that has not been fetched as much time again, as long as its whole time is not over.
    ///
    /// # Errors
    /// `Denied` if the user may not read any more what it was planned on.
    pub(super) async fn renew(&self, held: &Held, session: &Session) -> Result<DateTime<Utc>, Error> {
        // One whose stage is taken is being opened, and judged there.
        if let Ok(stage) = held.stage.try_lock()
            && let Stage::Planned(planned) = &*stage
        {
            planned.asked_by(session);
            planned.check_access().await?;
        }
        let until = (self.clock.now() + self.lifetimes.waiting).min(held.ends_at);
        *held.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = until;
        Ok(until)
    }

    /// The statements of a user that have not been fetched.
    pub(super) fn of_user(&self, user: &str) -> Vec<Arc<Held>> {
        let now = self.clock.now();
        self.lock().iter().filter(|held| held.user == user && held.expires_at() > now).cloned().collect()
    }

    /// Forgets those whose time is over; queries that were never fetched end by that. What is being fetched stays until it has ended, so
    /// that it can be cancelled. Those whose connection is gone get less time.
    pub(super) fn sweep(&self) {
        let now = self.clock.now();
        let over = self.lock().extract(|held| {
            if held.has_lost_its_connection() && !held.is_orphan.swap(true, Relaxed) {
                let mut expires_at = held.expires_at.lock().unwrap_or_else(PoisonError::into_inner);
                *expires_at = (*expires_at).min(now + self.lifetimes.orphaned);
            }
            held.expires_at() <= now && !held.is_running()
        });
        drop(over);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// The result of a ticket went, because a share was used up.
fn displaced(share: Share, shares: Shares) -> Error {
    let (whose, limit, setting) = match share {
        Share::Session => ("its session", shares.session, "flight.max_held_statements"),
        Share::User => ("its user", shares.user, "flight.max_held_statements_per_user"),
        Share::All => ("all users", shares.all, "flight.max_held_statements_total"),
    };
    let message =
        format!("the result of this ticket was displaced by newer ones: {limit} results of {whose} waited to be fetched");
    Error::new(ErrorKind::NotFound, message).with_hint(format!(
        "Run the statement again and fetch its result at once, or cancel it; the setting {setting} is the limit"
    ))
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
