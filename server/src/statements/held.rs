//! Statements held for clients: planned but not fetched, running, or finished with a result that waits.
//!
//! A query begins when it is first fetched. A statement that changes something is carried out at once, exactly once, and its answer can be
//! fetched any number of times while it is held. What is never fetched is dropped when its time is over, with its session, soon after its
//! connection, or when newer ones have used up a share.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use glaux_engine::{
    Error, Result, Session,
    clock::Clock,
    query::{CancelReason, Canceller, Estimate, Failure, PlannedQuery, QueryId, QueryReport},
};
use uuid::Uuid;

use super::{
    refusal::Refusal,
    result::{RowStream, RunningResult},
    session::ClientSession,
    shares::{Holder, Kept, Limit, Owner, Precedence, Share, Shared, Shares},
};
use crate::lock::lock;

/// How many streams a result has at most.
const MAX_STREAMS: u16 = 16;

/// One statement that a client may fetch.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: Uuid,
    owner: Owner,
    held_since: Instant,
    pub(crate) query: QueryId,
    pub(crate) schema: SchemaRef,
    pub(crate) estimate: Option<Estimate>,
    /// In how many streams the result may be fetched at once.
    pub(crate) streams: u16,
    pub(crate) ordered: bool,
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
    Running { result: Arc<RunningResult>, opened: Vec<u16> },
    Answered(Box<Answer>),
    Gone,
}

/// What a statement whose result is fetched gives.
enum Fetched {
    Rows(Arc<RunningResult>),
    Answer(Box<Answer>),
}

/// A result that is being fetched.
pub(crate) enum Opened {
    Rows(RowStream),
    Answer(Box<Answer>),
}

/// The answer of a statement that is not a query.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) batch: RecordBatch,
    pub(crate) report: QueryReport,
}

impl Kept for Held {
    fn id(&self) -> Uuid {
        self.id
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn precedence(self: &Arc<Self>) -> Option<Precedence> {
        if self.is_running() {
            return None;
        }
        let missed = self.owner.is_connected() && !self.fetched.load(Relaxed);
        Some(Precedence { missed: missed.into(), since: self.held_since })
    }
}

impl Held {
    /// Whether its rows are being fetched.
    fn is_running(&self) -> bool {
        self.fetched.load(Relaxed) && !self.is_answer && !self.canceller.report().state.is_terminal()
    }

    /// Whose it is.
    pub(crate) fn user(&self) -> &str {
        &self.owner.user
    }

    /// Until when it is held, if it is not fetched.
    pub(crate) fn expires_at(&self) -> DateTime<Utc> {
        *lock(&self.expires_at)
    }

    /// Fetches one of the result's streams for its user, in a session of theirs; the first one begins the query.
    ///
    /// # Errors
    /// That of running the query; `NotFound` if the stream has been fetched before.
    async fn fetch(&self, stream: u16, session: &Session) -> Result<Fetched, Refusal> {
        self.fetched.store(true, Relaxed);
        let mut stage = self.stage.lock().await;
        if matches!(&*stage, Stage::Planned(_))
            && let Stage::Planned(planned) = std::mem::replace(&mut *stage, Stage::Gone)
        {
            planned.asked_by(session);
            let query = planned.run().await?;
            *stage = Stage::Running { result: RunningResult::new(query), opened: Vec::new() };
        }
        match &mut *stage {
            Stage::Running { result, opened } if stream < self.streams && !opened.contains(&stream) => {
                opened.push(stream);
                Ok(Fetched::Rows(Arc::clone(result)))
            }
            Stage::Answered(answer) => Ok(Fetched::Answer(answer.clone())),
            Stage::Running { .. } | Stage::Planned(_) | Stage::Gone => Err(gone().into()),
        }
    }

    /// Stops it, at whatever stage; `false` if it has ended.
    fn cancel(&self) -> bool {
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

/// How long a result waits to be fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// Without a renewal.
    pub(crate) waiting: Duration,
    /// With all renewals.
    pub(crate) renewed: Duration,
    /// Once the connection that asked for it is gone: another one of the same user may fetch it.
    pub(crate) orphaned: Duration,
}

/// All statements that are held for clients.
#[derive(Debug)]
pub(super) struct HeldStatements {
    held: Mutex<Shared<Held>>,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
}

impl HeldStatements {
    pub(super) fn new(clock: Arc<dyn Clock>, lifetimes: Lifetimes, shares: Shares) -> Self {
        Self { held: Mutex::new(Shared::new("results", shares)), clock, lifetimes }
    }

    /// Holds a statement until it is fetched. What is not a query is carried out first. Beyond a share, the oldest that waits is dropped.
    ///
    /// # Errors
    /// Of carrying it out.
    pub(super) async fn hold(&self, planned: PlannedQuery, owner: Owner, streams: u16) -> Result<Arc<Held>, Failure> {
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
            owner,
            held_since: Instant::now(),
            query,
            schema,
            estimate,
            streams: if ordered { 1 } else { streams.clamp(1, MAX_STREAMS) },
            ordered,
            canceller,
            expires_at: Mutex::new(self.clock.now() + self.lifetimes.waiting.min(self.lifetimes.renewed)),
            ends_at: self.clock.now() + self.lifetimes.renewed,
            fetched: AtomicBool::new(false),
            is_answer: matches!(stage, Stage::Answered(_)),
            is_orphan: AtomicBool::new(false),
            stage: tokio::sync::Mutex::new(stage),
        });
        let gone = lock(&self.held).insert(Arc::clone(&held));
        // Queries that are dropped end, and are recorded.
        drop(gone);
        Ok(held)
    }

    /// A user's statement.
    ///
    /// # Errors
    /// `NotFound`, which says by which limit the result was displaced, if it was; another user's is not found either.
    pub(super) fn get(&self, id: Uuid, user: &str) -> Result<Arc<Held>> {
        let held = lock(&self.held);
        match held.of_user(&id, user) {
            Some(found) => Ok(Arc::clone(found)),
            None => Err(held.displaced_by(&id).map_or_else(gone, |share| displaced(share, held.shares()))),
        }
    }

    /// Opens one of a result's streams for its user, in a session of theirs, which remembers the figures at its end.
    ///
    /// # Errors
    /// That of running the query; `NotFound` if the stream has been fetched before.
    pub(super) async fn open(
        self: &Arc<Self>,
        held: Arc<Held>,
        stream: u16,
        client: &Arc<ClientSession>,
    ) -> Result<Opened, Refusal> {
        let fetched = held.fetch(stream, &client.session).await;
        match fetched {
            Ok(Fetched::Rows(result)) => {
                let (all, client) = (Arc::clone(self), Arc::clone(client));
                let on_end = Box::new(move |report| {
                    client.ended(report);
                    all.fetched(&held);
                });
                Ok(Opened::Rows(RowStream::new(result, on_end)))
            }
            Ok(Fetched::Answer(answer)) => {
                client.ended(answer.report.clone());
                Ok(Opened::Answer(answer))
            }
            Err(refusal) => {
                if let Refusal::Failed(failure) = &refusal {
                    client.ended(failure.report.clone());
                    self.remove(held.id);
                }
                Err(refusal)
            }
        }
    }

    /// Cancels a statement at whatever stage, and forgets it; `false` if it has ended.
    pub(super) fn cancel(&self, held: &Held) -> bool {
        let cancelled = held.cancel();
        self.remove(held.id);
        cancelled
    }

    /// Forgets what a session that has ended has not fetched.
    pub(super) fn close_session(&self, session: Uuid) {
        let over = lock(&self.held).extract(|held| held.owner.holder == Holder::Session(session) && !held.is_running());
        drop(over);
    }

    /// Forgets a statement whose result has been fetched. Of several streams, the others may still be asked for.
    fn fetched(&self, held: &Held) {
        if held.streams == 1 {
            self.remove(held.id);
        }
    }

    /// Forgets a statement.
    fn remove(&self, id: Uuid) {
        lock(&self.held).remove(&id);
    }

    /// Gives a statement that has not been fetched as much time again, as long as its whole time is not over.
    ///
    /// # Errors
    /// `Denied` if the user may not read any more what it was planned on.
    pub(super) async fn renew(&self, held: &Held, session: &Session) -> Result<()> {
        // One whose stage is taken is being opened, and judged there.
        if let Ok(stage) = held.stage.try_lock()
            && let Stage::Planned(planned) = &*stage
        {
            planned.asked_by(session);
            planned.check_access().await?;
        }
        let until = (self.clock.now() + self.lifetimes.waiting).min(held.ends_at);
        *lock(&held.expires_at) = until;
        Ok(())
    }

    /// The statements of a user that have not been fetched.
    pub(super) fn of_user(&self, user: &str) -> Vec<Arc<Held>> {
        let now = self.clock.now();
        lock(&self.held).iter().filter(|held| held.owner.user == user && held.expires_at() > now).cloned().collect()
    }

    /// Forgets those whose time is over; queries that were never fetched end by that. What is being fetched stays until it has ended, so
    /// that it can be cancelled. Those whose connection is gone get less time.
    pub(super) fn sweep(&self) {
        let now = self.clock.now();
        let over = lock(&self.held).extract(|held| {
            if !held.owner.is_connected() && !held.is_orphan.swap(true, Relaxed) {
                let mut expires_at = lock(&held.expires_at);
                *expires_at = (*expires_at).min(now + self.lifetimes.orphaned);
            }
            held.expires_at() <= now && !held.is_running()
        });
        drop(over);
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.held).len()
    }
}

/// A result that cannot be fetched any more.
pub(crate) fn gone() -> Error {
    Error::not_found(
        "the result of this statement is no longer available: it was fetched or cancelled, it expired, or its session or \
         connection has ended",
    )
    .with_hint("Run the statement again")
}

/// A result was dropped, because a share was used up.
fn displaced(share: Share, shares: Shares) -> Error {
    let whose = match share {
        Share::Session => "one session",
        Share::User => "one user",
        Share::All => "all users together",
    };
    let Limit { most, setting } = shares.limit(share);
    let message =
        format!("the result of this statement was dropped for newer ones: at most {most} results of {whose} wait to be fetched");
    Error::not_found(message)
        .with_hint(format!("Run the statement again and fetch its result at once, or cancel it; {setting} is the limit"))
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
        whole.map_err(|error| failed(Error::internal("the answer of a statement could not be assembled").with_source(error)))?;
    Ok(Answer { batch: whole, report: canceller.report() })
}
