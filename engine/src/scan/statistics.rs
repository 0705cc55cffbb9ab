//! What the planner is told of the files that survived: their sizes, and their rows as far as footers are known. Nothing is read for it.

use datafusion::{
    common::{Statistics, stats::Precision},
    datasource::table_schema::TableSchema,
};

use super::{
    listing::DataFile,
    metadata::{Footers, TableFiles},
};

/// Files whose footers are looked up; the others are taken to be like them.
const SAMPLE: usize = 256;

/// The statistics of the files of one scan. They are estimates: what is exact about them is not for planning to use.
pub(super) async fn of_files(footers: &Footers, table: &TableFiles, files: &[DataFile], schema: &TableSchema) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema.table_schema());
    let bytes: u64 = files.iter().map(|file| file.meta.size).sum();
    let (mut known_rows, mut known_bytes) = (0_u64, 0_u64);
    for file in files.iter().step_by(files.len().div_ceil(SAMPLE).max(1)) {
        if let Some(footer) = footers.known(table, file).await {
            known_rows += u64::try_from(footer.file_metadata().num_rows()).unwrap_or_default();
            known_bytes += file.meta.size;
        }
    }
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    statistics.total_byte_size = Precision::Inexact(size(bytes));
    if known_bytes > 0 {
        let rows = known_rows as f64 * (bytes as f64 / known_bytes as f64);
        statistics.num_rows = Precision::Inexact(size(rows as u64));
    }
    statistics
}
