//! The engine's handles, which all its queries share. It does not know how queries are planned and executed.

use std::sync::Arc;

use datafusion::execution::context::SessionState;
use glaux_catalog::Metastore;

use super::executor::Executor;
use crate::{
    access::{Caller, LocationPolicy},
    clock::Clock,
    config::EngineOptions,
    formats::Footers,
    lifecycle::{QueryManager, Slots},
    scan::Fetcher,
    session::SessionOptions,
    storage::Stores,
    table::KeptListings,
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
    /// For statements that are being planned.
    pub planning: Arc<Slots>,
    pub executor: Arc<Executor>,
    /// What every query's state is made from.
    pub state: Arc<SessionState>,
    pub clock: Arc<dyn Clock>,
}

impl Shared {
    /// The session's user, as the one who asks.
    pub(crate) fn caller(&self, session: &SessionOptions) -> Caller {
        Caller::new(session, self.options.default_access, &self.locations)
    }
}
