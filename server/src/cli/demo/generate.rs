//! Generates TPC-H rows and writes them as the demo's tables: the same rows and the same writer for both layouts of lineitem.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::date_part,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use futures::future::try_join_all;
use glaux_catalog::model::Column;
use glaux_engine::{
    Engine, Error, Result,
    accounting::Meter,
    storage::{QueryStores, Stores},
    write::{ParquetOptions, TableWriter, WriteOptions, WrittenFile},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tpchgen::generators::{LineItemGenerator, OrderGenerator};
use tpchgen_arrow::{LineItemArrow, OrderArrow, RecordBatchIterator};

use super::{
    lake::{Lake, Parameters},
    tables::{LINEITEM, LINEITEM_FLAT, ORDERS, Table},
};
use crate::{figures, progress::Progress};

/// Rows that are generated at once; large enough that each of 84 partitions gets a good many.
const BATCH_ROWS: usize = 64 << 10;

/// Batches between the generator and a writer.
const BATCHES_IN_FLIGHT: usize = 4;

/// Orders at scale factor 1.
pub(super) const ORDERS_PER_SCALE: f64 = 1_500_000.0;

/// What was written.
#[derive(Debug)]
pub(super) struct Made {
    /// One line a table.
    pub(super) tables: Vec<String>,
}

/// Generates a lake and puts it in its place.
///
/// # Errors
/// Those of writing files.
pub(super) async fn run(engine: &Engine, lake: &Lake, parameters: &Parameters, progress: bool) -> Result<Made> {
    let new = lake.begin()?;
    // Both generators make as many rows for each order; a lineitem has four on average, and goes to two tables.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scale is positive and at most 1000")]
    let orders = (ORDERS_PER_SCALE * parameters.scale) as u64;
    let bar = Arc::new(Progress::job(progress, orders * 5, "generating"));
    let stores = Stores::for_query(engine.stores(), Meter::new(None));
    let scale = parameters.scale;

    let lineitem = LineItemArrow::new(LineItemGenerator::new(scale, 1, 1)).with_batch_size(BATCH_ROWS);
    let mut tables = write(&stores, &new, lineitem, &[&LINEITEM, &LINEITEM_FLAT], &bar).await?;
    let order = OrderArrow::new(OrderGenerator::new(scale, 1, 1)).with_batch_size(BATCH_ROWS);
    tables.extend(write(&stores, &new, order, &[&ORDERS], &bar).await?);
    lake.replace(parameters)?;
    Ok(Made { tables })
}

/// Writes what a generator makes to some tables, each on a task of its own.
async fn write(
    stores: &QueryStores,
    root: &std::path::Path,
    rows: impl RecordBatchIterator + 'static,
    tables: &[&'static Table],
    bar: &Arc<Progress>,
) -> Result<Vec<String>> {
    let mut senders = Vec::new();
    let mut writers = Vec::new();
    for table in tables {
        let keys = (table.keys)();
        let schema = keyed_schema(rows.schema(), table, &keys)?;
        let location = stores.resolve(&root.join(table.name).to_string_lossy())?;
        let files = ParquetOptions {
            row_group_rows: 128 << 10,
            plain_columns: table.plain_columns.iter().map(|column| (*column).to_owned()).collect(),
            ..ParquetOptions::default()
        };
        let writer = TableWriter::parquet(location.store, location.path, &schema, &keys, &files, WriteOptions::default())?;
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        senders.push(sender);
        writers.push(async move { ended(tokio::spawn(take(writer, schema, receiver, table))).await });
    }
    let bar = Arc::clone(bar);
    let generator = tokio::task::spawn_blocking(move || {
        for batch in rows {
            for sender in &senders {
                // A writer that failed is gone, and says why itself.
                if sender.blocking_send(batch.clone()).is_err() {
                    return;
                }
            }
            bar.advance(batch.num_rows() as u64);
        }
    });
    let written = try_join_all(writers).await;
    generator.await.map_err(|error| Error::internal("the generator of rows ended early").with_source(error))?;
    written
}

async fn ended(task: JoinHandle<Result<String>>) -> Result<String> {
    task.await.map_err(|error| Error::internal("a writer of the demo ended early").with_source(error))?
}

/// Writes what arrives to one table; gives a line about it.
async fn take(
    mut writer: TableWriter,
    schema: SchemaRef,
    mut batches: mpsc::Receiver<RecordBatch>,
    table: &'static Table,
) -> Result<String> {
    while let Some(batch) = batches.recv().await {
        let written = match keyed_batch(&batch, &schema, table) {
            Ok(batch) => writer.write(&batch).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            writer.abort().await;
            return Err(error);
        }
    }
    Ok(summary(table, &writer.finish().await?))
}

fn summary(table: &Table, files: &[WrittenFile]) -> String {
    let sum = |count: fn(&WrittenFile) -> u64| files.iter().map(count).sum::<u64>();
    let (rows, bytes) = (sum(|file| file.rows), sum(|file| file.bytes));
    let files = figures::count(files.len() as u64, "file");
    format!("{:<14} {}, {} in {files}", table.name, figures::count(rows, "row"), figures::bytes(bytes))
}

/// The generated columns and the keys that are derived from the table's date.
fn keyed_schema(schema: &Schema, table: &Table, keys: &[Column]) -> Result<SchemaRef> {
    if keys.len() != table.parts.len() {
        return Err(Error::internal(format!("the keys of the demo's table \"{}\" are not all derived", table.name)));
    }
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    fields.extend(keys.iter().map(|key| Arc::new(Field::new(&key.name, DataType::Int32, false))));
    Ok(Arc::new(Schema::new(fields)))
}

fn keyed_batch(batch: &RecordBatch, schema: &SchemaRef, table: &Table) -> Result<RecordBatch> {
    let broken = |error| Error::internal("cannot derive the partition keys of generated rows").with_source(error);
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    if !table.parts.is_empty() {
        let date = batch
            .column_by_name(table.date)
            .ok_or_else(|| Error::internal(format!("the generator makes no column \"{}\"", table.date)))?;
        for part in table.parts {
            columns.push(date_part(date, *part).map_err(broken)?);
        }
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(broken)
}
