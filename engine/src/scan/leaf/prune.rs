//! Which row groups of a file, and which of their pages, can hold rows that the fixed filter lets pass. Pruning is inclusive: what cannot be told
//! is kept, and nothing here fails a query but reading.

use std::{ops::Range, sync::Arc};

use datafusion::{
    datasource::physical_plan::parquet::{
        BloomFilterStatistics, PagePruningAccessPlanFilter, ParquetAccessPlan, ParquetFileMetrics, RowGroupAccess,
        RowGroupAccessPlanFilter,
    },
    physical_expr::utils::collect_columns,
    physical_optimizer::pruning::PruningPredicate,
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::future::try_join_all;
use parquet::{
    arrow::{arrow_reader::RowSelection, parquet_column},
    basic::Type as PhysicalType,
    bloom_filter::Sbbf,
    file::metadata::ParquetMetaData,
};

use super::{late, shape::Shape};
use crate::{
    accounting::{PrunedBy, ScanCounters},
    error::Result,
    scan::{
        metadata::{Footers, MetadataReads},
        provider::PlannedFile,
    },
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
    let groups = metadata.row_groups();
    let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(groups.len()));
    let mut fixed_holds = vec![shape.fixed.is_none(); groups.len()];
    if let Some(pruning) = &shape.pruning {
        plan.prune_by_statistics(&shape.file, &shape.parquet, groups, pruning, &uncounted());
        // Statistics leave NaN out, which passes or fails by rules of its own.
        let floats = shape.fixed.iter().flat_map(collect_columns).any(|column| {
            shape
                .file
                .field_with_name(column.name())
                .map_or(true, |field| field.data_type().is_nested() || field.data_type().is_floating())
        });
        for (held, now) in fixed_holds.iter_mut().zip(plan.is_fully_matched()) {
            *held |= *now && !floats;
        }
    }
    let left: Vec<_> = plan.row_group_indexes().collect();
    left.into_iter().map(|group| Survivor { group, fixed_holds: fixed_holds[group], rows: None }).collect()
}

/// Whether the statistics of one row group tell that a predicate fails.
pub(super) fn excludes(pruning: &PruningPredicate, shape: &Shape, metadata: &ParquetMetaData, group: usize) -> bool {
    let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(1));
    plan.prune_by_statistics(&shape.file, &shape.parquet, &metadata.row_groups()[group..=group], pruning, &uncounted());
    plan.remaining_row_group_count() == 0
}

/// By bloom filters, of columns that are compared for equality; all are read at once, where they are small beside what they may save.
pub(super) async fn by_bloom_filters(
    survivors: Vec<Survivor>,
    shape: &Shape,
    metadata: &ParquetMetaData,
    planned: &Arc<PlannedFile>,
    footers: &Footers,
    reads: &MetadataReads,
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
        let worth =
            |range: &Range<u64>| (range.end - range.start) * WORTH_A_FILTER <= data && range.end <= planned.file.meta.size;
        let wanted = columns.iter().filter(|_| !survivor.fixed_holds).filter_map(move |(name, leaf)| {
            let chunk = group.column(*leaf);
            let start = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
            let range = start..start + u64::try_from(chunk.bloom_filter_length()?).ok()?;
            worth(&range).then_some((name, *leaf, range))
        });
        try_join_all(wanted.map(async |(name, leaf, range)| {
            let bytes = footers.piece(&planned.file, range, reads).await?;
            Ok::<_, crate::error::Error>((name, leaf, Sbbf::from_bytes(&bytes).ok()))
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
        match pruning.prune(&statistics) {
            Ok(kept) if kept.first() == Some(&false) => reads.meter.scan().pruned(PrunedBy::BloomFilter, 1),
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
                RowGroupAccess::Selection(rows) => survivor.rows = Some(rows.clone()),
            }
        }
        left.push(survivor);
    }
    left
}
