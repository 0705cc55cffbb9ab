//! The form in which results leave the engine: one schema for each query, known before it runs, with types that every client can read.
//!
//! Views, dictionaries, large offsets and unsigned integers stay inside the engine: they become plain text, plain values, and signed integers.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    util::display::FormatOptions,
};
use datafusion::{error::DataFusionError, execution::SendableRecordBatchStream, logical_expr::LogicalPlan};
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{executor::Executor, merge::merged};
use crate::{
    error::{Error, Result},
    failure::from_datafusion,
    lifecycle::Slot,
    sql::rewrite::label,
};

/// A value that does not fit is an error, never NULL.
const LOSSLESS: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The schema of the batches of a result. Splitting them into messages is left to whoever sends them.
#[derive(Debug, Clone)]
pub(super) struct Output(SchemaRef);

impl Output {
    /// The shape of an optimised plan's result: its types are those after coercion, which a plan just parsed does not have yet.
    ///
    /// Every column may be NULL, as in Hive: what the planner proves of a plan, such as a count that is never NULL, changes with the plan, and a
    /// result does not promise it.
    pub(super) fn of(plan: &LogicalPlan) -> Self {
        let field = |field: &FieldRef| Arc::new(Field::new(label(field.name()), plain(field.data_type()), true));
        Self(Arc::new(Schema::new(plan.schema().fields().iter().map(field).collect::<Vec<_>>())))
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    /// The batches in that shape, with small ones merged. They are computed by the executor, or on the runtime of the caller.
    pub(super) fn shape(
        self,
        batches: SendableRecordBatchStream,
        slot: Option<Slot>,
        executor: Option<&Executor>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let schema = self.schema();
        let has_rows = |batch: &datafusion::error::Result<RecordBatch>| !matches!(batch, Ok(batch) if batch.num_rows() == 0);
        let batches = detached(batches, slot, executor)
            .filter(move |batch| std::future::ready(has_rows(batch)))
            .map(move |batch| batch.map_err(from_datafusion).and_then(|batch| shaped(&batch, &schema)));
        merged(batches.boxed(), self.0).boxed()
    }
}

/// How long a result may go unread before its query's slot goes to another.
const STALL: Duration = Duration::from_secs(1);

/// The batches, computed by a task of their own, so that a step that computes for long does not keep its reader from cancelling.
///
/// A slow reader does not hold up the queries that wait: its query gives its slot back, and takes one again before it goes on.
fn detached(
    mut batches: SendableRecordBatchStream,
    mut slot: Option<Slot>,
    executor: Option<&Executor>,
) -> impl Stream<Item = datafusion::error::Result<RecordBatch>> + Send + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let computed = async move {
        while let Some(batch) = batches.next().await {
            let capacity = match tokio::time::timeout(STALL, sender.reserve()).await {
                Ok(capacity) => capacity,
                Err(_) => {
                    if let Some(slot) = &mut slot {
                        slot.release();
                    }
                    let capacity = sender.reserve().await;
                    if let Some(slot) = &mut slot {
                        slot.take().await;
                    }
                    capacity
                }
            };
            match capacity {
                Ok(capacity) => capacity.send(batch),
                Err(_) => return,
            }
        }
    };
    let tasks = match executor {
        Some(executor) => executor.spawn(computed),
        None => JoinSet::from_iter([computed]),
    };
    stream::unfold(Some((receiver, tasks)), |state| async move {
        let (mut receiver, mut tasks) = state?;
        match receiver.recv().await {
            Some(batch) => Some((batch, Some((receiver, tasks)))),
            // The end, unless the task ended for another reason.
            None => match tasks.join_next().await {
                None | Some(Ok(())) => None,
                Some(Err(error)) => Some((Err(DataFusionError::ExecutionJoin(Box::new(error))), None)),
            },
        }
    })
}

fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let internal = |error: arrow::error::ArrowError| Error::internal(format!("a result does not fit its schema: {error}"));
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast_with_options(column, field.data_type(), &LOSSLESS)
        }
    });
    let columns = columns.collect::<Result<_, _>>().map_err(internal)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(internal)
}

/// The plain type for a type of the engine's.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Utf8View | T::LargeUtf8 => T::Utf8,
        T::BinaryView | T::LargeBinary => T::Binary,
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        T::UInt32 | T::UInt64 => T::Int64,
        T::Dictionary(_, values) => plain(values),
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) | T::FixedSizeList(item, _) => {
            T::List(plain_field(item))
        }
        T::Struct(fields) => T::Struct(fields.iter().map(plain_field).collect()),
        T::Map(entries, sorted) => T::Map(plain_field(entries), *sorted),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(plain(field.data_type())))
}
