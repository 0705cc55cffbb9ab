//! `system.repair_findings`: the folders that the last repair of each table could not use as partitions.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::{Metastore, discovery::findings, model::Table};

use super::{
    columns::{Column, batch, schema, text, texts, time, times},
    lookup,
    source::{RowSource, Wanted},
};
use crate::error::{Error, Result};

/// Rows in one batch.
const BATCH_ROWS: usize = 8192;

/// `system.repair_findings`.
#[derive(Debug)]
pub(super) struct RepairFindings(pub(super) Arc<dyn Metastore>);

impl RowSource for RepairFindings {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.repair_findings"
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let tables = lookup::tables(self.0.as_ref(), &wanted.narrowing, "database", "table").await?;
            let tables = tables.into_iter().filter(Table::is_partitioned).map(Ok);
            let batches = stream::iter(tables).and_then(move |table| Arc::clone(&self).of_table(table));
            Ok::<_, Error>(batches.try_flatten())
        };
        stream::once(rows).try_flatten().boxed()
    }
}

impl RepairFindings {
    pub(super) fn columns() -> Vec<Column> {
        vec![
            text("database", "Database of the table"),
            text("table", "Table that was repaired"),
            text("path", "URL of the folder"),
            text("reason", "Why it is not a partition"),
            time("found_at", "When the repair found it"),
        ]
    }

    async fn of_table(self: Arc<Self>, table: Table) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let found = findings(&*self.0, &table).await?;
        let root = table.root();
        let schema = self.schema();
        let chunk = |found: &[glaux_catalog::discovery::Finding]| {
            let of_table = |name: &str| texts(std::iter::repeat_n(Some(name), found.len()));
            let columns = vec![
                of_table(&table.name.database),
                of_table(&table.name.table),
                texts(found.iter().map(|found| Some(format!("{root}{}/", found.path)))),
                texts(found.iter().map(|found| Some(&found.reason))),
                times(found.iter().map(|found| Some(found.found_at))),
            ];
            batch(&schema, columns)
        };
        let batches: Vec<Result<RecordBatch>> = found.chunks(BATCH_ROWS).map(chunk).collect();
        Ok(stream::iter(batches).boxed())
    }
}
