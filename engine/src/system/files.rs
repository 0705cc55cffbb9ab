//! `system.files`, the data files of a table as a scan would find them now. How they are listed is the scan's business: it is injected.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::{model::Table, partition::PartitionIndex};

use super::{
    SystemDeps,
    columns::{batch, count, counts, schema, text, texts, time, times},
    lookup,
    narrowing::Narrowing,
    partitions::rows_of,
    provider::{RowSource, Wanted},
};
use crate::error::{Error, Result};

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// The full URL, as `"$path"` shows it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub modified_at: DateTime<Utc>,
    /// The row of its partition in the index; of no meaning in tables without partition keys.
    pub partition: usize,
}

/// Lists the files of tables, counting the requests with the meter of the query that asks.
#[async_trait]
pub trait FileLister: fmt::Debug + Send + Sync {
    /// The data files of the partitions at these rows of the index, or of the whole table if it has no partition keys.
    ///
    /// # Errors
    /// Those of the store, naming the location.
    async fn files(&self, table: &Table, index: &PartitionIndex, rows: &[usize]) -> Result<Vec<TableFile>>;
}

/// `system.files`.
#[derive(Debug)]
pub(super) struct Files(pub(super) SystemDeps);

impl RowSource for Files {
    fn schema(&self) -> SchemaRef {
        let fields = ["database", "table", "partition", "path"].map(text).into_iter();
        schema(fields.chain([count("size"), time("modified_at")]))
    }

    fn name(&self) -> &'static str {
        "system.files"
    }

    fn reads_stores(&self) -> bool {
        true
    }

    /// A lake is never listed by accident.
    fn check(&self, narrowing: &Narrowing) -> Result<()> {
        match narrowing.values("table") {
            Some(_) => Ok(()),
            None => Err(Error::invalid("\"system.files\" lists the files of tables that are named")
                .with_hint("Add WHERE \"table\" = 'name', and \"database\" = 'name' if several databases have one")),
        }
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let tables = lookup::tables(self.0.metastore.as_ref(), &wanted.narrowing, "database", "table").await?;
            let tables = tables.into_iter().filter(|table| !table.is_view()).map(Ok);
            Ok(stream::iter(tables).and_then(move |table| Arc::clone(&self).of_table(table, wanted.narrowing.clone())))
        };
        stream::once(rows).try_flatten().boxed()
    }
}

impl Files {
    async fn of_table(self: Arc<Self>, table: Table, narrowing: Narrowing) -> Result<RecordBatch> {
        let index = self.0.metastore.partition_index(&table).await?;
        let files = self.0.files.files(&table, &index, &rows_of(&index, &narrowing)).await?;
        let of_table = |name: &str| texts(std::iter::repeat_n(Some(name), files.len()));
        let partition = |file: &TableFile| table.is_partitioned().then(|| index.name(file.partition));
        let columns = vec![
            of_table(&table.name.database),
            of_table(&table.name.table),
            texts(files.iter().map(partition)),
            texts(files.iter().map(|file| Some(&file.path))),
            counts(files.iter().map(|file| Some(file.size))),
            times(files.iter().map(|file| Some(file.modified_at))),
        ];
        batch(&self.schema(), columns)
    }
}
