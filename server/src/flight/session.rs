//! Clients' sessions: the current database, the settings, and the last query's figures, between one call and the next.
//!
//! A session is found by the token or cookie that its client sends. A client that sends neither has a session for the one call; it is kept
//! once the client shows that it keeps what it was given, or sets something.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use glaux_engine::{Error, ErrorKind, Result, Role, Session, SessionOptions, query::QueryReport};
use uuid::Uuid;

use crate::auth::Identity;

/// A session that nobody used for so long may make room for another.
const SPARE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct ClientSession {
    pub(super) id: Uuid,
    pub(super) user: String,
    /// The engine's session: database and settings.
    pub(super) session: Session,
    /// In how many streams the client wants to fetch results that have no order.
    pub(super) endpoints: AtomicU16,
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
            endpoints: AtomicU16::new(1),
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

    pub(super) fn last_query(&self) -> Option<QueryReport> {
        *lock(&self.last_query)
    }

    /// Remembers a query's figures as the last's.
    pub(super) fn ended(&self, report: QueryReport) {
        *lock(&self.last_query) = Some(report);
    }

    fn idle(&self) -> Duration {
        lock(&self.used_at).elapsed()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All sessions of the server.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<HashMap<Uuid, Arc<ClientSession>>>,
    defaults: SessionOptions,
    idle: Duration,
    limit: usize,
}

impl Sessions {
    pub(super) fn new(defaults: SessionOptions, idle: Duration, limit: usize) -> Self {
        Self { kept: Mutex::default(), defaults, idle, limit }
    }

    /// The session by its id, if it is kept and the user's.
    pub(super) fn find(&self, id: Uuid, identity: &Identity) -> Option<Arc<ClientSession>> {
        let found = lock(&self.kept).get(&id).filter(|session| session.user == identity.user).cloned()?;
        found.identify(identity);
        Some(found)
    }

    /// A session with the defaults, which is not kept yet.
    pub(super) fn fresh(&self, id: Uuid, identity: &Identity) -> Arc<ClientSession> {
        ClientSession::new(id, identity, &self.defaults)
    }

    /// Keeps a session for the next calls.
    ///
    /// # Errors
    /// `LimitExceeded` if there are too many, all in use.
    pub(super) fn keep(&self, session: &Arc<ClientSession>) -> Result<()> {
        let mut kept = lock(&self.kept);
        if kept.len() >= self.limit && !kept.contains_key(&session.id) {
            let longest = kept.values().max_by_key(|session| session.idle()).filter(|session| session.idle() >= SPARE);
            let Some(longest) = longest.map(|session| session.id) else {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("{} sessions are open", self.limit))
                    .with_hint("Close sessions that are not used; [flight] max_sessions sets the limit"));
            };
            kept.remove(&longest);
        }
        kept.insert(session.id, Arc::clone(session));
        Ok(())
    }

    /// Ends a session; `false` if it is not there.
    pub(super) fn close(&self, id: Uuid) -> bool {
        lock(&self.kept).remove(&id).is_some()
    }

    pub(super) fn is_kept(&self, id: Uuid) -> bool {
        lock(&self.kept).contains_key(&id)
    }

    /// Ends the sessions that nobody has used for long; gives their ids.
    pub(super) fn sweep(&self) -> Vec<Uuid> {
        lock(&self.kept).extract_if(|_, session| session.idle() >= self.idle).map(|(id, _)| id).collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.kept).len()
    }
}

/// The number of endpoints that a client asks for.
pub(super) fn endpoints(session: &ClientSession) -> u16 {
    session.endpoints.load(Relaxed)
}
