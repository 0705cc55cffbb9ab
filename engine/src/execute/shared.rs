//! The engine's handles, which all its queries share. It does not know how queries are planned and executed.

use std::sync::{Arc, PoisonError, RwLock};

use datafusion::execution::context::SessionState;
use glaux_catalog::Metastore;

use super::executor::Executor;
use crate::{
    access::{Caller, KnownWorkgroups, LocationPolicy, WorkgroupsInUse},
    clock::Clock,
    config::EngineOptions,
    error::{Error, Result},
    failure::from_datafusion,
    formats::Footers,
    lifecycle::{QueryManager, Slots},
    scan::Fetcher,
    scratch::ScratchFolder,
    session::{Session, SessionOptions},
    storage::Stores,
    table::{KeptListings, RegisteredTables},
};

/// What an engine's queries share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: EngineOptions,
    /// The whole catalog. A query uses it only through [`Caller::guard`].
    pub metastore: Arc<dyn Metastore>,
    pub stores: Arc<Stores>,
    pub locations: Arc<LocationPolicy>,
    pub footers: Arc<Footers>,
    pub listings: Arc<KeptListings>,
    pub fetcher: Arc<Fetcher>,
    pub queries: Arc<QueryManager>,
    pub workgroups: KnownWorkgroups,
    pub workgroups_in_use: Arc<WorkgroupsInUse>,
    /// For statements that are being planned.
    pub planning: Arc<Slots>,
    pub executor: Arc<Executor>,
    /// What every query's state is made from. Registering a function replaces it.
    pub state: RwLock<Arc<SessionState>>,
    pub registered: Arc<RegisteredTables>,
    /// The session of statements for which the embedding program names none.
    pub session: Session,
    pub clock: Arc<dyn Clock>,
    /// The data directory of an engine in memory. It comes last, because it is removed when everything above is gone.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub scratch: Option<ScratchFolder>,
}

impl Shared {
    /// What a new query's state is made from.
    pub(crate) fn state(&self) -> Arc<SessionState> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a function for queries that are planned from now on. `names` are all names that it has.
    ///
    /// # Errors
    /// `Invalid` for names that no statement could call, `AlreadyExists` for a name that a function has.
    pub(crate) fn register_function(
        &self,
        names: &[String],
        register: impl FnOnce(&mut SessionState) -> datafusion::error::Result<()>,
    ) -> Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if *name != name.to_lowercase() {
                return Err(Error::invalid(format!("function name \"{name}\" is not in lower case"))
                    .with_hint("Names in SQL are folded to lower case: register the function under such a name"));
            }
            let is_taken = state.scalar_functions().contains_key(name)
                || state.aggregate_functions().contains_key(name)
                || state.window_functions().contains_key(name)
                || state.table_functions().contains_key(name);
            if is_taken {
                return Err(Error::already_exists(format!("function \"{name}\" already exists"))
                    .with_hint("Register the function under another name"));
            }
        }
        let mut changed = state.as_ref().clone();
        register(&mut changed).map_err(from_datafusion)?;
        *state = Arc::new(changed);
        Ok(())
    }

    /// The session's user, as the one who asks.
    pub(crate) fn caller(&self, session: &SessionOptions) -> Caller {
        Caller::new(session, self.options.default_access, &self.locations).keeping(&self.workgroups_in_use)
    }
}
