//! Decides which row groups of a file are read, and which pages: by its footer's statistics, bloom filters and page indexes. Executions and quotes ask the
//! same.

use std::{ops::Range, sync::Arc};

use parquet::{arrow::ProjectionMask, file::metadata::ParquetMetaData};

use super::{
    belief,
    evolve::EvolveFactory,
    fault,
    footer::{Known, data_range},
    late,
    metadata::{Indexes, MetadataReads, check_codecs, unreadable},
    prune::{self, Survivor},
    shape::{Shape, Shapes},
};
use crate::{
    accounting::{PrunedBy, ScanCounters},
    error::Result,
    scan::{DataFile, ScanSpec, Split},
};

/// Selects what is read of the files of one scan.
#[derive(Debug)]
pub(super) struct Selector {
    spec: Arc<ScanSpec>,
    /// Whether only the best rows are wanted, by a bound that is found on the way.
    has_top: bool,
    known: Arc<Known>,
    evolve: EvolveFactory,
    shapes: Shapes,
}

/// What is read of a file.
#[derive(Debug)]
pub(super) struct Selected {
    /// The footer, with the page indexes that were worth reading.
    pub metadata: Arc<ParquetMetaData>,
    pub shape: Arc<Shape>,
    /// Its row groups that can matter.
    pub survivors: Vec<Survivor>,
}

impl Selector {
    pub(super) fn new(spec: &Arc<ScanSpec>, has_top: bool, known: &Arc<Known>, evolve: &EvolveFactory) -> Self {
        let (spec, known) = (Arc::clone(spec), Arc::clone(known));
        Self { spec, has_top, known, evolve: evolve.clone(), shapes: Shapes::default() }
    }

    /// What is read of a split of a file that has this footer.
    ///
    /// # Errors
    /// `Unsupported` and `CorruptData` for what cannot be read of the file, which they name; those of fetching.
    pub(super) async fn select(
        &self,
        split: &Split,
        metadata: Arc<ParquetMetaData>,
        reads: &MetadataReads,
        counters: &ScanCounters,
    ) -> Result<Selected> {
        let planned = &split.file;
        let (spec, file) = (&self.spec, &planned.file);
        let shape = self.shapes.of(spec, &self.evolve, planned, &metadata).map_err(|error| fault::named(error, file))?;
        check_codecs(&file.url(), &metadata, &shape.all_mask)?;

        // Without a column, rows are what the footer says.
        let is_counted =
            (0..metadata.file_metadata().schema_descr().num_columns()).any(|leaf| shape.all_mask.leaf_included(leaf));
        if !is_counted && let Some(why) = metadata.row_groups().iter().find_map(belief::unsound) {
            return Err(unreadable(&file.url(), &why));
        }
        let mut pruned = prune::row_groups(&shape, &metadata);
        let total = metadata.num_row_groups();
        counters.pruned(PrunedBy::Statistics, (total - pruned.len()) as u64);
        if !split.is_whole() {
            pruned.retain(|survivor| begins_in(&metadata, survivor.group, &split.range));
        }
        let footers = &self.known.footers;
        let pruned = prune::by_bloom_filters(pruned, &shape, &metadata, file, footers, reads, counters).await?;
        let (metadata, survivors) = self.indexes(file, &shape, metadata, pruned, reads, counters).await?;
        Ok(Selected { metadata, shape, survivors })
    }

    /// Loads the page indexes where they can pay, and prunes by them.
    async fn indexes(
        &self,
        file: &DataFile,
        shape: &Shape,
        metadata: Arc<ParquetMetaData>,
        survivors: Vec<Survivor>,
        reads: &MetadataReads,
        counters: &ScanCounters,
    ) -> Result<(Arc<ParquetMetaData>, Vec<Survivor>)> {
        let wanted = self.wanted_indexes(shape, &metadata, &survivors);
        let Some(wanted) = wanted else { return Ok((metadata, survivors)) };
        let indexed = self.known.footers.indexed(&self.known.table, file, &metadata, wanted, reads).await?;
        let survivors = match (&shape.pages, wanted) {
            (Some(pages), Indexes::All) => prune::by_pages(survivors, pages, shape, &indexed, counters),
            _ => survivors,
        };
        Ok((indexed, survivors))
    }

    /// The page indexes that are worth reading: told by sizes in the footer.
    fn wanted_indexes(&self, shape: &Shape, footer: &ParquetMetaData, survivors: &[Survivor]) -> Option<Indexes> {
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
        let rest = |survivor: &Survivor| late::rest_of(group(survivor), &shape.filter_mask, &shape.all_mask);
        let partial = if self.has_top {
            survivors.iter().map(rest).sum()
        } else if let Some(limit) = self.spec.limit.filter(|_| self.spec.predicate.is_none()) {
            let first = survivors.first().filter(|survivor| group(survivor).num_rows() as u64 > 4 * limit as u64);
            first.map_or(0, |survivor| late::bytes_of(group(survivor), &shape.all_mask))
        } else {
            let few = |survivor: &&Survivor| {
                shape.filter(survivor.fixed_holds).is_some_and(|filter| {
                    let group = group(survivor);
                    late::expected_rows(filter.as_ref(), &shape.file, &shape.parquet, group) * 20.0 < group.num_rows() as f64
                })
            };
            survivors.iter().filter(few).map(rest).sum()
        };
        (partial > 8 * cost).then_some(Indexes::Offsets)
    }
}

/// Whether the first byte of a row group's data lies in a range.
fn begins_in(metadata: &ParquetMetaData, group: usize, range: &Range<u64>) -> bool {
    data_range(metadata.row_group(group)).is_none_or(|data| range.contains(&data.start))
}
