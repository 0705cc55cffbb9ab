//! What the planner is told of the files that survived: their sizes, and the rows and the columns' least and greatest values and nulls as far as
//! footers are known. Nothing is read for it.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use arrow::{
    array::{Array, ArrayRef},
    compute,
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::{ColumnStatistics, ScalarValue, Statistics, stats::Precision},
    datasource::table_schema::TableSchema,
    logical_expr::Expr,
};
use parquet::{
    arrow::{arrow_reader::statistics::StatisticsConverter, parquet_to_arrow_schema},
    file::metadata::{ParquetMetaData, RowGroupMetaData},
    schema::types::SchemaDescriptor,
};

use super::{
    analyzed::{Analyzed, Figures},
    listing::DataFile,
    metadata::{Footers, TableFiles},
};

/// Files whose footers are looked up; the others are taken to be like them.
const SAMPLE: usize = 256;

/// The share of rows that are taken to pass a filter where nothing is known, so that such a table is joined as one that is known.
const UNKNOWN_FILTER: f64 = 0.2;

/// What a file's footer tells of one column.
#[derive(Debug, Clone)]
struct ColumnRange {
    min: ScalarValue,
    max: ScalarValue,
    nulls: Option<u64>,
}

/// What a file's footer tells of its columns that are neither nested nor floats, by name.
#[derive(Debug, Default)]
pub(super) struct FileColumns(HashMap<String, ColumnRange>);

impl FileColumns {
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        let parquet = metadata.file_metadata().schema_descr();
        match parquet_to_arrow_schema(parquet, None) {
            Ok(schema) => Self::of_groups(&schema, parquet, metadata.row_groups()),
            Err(_) => Self::default(),
        }
    }

    /// The same of some row groups, under the file's schema.
    pub(super) fn of_groups(schema: &Schema, parquet: &SchemaDescriptor, groups: &[RowGroupMetaData]) -> Self {
        // NaN is in no statistics.
        let plain = schema.fields().iter().filter(|field| !field.data_type().is_nested() && !field.data_type().is_floating());
        let columns = plain.filter_map(|field| {
            let converter = StatisticsConverter::try_new(field.name(), schema, parquet).ok()?;
            let min = best(&converter.row_group_mins(groups).ok()?, Ordering::Less)?;
            let max = best(&converter.row_group_maxes(groups).ok()?, Ordering::Greater)?;
            let nulls = converter.with_missing_null_counts_as_zero(false).row_group_null_counts(groups).ok()?;
            let nulls = if nulls.null_count() == 0 { compute::sum(&nulls) } else { None };
            Some((field.name().clone(), ColumnRange { min, max, nulls }))
        });
        Self(columns.collect())
    }

    /// The least and greatest values of a column of the table, in the table's type.
    pub(super) fn range(&self, name: &str, data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
        self.column(name, data_type).map(|range| (range.min, range.max))
    }

    /// What it tells of a column of the table, in the table's type.
    fn column(&self, name: &str, data_type: &DataType) -> Option<ColumnRange> {
        let range = self.0.get(name)?;
        if range.min.data_type() == *data_type {
            return Some(range.clone());
        }
        let (min, max) = (range.min.cast_to(data_type).ok()?, range.max.cast_to(data_type).ok()?);
        (!min.is_null() && !max.is_null()).then_some(ColumnRange { min, max, nulls: range.nulls })
    }
}

/// The least or greatest of these values, if all are known.
fn best(values: &ArrayRef, wanted: Ordering) -> Option<ScalarValue> {
    let mut best: Option<ScalarValue> = None;
    for at in 0..values.len() {
        let value = ScalarValue::try_from_array(values, at).ok().filter(|value| !value.is_null())?;
        if best.as_ref().is_none_or(|best| value.partial_cmp(best) == Some(wanted)) {
            best = Some(value);
        }
    }
    best
}

impl ColumnRange {
    fn merge(&mut self, other: Self) {
        if other.min < self.min {
            self.min = other.min;
        }
        if other.max > self.max {
            self.max = other.max;
        }
        self.nulls = self.nulls.zip(other.nulls).map(|(one, other)| one + other);
    }
}

/// What is known without reading anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub footers: &'a Footers,
    /// What `ANALYZE` found of the table.
    pub analyzed: Option<&'a Analyzed>,
}

/// The statistics of the files of one scan, with those of the columns that it projects. They are estimates: what is exact about them is not for
/// planning to use. Footers come first, being of these very files; what they do not tell is taken from what was analysed, by the share of bytes.
pub(super) async fn of_files(
    known: Known<'_>,
    table: &TableFiles,
    files: &[DataFile],
    schema: &TableSchema,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
) -> Statistics {
    let file_schema = schema.file_schema();
    let mut statistics = Statistics::new_unknown(schema.table_schema());
    let bytes: u64 = files.iter().map(|file| file.meta.size).sum();
    statistics.total_byte_size = inexact(bytes as f64);
    let mut sample = Vec::new();
    for file in files.iter().step_by(files.len().div_ceil(SAMPLE).max(1)) {
        if let Some(known) = known.footers.known(table, file).await {
            sample.push((file.meta.size, known));
        }
    }
    let known_bytes: u64 = sample.iter().map(|(size, _)| size).sum();
    let wanted = |column: usize| projection.is_none_or(|projection| projection.contains(&column));
    let analyzed = known.analyzed.filter(|analyzed| analyzed.bytes > 0);
    if let Some(analyzed) = analyzed {
        let share = bytes as f64 / analyzed.bytes as f64;
        statistics.num_rows = inexact(analyzed.rows as f64 * share);
        for (at, field) in file_schema.fields().iter().enumerate().filter(|(at, _)| wanted(*at)) {
            if let Some(figures) = analyzed.columns.get(field.name()) {
                statistics.column_statistics[at] = of_column(figures, field.data_type(), analyzed.rows as f64, share);
            }
        }
    }
    if known_bytes == 0 {
        // Of a filter on columns that nothing is known of, planning takes all rows to pass.
        let is_of_data = |filter: &Expr| filter.column_refs().iter().any(|column| file_schema.index_of(&column.name).is_ok());
        if analyzed.is_none() && filters.iter().any(is_of_data) {
            statistics.total_byte_size = inexact(bytes as f64 * UNKNOWN_FILTER);
        }
        return statistics;
    }
    let scale = bytes as f64 / known_bytes as f64;
    let rows: i64 = sample.iter().map(|(_, known)| known.metadata().file_metadata().num_rows()).sum();
    statistics.num_rows = inexact(rows as f64 * scale);
    for (at, field) in file_schema.fields().iter().enumerate().filter(|(at, _)| wanted(*at)) {
        let ranges = sample.iter().map(|(_, known)| known.columns().column(field.name(), field.data_type()));
        let merged = ranges.reduce(|merged, range| {
            let mut merged = merged?;
            merged.merge(range?);
            Some(merged)
        });
        if let Some(range) = merged.flatten() {
            statistics.column_statistics[at] = ColumnStatistics {
                null_count: range.nulls.map_or(Precision::Absent, |nulls| inexact(nulls as f64 * scale)),
                min_value: Precision::Inexact(range.min),
                max_value: Precision::Inexact(range.max),
                distinct_count: statistics.column_statistics[at].distinct_count,
                ..ColumnStatistics::new_unknown()
            };
        }
    }
    statistics
}

/// What was analysed of a column, for that share of the table's bytes. Rows of part of a table may well have all of a column's values.
fn of_column(figures: &Figures, data_type: &DataType, rows: f64, share: f64) -> ColumnStatistics {
    let range = figures.range.as_ref().filter(|(min, _)| min.data_type() == *data_type);
    let bound = |value: Option<&ScalarValue>| value.map_or(Precision::Absent, |value| Precision::Inexact(value.clone()));
    ColumnStatistics {
        null_count: figures.nulls.map_or(Precision::Absent, |nulls| inexact(nulls as f64 * share)),
        min_value: bound(range.map(|(min, _)| min)),
        max_value: bound(range.map(|(_, max)| max)),
        distinct_count: figures.distinct.map_or(Precision::Absent, |distinct| inexact(distinct.min(rows * share))),
        ..ColumnStatistics::new_unknown()
    }
}

fn inexact(value: f64) -> Precision<usize> {
    Precision::Inexact(usize::try_from(value as u64).unwrap_or(usize::MAX))
}

/// A footer, and what the planner wants of it.
#[derive(Debug)]
pub(super) struct KnownFooter {
    metadata: Arc<ParquetMetaData>,
    columns: OnceLock<FileColumns>,
}

impl KnownFooter {
    pub(super) fn new(metadata: Arc<ParquetMetaData>) -> Self {
        Self { metadata, columns: OnceLock::new() }
    }

    pub(super) fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    fn columns(&self) -> &FileColumns {
        self.columns.get_or_init(|| FileColumns::of(&self.metadata))
    }
}
