//! Opens a file of a scan: its footer, and what is left of its row groups by statistics, bloom filters and page indexes.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use parquet::{
    arrow::{ProjectionMask, arrow_reader::statistics::StatisticsConverter},
    file::metadata::ParquetMetaData,
};

use super::{
    belief,
    evolve::EvolveFactory,
    fault,
    file::OpenFile,
    footer::{Footer, Known, data_range, is_small},
    late,
    metadata::{Indexes, MetadataReads, check_codecs, unreadable},
    prune::{self, Survivor},
    shape::Shape,
    unit::RowGroup,
};
use crate::{
    accounting::PrunedBy,
    error::Result,
    scan::{DataFile, Execution, Opener, PlannedFile, Split, Unit},
};

/// Shapes of files that are remembered.
const SHAPES: usize = 8;

/// Opens the files of one execution.
#[derive(Debug)]
pub(super) struct ParquetOpener {
    execution: Arc<Execution>,
    known: Arc<Known>,
    evolve: EvolveFactory,
    shapes: Mutex<Vec<Arc<Shape>>>,
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
        Self { execution: Arc::clone(execution), known: Arc::clone(known), evolve: evolve.clone(), shapes: Mutex::default() }
    }

    /// Opens a file and decides which of its row groups are read, and how. Empty if it has none that can matter.
    async fn row_groups(&self, split: &Arc<Split>) -> Result<Vec<RowGroup>> {
        let (execution, planned) = (&self.execution, &split.file);
        let (spec, io) = (&execution.spec, &execution.io);
        let counters = io.meter().scan();
        let footer = self.known.footer(spec, io, planned, spec.needs_data()).await?;
        let Footer { metadata, meter, reads, buffer } = footer;
        let name = |error| fault::named(error, &planned.file);
        let shape = self.shape(planned, &metadata).map_err(name)?;
        check_codecs(&planned.file.url(), &metadata, &shape.all_mask)?;

        // Without a column, rows are what the footer says.
        let is_counted =
            (0..metadata.file_metadata().schema_descr().num_columns()).any(|leaf| shape.all_mask.leaf_included(leaf));
        if !is_counted && let Some(why) = metadata.row_groups().iter().find_map(belief::unsound) {
            return Err(unreadable(&planned.file.url(), &why));
        }
        let mut pruned = prune::row_groups(&shape, &metadata);
        let total = metadata.num_row_groups();
        counters.pruned(PrunedBy::Statistics, (total - pruned.len()) as u64);
        if !split.is_whole() {
            pruned.retain(|survivor| begins_in(&metadata, survivor.group, &split.range));
        }
        let pruned = prune::by_bloom_filters(pruned, &shape, &metadata, &planned.file, &self.known.footers, &reads).await?;
        let (metadata, survivors) = self.indexes(&planned.file, &shape, metadata, pruned, &reads).await?;
        if survivors.is_empty() {
            return Ok(Vec::new());
        }

        let reader = shape.reader(&metadata).map_err(name)?;
        let projection = shape.projection_of(spec, planned).map_err(name)?;
        let stretch = reads.whole.and_then(|_| stretch(&metadata, &survivors, &shape.all_mask));
        let best = self.best_keys(&shape, &metadata);
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
        });
        let units = survivors.into_iter().map(|survivor| {
            let best = best.as_ref().and_then(|best| best[survivor.group].clone());
            RowGroup::new(execution, &file, survivor, best)
        });
        Ok(units.collect())
    }

    /// The shape of a file; made if it is the first of its schema.
    fn shape(&self, planned: &PlannedFile, metadata: &ParquetMetaData) -> DataFusionResult<Arc<Shape>> {
        let find = |shapes: &[Arc<Shape>]| shapes.iter().rev().find(|shape| shape.fits(planned, metadata)).map(Arc::clone);
        if let Some(shape) = find(&self.shapes.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(shape);
        }
        let shape = Arc::new(Shape::new(&self.execution.spec, &self.evolve, planned, metadata)?);
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        // Values that differ from file to file make shapes that nobody asks for again.
        if shapes.len() >= SHAPES {
            shapes.remove(0);
        }
        shapes.push(Arc::clone(&shape));
        Ok(shape)
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

    /// Loads the page indexes where they can pay, and prunes by them.
    async fn indexes(
        &self,
        file: &DataFile,
        shape: &Shape,
        metadata: Arc<ParquetMetaData>,
        survivors: Vec<Survivor>,
        reads: &MetadataReads,
    ) -> Result<(Arc<ParquetMetaData>, Vec<Survivor>)> {
        let wanted = wanted_indexes(&self.execution, shape, &metadata, &survivors);
        let Some(wanted) = wanted else { return Ok((metadata, survivors)) };
        let indexed = self.known.footers.indexed(&self.known.table, file, &metadata, wanted, reads).await?;
        let survivors = match (&shape.pages, wanted) {
            (Some(pages), Indexes::All) => prune::by_pages(survivors, pages, shape, &indexed, reads.scan.meter().scan()),
            _ => survivors,
        };
        Ok((indexed, survivors))
    }
}

/// Whether the first byte of a row group's data lies in a range.
fn begins_in(metadata: &ParquetMetaData, group: usize, range: &Range<u64>) -> bool {
    data_range(metadata.row_group(group)).is_none_or(|data| range.contains(&data.start))
}

/// The page indexes that are worth reading: told by sizes in the footer.
fn wanted_indexes(execution: &Execution, shape: &Shape, footer: &ParquetMetaData, survivors: &[Survivor]) -> Option<Indexes> {
    let group = |survivor: &Survivor| footer.row_group(survivor.group);
    let bytes = |survivors: &mut dyn Iterator<Item = &Survivor>, mask: &ProjectionMask| -> u64 {
        survivors.map(|survivor| late::bytes_of(group(survivor), mask)).sum()
    };
    let costs = |indexes: Indexes| indexes.region(footer).map(|region| region.end - region.start);
    // Pages by their values: if a filter on a column that has them was not decided for the whole row group.
    if shape.pages.is_some()
        && let Some(cost) = costs(Indexes::All)
        && bytes(&mut survivors.iter().filter(|survivor| !survivor.fixed_holds), &shape.all_mask) > 2 * cost
    {
        return Some(Indexes::All);
    }
    // Where pages lie: if only some rows of other columns will be read.
    let cost = costs(Indexes::Offsets)?;
    let partial = if execution.has_top() {
        survivors.iter().map(|survivor| late::rest_of(group(survivor), &shape.filter_mask, &shape.all_mask)).sum()
    } else if let Some(limit) = execution.spec.limit.filter(|_| execution.spec.predicate.is_none()) {
        let first = survivors.first().filter(|survivor| group(survivor).num_rows() as u64 > 4 * limit as u64);
        first.map_or(0, |survivor| late::bytes_of(group(survivor), &shape.all_mask))
    } else {
        let few = |survivor: &&Survivor| {
            shape.filter(survivor.fixed_holds).is_some_and(|filter| {
                let group = group(survivor);
                late::expected_rows(filter.as_ref(), &shape.file, &shape.parquet, group) * 20.0 < group.num_rows() as f64
            })
        };
        survivors.iter().filter(few).map(|survivor| late::rest_of(group(survivor), &shape.filter_mask, &shape.all_mask)).sum()
    };
    (partial > 8 * cost).then_some(Indexes::Offsets)
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
