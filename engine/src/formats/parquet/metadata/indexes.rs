//! Page indexes: which are wanted, and where a file has them.

use std::ops::Range;

use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};

/// Page indexes that are wanted beside a footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Indexes {
    /// Where pages lie.
    Offsets,
    /// Also what their values are.
    All,
}

impl Indexes {
    pub(super) const fn column_policy(self) -> PageIndexPolicy {
        match self {
            Self::Offsets => PageIndexPolicy::Skip,
            Self::All => PageIndexPolicy::Optional,
        }
    }

    /// Where they lie in a file, if it has them.
    pub(crate) fn region(self, footer: &ParquetMetaData) -> Option<Range<u64>> {
        let range = |offset: Option<i64>, length: Option<i32>| {
            let start = u64::try_from(offset?).ok()?;
            Some(start..start.checked_add(u64::try_from(length?).ok()?)?)
        };
        let chunks = || footer.row_groups().iter().flat_map(RowGroupMetaData::columns);
        let offsets = chunks().map(|chunk| range(chunk.offset_index_offset(), chunk.offset_index_length()));
        let columns = chunks().map(|chunk| range(chunk.column_index_offset(), chunk.column_index_length()));
        let columns = columns.filter(|_| self == Self::All);
        let (mut start, mut end, mut found) = (u64::MAX, 0, 0);
        for range in offsets.chain(columns).flatten() {
            (start, end) = (range.start.min(start), range.end.max(end));
            found += range.end - range.start;
        }
        // Writers put them side by side; whatever else lies between them is not worth reading.
        (found > 0 && end - start <= found.saturating_mul(2)).then_some(start..end)
    }
}
