//! What there is, for those who look around without SQL: databases, their tables with definitions, and the system's own tables.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use glaux_catalog::{Metastore, model::Table};

use super::{SYSTEM_SCHEMAS, SystemDeps, provider, table_names};
use crate::{access::Caller, error::Result};

/// What one session's user may see of the catalog. Every call looks anew.
#[derive(Debug, Clone)]
pub struct Browser {
    deps: Arc<SystemDeps>,
    caller: Caller,
    catalog: Arc<dyn Metastore>,
}

impl Browser {
    pub(crate) fn new(deps: Arc<SystemDeps>, caller: Caller, catalog: Arc<dyn Metastore>) -> Self {
        Self { deps, caller, catalog }
    }

    /// What the user may see of the catalog now; grants are read once for all that is asked of it.
    fn visible(&self) -> Arc<dyn Metastore> {
        self.caller.guard(&self.catalog)
    }

    /// The names of the databases and of the system's schemas, in order.
    ///
    /// # Errors
    /// Those of the metastore.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let databases = self.visible().databases().await?.into_iter().map(|database| database.name);
        let mut names: Vec<_> = databases.chain(SYSTEM_SCHEMAS.map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A database's tables and views with their definitions, by name; of the system's schemas none.
    ///
    /// # Errors
    /// `NotFound` for the database, `Denied` for one that the user has nothing to do with.
    pub async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        self.visible().tables(database).await
    }

    /// The tables of a system schema with their columns, by name; of any other none.
    #[must_use]
    pub fn system_tables(&self, schema: &str) -> Vec<(&'static str, SchemaRef)> {
        let table = |name| Some((name, provider(schema, name, &self.deps)?.schema()));
        table_names(schema).into_iter().filter_map(table).collect()
    }
}
