//! Which row groups of a file, and which of their pages, can hold rows that the fixed filter lets pass. Pruning is inclusive: what cannot be told
//! is kept, and nothing here fails a query but reading.

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::{
    common::{Column, ScalarValue, pruning::PruningStatistics},
    datasource::physical_plan::parquet::{
        BloomFilterStatistics, PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileMetrics, RowGroupAccess,
    },
    physical_optimizer::pruning::PruningPredicate,
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::future::try_join_all;
use glaux_catalog::contained::contained;
use parquet::{
    arrow::{
        arrow_reader::{RowSelection, statistics::StatisticsConverter},
        parquet_column,
    },
    basic::Type as PhysicalType,
    bloom_filter::Sbbf,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{late, shape::Shape};
use crate::{
    accounting::{PrunedBy, ScanCounters},
    error::Result,
    formats::parquet::{
        belief,
        metadata::{Footers, MetadataReads},
    },
    scan::DataFile,
};

/// Bytes of bloom filters for which this many of data may be left unread are read.
const WORTH_A_FILTER: u64 = 2;

/// A row group that is left.
#[derive(Debug, Clone)]
pub(super) struct Survivor {
    pub group: usize,
    /// Whether statistics tell that all its rows pass the fixed filter.
    pub fixed_holds: bool,
    /// The rows in pages that may hold a match; all if absent.
    pub rows: Option<RowSelection>,
}

/// What DataFusion's pruning wants to count, which we count ourselves.
fn uncounted() -> ParquetFileMetrics {
    ParquetFileMetrics::new(0, "", &ExecutionPlanMetricsSet::new())
}

/// By the footer's statistics.
pub(super) fn row_groups(shape: &Shape, metadata: &ParquetMetaData) -> Vec<Survivor> {
    let groups: Vec<&RowGroupMetaData> = metadata.row_groups().iter().collect();
    let statistics = GroupStatistics { shape, groups };
    let may_hold = |pruning: &Option<Arc<PruningPredicate>>| pruning.as_ref().and_then(|pruning| pruning.prune(&statistics).ok());
    let (matches, failures) = (may_hold(&shape.pruning), may_hold(&shape.failing));
    (0..statistics.groups.len())
        .filter(|group| matches.as_ref().is_none_or(|matches| matches[*group]))
        .map(|group| {
            let fixed_holds = shape.fixed.is_none() || failures.as_ref().is_some_and(|failures| !failures[group]);
            Survivor { group, fixed_holds, rows: None }
        })
        .collect()
}

/// Whether the statistics of one row group tell that a predicate fails.
pub(super) fn excludes(pruning: &PruningPredicate, shape: &Shape, metadata: &ParquetMetaData, group: usize) -> bool {
    let statistics = GroupStatistics { shape, groups: vec![metadata.row_group(group)] };
    pruning.prune(&statistics).is_ok_and(|kept| kept.first() == Some(&false))
}

/// What predicates ask of row groups. How many values are NULL is not known where the footer does not say.
struct GroupStatistics<'a> {
    shape: &'a Shape,
    groups: Vec<&'a RowGroupMetaData>,
}

impl GroupStatistics<'_> {
    fn converter(&self, column: &str) -> Option<StatisticsConverter<'_>> {
        let converter = StatisticsConverter::try_new(column, &self.shape.file, &self.shape.parquet).ok()?;
        Some(converter.with_missing_null_counts_as_zero(false))
    }
}

impl PruningStatistics for GroupStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(&column.name)?.row_group_mins(self.groups.iter().copied()).ok()
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(&column.name)?.row_group_maxes(self.groups.iter().copied()).ok()
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nulls = self.converter(&column.name)?.row_group_null_counts(self.groups.iter().copied()).ok()?;
        Some(Arc::new(nulls))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        // Of one that its footer contradicts, it is not known.
        let rows = self.groups.iter().map(|group| u64::try_from(group.num_rows()).ok().filter(|_| belief::is_sound(group)));
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// By bloom filters, of columns that are compared for equality; all are read at once, where they are small beside what they may save.
pub(super) async fn by_bloom_filters(
    survivors: Vec<Survivor>,
    shape: &Shape,
    metadata: &ParquetMetaData,
    file: &DataFile,
    footers: &Footers,
    reads: &MetadataReads,
    counters: &ScanCounters,
) -> Result<Vec<Survivor>> {
    let Some(pruning) = &shape.pruning else { return Ok(survivors) };
    let columns: Vec<(String, usize)> = pruning
        .literal_columns()
        .into_iter()
        .filter_map(|name| parquet_column(&shape.parquet, &shape.file, &name).map(|(leaf, _)| (name, leaf)))
        // Filters tell bits apart, and 0 has two patterns of them.
        .filter(|(_, leaf)| !matches!(shape.parquet.column(*leaf).physical_type(), PhysicalType::FLOAT | PhysicalType::DOUBLE))
        .collect();
    if columns.is_empty() {
        return Ok(survivors);
    }
    let filters = survivors.iter().map(|survivor| {
        let group = metadata.row_group(survivor.group);
        let data = late::bytes_of(group, &shape.all_mask);
        let worth = |range: &Range<u64>| (range.end - range.start) * WORTH_A_FILTER <= data && range.end <= file.meta.size;
        let wanted = columns.iter().filter(|_| !survivor.fixed_holds).filter_map(move |(name, leaf)| {
            let chunk = group.column(*leaf);
            let start = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
            let range = start..start.checked_add(u64::try_from(chunk.bloom_filter_length()?).ok()?)?;
            worth(&range).then_some((name, *leaf, range))
        });
        try_join_all(wanted.map(async |(name, leaf, range)| {
            let bytes = footers.piece(file, range, reads).await?;
            let filter = bytes.and_then(|bytes| contained(|| Sbbf::from_bytes(&bytes).ok()).ok().flatten());
            Ok::<_, crate::error::Error>((name, leaf, filter))
        }))
    });
    let filters = try_join_all(filters).await?;
    let mut left = Vec::with_capacity(survivors.len());
    for (survivor, filters) in survivors.into_iter().zip(filters) {
        let mut statistics = BloomFilterStatistics::with_capacity(filters.len());
        for (name, leaf, filter) in filters {
            let column = shape.parquet.column(leaf);
            if let Some(filter) = filter {
                statistics.insert(name.clone(), filter, column.physical_type(), column.type_length());
            }
        }
        // A filter without any bits is one to its decoder, and none to ask.
        match contained(|| pruning.prune(&statistics)) {
            Ok(Ok(kept)) if kept.first() == Some(&false) => counters.pruned(PrunedBy::BloomFilter, 1),
            _ => left.push(survivor),
        }
    }
    Ok(left)
}

/// By the values of pages.
pub(super) fn by_pages(
    survivors: Vec<Survivor>,
    pages: &PagePruningAccessPlanFilter,
    shape: &Shape,
    metadata: &ParquetMetaData,
    counters: &ScanCounters,
) -> Vec<Survivor> {
    let mut plan = ParquetAccessPlan::new_none(metadata.num_row_groups());
    for survivor in survivors.iter().filter(|survivor| !survivor.fixed_holds) {
        plan.scan(survivor.group);
    }
    let metrics = uncounted();
    let plan = pages.prune_plan_with_page_index(plan, &shape.file, &shape.parquet, metadata, &metrics);
    let (pruned, matched) = (metrics.page_index_pages_pruned.pruned(), metrics.page_index_pages_pruned.matched());
    counters.pages((pruned + matched) as u64, pruned as u64);
    let mut left = Vec::with_capacity(survivors.len());
    for mut survivor in survivors {
        if !survivor.fixed_holds {
            match &plan.inner()[survivor.group] {
                RowGroupAccess::Skip => {
                    counters.pruned(PrunedBy::PageIndex, 1);
                    continue;
                }
                RowGroupAccess::Scan => {}
                // It may leave out nothing.
                RowGroupAccess::Selection(rows) => survivor.rows = Some(rows.clone()).filter(|rows| rows.skipped_row_count() > 0),
            }
        }
        left.push(survivor);
    }
    left
}
