//! Statistics of the matching files for the planner: their sizes, and the rows and the columns' minimum, maximum and null count as far as the
//! format knows them. Nothing is read for this.

use arrow::datatypes::DataType;
use datafusion::{
    common::{ColumnStatistics, ScalarValue, Statistics, stats::Precision},
    datasource::table_schema::TableSchema,
    logical_expr::Expr,
};

use crate::scan::{Analyzed, DataFile, Figures, Format};

/// Files that are looked up; the others are taken to be like them.
const SAMPLE: usize = 256;

/// The share of rows that are taken to pass a filter where nothing is known, so that such a table is joined as one that is known.
const UNKNOWN_FILTER: f64 = 0.2;

/// What is known without reading anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub format: &'a dyn Format,
    /// What `ANALYZE` found of the table.
    pub analyzed: Option<&'a Analyzed>,
}

/// The statistics of the files of one scan, with those of the columns that it projects. They are estimates: what is exact about them is not for
/// planning to use. What is known of these very files comes first; what they do not tell is taken from what was analysed, by the share of bytes.
pub(super) async fn of_files(
    known: Known<'_>,
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
        if let Some(known) = known.format.known(file).await {
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
    let rows: i64 = sample.iter().map(|(_, known)| known.rows).sum();
    statistics.num_rows = inexact(rows as f64 * scale);
    for (at, field) in file_schema.fields().iter().enumerate().filter(|(at, _)| wanted(*at)) {
        let ranges = sample.iter().map(|(_, known)| known.columns.column(field.name(), field.data_type()));
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
