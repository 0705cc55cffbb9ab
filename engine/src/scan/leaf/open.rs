//! Opens a file of a scan: its footer, and what is left of its row groups by statistics, bloom filters and page indexes.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
};

use parquet::{arrow::ProjectionMask, file::metadata::ParquetMetaData};

use super::{
    execution::Execution,
    fault,
    file::OpenFile,
    footer::{self, Footer},
    late,
    prune::{self, Survivor},
    shape::Shape,
    unit::Unit,
};
use crate::{
    accounting::PrunedBy,
    error::Result,
    scan::{
        belief,
        metadata::{Indexes, MetadataReads, check_codecs, unreadable},
        provider::PlannedFile,
    },
};

/// Opens a file and decides which of its row groups are read, and how. Empty if it has none that can matter.
///
/// # Errors
/// Those of reading and decoding its metadata, naming the file.
pub(super) async fn open(execution: &Execution, planned: &Arc<PlannedFile>) -> Result<Vec<Unit>> {
    let spec = &execution.spec;
    if execution.excludes_file(planned) {
        return Ok(Vec::new());
    }
    let table = &spec.table;
    let meter = Arc::clone(table.scan.meter());
    let footers = &table.context.footers;
    let Footer { metadata, meter: file_meter, reads, buffer } = footer::footer(table, planned, execution.needs_data()).await?;
    let name = |error| fault::named(error, &planned.file);
    let shape = execution.shape(planned, &metadata).map_err(name)?;
    check_codecs(&planned.file.url(), &metadata, &shape.all_mask)?;

    // Without a column, rows are what the footer says.
    let is_counted = (0..metadata.file_metadata().schema_descr().num_columns()).any(|leaf| shape.all_mask.leaf_included(leaf));
    if !is_counted && let Some(why) = metadata.row_groups().iter().find_map(belief::unsound) {
        return Err(unreadable(&planned.file.url(), &why));
    }
    let pruned = prune::row_groups(&shape, &metadata);
    let total = metadata.num_row_groups();
    meter.scan().pruned(PrunedBy::Statistics, (total - pruned.len()) as u64);
    let pruned = prune::by_bloom_filters(pruned, &shape, &metadata, planned, footers, &reads).await?;
    let (metadata, survivors) = indexes(execution, planned, &shape, metadata, pruned, &reads).await?;
    if survivors.is_empty() {
        return Ok(Vec::new());
    }

    let reader = shape.reader(&metadata).map_err(name)?;
    let projection = shape.projection_of(spec, planned).map_err(name)?;
    let stretch = reads.whole.and_then(|_| stretch(&metadata, &survivors, &shape.all_mask));
    let best = execution.best_keys(&shape, &metadata);
    let planned = Arc::clone(planned);
    let file =
        Arc::new(OpenFile { planned, metadata, shape, reader, projection, meter: Mutex::new(file_meter), buffer, stretch });
    let units = survivors.into_iter().map(|survivor| {
        let best = best.as_ref().and_then(|best| best[survivor.group].clone());
        Unit::new(spec, execution.has_top(), &file, survivor, best)
    });
    Ok(units.collect())
}

/// Loads the page indexes where they can pay, and prunes by them.
async fn indexes(
    execution: &Execution,
    planned: &Arc<PlannedFile>,
    shape: &Shape,
    metadata: Arc<ParquetMetaData>,
    survivors: Vec<Survivor>,
    reads: &MetadataReads,
) -> Result<(Arc<ParquetMetaData>, Vec<Survivor>)> {
    let table = &execution.spec.table;
    let Some(wanted) = wanted_indexes(execution, shape, &metadata, &survivors) else { return Ok((metadata, survivors)) };
    let indexed = table.context.footers.indexed(&table.files, &planned.file, &metadata, wanted, reads).await?;
    let survivors = match (&shape.pages, wanted) {
        (Some(pages), Indexes::All) => prune::by_pages(survivors, pages, shape, &indexed, reads.meter.scan()),
        _ => survivors,
    };
    Ok((indexed, survivors))
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
