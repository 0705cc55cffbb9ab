//! One row group from its first request to its last row: its decoder says which bytes it needs, and is given them.

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringViewArray},
    compute::filter_record_batch,
    error::ArrowError,
};
use datafusion::{
    common::Result as DataFusionResult,
    physical_expr::{PhysicalExpr, expressions::Column, projection::Projector, utils::reassign_expr_columns},
};
use futures::future::BoxFuture;
use parquet::{
    DecodeResult,
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowPredicate, ArrowReaderMetadata, ParquetRecordBatchReader, RowFilter, RowSelection},
        push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder},
    },
    basic::Type as PhysicalType,
    errors::ParquetError,
};

use super::{fault, late, metadata::unreadable, unit::RowGroup};
use crate::{
    error::Result,
    scan::{Held, Next, Rows, Sieve, Unit},
};

/// Rows that are decoded at once at most where only the best of a row group are wanted.
const TOP_BATCH: usize = 1 << 18;

/// Bytes that they take at most, as far as can be told.
const TOP_BATCH_BYTES: u64 = 32 << 20;

/// What decodes some columns of a row group, of all its rows or some.
pub(super) fn decoder(
    reader: &ArrowReaderMetadata,
    group: usize,
    columns: &ProjectionMask,
    rows: Option<&RowSelection>,
) -> ParquetPushDecoderBuilder {
    let builder = ParquetPushDecoderBuilder::new_with_metadata(reader.clone())
        .with_projection(columns.clone())
        .with_row_groups(vec![group]);
    match rows {
        Some(rows) => builder.with_row_selection(rows.clone()),
        None => builder,
    }
}

impl Unit for RowGroup {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn buffered(&self) -> u64 {
        // The row groups of a file share its buffer.
        if self.group == 0 { self.file.buffered() } else { 0 }
    }

    fn best_key(&self) -> Option<&[u8]> {
        self.best.as_deref()
    }

    fn certain_rows(&self) -> u64 {
        if self.filter.is_some() || self.rows.is_some() {
            return 0;
        }
        u64::try_from(self.file.group(self.group).num_rows()).unwrap_or_default()
    }

    fn fails_moving(&self, generation: u64) -> bool {
        Self::fails_moving(self, generation)
    }

    fn open(self: Box<Self>, held: Held) -> BoxFuture<'static, Result<Option<Box<dyn Rows>>>> {
        Box::pin(async move {
            let ready = self.fetch(held).await?;
            Ok(ready.map(|ready| Box::new(ready) as Box<dyn Rows>))
        })
    }
}

impl RowGroup {
    /// Gets what its decoder needs before the first row; `None` if it turns out that there is none that is wanted.
    async fn fetch(self, mut held: Held) -> Result<Option<Ready>> {
        let file = &self.file.planned.file;
        let mut decoder = fault::decode(file, || self.decoder())?;
        if self.is_late {
            self.execution.io.meter().scan().late();
        }
        let mut given: Vec<Range<u64>> = Vec::new();
        let mut is_first = true;
        loop {
            let wanted = match self.file.decode(|| decoder.try_next_reader())? {
                DecodeResult::NeedsData(wanted) => wanted,
                DecodeResult::Data(reader) => {
                    let sieve = if self.is_late { None } else { self.sieve() };
                    let is_thinned = self.filter.is_some() || self.rows.is_some() || self.execution.has_top();
                    let expected = self.expected_rows();
                    return Ok(Some(Ready {
                        reader,
                        decoded: 0,
                        expected,
                        sieve,
                        is_thinned,
                        projector: None,
                        given,
                        unit: self,
                        _held: held,
                    }));
                }
                DecodeResult::Finished => return Ok(None),
            };
            if !is_first && self.execution.excludes(&self, self.is_late) {
                return Ok(None);
            }
            let bytes = self.file.read(&wanted).await?;
            let bytes = self.file.corrected(self.group, &wanted, bytes);
            if self.is_late && !is_first {
                let wanted: u64 = given.iter().chain(&wanted).map(|range| range.end.saturating_sub(range.start)).sum();
                let filter = late::bytes_of(self.file.group(self.group), &self.file.shape.filter_mask);
                held.grow((filter + wanted).saturating_sub(held.bytes()));
            }
            if self.is_late && is_first {
                // The filter looks at these at once.
                self.file.consume(&wanted)?;
            } else {
                given.extend(wanted.iter().cloned());
            }
            fault::decode(file, || decoder.push_ranges(wanted, bytes))?;
            is_first = false;
        }
    }

    fn decoder(&self) -> Result<ParquetPushDecoder, ParquetError> {
        let (shape, execution) = (&self.file.shape, &self.execution);
        let sieve = self.sieve();
        let has_filter = self.filter.is_some() || sieve.is_some();
        let mask = shape.mask(has_filter && !self.is_late);
        let batch_size = if execution.has_top() { self.top_batch(execution.batch_size) } else { execution.batch_size };
        let mut builder = decoder(&self.file.reader, self.group, mask, self.rows.as_ref()).with_batch_size(batch_size);
        if let Some(limit) = execution.spec.limit.filter(|_| !has_filter || self.is_late) {
            builder = builder.with_limit(limit);
        }
        if let Some(sieve) = sieve.filter(|_| self.is_late) {
            let predicate = SievePredicate { mask: shape.filter_mask.clone(), sieve };
            // Decoded filter columns are not kept for the result: that would widen pages to batches, and hold them all.
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)])).with_max_predicate_cache_size(0);
        }
        builder.build()
    }

    /// The rows that its decoder gives, by the footer; `None` where that depends on what is in them.
    fn expected_rows(&self) -> Option<u64> {
        if self.is_late || self.rows.is_some() {
            return None;
        }
        let rows = u64::try_from(self.file.group(self.group).num_rows()).ok()?;
        let is_sieved = self.filter.is_some() || self.sieve().is_some();
        Some(match self.execution.spec.limit.filter(|_| !is_sieved) {
            Some(limit) => rows.min(limit as u64),
            None => rows,
        })
    }

    /// How many rows to decode at once where only the best are wanted: the more, the tighter the bound, as far as memory allows.
    fn top_batch(&self, least: usize) -> usize {
        let (shape, group) = (&self.file.shape, self.file.group(self.group));
        let mask = if self.is_late { &shape.filter_mask } else { &shape.all_mask };
        let chunks = || group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, chunk)| chunk);
        let bytes: i64 = chunks().map(|chunk| chunk.uncompressed_size().max(0)).sum();
        let row = u64::try_from(bytes / group.num_rows().max(1)).unwrap_or(u64::MAX).max(8);
        // A dictionary hides how long texts are.
        let has_text = chunks().any(|chunk| chunk.column_type() == PhysicalType::BYTE_ARRAY);
        let most = if has_text { TOP_BATCH / 8 } else { TOP_BATCH };
        usize::try_from(TOP_BATCH_BYTES / row).unwrap_or(usize::MAX).min(most).max(least)
    }

    /// What its rows have to pass; `None` if all do.
    fn sieve(&self) -> Option<Sieve> {
        let keys = &self.file.shape.keys;
        match self.is_late {
            true => Sieve::new(&self.execution, self.filter.clone(), keys),
            false => Sieve::cheap(&self.execution, self.filter.as_ref(), keys),
        }
    }
}

/// The sieve as the decoder asks it, before it reads the other columns.
struct SievePredicate {
    mask: ProjectionMask,
    sieve: Sieve,
}

impl ArrowPredicate for SievePredicate {
    fn projection(&self) -> &ProjectionMask {
        &self.mask
    }

    fn evaluate(&mut self, batch: RecordBatch) -> Result<BooleanArray, ArrowError> {
        self.sieve.pass(&batch).map_err(|error| ArrowError::ExternalError(Box::new(error)))
    }
}

/// A row group that can be decoded.
#[derive(Debug)]
struct Ready {
    unit: RowGroup,
    reader: ParquetRecordBatchReader,
    /// Rows that it has given, and has to give in all, if that is known.
    decoded: u64,
    expected: Option<u64>,
    sieve: Option<Sieve>,
    /// Whether its rows may be few of those that were decoded.
    is_thinned: bool,
    projector: Option<Projector>,
    /// What the decoder was given and has not used yet.
    given: Vec<Range<u64>>,
    _held: Held,
}

impl Rows for Ready {
    fn unit(&self) -> &dyn Unit {
        &self.unit
    }

    fn next(&mut self) -> Result<Next> {
        let file = Arc::clone(&self.unit.file);
        // From the first row on its bytes have been used.
        file.consume(&std::mem::take(&mut self.given))?;
        loop {
            let decoded = file.decode(|| self.reader.next().transpose())?;
            let Some(batch) = decoded else {
                return match self.expected.filter(|expected| *expected != self.decoded) {
                    None => Ok(Next::End),
                    Some(expected) => {
                        let why = format!("a row group has {} rows, and {expected} by its footer", self.decoded);
                        Err(unreadable(&file.planned.file.url(), &why))
                    }
                };
            };
            self.decoded += batch.num_rows() as u64;
            let batch = fault::decode(&file.planned.file, || self.shape(batch))?;
            if batch.num_rows() > 0 {
                return Ok(Next::Rows(batch));
            }
        }
    }
}

impl Ready {
    fn shape(&mut self, mut batch: RecordBatch) -> DataFusionResult<RecordBatch> {
        if let Some(sieve) = &mut self.sieve {
            let passed = sieve.pass(&batch)?;
            if passed.true_count() < batch.num_rows() {
                batch = filter_record_batch(&batch, &passed)?;
            }
        }
        if self.is_thinned {
            batch = without_slack(batch)?;
        }
        if self.projector.is_none() {
            let schema = batch.schema();
            let places: HashMap<&str, usize> =
                schema.fields().iter().enumerate().rev().map(|(at, field)| (field.name().as_str(), at)).collect();
            let place = |expr: Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Column>() {
                Some(column) if let Some(at) = places.get(column.name()) => Ok(Arc::new(Column::new(column.name(), *at)) as _),
                _ => reassign_expr_columns(expr, &schema),
            };
            let bound = self.unit.file.projection.clone().try_map_exprs(place)?;
            self.projector = Some(bound.make_projector(&schema)?);
        }
        let Some(projector) = &self.projector else { return Ok(batch) };
        let projected = projector.project_batch(&batch)?;
        let output = &self.unit.execution.spec.output;
        if projected.schema_ref() == output {
            return Ok(projected);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(projected.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(output), projected.columns().to_vec(), &options)?)
    }
}

/// Views that show this part of their buffers or less are copied, so that few rows do not keep whole pages in memory.
const SLACK: usize = 4;

fn without_slack(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    if batch.columns().iter().all(|column| slack(column).is_none()) {
        return Ok(batch);
    }
    let columns = batch.columns().iter().map(|column| match slack(column) {
        Some(text) => Arc::new(text.gc()) as ArrayRef,
        None => Arc::clone(column),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)
}

/// A column of text that shows little of what it holds.
fn slack(column: &ArrayRef) -> Option<&StringViewArray> {
    let text = column.as_string_view_opt()?;
    let held: usize = text.data_buffers().iter().map(arrow::buffer::Buffer::len).sum();
    (held > SLACK * text.total_buffer_bytes_used()).then_some(text)
}
