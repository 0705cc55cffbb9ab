//! The catalog for clients that browse without SQL: databases, their tables with definitions, and the engine's own tables.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use glaux_catalog::{Metastore, model::Table};

use super::{columns::schema as schema_of, own_table::OwnTable};
use crate::{access::Caller, error::Result, reserved::SYSTEM_SCHEMAS};

/// What one session's user may see of the catalog. Every call looks it up anew.
#[derive(Debug, Clone)]
pub struct Browser {
    caller: Caller,
    catalog: Arc<dyn Metastore>,
}

impl Browser {
    pub(crate) fn new(caller: Caller, catalog: Arc<dyn Metastore>) -> Self {
        Self { caller, catalog }
    }

    /// What the user may see of the catalog now; grants are read once for all that is asked of it.
    fn visible(&self) -> Arc<dyn Metastore> {
        self.caller.guard(&self.catalog)
    }

    /// The names of the databases and of the engine's own schemas, in order.
    ///
    /// # Errors
    /// Those of the metastore.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let databases = self.visible().databases().await?.into_iter().map(|database| database.name);
        let mut names: Vec<_> = databases.chain(SYSTEM_SCHEMAS.map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A database's tables and views with their definitions, by name; of the engine's own schemas none.
    ///
    /// # Errors
    /// `NotFound` for the database, `Denied` for one that the user may not see.
    pub async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        self.visible().tables(database).await
    }

    /// The tables of one of the engine's own schemas with their columns, by name; of any other none.
    #[must_use]
    pub fn system_tables(&self, schema: &str) -> Vec<(&'static str, SchemaRef)> {
        OwnTable::of_schema(schema).map(|table| (table.name(), schema_of(&table.columns()))).collect()
    }
}
