//! `system.files`, the data files of a table as a scan would find them now: the lister is injected.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::model::Table;

use super::{
    columns::{Column, batch, count, counts, schema, text, texts, time, times},
    context::{SystemContext, TableFile},
    lookup,
    narrowing::Narrowing,
    partitions::rows_of,
    source::{RowSource, Wanted},
};
use crate::error::{Error, Result};

/// `system.files`.
#[derive(Debug)]
pub(super) struct Files(pub(super) SystemContext);

impl RowSource for Files {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.files"
    }

    fn reads_stores(&self) -> bool {
        true
    }

    /// Nobody lists a whole lake by accident.
    fn check(&self, narrowing: &Narrowing) -> Result<()> {
        match narrowing.values("table") {
            Some(_) => Ok(()),
            None => Err(Error::invalid("\"system.files\" needs the name of a table")
                .with_hint("Add WHERE \"table\" = 'name', and \"database\" = 'name' if several databases have one")),
        }
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let tables = lookup::tables(self.0.metastore.as_ref(), &wanted.narrowing, "database", "table").await?;
            let tables = tables.into_iter().filter(|table| !table.is_view()).map(Ok);
            Ok::<_, Error>(
                stream::iter(tables).and_then(move |table| Arc::clone(&self).of_table(table, wanted.narrowing.clone())),
            )
        };
        stream::once(rows).try_flatten().boxed()
    }
}

impl Files {
    pub(super) fn columns() -> Vec<Column> {
        vec![
            text("database", "Database of the table"),
            text("table", "Table that the file belongs to"),
            text("partition", "Partition, as in dt=2024-06-01/h=07; NULL if the table is not partitioned"),
            text("path", "URL of the file"),
            count("size", "Size in bytes"),
            time("modified_at", "When the store last changed the file"),
        ]
    }

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
