//! What a statement works with: made for each statement by `execute::context`.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use glaux_catalog::{Metastore, discovery::StoreProvider, model::Column};

use crate::{error::Result, hooks::HookOptions, lifecycle::QueryManager, plan::PlanContext, session::Session};

/// Plans the query of a view, as far as its columns.
#[async_trait]
pub(crate) trait ViewPlanner: Debug + Send + Sync {
    /// The output columns of a query, in order, with Hive's types. Unqualified names belong to `database`.
    ///
    /// # Errors
    /// As planning; `Unsupported` for a column whose type Hive does not have.
    async fn columns(&self, query_text: &str, database: &str) -> Result<Vec<Column>>;
}

/// Where a statement runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatementContext<'a> {
    pub session: &'a Session,
    /// The catalog as the session's user may see and change it, and how the files of its tables are found and read.
    pub plan: &'a PlanContext,
    /// Opens the locations that definitions name.
    pub stores: &'a dyn StoreProvider,
    pub views: &'a dyn ViewPlanner,
    /// The queries of the engine.
    pub queries: &'a QueryManager,
    /// What workgroups may name to be called.
    pub hooks: &'a BTreeMap<String, HookOptions>,
    /// The whole catalog, for what users do not see: which tables are managed, and which share a folder.
    pub unguarded: &'a dyn Metastore,
}

impl<'a> StatementContext<'a> {
    /// The catalog as the session's user may see and change it.
    pub(crate) fn metastore(&self) -> &'a Arc<dyn Metastore> {
        &self.plan.metastore
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.plan.clock.now()
    }
}
