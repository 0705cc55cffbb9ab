//! `system.partitions`, the registered partitions of all tables; and Trino's `"t$partitions"`, those of one table with typed values.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::{Metastore, model::Table, partition::PartitionIndex};

use super::{
    columns::{Column, batch, schema, text, texts, time, times},
    lookup,
    narrowing::Narrowing,
    source::{RowSource, Wanted},
};
use crate::error::{Error, Result};

/// Rows in one batch.
const BATCH_ROWS: usize = 8192;
/// The number of the column `created_at`, which the index of a table's partitions does not have.
const CREATED_AT: usize = 5;

/// `system.partitions`.
#[derive(Debug)]
pub(super) struct Partitions(pub(super) Arc<dyn Metastore>);

impl RowSource for Partitions {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.partitions"
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let tables = lookup::tables(self.0.as_ref(), &wanted.narrowing, "database", "table").await?;
            let partitioned = tables.into_iter().filter(Table::is_partitioned).map(Ok);
            let batches = stream::iter(partitioned).and_then(move |table| Arc::clone(&self).of_table(table, wanted.clone()));
            Ok::<_, Error>(batches.try_flatten())
        };
        stream::once(rows).try_flatten().boxed()
    }
}

impl Partitions {
    pub(super) fn columns() -> Vec<Column> {
        vec![
            text("database", "Database of the table"),
            text("table", "Table that the partition belongs to"),
            text("partition", "Name, as in dt=2024-06-01/h=07"),
            text("values", "Values of the partition keys, as a JSON array of strings; null stands for NULL"),
            text("location", "URL of the folder that holds its files"),
            time("created_at", "When it was added to the catalog"),
        ]
    }

    async fn of_table(self: Arc<Self>, table: Table, wanted: Wanted) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let index = self.0.partition_index(&table).await?;
        let rows = rows_of(&index, &wanted.narrowing);
        let chunks: Vec<Vec<usize>> = rows.chunks(BATCH_ROWS).map(<[usize]>::to_vec).collect();
        let table = Arc::new(table);
        let batches = stream::iter(chunks).then(move |rows| {
            let (source, table, index) = (Arc::clone(&self), Arc::clone(&table), Arc::clone(&index));
            let reads_times = wanted.reads(CREATED_AT);
            async move { source.chunk(&table, &index, &rows, reads_times).await }
        });
        Ok(batches.boxed())
    }

    async fn chunk(&self, table: &Table, index: &PartitionIndex, rows: &[usize], reads_times: bool) -> Result<RecordBatch> {
        let values: Vec<_> = rows.iter().map(|row| index.raw_values(*row)).collect();
        let created: HashMap<_, _> = match reads_times {
            true => self.0.partitions(table, &values).await?.into_iter().map(|p| (p.values, p.created_at)).collect(),
            false => HashMap::new(),
        };
        let root = table.root();
        let of_table = |name: &str| texts(std::iter::repeat_n(Some(name), rows.len()));
        let columns = vec![
            of_table(&table.name.database),
            of_table(&table.name.table),
            texts(rows.iter().map(|row| Some(index.name(*row)))),
            texts(values.iter().map(|values| serde_json::to_string(values).ok())),
            texts(rows.iter().map(|row| Some(index.location(*row, &root)))),
            times(values.iter().map(|values| created.get(values).copied())),
        ];
        batch(&self.schema(), columns)
    }
}

/// The rows of the index that the filter on `partition` lets through.
pub(super) fn rows_of(index: &PartitionIndex, narrowing: &Narrowing) -> Vec<usize> {
    match narrowing.values("partition") {
        Some(names) => names.iter().filter_map(|name| index.find(name)).collect(),
        None => (0..index.len()).collect(),
    }
}

/// `"t$partitions"`: a column for each partition key, of its type, and a row for each registered partition.
#[derive(Debug)]
pub(super) struct PartitionsOf {
    table: Table,
    schema: SchemaRef,
    metastore: Arc<dyn Metastore>,
}

impl PartitionsOf {
    pub(super) fn try_new(table: Table, metastore: Arc<dyn Metastore>) -> Result<Self> {
        if !table.is_partitioned() {
            return Err(Error::not_found(format!("table \"{}\" has no partitions", table.name))
                .with_hint("Only tables with PARTITIONED BY have a \"$partitions\" table"));
        }
        let field = |key: &glaux_catalog::model::Column| Field::new(&key.name, key.hive_type.to_arrow(), true);
        let schema = Arc::new(Schema::new(table.partition_keys.iter().map(field).collect::<Vec<_>>()));
        Ok(Self { table, schema, metastore })
    }
}

impl RowSource for PartitionsOf {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn name(&self) -> &'static str {
        "$partitions"
    }

    fn rows(self: Arc<Self>, _wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let index = self.metastore.partition_index(&self.table).await?;
            let values = batch(&self.schema, index.values()?.columns().to_vec())?;
            let starts = (0..values.num_rows()).step_by(BATCH_ROWS);
            let slices = starts.map(move |start| Ok(values.slice(start, BATCH_ROWS.min(values.num_rows() - start))));
            Ok::<_, Error>(stream::iter(slices))
        };
        stream::once(rows).try_flatten().boxed()
    }
}
