//! What may be believed of what a file says of itself: the one rule for every use of statistics. A footer goes through it as it is decoded, and its page
//! indexes, so that whoever looks at either later (pruning, answers without data, orders, ANALYZE, the planner) sees nothing that may be wrong.
//!
//! Statistics are believed by who wrote them (`writer`) and of which type:
//!
//! | What a footer says | Believed |
//! |---|---|
//! | anything of a column below a list, a map or a struct | never: what counts as NULL differs from writer to writer |
//! | anything of a chunk that contradicts its row group, or itself | never |
//! | how many values are NULL | unless the writer is known to miscount; where it says nothing, nothing is known. A required column has none |
//! | bounds of types without an order (INT96, INTERVAL, unknown ones) | never, nor by an order that is not known |
//! | bounds that are NaN, or where the least is more than the greatest | never |
//! | bounds in the deprecated `min` and `max`, compared as signed numbers | of booleans, signed numbers, floats; of text only where both are equal |
//! | bounds of text and unsigned numbers | if the file says by which order, and its writer did not compare them as signed numbers |
//! | bounds of decimals that are bytes | of a fixed length only, and of writers that compare them as numbers |
//!
//! What is believed of floats are their numbers: NaN is in no bounds, and a zero in them is either zero. Bounds may be shortened, of
//! text above all: a footer says which are values of the column ([`has_exact_bounds`]), and one that it says to be inexact is never taken for one.

mod pages;
mod writer;

use arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type};
use parquet::{
    basic::{ColumnOrder, ConvertedType, LogicalType, SortOrder, Type as PhysicalType},
    data_type::{ByteArray, FixedLenByteArray},
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData},
        statistics::{Statistics, ValueStatistics},
    },
    schema::types::ColumnDescriptor,
};

pub(super) use self::pages::of_indexes;
use self::writer::Writer;

/// A float of 16 bits.
type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// Whether bounds of a type, where they are marked as exact, are the least and greatest value of a column: not of floats, since footers leave NaN out.
pub(super) fn has_exact_bounds(data_type: &DataType) -> bool {
    use DataType as T;
    data_type.is_integer()
        || matches!(data_type, T::Boolean | T::Date32 | T::Timestamp(..) | T::Decimal128(..) | T::Utf8 | T::Utf8View)
}

/// Statistics whose bounds are marked as exact or not.
pub(super) fn marked(statistics: Statistics, min: bool, max: bool) -> Statistics {
    macro_rules! of_each_type {
        ($($kind:ident),*) => {
            match statistics {
                $(Statistics::$kind(of) => Statistics::$kind(of.with_min_is_exact(min).with_max_is_exact(max)),)*
            }
        };
    }
    of_each_type!(Boolean, Int32, Int64, Int96, Float, Double, ByteArray, FixedLenByteArray)
}

/// Whether a row group's chunks say what it says of its rows: as many values of each column that is not repeated, no fewer of one that is.
pub(super) fn is_sound(group: &RowGroupMetaData) -> bool {
    unsound(group).is_none()
}

/// What a row group's chunks contradict it in.
pub(super) fn unsound(group: &RowGroupMetaData) -> Option<String> {
    let rows = group.num_rows();
    let contradicts = |chunk: &&ColumnChunkMetaData| match chunk.column_descr().max_rep_level() {
        0 => chunk.num_values() != rows,
        _ => chunk.num_values() < rows,
    };
    let chunk = group.columns().iter().find(contradicts)?;
    let (column, values) = (chunk.column_path().string(), chunk.num_values());
    Some(format!("its footer says that a row group has {rows} rows, and column \"{column}\" of it {values} values"))
}

/// What is wrong with a footer's counts of rows, where rows would go missing without a word.
pub(super) fn contradiction(metadata: &ParquetMetaData) -> Option<String> {
    let mut total = 0_i64;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows();
        if rows < 0 {
            return Some(format!("its footer says that row group {at} has {rows} rows"));
        }
        if let Some(chunk) = group.columns().iter().find(|chunk| rows == 0 && chunk.num_values() != 0) {
            let (column, values) = (chunk.column_path().string(), chunk.num_values());
            return Some(format!(
                "its footer says that row group {at} has no rows, and its column \"{column}\" has {values} values"
            ));
        }
        total = match total.checked_add(rows) {
            Some(total) => total,
            None => return Some("its footer says that it has more rows than can be counted".to_owned()),
        };
    }
    let recorded = metadata.file_metadata().num_rows();
    (total == 0 && recorded != 0).then(|| format!("its footer says that it has {recorded} rows, and its row groups have none"))
}

/// A footer without what must not be believed. Its total of rows is what its row groups have.
///
/// # Errors
/// Those of putting it together again.
pub(super) fn of_footer(metadata: &ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let belief = Belief::of(metadata.file_metadata());
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().enumerate().map(|(leaf, chunk)| {
            let Some(recorded) = chunk.statistics() else { return Ok(chunk.clone()) };
            match belief.of_chunk(group, leaf, chunk, recorded) {
                Some(believed) if believed == *recorded => Ok(chunk.clone()),
                Some(believed) => chunk.clone().into_builder().set_statistics(believed).build(),
                None => chunk.clone().into_builder().clear_statistics().build(),
            }
        });
        let columns = columns.collect::<Result<_, ParquetError>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    });
    let groups: Vec<RowGroupMetaData> = groups.collect::<Result<_, ParquetError>>()?;
    let file = metadata.file_metadata();
    let plain = FileMetaData::new(
        file.version(),
        groups.iter().map(RowGroupMetaData::num_rows).sum(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaDataBuilder::new(plain).set_row_groups(groups).build())
}

/// How one file's statistics are to be taken.
struct Belief<'a> {
    writer: Writer,
    orders: Option<&'a Vec<ColumnOrder>>,
}

impl<'a> Belief<'a> {
    fn of(file: &'a FileMetaData) -> Self {
        Self { writer: Writer::of(file.created_by()), orders: file.column_orders() }
    }

    /// A chunk's statistics without what is not believed.
    fn of_chunk(
        &self,
        group: &RowGroupMetaData,
        leaf: usize,
        chunk: &ColumnChunkMetaData,
        recorded: &Statistics,
    ) -> Option<Statistics> {
        let column = chunk.column_descr();
        let rows = u64::try_from(group.num_rows()).ok()?;
        if is_nested(column) || i64::try_from(rows) != Ok(chunk.num_values()) {
            return None;
        }
        let nulls = recorded.null_count_opt();
        let has_bounds = recorded.min_bytes_opt().is_some() || recorded.max_bytes_opt().is_some();
        if nulls.is_some_and(|nulls| nulls > rows || (nulls == rows && has_bounds) || contradicts_levels(chunk, nulls)) {
            return None;
        }
        let nulls = match column.max_def_level() {
            0 => Some(0),
            _ => nulls.filter(|_| self.writer.counts_nulls()),
        };
        let is_deprecated = recorded.is_min_max_deprecated();
        let is_single = recorded.min_bytes_opt().is_some() && recorded.min_bytes_opt() == recorded.max_bytes_opt();
        let bounds = self.believes_bounds(leaf, column, is_deprecated, is_single) && are_bounds(column, recorded);
        Some(rebuilt(column, recorded, nulls, bounds))
    }

    /// Whether bounds of this column are by an order that is known; `is_deprecated` if they are in the old fields, `is_single` if both are the same.
    fn believes_bounds(&self, leaf: usize, column: &ColumnDescriptor, is_deprecated: bool, is_single: bool) -> bool {
        let order = ColumnOrder::sort_order_for_type(column.logical_type_ref(), column.converted_type(), column.physical_type());
        let is_bytes = matches!(column.physical_type(), PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY);
        let is_number = !is_bytes && (order == SortOrder::SIGNED || column.physical_type() == PhysicalType::BOOLEAN);
        if order == SortOrder::UNDEFINED {
            return false;
        }
        if is_decimal(column) && is_bytes {
            let is_fixed = column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY;
            return is_fixed && !is_deprecated && self.writer.compares_decimals() && self.names_order(leaf).unwrap_or(true);
        }
        if is_deprecated {
            // Which of two orders it was does not matter for one value, if it is the value of a row at all.
            return is_number || (is_single && self.writer.copies_bounds());
        }
        match self.names_order(leaf) {
            Some(is_known) => is_known && (is_number || self.writer.compares_unsigned()),
            // Without an order, the signed one is what every writer has meant.
            None => is_number || self.writer.orders_without_a_word(),
        }
    }

    /// Whether the file says that a column's bounds are by the order of its type; `None` if it says nothing of any column.
    fn names_order(&self, leaf: usize) -> Option<bool> {
        self.orders.map(|orders| matches!(orders.get(leaf), Some(ColumnOrder::TYPE_DEFINED_ORDER(_))))
    }
}

/// Whether a column is below a list, a map or a struct.
fn is_nested(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() > 0 || column.path().parts().len() != 1
}

fn is_decimal(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_))) || column.converted_type() == ConvertedType::DECIMAL
}

fn is_float16(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Float16))
}

/// Whether the count of definition levels, where there is one, tells another number of NULLs.
fn contradicts_levels(chunk: &ColumnChunkMetaData, nulls: u64) -> bool {
    let levels = chunk.definition_level_histogram().map(|levels| levels.values());
    match levels {
        Some([nulls_by_levels, _]) => u64::try_from(*nulls_by_levels) != Ok(nulls),
        _ => false,
    }
}

/// Whether a chunk's bounds can be those of values of its type: numbers, of the right length, the least before the greatest.
fn are_bounds(column: &ColumnDescriptor, recorded: &Statistics) -> bool {
    use Statistics as S;
    match recorded {
        S::Boolean(of) => in_order(of.min_opt(), of.max_opt(), |min, max| min <= max),
        S::Int32(of) if is_unsigned(column) => in_order(of.min_opt(), of.max_opt(), |min, max| *min as u32 <= *max as u32),
        S::Int64(of) if is_unsigned(column) => in_order(of.min_opt(), of.max_opt(), |min, max| *min as u64 <= *max as u64),
        S::Int32(of) => in_order(of.min_opt(), of.max_opt(), |min, max| min <= max),
        S::Int64(of) => in_order(of.min_opt(), of.max_opt(), |min, max| min <= max),
        // Nothing is in order with NaN.
        S::Float(of) => in_order(of.min_opt(), of.max_opt(), |min, max| min <= max),
        S::Double(of) => in_order(of.min_opt(), of.max_opt(), |min, max| min <= max),
        S::Int96(_) => false,
        S::ByteArray(_) | S::FixedLenByteArray(_) => {
            in_order(recorded.min_bytes_opt(), recorded.max_bytes_opt(), |min, max| bytes_in_order(column, min, max))
        }
    }
}

/// Whether two bounds are in order; a single one is compared with itself.
fn in_order<T: ?Sized>(min: Option<&T>, max: Option<&T>, is_in_order: impl Fn(&T, &T) -> bool) -> bool {
    match (min, max) {
        (Some(min), Some(max)) => is_in_order(min, max),
        (Some(one), None) | (None, Some(one)) => is_in_order(one, one),
        (None, None) => true,
    }
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    ColumnOrder::sort_order_for_type(column.logical_type_ref(), column.converted_type(), column.physical_type())
        == SortOrder::UNSIGNED
}

/// Whether two bounds of a column of bytes fit its type, and the first is not the greater.
fn bytes_in_order(column: &ColumnDescriptor, min: &[u8], max: &[u8]) -> bool {
    if is_float16(column) {
        return match (float16(min), float16(max)) {
            (Some(min), Some(max)) => min <= max,
            _ => false,
        };
    }
    if is_decimal(column) {
        let is_whole = |bytes: &[u8]| i32::try_from(bytes.len()) == Ok(column.type_length()) && (1..=16).contains(&bytes.len());
        return is_whole(min) && is_whole(max) && signed(min) <= signed(max);
    }
    min <= max
}

fn float16(bytes: &[u8]) -> Option<F16> {
    Some(F16::from_le_bytes(bytes.try_into().ok()?))
}

/// A number of at most 16 bytes, the highest first, in two's complement.
fn signed(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| (number << 8) | i128::from(*byte))
}

/// The same statistics with this count of NULLs, and with or without their bounds.
fn rebuilt(column: &ColumnDescriptor, recorded: &Statistics, nulls: Option<u64>, bounds: bool) -> Statistics {
    use Statistics as S;
    let (distinct, old) = (recorded.distinct_count_opt(), recorded.is_min_max_deprecated());
    let built = match recorded {
        S::Boolean(of) => S::boolean(kept(of.min_opt(), bounds), kept(of.max_opt(), bounds), distinct, nulls, old),
        S::Int32(of) => S::int32(kept(of.min_opt(), bounds), kept(of.max_opt(), bounds), distinct, nulls, old),
        S::Int64(of) => S::int64(kept(of.min_opt(), bounds), kept(of.max_opt(), bounds), distinct, nulls, old),
        S::Int96(_) => S::int96(None, None, distinct, nulls, old),
        S::Float(of) => {
            // Which zero it is, not all writers tell.
            let min = kept(of.min_opt(), bounds).map(|min| if min == 0.0 { -0.0 } else { min });
            let max = kept(of.max_opt(), bounds).map(|max| if max == 0.0 { 0.0 } else { max });
            S::float(min, max, distinct, nulls, old)
        }
        S::Double(of) => {
            let min = kept(of.min_opt(), bounds).map(|min| if min == 0.0 { -0.0 } else { min });
            let max = kept(of.max_opt(), bounds).map(|max| if max == 0.0 { 0.0 } else { max });
            S::double(min, max, distinct, nulls, old)
        }
        S::ByteArray(of) => {
            S::ByteArray(ValueStatistics::new(kept(of.min_opt(), bounds), kept(of.max_opt(), bounds), distinct, nulls, old))
        }
        S::FixedLenByteArray(of) => {
            let zero = |bound: Option<&[u8]>, sign: u8| match bound.filter(|_| bounds) {
                Some(bytes) if is_float16(column) && float16(bytes).is_some_and(|number| number.to_f32() == 0.0) => {
                    Some(ByteArray::from(vec![0, sign]))
                }
                bound => bound.map(|bytes| ByteArray::from(bytes.to_vec())),
            };
            let (min, max) = (zero(of.min_bytes_opt(), 0x80), zero(of.max_bytes_opt(), 0));
            let (min, max) = (min.map(FixedLenByteArray::from), max.map(FixedLenByteArray::from));
            S::FixedLenByteArray(ValueStatistics::new(min, max, distinct, nulls, old))
        }
    };
    marked(built, recorded.min_is_exact(), recorded.max_is_exact())
}

fn kept<T: Clone>(bound: Option<&T>, bounds: bool) -> Option<T> {
    bound.filter(|_| bounds).cloned()
}
