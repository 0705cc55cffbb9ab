//! Tables of record batches that the embedding program registered: of one engine, in memory, and in no catalog.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use datafusion::catalog::TableProvider;
use glaux_catalog::TableName;

use crate::error::{Error, Result};

/// The registered tables of an engine, by their names.
#[derive(Debug, Default)]
pub(crate) struct RegisteredTables(RwLock<HashMap<TableName, Arc<dyn TableProvider>>>);

impl RegisteredTables {
    pub(crate) fn get(&self, name: &TableName) -> Option<Arc<dyn TableProvider>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// # Errors
    /// `AlreadyExists`.
    pub(crate) fn insert(&self, name: TableName, table: Arc<dyn TableProvider>) -> Result<()> {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tables.contains_key(&name) {
            return Err(Error::already_exists(format!("table \"{name}\" is already registered"))
                .with_hint("Deregister it first, or choose another name"));
        }
        tables.insert(name, table);
        Ok(())
    }

    /// Whether there was one of that name.
    pub(crate) fn remove(&self, name: &TableName) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}
