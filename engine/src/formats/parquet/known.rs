//! What footers tell of files and their columns.

use std::{
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

use arrow::{
    array::{Array, ArrayRef},
    compute,
    datatypes::Schema,
};
use datafusion::common::ScalarValue;
use parquet::{
    arrow::{arrow_reader::statistics::StatisticsConverter, parquet_to_arrow_schema},
    file::metadata::{ParquetMetaData, RowGroupMetaData},
    schema::types::SchemaDescriptor,
};

use crate::scan::{ColumnRange, FileColumns};

/// A footer, and what the planner wants of it.
#[derive(Debug)]
pub(crate) struct KnownFooter {
    metadata: Arc<ParquetMetaData>,
    /// Bytes of it in the file, with its tail.
    length: u64,
    columns: OnceLock<Arc<FileColumns>>,
}

impl KnownFooter {
    pub(crate) fn new(metadata: ParquetMetaData, length: u64) -> Self {
        Self { metadata: Arc::new(metadata), length, columns: OnceLock::new() }
    }

    pub(crate) fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn columns(&self) -> &Arc<FileColumns> {
        self.columns.get_or_init(|| Arc::new(columns_of(&self.metadata)))
    }
}

/// What a footer tells of a file's columns that are neither nested nor floats.
fn columns_of(metadata: &ParquetMetaData) -> FileColumns {
    let parquet = metadata.file_metadata().schema_descr();
    match parquet_to_arrow_schema(parquet, None) {
        Ok(schema) => columns_of_groups(&schema, parquet, metadata.row_groups()),
        Err(_) => FileColumns::default(),
    }
}

/// The same of some row groups, under the file's schema.
pub(super) fn columns_of_groups(schema: &Schema, parquet: &SchemaDescriptor, groups: &[RowGroupMetaData]) -> FileColumns {
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
    columns.collect()
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
