//! What a footer tells `ANALYZE`.
//!
//! How many values differ is, of a chunk, the count that its writer gives; else the entries of its dictionary (its bytes by the bytes of a value), if
//! all its pages use it; else as many as it has values. Ranges of floats are left out, since NaN is in no statistics.

use datafusion::common::ScalarValue;
use glaux_catalog::model::Column;
use parquet::{
    arrow::parquet_to_arrow_schema,
    basic::{Encoding, Type as PhysicalType},
    file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
};

use super::known::columns_of_groups;
use crate::scan::{Analyzed, Figures, FileColumns};

/// Bytes of a text value that are kept of a range at most.
const LONGEST: usize = 256;

/// What a footer tells of these columns. Of nested ones it tells nothing but their bytes.
pub(super) fn of_footer(footer: &ParquetMetaData, file_bytes: u64, columns: &[Column]) -> Analyzed {
    let parquet = footer.file_metadata().schema_descr();
    let schema = parquet_to_arrow_schema(parquet, None).ok();
    let mut whole = Analyzed::default();
    for group in footer.row_groups() {
        let known = schema.as_ref().map(|schema| columns_of_groups(schema, parquet, std::slice::from_ref(group)));
        let known = known.unwrap_or_default();
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let figures = |column: &Column| (column.name.clone(), of_group(group, &known, column, rows));
        whole.merge(&Analyzed { files: 1, rows, bytes: 0, columns: columns.iter().map(figures).collect() });
    }
    if whole.files == 0 {
        whole.columns = columns.iter().map(|column| (column.name.clone(), Figures::of_nulls(column, 0))).collect();
    }
    Analyzed { files: 1, bytes: file_bytes, ..whole }
}

fn of_group(group: &RowGroupMetaData, known: &FileColumns, column: &Column, rows: u64) -> Figures {
    let is_of_column = |chunk: &&ColumnChunkMetaData| chunk.column_path().parts().first() == Some(&column.name);
    let chunks: Vec<&ColumnChunkMetaData> = group.columns().iter().filter(is_of_column).collect();
    let Some(chunk) = chunks.first() else { return Figures::of_nulls(column, rows) };
    let bytes = chunks.iter().map(|chunk| u64::try_from(chunk.uncompressed_size()).unwrap_or(0)).sum();
    let mut figures = Figures { hive_type: column.hive_type.clone(), nulls: None, range: None, distinct: None, bytes };
    if column.hive_type.is_nested() || chunk.column_path().parts().len() != 1 {
        return figures;
    }
    figures.nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
    let range = known.column(&column.name, &column.hive_type.to_arrow()).map(|range| (range.min, range.max));
    figures.range = range.filter(|(min, max)| is_short(min) && is_short(max));
    let values = rows.saturating_sub(figures.nulls.unwrap_or(0)) as f64;
    figures.distinct = Some(figures.bounded(distinct(chunk, values), values));
    figures
}

fn is_short(value: &ScalarValue) -> bool {
    value.try_as_str().flatten().is_none_or(|text| text.len() <= LONGEST)
}

/// How many of a chunk's values differ.
fn distinct(chunk: &ColumnChunkMetaData, values: f64) -> f64 {
    match chunk.statistics().and_then(|statistics| statistics.distinct_count_opt()) {
        Some(count) => count as f64,
        None => dictionary(chunk).unwrap_or(values),
    }
}

/// The entries of a chunk's dictionary, if all its data pages use it.
fn dictionary(chunk: &ColumnChunkMetaData) -> Option<f64> {
    let start = chunk.dictionary_page_offset()?;
    let coded = chunk.page_encoding_stats_mask()?;
    if !coded.is_only(Encoding::RLE_DICTIONARY) && !coded.is_only(Encoding::PLAIN_DICTIONARY) {
        return None;
    }
    let compressed = (chunk.data_page_offset() - start) as f64;
    let ratio = chunk.uncompressed_size() as f64 / (chunk.compressed_size() as f64).max(1.0);
    let width = match chunk.column_type() {
        PhysicalType::BOOLEAN => return Some(2.0),
        PhysicalType::INT32 | PhysicalType::FLOAT => 4.0,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8.0,
        PhysicalType::INT96 => 12.0,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => f64::from(chunk.column_descr().type_length().max(1)),
        PhysicalType::BYTE_ARRAY => 4.0 + text_length(chunk)?,
    };
    // Its page has a header of about that many bytes.
    Some(((compressed - PAGE_HEADER).max(1.0) * ratio.max(1.0) / width).round().max(1.0))
}

/// Bytes of a dictionary page's header, about.
const PAGE_HEADER: f64 = 16.0;

/// How long texts of a chunk are: as its writer says, or else as its least and greatest are.
fn text_length(chunk: &ColumnChunkMetaData) -> Option<f64> {
    let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt()).unwrap_or(0) as f64;
    if let Some(bytes) = chunk.unencoded_byte_array_data_bytes() {
        return Some(bytes as f64 / (chunk.num_values() as f64 - nulls).max(1.0));
    }
    let statistics = chunk.statistics()?;
    let (min, max) = (statistics.min_bytes_opt()?.len(), statistics.max_bytes_opt()?.len());
    Some((min + max) as f64 / 2.0)
}

#[cfg(test)]
mod tests;
