//! Opens a file of a scan: its footer, and what is left of its row groups (`select`).

use std::{
    ops::Range,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use datafusion::common::ScalarValue;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::statistics::StatisticsConverter},
    file::metadata::ParquetMetaData,
};

use super::{
    belief,
    evolve::EvolveFactory,
    fault,
    file::OpenFile,
    footer::{Footer, Known, is_small},
    prune::Survivor,
    select::{Selected, Selector},
    shape::Shape,
    unit::RowGroup,
};
use crate::{
    error::Result,
    scan::{Execution, Opener, Split, Unit},
};

/// Opens the files of one execution.
#[derive(Debug)]
pub(super) struct ParquetOpener {
    execution: Arc<Execution>,
    known: Arc<Known>,
    selector: Selector,
}

#[async_trait]
impl Opener for ParquetOpener {
    async fn prepare(&self) -> Result<()> {
        let (spec, io) = (&self.execution.spec, &self.execution.io);
        self.known.learn(spec, io, spec.needs_data()).await
    }

    fn held(&self, split: &Split) -> u64 {
        let file = &split.file.file;
        if is_small(file) { file.meta.size } else { 0 }
    }

    async fn open(&self, split: &Arc<Split>) -> Result<Vec<Box<dyn Unit>>> {
        let units = self.row_groups(split).await?;
        Ok(units.into_iter().map(|unit| Box::new(unit) as Box<dyn Unit>).collect())
    }
}

impl ParquetOpener {
    pub(super) fn new(execution: &Arc<Execution>, known: &Arc<Known>, evolve: &EvolveFactory) -> Self {
        let selector = Selector::new(&execution.spec, execution.has_top(), known, evolve);
        Self { execution: Arc::clone(execution), known: Arc::clone(known), selector }
    }

    /// Opens a file and decides which of its row groups are read, and how. Empty if it has none that can matter.
    async fn row_groups(&self, split: &Arc<Split>) -> Result<Vec<RowGroup>> {
        let (execution, planned) = (&self.execution, &split.file);
        let (spec, io) = (&execution.spec, &execution.io);
        let footer = self.known.footer(spec, io, planned, spec.needs_data()).await?;
        let Footer { metadata, meter, reads, buffer, ahead } = footer;
        let selected = self.selector.select(split, metadata, &reads, io.meter().scan()).await?;
        let Selected { metadata, shape, survivors } = selected;
        if survivors.is_empty() {
            return Ok(Vec::new());
        }

        let name = |error| fault::named(error, &planned.file);
        let reader = shape.reader(&metadata).map_err(name)?;
        let projection = shape.projection_of(spec, planned).map_err(name)?;
        let stretch = reads.whole.and_then(|_| stretch(&metadata, &survivors, &shape.all_mask));
        let best = self.best_keys(&shape, &metadata);
        // Nothing was read ahead of a file whose footer and indexes were known.
        let ahead = Mutex::new(ahead.filter(|_| buffer.get().is_some()));
        let file = Arc::new(OpenFile {
            planned: Arc::clone(planned),
            io: io.clone(),
            metadata,
            shape,
            reader,
            projection,
            meter: Mutex::new(meter),
            buffer,
            stretch,
            ahead,
        });
        let units = survivors.into_iter().map(|survivor| {
            let best = best.as_ref().and_then(|best| best[survivor.group].clone());
            RowGroup::new(execution, &file, survivor, best)
        });
        Ok(units.collect())
    }

    /// For each row group the best leading key that it may hold, as the bound takes it; where nothing is known, none.
    fn best_keys(&self, shape: &Shape, metadata: &ParquetMetaData) -> Option<Vec<Option<Box<[u8]>>>> {
        let (top, column) = (self.execution.top()?, shape.leading_key()?);
        let (field, options) = (shape.file.field_with_name(column.name()).ok()?, top.leading_options());
        // A NaN is greater than all numbers, or less, and statistics do not tell of it.
        if field.data_type().is_floating() {
            return None;
        }
        let converter = StatisticsConverter::try_new(column.name(), &shape.file, &shape.parquet).ok()?;
        let groups = || metadata.row_groups();
        let values =
            if options.descending { converter.row_group_maxes(groups()) } else { converter.row_group_mins(groups()) }.ok()?;
        let nulls = converter.with_missing_null_counts_as_zero(false).row_group_null_counts(groups()).ok()?;
        let null = ScalarValue::try_new_null(field.data_type()).ok()?.to_array().ok()?;
        let null = top.leading(&null).ok()?.pop()?;
        let keys = top.leading(&values).ok()?;
        let best = keys.into_iter().enumerate().map(|(group, key)| {
            let nulls = arrow::array::Array::is_valid(&nulls, group).then(|| nulls.value(group));
            let rows = u64::try_from(metadata.row_group(group).num_rows()).unwrap_or(u64::MAX);
            match nulls {
                Some(nulls) if nulls == rows => Some(null.clone()),
                _ if !belief::is_sound(metadata.row_group(group)) => None,
                _ if values.is_null(group) => None,
                Some(0) => Some(key),
                // There may be a null, which is better than any value, or worse.
                _ => Some(if options.nulls_first { null.clone() } else { key }),
            }
        });
        Some(best.collect())
    }
}

/// From the first to the last byte of the column chunks that are wanted of these row groups.
fn stretch(metadata: &ParquetMetaData, survivors: &[Survivor], mask: &ProjectionMask) -> Option<Range<u64>> {
    let chunks = survivors.iter().flat_map(|survivor| {
        metadata.row_group(survivor.group).columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf))
    });
    chunks.map(|(_, chunk)| chunk.byte_range()).fold(None, |stretch: Option<Range<u64>>, (start, length)| {
        let chunk = start..start + length;
        Some(stretch.map_or_else(|| chunk.clone(), |stretch| stretch.start.min(chunk.start)..stretch.end.max(chunk.end)))
    })
}
