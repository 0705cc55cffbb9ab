//! What the system tables read from.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use glaux_catalog::{Metastore, model::Table, partition::PartitionIndex};

use crate::{error::Result, lifecycle::QueryManager};

/// What the system tables show, to one query: what it lists is counted by its meter.
#[derive(Debug, Clone)]
pub(crate) struct SystemContext {
    /// The catalog as the session's user may see it.
    pub metastore: Arc<dyn Metastore>,
    /// The queries that are running, and the history.
    pub queries: Arc<QueryManager>,
    /// The only user whose queries are shown; `None` for all.
    pub only_user: Option<String>,
    pub files: Arc<dyn FileLister>,
}

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableFile {
    /// The full URL, as `"$path"` shows it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub modified_at: DateTime<Utc>,
    /// The row of its partition in the index; without meaning in tables without partition keys.
    pub partition: usize,
}

/// Lists the files of tables, counting the requests with the meter of the query that asks.
#[async_trait]
pub(crate) trait FileLister: fmt::Debug + Send + Sync {
    /// The data files of the partitions at these rows of the index, or of the whole table if it has no partition keys.
    ///
    /// # Errors
    /// Those of the store, naming the location.
    async fn files(&self, table: &Table, index: &PartitionIndex, rows: &[usize]) -> Result<Vec<TableFile>>;
}
