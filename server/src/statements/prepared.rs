//! Prepared statements: text, description, and the values bound last. A handle stays the same when values are bound, so that clients that
//! overlook a new handle run with what they have bound all the same. Drivers prepare for every execution and close late: beyond a share, the
//! longest idle is closed.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use glaux_engine::{
    Error, Result,
    query::{Description, Parameters},
};
use uuid::Uuid;

use super::shares::{Holder, Kept, Limit, Owner, Precedence, Share, Shared, Shares};
use crate::lock::lock;

/// One prepared statement.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: Uuid,
    owner: Owner,
    pub(crate) sql: String,
    pub(crate) description: Description,
    bound: Mutex<Parameters>,
    used_at: Mutex<Instant>,
}

impl Prepared {
    /// The values bound last; none at first.
    pub(crate) fn bound(&self) -> Parameters {
        lock(&self.bound).clone()
    }

    /// Binds values for what is run from now on.
    ///
    /// # Errors
    /// `Invalid` if there are more or fewer than the statement has parameters.
    pub(crate) fn bind(&self, values: Parameters) -> Result<()> {
        let (wanted, given) = (self.description.parameters.fields().len(), values.len());
        if wanted != given {
            return Err(Error::invalid(format!("the statement has {wanted} parameters, but {given} values were given"))
                .with_hint("Bind one value for each ? in the statement"));
        }
        *lock(&self.bound) = values;
        Ok(())
    }
}

impl Kept for Prepared {
    fn id(&self) -> Uuid {
        self.id
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn precedence(self: &Arc<Self>) -> Option<Precedence> {
        let missed = self.owner.is_connected().into();
        // Calls that use it hold it.
        (Arc::strong_count(self) == 1).then(|| Precedence { missed, since: *lock(&self.used_at) })
    }
}

/// All prepared statements of the server.
#[derive(Debug)]
pub(super) struct PreparedStatements {
    prepared: Mutex<Shared<Prepared>>,
    idle: Duration,
}

impl PreparedStatements {
    pub(super) fn new(idle: Duration, shares: Shares) -> Self {
        Self { prepared: Mutex::new(Shared::new("prepared_statements", shares)), idle }
    }

    /// Keeps a statement, and gives it with its handle.
    pub(super) fn insert(&self, sql: String, description: Description, owner: Owner) -> Arc<Prepared> {
        let prepared = Arc::new(Prepared {
            id: Uuid::now_v7(),
            owner,
            sql,
            description,
            bound: Mutex::default(),
            used_at: Mutex::new(Instant::now()),
        });
        let gone = lock(&self.prepared).insert(Arc::clone(&prepared));
        drop(gone);
        prepared
    }

    /// A user's statement by its handle.
    ///
    /// # Errors
    /// `NotFound`, which says by which limit it was displaced, if it was; another user's is not found either.
    pub(super) fn get(&self, handle: &[u8], user: &str) -> Result<Arc<Prepared>> {
        let prepared = lock(&self.prepared);
        let id = Uuid::from_slice(handle).unwrap_or_default();
        let Some(found) = prepared.of_user(&id, user) else {
            return Err(match prepared.displaced_by(&id) {
                Some(share) => displaced(share, prepared.shares()),
                None => Error::not_found(
                    "the prepared statement does not exist: it was closed, was not used for long, or is another server's",
                ),
            }
            .with_hint("Prepare the statement again"));
        };
        *lock(&found.used_at) = Instant::now();
        Ok(Arc::clone(found))
    }

    /// Forgets a statement. One that is not there is closed already.
    pub(super) fn close(&self, handle: &[u8], user: &str) {
        if let Ok(found) = self.get(handle, user) {
            lock(&self.prepared).remove(&found.id);
        }
    }

    /// Forgets a session's statements.
    pub(super) fn close_session(&self, session: Uuid) {
        let over = lock(&self.prepared).extract(|prepared| prepared.owner.holder == Holder::Session(session));
        drop(over);
    }

    /// Forgets those that nobody has used for long.
    pub(super) fn sweep(&self) {
        let over = lock(&self.prepared).extract(|prepared| lock(&prepared.used_at).elapsed() >= self.idle);
        drop(over);
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.prepared).len()
    }
}

/// A prepared statement went, because a share was used up.
fn displaced(share: Share, shares: Shares) -> Error {
    let whose = match share {
        Share::Session => "one session",
        Share::User => "one user",
        Share::All => "all users together",
    };
    let Limit { most, setting } = shares.limit(share);
    Error::not_found(format!("the prepared statement was closed for newer ones: {whose} may have at most {most} ({setting})"))
}
