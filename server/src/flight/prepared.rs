//! Prepared statements: text, description, and the values bound last. A handle stays the same when values are bound, so that clients that
//! overlook a new handle run with what they have bound all the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use glaux_engine::{
    Error, ErrorKind, Result,
    query::{Description, Parameters},
};
use uuid::Uuid;

#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) id: Uuid,
    pub(super) user: String,
    session: Uuid,
    pub(super) sql: String,
    pub(super) description: Description,
    bound: Mutex<Parameters>,
    used_at: Mutex<Instant>,
}

impl Prepared {
    /// The values bound last; none at first.
    pub(super) fn bound(&self) -> Parameters {
        lock(&self.bound).clone()
    }

    /// Binds values for what is run from now on.
    ///
    /// # Errors
    /// `Invalid` if there are more or fewer than the statement has parameters.
    pub(super) fn bind(&self, values: Parameters) -> Result<()> {
        let (wanted, given) = (self.description.parameters.fields().len(), values.len());
        if wanted != given {
            return Err(Error::invalid(format!("the statement has {wanted} parameters, and {given} values were given"))
                .with_hint("Bind one value for every ? of the statement"));
        }
        *lock(&self.bound) = values;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All prepared statements of the server.
#[derive(Debug)]
pub(super) struct PreparedStatements {
    prepared: Mutex<HashMap<Uuid, Arc<Prepared>>>,
    idle: Duration,
    /// Of one session; clients without a session share their user's.
    limit: usize,
}

impl PreparedStatements {
    pub(super) fn new(idle: Duration, limit: usize) -> Self {
        Self { prepared: Mutex::default(), idle, limit }
    }

    /// Keeps a statement; gives its handle.
    ///
    /// # Errors
    /// `LimitExceeded` if the session has too many.
    pub(super) fn insert(
        &self,
        sql: String,
        description: Description,
        user: &str,
        session: Uuid,
        kept: bool,
    ) -> Result<Arc<Prepared>> {
        let session = if kept { session } else { Uuid::nil() };
        let mut all = lock(&self.prepared);
        let same = |other: &&Arc<Prepared>| other.session == session && other.user == user;
        if all.len() >= self.limit && all.values().filter(same).count() >= self.limit {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("the session has {} prepared statements", self.limit))
                .with_hint("Close those that are not needed; [flight] max_prepared_statements sets the limit"));
        }
        let prepared = Prepared {
            id: Uuid::now_v7(),
            user: user.to_owned(),
            session,
            sql,
            description,
            bound: Mutex::default(),
            used_at: Mutex::new(Instant::now()),
        };
        let prepared = Arc::new(prepared);
        all.insert(prepared.id, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// A user's statement by its handle.
    ///
    /// # Errors
    /// `NotFound`; another user's is not found either.
    pub(super) fn get(&self, handle: &[u8], user: &str) -> Result<Arc<Prepared>> {
        let found = Uuid::from_slice(handle).ok().and_then(|id| lock(&self.prepared).get(&id).cloned());
        let found = found.filter(|prepared| prepared.user == user).ok_or_else(|| {
            Error::not_found("the prepared statement is not here: it was closed, was not used for long, or is of another server")
                .with_hint("Prepare the statement again")
        })?;
        *lock(&found.used_at) = Instant::now();
        Ok(found)
    }

    /// Forgets a statement. One that is not there is closed already.
    pub(super) fn close(&self, handle: &[u8], user: &str) {
        if let Ok(found) = self.get(handle, user) {
            lock(&self.prepared).remove(&found.id);
        }
    }

    /// Forgets a session's statements.
    pub(super) fn close_session(&self, session: Uuid) {
        lock(&self.prepared).retain(|_, prepared| prepared.session != session);
    }

    /// Forgets those that nobody has used for long.
    pub(super) fn sweep(&self) {
        lock(&self.prepared).retain(|_, prepared| lock(&prepared.used_at).elapsed() < self.idle);
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.prepared).len()
    }
}
