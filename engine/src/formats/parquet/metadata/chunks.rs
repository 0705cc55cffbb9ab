//! Where column chunks end, for writers that counted their bytes wrongly.

use std::collections::BTreeSet;

use parquet::{
    errors::ParquetError,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
};

/// The longest header of a dictionary page that was not counted.
const LONGEST_HEADER: i64 = 100;

/// How a writer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Miscount {
    /// parquet-mr before 1.2.9 leaves out the header of the dictionary page. Its chunks follow each other.
    TooFew,
    /// Impala counts the header of a last page that it does not write, since no value is left for it. Its chunks' metadata follow their pages.
    TooMany,
}

impl Miscount {
    fn of(created_by: Option<&str>) -> Option<Self> {
        let created_by = created_by?.trim();
        let (writer, version) = created_by.split_once(" version ").unwrap_or((created_by, ""));
        if writer.eq_ignore_ascii_case("impala") {
            return Some(Self::TooMany);
        }
        let mut numbers =
            version.split(|character: char| !character.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
        let version: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
        (writer == "parquet-mr" && version < [1, 2, 9]).then_some(Self::TooFew)
    }
}

/// The metadata with chunks that end where their pages do; `pages_end` is where the footer begins.
///
/// # Errors
/// Those of putting it together again.
pub(super) fn counted(metadata: ParquetMetaData, pages_end: i64) -> Result<ParquetMetaData, ParquetError> {
    let Some(miscount) = Miscount::of(metadata.file_metadata().created_by()) else { return Ok(metadata) };
    let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
    let starts: BTreeSet<i64> = chunks().map(start).chain([pages_end]).collect();
    let bytes = |chunk: &ColumnChunkMetaData| {
        let (start, counted) = (start(chunk), chunk.compressed_size());
        let end = start.saturating_add(counted);
        match miscount {
            Miscount::TooFew => match starts.range(end..).next() {
                Some(next) if next - end <= LONGEST_HEADER => next - start,
                _ => counted,
            },
            Miscount::TooMany if (chunk.data_page_offset() + 1..end).contains(&chunk.file_offset()) => {
                chunk.file_offset() - start
            }
            Miscount::TooMany => counted,
        }
    };
    if chunks().all(|chunk| bytes(chunk) == chunk.compressed_size()) {
        return Ok(metadata);
    }
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|chunk| {
            let bytes = bytes(chunk);
            chunk.clone().into_builder().set_total_compressed_size(bytes).build()
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    });
    let groups = groups.collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(metadata.into_builder().set_row_groups(groups).build())
}

/// Where a chunk's first page lies.
fn start(chunk: &ColumnChunkMetaData) -> i64 {
    let data = chunk.data_page_offset();
    chunk.dictionary_page_offset().filter(|offset| (4..data).contains(offset)).unwrap_or(data)
}
