//! Statements of clients, shared by every door: plan, hold, run, poll, cancel and release them.
//!
//! What is kept for clients is bounded by `shares`: `session`s, `prepared` statements, and statements that are planned, running or answered
//! (`held`), whose rows `result` hands out. Nothing here knows a protocol: a door finds out by `auth` who calls, asks here, and translates.

mod caller;
mod held;
mod prepared;
mod refusal;
mod result;
mod session;
mod shares;

use std::{sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};
use glaux_engine::{
    Engine, Error, ErrorKind, Result, SessionOptions,
    query::{Basis, Failure, Parameters, QueryId, QueryReport, Quote},
    write::IngestTarget,
};
use uuid::Uuid;

pub(crate) use self::{
    caller::Caller,
    held::{Answer, Held, Lifetimes, Opened, gone},
    refusal::Refusal,
    result::RowStream,
    session::ClientSession,
    shares::{Limit, Shares},
};
use self::{
    held::{HeldStatements, carry_out},
    prepared::{Prepared, PreparedStatements},
    session::Sessions,
    shares::Owner,
};
use crate::{auth::Identity, shutdown::Drain};

/// How much is kept for clients, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) results: Shares,
    pub(crate) result_lifetimes: Lifetimes,
    pub(crate) prepared: Shares,
    /// After how long an unused prepared statement is closed.
    pub(crate) prepared_idle: Duration,
    pub(crate) sessions_of_user: Limit,
    pub(crate) sessions: Limit,
    /// After how long an unused session ends.
    pub(crate) session_idle: Duration,
}

/// The statements of all clients of a server.
#[derive(Debug)]
pub(crate) struct Statements {
    engine: Engine,
    sessions: Sessions,
    held: Arc<HeldStatements>,
    prepared: PreparedStatements,
    drain: Drain,
}

impl Statements {
    /// `defaults` is what sessions begin with; once `drain` says so, no new work is accepted.
    pub(crate) fn new(engine: Engine, defaults: SessionOptions, limits: &Limits, drain: Drain) -> Self {
        let clock = Arc::clone(engine.clock());
        Self {
            sessions: Sessions::new(defaults, limits.session_idle, limits.sessions_of_user, limits.sessions),
            held: Arc::new(HeldStatements::new(clock, limits.result_lifetimes, limits.results)),
            prepared: PreparedStatements::new(limits.prepared_idle, limits.prepared),
            engine,
            drain,
        }
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// # Errors
    /// `Unavailable` once the server is shutting down.
    pub(crate) fn accepting(&self) -> Result<()> {
        if self.drain.is_draining() {
            return Err(Error::new(ErrorKind::Unavailable, "the server is shutting down").with_hint("Connect again in a moment"));
        }
        Ok(())
    }

    /// The session of a client that keeps what it was given: the one of that id, or a new one with the defaults.
    ///
    /// # Errors
    /// Unauthenticated, if the session had settings and was displaced: its client would go on in another database.
    pub(crate) fn resume_session(&self, id: Uuid, identity: &Identity) -> Result<Arc<ClientSession>> {
        self.sessions.resume(id, identity)
    }

    /// A session with the defaults for one call. It is kept if something is set in it.
    pub(crate) fn new_session(&self, id: Uuid, identity: &Identity) -> Arc<ClientSession> {
        self.sessions.fresh(id, identity)
    }

    /// Keeps the caller's session, in which they set something.
    pub(crate) fn keep_settings(&self, caller: &Caller) {
        self.sessions.keep_settings(&caller.client);
    }

    /// Ends the caller's session, with what is kept for it.
    pub(crate) fn close_session(&self, caller: &Caller) {
        self.sessions.close(caller.client.id);
        self.end_of_session(caller.client.id);
    }

    fn end_of_session(&self, id: Uuid) {
        self.prepared.close_session(id);
        self.held.close_session(id);
    }

    fn owner(&self, caller: &Caller) -> Owner {
        caller.owner(self.sessions.is_kept(caller.client.id))
    }

    /// Plans a statement for the caller and holds it. One that is not a query is carried out at once.
    ///
    /// # Errors
    /// Those of the statement; `Unavailable` once the server is shutting down.
    pub(crate) async fn plan(&self, caller: &Caller, sql: &str, parameters: &Parameters) -> Result<Arc<Held>, Refusal> {
        self.accepting()?;
        let planned = self.engine.plan(&caller.client.session, sql, parameters).await?;
        tracing::Span::current().record("query_id", planned.id().to_string());
        let is_query = planned.is_query();
        let held = self.held.hold(planned, self.owner(caller), caller.client.streams()).await?;
        if !is_query {
            // USE and SET SESSION have changed it.
            self.keep_settings(caller);
        }
        Ok(held)
    }

    /// What a statement of the caller's takes at most, without running it.
    ///
    /// # Errors
    /// Those of the statement, and of reading the metadata of its files; `Unavailable` once the server is shutting down.
    pub(crate) async fn quote(&self, caller: &Caller, sql: &str) -> Result<Quote> {
        self.accepting()?;
        Ok(self.engine.quote(&caller.client.session, sql, &Parameters::default(), Basis::Footers).await?)
    }

    /// A statement that is held for the caller.
    ///
    /// # Errors
    /// `NotFound`, saying why it is not held any more, if that is known.
    pub(crate) fn held(&self, caller: &Caller, id: Uuid) -> Result<Arc<Held>> {
        self.held.get(id, &caller.identity.user)
    }

    /// The statements that are held for the caller and have not been fetched.
    pub(crate) fn waiting(&self, caller: &Caller) -> Vec<Arc<Held>> {
        self.held.of_user(&caller.identity.user)
    }

    /// Fetches one of a result's streams; the first one begins the query.
    ///
    /// # Errors
    /// That of running the query; `NotFound` if the stream has been fetched before.
    pub(crate) async fn open(&self, caller: &Caller, held: Arc<Held>, stream: u16) -> Result<Opened, Refusal> {
        tracing::Span::current().record("query_id", held.query.to_string());
        self.held.open(held, stream, &caller.client).await
    }

    /// Gives a statement that has not been fetched as much time again, as long as its whole time is not over.
    ///
    /// # Errors
    /// `Denied` if the caller may not read any more what it was planned on.
    pub(crate) async fn renew(&self, caller: &Caller, held: &Held) -> Result<()> {
        self.held.renew(held, &caller.client.session).await
    }

    /// Cancels a statement at whatever stage, and lets go of it; `false` if it has ended.
    pub(crate) fn cancel(&self, held: &Held) -> bool {
        self.held.cancel(held)
    }

    /// Runs a statement to its end, without its rows; gives whether it was a query.
    ///
    /// # Errors
    /// Those of the statement; `Unavailable` once the server is shutting down.
    pub(crate) async fn run(&self, caller: &Caller, sql: &str, parameters: &Parameters) -> Result<bool, Refusal> {
        self.accepting()?;
        let planned = self.engine.plan(&caller.client.session, sql, parameters).await?;
        if !planned.is_query() {
            caller.client.ended(carry_out(planned).await?.report);
            self.keep_settings(caller);
            return Ok(false);
        }
        let mut query = planned.run().await?;
        let canceller = query.canceller();
        while let Some(batch) = query.next().await {
            batch.map_err(|error| Failure { error, report: canceller.report() })?;
        }
        caller.client.ended(canceller.report());
        Ok(true)
    }

    /// Takes rows into a table; gives how many.
    ///
    /// # Errors
    /// As [`Engine::ingest`]; `Unavailable` once the server is shutting down.
    pub(crate) async fn ingest(
        &self,
        caller: &Caller,
        target: IngestTarget,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> Result<u64, Refusal> {
        self.accepting()?;
        let summary = self.engine.ingest(&caller.client.session, target, batches).await?;
        caller.client.ended(summary.report);
        Ok(summary.rows)
    }

    /// The figures of a query of the caller's, or of anybody's if they are an administrator: so far, or at its end.
    ///
    /// # Errors
    /// `NotFound` if there is none; those of the history.
    pub(crate) async fn report(&self, caller: &Caller, id: QueryId) -> Result<QueryReport> {
        let record = match self.engine.queries().running_record(id) {
            Some(record) => record,
            None => self.engine.history().get(id).await?,
        };
        if record.user != caller.identity.user && !caller.identity.administrator {
            let error = Error::not_found(format!("query \"{id}\" does not exist"));
            return Err(error.with_hint("SELECT query_id FROM system.queries lists yours"));
        }
        Ok(record.report())
    }

    /// Describes a statement and keeps it, so that it can be run by its id.
    ///
    /// # Errors
    /// Those of the statement; `Unavailable` once the server is shutting down.
    pub(crate) async fn prepare(&self, caller: &Caller, sql: String) -> Result<Arc<Prepared>> {
        self.accepting()?;
        let description = self.engine.describe(&caller.client.session, &sql).await?;
        Ok(self.prepared.insert(sql, description, self.owner(caller)))
    }

    /// A prepared statement of the caller's, by the bytes of its id.
    ///
    /// # Errors
    /// `NotFound`, which says by which limit it was displaced, if it was.
    pub(crate) fn prepared(&self, caller: &Caller, handle: &[u8]) -> Result<Arc<Prepared>> {
        self.prepared.get(handle, &caller.identity.user)
    }

    /// Closes a prepared statement of the caller's. One that does not exist is closed already.
    pub(crate) fn close_prepared(&self, caller: &Caller, handle: &[u8]) {
        self.prepared.close(handle, &caller.identity.user);
    }

    /// Ends what has been waiting or idle for too long.
    pub(crate) fn sweep(&self) {
        self.held.sweep();
        self.prepared.sweep();
        for session in self.sessions.sweep() {
            self.end_of_session(session);
        }
    }

    /// Sessions, prepared statements and held results, for the metrics.
    pub(crate) fn counts(&self) -> [(&'static str, usize); 3] {
        [("sessions", self.sessions.len()), ("prepared_statements", self.prepared.len()), ("held_statements", self.held.len())]
    }
}
