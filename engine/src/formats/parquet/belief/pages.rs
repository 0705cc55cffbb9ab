//! What may be believed of page indexes.

use parquet::{
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
        page_index::{
            column_index::{ByteArrayColumnIndex, ColumnIndexMetaData, PrimitiveColumnIndex},
            offset_index::OffsetIndexMetaData,
        },
    },
    schema::types::ColumnDescriptor,
};

use super::{Belief, bytes_in_order, is_nested, is_sound, is_unsigned};

/// A footer's page indexes without what must not be believed: no bounds of a column whose bounds cannot be, and no indexes at all where one of them puts
/// pages where none can be.
pub(crate) fn of_indexes(metadata: ParquetMetaData) -> ParquetMetaData {
    let groups = || metadata.row_groups().iter();
    let Some(offsets) = metadata.offset_index() else { return without(metadata) };
    let fits = offsets.len() == metadata.num_row_groups()
        && groups().zip(offsets).all(|(group, offsets)| {
            is_sound(group)
                && offsets.len() == group.num_columns()
                && group.columns().iter().zip(offsets).all(|(chunk, offsets)| lie_in(chunk, offsets, group.num_rows()))
        });
    if !fits {
        return without(metadata);
    }
    let belief = Belief::of(metadata.file_metadata());
    let believed = metadata.column_index().map(|columns| {
        let of_group = |(at, group): (usize, &RowGroupMetaData)| {
            let of_column = |leaf: usize| match columns.get(at).and_then(|columns| columns.get(leaf)) {
                Some(index) if belief.of_pages(group, leaf, index, &offsets[at][leaf]) => index.clone(),
                _ => ColumnIndexMetaData::NONE,
            };
            (0..group.num_columns()).map(of_column).collect()
        };
        groups().enumerate().map(of_group).collect()
    });
    metadata.into_builder().set_column_index(believed).build()
}

fn without(metadata: ParquetMetaData) -> ParquetMetaData {
    metadata.into_builder().set_column_index(None).set_offset_index(None).build()
}

/// Whether pages follow one another, in the chunk and in its rows.
fn lie_in(chunk: &ColumnChunkMetaData, offsets: &OffsetIndexMetaData, rows: i64) -> bool {
    let (start, length) = chunk.byte_range();
    let Some(end) = start.checked_add(length) else { return false };
    let pages = offsets.page_locations();
    let mut at = (start, 0);
    for page in pages {
        let Some((offset, size)) = u64::try_from(page.offset).ok().zip(u64::try_from(page.compressed_page_size).ok()) else {
            return false;
        };
        let page_end = offset.checked_add(size);
        if offset < at.0 || page_end.is_none_or(|page_end| page_end > end) || page.first_row_index < at.1 {
            return false;
        }
        at = (offset + size, page.first_row_index);
    }
    pages.first().is_some_and(|page| page.first_row_index == 0) && at.1 <= rows
}

impl Belief<'_> {
    /// Whether a chunk's index says what may be believed of its pages.
    fn of_pages(
        &self,
        group: &RowGroupMetaData,
        leaf: usize,
        index: &ColumnIndexMetaData,
        offsets: &OffsetIndexMetaData,
    ) -> bool {
        let chunk = group.column(leaf);
        let column = chunk.column_descr();
        if is_nested(column) || !self.believes_bounds(leaf, column, false, false) {
            return false;
        }
        let pages = offsets.page_locations();
        let ends = pages.iter().skip(1).map(|page| page.first_row_index).chain(std::iter::once(group.num_rows()));
        let rows: Vec<i64> = pages.iter().zip(ends).map(|(page, end)| end - page.first_row_index).collect();
        let Some(null_pages) = null_pages(index).filter(|null_pages| null_pages.len() == rows.len()) else { return false };
        if let Some(nulls) = index.null_counts() {
            let fits = |((nulls, rows), is_null): ((&i64, &i64), &bool)| {
                (0..=*rows).contains(nulls) && (!is_null || nulls == rows) && (column.max_def_level() > 0 || *nulls == 0)
            };
            let total = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
            let is_total = total.is_none_or(|total| {
                nulls.iter().try_fold(0_i64, |sum, nulls| sum.checked_add(*nulls)) == i64::try_from(total).ok()
            });
            if !self.writer.counts_nulls() || !is_total || !nulls.iter().zip(&rows).zip(&null_pages).all(fits) {
                return false;
            }
        }
        are_in_order(column, index)
    }
}

/// Which pages hold nothing but NULL.
fn null_pages(index: &ColumnIndexMetaData) -> Option<Vec<bool>> {
    use ColumnIndexMetaData as I;
    if matches!(index, I::NONE) {
        return None;
    }
    let pages = usize::try_from(index.num_pages()).ok()?;
    Some((0..pages).map(|page| index.is_null_page(page)).collect())
}

/// Whether the bounds of pages can be those of values of the column's type.
fn are_in_order(column: &ColumnDescriptor, index: &ColumnIndexMetaData) -> bool {
    use ColumnIndexMetaData as I;
    let is_unsigned = is_unsigned(column);
    match index {
        I::NONE | I::INT96(_) => false,
        I::BOOLEAN(index) => ordered(index, |min, max| min <= max),
        I::INT32(index) if is_unsigned => ordered(index, |min, max| *min as u32 <= *max as u32),
        I::INT64(index) if is_unsigned => ordered(index, |min, max| *min as u64 <= *max as u64),
        I::INT32(index) => ordered(index, |min, max| min <= max),
        I::INT64(index) => ordered(index, |min, max| min <= max),
        I::FLOAT(index) => ordered(index, |min, max| min <= max),
        I::DOUBLE(index) => ordered(index, |min, max| min <= max),
        I::BYTE_ARRAY(index) | I::FIXED_LEN_BYTE_ARRAY(index) => bytes_ordered(column, index),
    }
}

fn ordered<T>(index: &PrimitiveColumnIndex<T>, is_in_order: impl Fn(&T, &T) -> bool) -> bool {
    index
        .min_values_iter()
        .zip(index.max_values_iter())
        .all(|(min, max)| min.zip(max).is_none_or(|(min, max)| is_in_order(min, max)))
}

fn bytes_ordered(column: &ColumnDescriptor, index: &ByteArrayColumnIndex) -> bool {
    let mut pages = index.min_values_iter().zip(index.max_values_iter());
    pages.all(|(min, max)| min.zip(max).is_none_or(|(min, max)| bytes_in_order(column, min, max)))
}
