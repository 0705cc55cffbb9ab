//! Clients' sessions: the current database, the settings, and the last query's figures, between one call and the next.
//!
//! A session is found by its id, which a door gets from what its client sends. A client that sends nothing has a session for the one call; it is
//! kept once the client shows that it keeps what it was given, or sets something. Beyond a share, the longest idle ends: first those that have
//! nothing but defaults, which come back as they were. A client whose settings are lost gets an error.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use glaux_engine::{Result, Role, Session, SessionOptions, query::QueryReport};
use uuid::Uuid;

use super::shares::{Holder, Kept, Limit, Precedence, Shared, Shares};
use crate::auth::{Identity, unauthenticated};

/// One client's session.
#[derive(Debug)]
pub(crate) struct ClientSession {
    pub(crate) id: Uuid,
    user: String,
    /// The engine's session: database and settings.
    pub(crate) session: Session,
    /// In how many streams the client wants to fetch results that have no order.
    streams: AtomicU16,
    /// Whether its client has set something.
    has_settings: AtomicBool,
    last_query: Mutex<Option<QueryReport>>,
    used_at: Mutex<Instant>,
}

impl ClientSession {
    fn new(id: Uuid, identity: &Identity, defaults: &SessionOptions) -> Arc<Self> {
        let options = SessionOptions { user: identity.user.clone(), ..defaults.clone() };
        let session = Self {
            id,
            user: identity.user.clone(),
            session: Session::new(options),
            streams: AtomicU16::new(1),
            has_settings: AtomicBool::new(false),
            last_query: Mutex::default(),
            used_at: Mutex::new(Instant::now()),
        };
        session.identify(identity);
        Arc::new(session)
    }

    /// Groups, role and workgroup as the identity has them now.
    fn identify(&self, identity: &Identity) {
        let role = if identity.administrator { Role::Administrator } else { Role::User };
        self.session.identify(&identity.user, &identity.groups, role, identity.workgroup.as_deref());
        *lock(&self.used_at) = Instant::now();
    }

    /// The figures of the last query that has ended.
    pub(crate) fn last_query(&self) -> Option<QueryReport> {
        lock(&self.last_query).clone()
    }

    /// Remembers a query's figures as the last's.
    pub(super) fn ended(&self, report: QueryReport) {
        *lock(&self.last_query) = Some(report);
    }

    /// In how many streams the client wants to fetch results that have no order.
    pub(crate) fn streams(&self) -> u16 {
        self.streams.load(Relaxed)
    }

    pub(crate) fn set_streams(&self, streams: u16) {
        self.streams.store(streams, Relaxed);
    }

    fn idle(&self) -> Duration {
        lock(&self.used_at).elapsed()
    }
}

impl Kept for ClientSession {
    fn id(&self) -> Uuid {
        self.id
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn holder(&self) -> Holder {
        Holder::Session(self.id)
    }

    fn precedence(self: &Arc<Self>) -> Option<Precedence> {
        // Calls of the session hold it.
        let idle = Arc::strong_count(self) == 1;
        idle.then(|| Precedence { missed: self.has_settings.load(Relaxed).into(), since: *lock(&self.used_at) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All sessions of the server.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<Shared<ClientSession>>,
    defaults: SessionOptions,
    idle: Duration,
    /// Displaced, and what belongs to them is still there.
    displaced: Mutex<Vec<Uuid>>,
}

impl Sessions {
    pub(super) fn new(defaults: SessionOptions, idle: Duration, of_user: Limit, all: Limit) -> Self {
        // A session holds nothing but itself.
        let shares = Shares { session: of_user, user: of_user, all };
        Self { kept: Mutex::new(Shared::new(shares)), defaults, idle, displaced: Mutex::default() }
    }

    /// The session of a client that keeps what it was given: the one of that id, or a new one with the defaults.
    ///
    /// # Errors
    /// Unauthenticated, if the session had settings and was displaced: its client would go on in another database.
    pub(super) fn resume(&self, id: Uuid, identity: &Identity) -> Result<Arc<ClientSession>> {
        if let Some(found) = self.find(id, identity)? {
            return Ok(found);
        }
        let session = self.fresh(id, identity);
        self.keep(&session);
        Ok(session)
    }

    /// The session by its id, if it is kept and the user's.
    fn find(&self, id: Uuid, identity: &Identity) -> Result<Option<Arc<ClientSession>>> {
        let found = {
            let kept = lock(&self.kept);
            if let Some(share) = kept.displaced_by(&id) {
                let Limit { most, setting } = kept.shares().limit(share);
                let message = format!("the session was displaced by newer ones, idle for longest of {most} ({setting})");
                return Err(unauthenticated(&message).with_hint("Connect again: what was set in the session is lost"));
            }
            kept.get(&id).filter(|session| session.user == identity.user).cloned()
        };
        Ok(found.inspect(|session| session.identify(identity)))
    }

    /// A session with the defaults, which is not kept yet.
    pub(super) fn fresh(&self, id: Uuid, identity: &Identity) -> Arc<ClientSession> {
        ClientSession::new(id, identity, &self.defaults)
    }

    /// Keeps a session for the next calls.
    fn keep(&self, session: &Arc<ClientSession>) {
        let mut kept = lock(&self.kept);
        if kept.get(&session.id).is_some() {
            return;
        }
        let gone = kept.insert(Arc::clone(session));
        // Those with nothing but defaults are made again when their clients come back.
        gone.iter().filter(|gone| !gone.has_settings.load(Relaxed)).for_each(|gone| kept.forget_displaced(&gone.id));
        drop(kept);
        metrics::counter!("glaux_displaced_total", "what" => "sessions").increment(gone.len() as u64);
        lock(&self.displaced).extend(gone.iter().map(|gone| gone.id));
    }

    /// Keeps a session in which its client has set something.
    pub(super) fn keep_settings(&self, session: &Arc<ClientSession>) {
        session.has_settings.store(true, Relaxed);
        self.keep(session);
    }

    /// Ends a session. One that is not there has ended already.
    pub(super) fn close(&self, id: Uuid) {
        lock(&self.kept).remove(&id);
    }

    pub(super) fn is_kept(&self, id: Uuid) -> bool {
        lock(&self.kept).get(&id).is_some()
    }

    /// Ends the sessions that nobody has used for long; gives their ids, and those of the sessions that were displaced.
    pub(super) fn sweep(&self) -> Vec<Uuid> {
        let over = lock(&self.kept).extract(|session| session.idle() >= self.idle);
        let displaced = std::mem::take(&mut *lock(&self.displaced));
        // One that has come back since keeps what it has.
        let displaced = displaced.into_iter().filter(|id| !self.is_kept(*id));
        over.iter().map(|session| session.id).chain(displaced).collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.kept).len()
    }
}
