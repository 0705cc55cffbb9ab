//! Footers that Parquet's decoder refuses although what is meant is plain: the annotations of a column that say nothing or contradict each other, required
//! fields that say nothing of the data, statistics of the wrong length, properties without keys. It corrects Thrift's fields, not values, and what
//! only the data can tell stays refused.

use std::borrow::Cow;

use super::thrift::{Kind, Struct, Value};

/// Fields of `FileMetaData`.
mod file {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] = &[
        (VERSION, Kind::Int),
        (SCHEMA, Kind::Structs),
        (ROWS, Kind::Int),
        (ROW_GROUPS, Kind::Structs),
        (PROPERTIES, Kind::Structs),
        (CREATED_BY, Kind::Binary),
        (COLUMN_ORDERS, Kind::Structs),
        // Of encryption.
        (8, Kind::Struct),
        (9, Kind::Binary),
    ];
    pub(super) const VERSION: i16 = 1;
    pub(super) const SCHEMA: i16 = 2;
    pub(super) const ROWS: i16 = 3;
    pub(super) const ROW_GROUPS: i16 = 4;
    pub(super) const PROPERTIES: i16 = 5;
    pub(super) const CREATED_BY: i16 = 6;
    pub(super) const COLUMN_ORDERS: i16 = 7;
}

/// Fields of `SchemaElement`.
mod element {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] = &[
        (TYPE, Kind::Int),
        (LENGTH, Kind::Int),
        (REPETITION, Kind::Int),
        (NAME, Kind::Binary),
        (CHILDREN, Kind::Int),
        (CONVERTED, Kind::Int),
        (SCALE, Kind::Int),
        (PRECISION, Kind::Int),
        (9, Kind::Int),
        (LOGICAL, Kind::Struct),
    ];
    pub(super) const TYPE: i16 = 1;
    pub(super) const LENGTH: i16 = 2;
    pub(super) const REPETITION: i16 = 3;
    pub(super) const NAME: i16 = 4;
    pub(super) const CHILDREN: i16 = 5;
    pub(super) const CONVERTED: i16 = 6;
    pub(super) const SCALE: i16 = 7;
    pub(super) const PRECISION: i16 = 8;
    pub(super) const LOGICAL: i16 = 10;
}

/// Fields of `RowGroup`, but for its order and number.
mod group {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] =
        &[(COLUMNS, Kind::Structs), (BYTES, Kind::Int), (ROWS, Kind::Int), (5, Kind::Int), (6, Kind::Int)];
    pub(super) const COLUMNS: i16 = 1;
    pub(super) const BYTES: i16 = 2;
    pub(super) const ROWS: i16 = 3;
}

/// Fields of `ColumnChunk`.
mod chunk {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] = &[
        (1, Kind::Binary),
        (FILE_OFFSET, Kind::Int),
        (METADATA, Kind::Struct),
        // Where page indexes lie.
        (4, Kind::Int),
        (5, Kind::Int),
        (6, Kind::Int),
        (7, Kind::Int),
        // Of encryption.
        (8, Kind::Struct),
        (9, Kind::Binary),
    ];
    pub(super) const FILE_OFFSET: i16 = 2;
    pub(super) const METADATA: i16 = 3;
}

/// Fields of `ColumnMetaData`, but for what describes sizes and encodings of pages.
mod column {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] = &[
        (TYPE, Kind::Int),
        (ENCODINGS, Kind::Ints),
        (CODEC, Kind::Int),
        (VALUES, Kind::Int),
        (UNCOMPRESSED, Kind::Int),
        (COMPRESSED, Kind::Int),
        // Offsets of pages.
        (9, Kind::Int),
        (10, Kind::Int),
        (11, Kind::Int),
        (STATISTICS, Kind::Struct),
        // The bloom filter.
        (14, Kind::Int),
        (15, Kind::Int),
    ];
    pub(super) const TYPE: i16 = 1;
    pub(super) const ENCODINGS: i16 = 2;
    pub(super) const CODEC: i16 = 4;
    pub(super) const VALUES: i16 = 5;
    pub(super) const UNCOMPRESSED: i16 = 6;
    pub(super) const COMPRESSED: i16 = 7;
    pub(super) const STATISTICS: i16 = 12;
}

/// Fields of `Statistics`.
mod statistics {
    use super::Kind;

    pub(super) const ALL: &[(i16, Kind)] = &[
        (MAX, Kind::Binary),
        (MIN, Kind::Binary),
        (NULLS, Kind::Int),
        (DISTINCT, Kind::Int),
        (MAX_VALUE, Kind::Binary),
        (MIN_VALUE, Kind::Binary),
        // Whether these are exact.
        (7, Kind::Bool),
        (8, Kind::Bool),
    ];
    pub(super) const MAX: i16 = 1;
    pub(super) const MIN: i16 = 2;
    pub(super) const NULLS: i16 = 3;
    pub(super) const DISTINCT: i16 = 4;
    pub(super) const MAX_VALUE: i16 = 5;
    pub(super) const MIN_VALUE: i16 = 6;
}

/// Physical types.
mod physical {
    pub(super) const BOOLEAN: i64 = 0;
    pub(super) const INT32: i64 = 1;
    pub(super) const INT64: i64 = 2;
    pub(super) const INT96: i64 = 3;
    pub(super) const FLOAT: i64 = 4;
    pub(super) const DOUBLE: i64 = 5;
    pub(super) const BYTE_ARRAY: i64 = 6;
    pub(super) const FIXED: i64 = 7;
}

/// Converted types, and the variants of logical types.
mod annotation {
    pub(super) const DECIMAL: i64 = 5;
    /// What early versions of parquet-cpp, and pandas with them, wrote for columns that hold only NULLs.
    pub(super) const NULLS_OF_PARQUET_CPP: i64 = 24;

    pub(super) const LOGICAL_DECIMAL: i16 = 5;
    pub(super) const LOGICAL_UNKNOWN: i16 = 11;
    pub(super) const LAST_LOGICAL: i16 = 18;
}

const REQUIRED: i64 = 0;

/// The codecs of the format; others are newer than we are.
const CODECS: std::ops::RangeInclusive<i64> = 0..=7;

/// The footer as the decoder takes it; `None` if it is no Thrift at all.
pub(super) fn normalised(thrift: &[u8]) -> Option<Vec<u8>> {
    let mut footer = Struct::read(thrift)?;
    footer.keep(file::ALL);
    footer.set_if_absent(file::VERSION, Value::int(1));
    let mut columns = Vec::new();
    for (at, element) in footer.structs_mut(file::SCHEMA).enumerate() {
        element.keep(element::ALL);
        let is_leaf = element.int(element::CHILDREN).unwrap_or_default() == 0 && element.has(element::TYPE);
        if at > 0 {
            element.set_if_absent(element::REPETITION, Value::int(REQUIRED));
        }
        valid_text(element, element::NAME);
        if is_leaf {
            annotate(element);
            columns.push(element.int(element::TYPE).unwrap_or_default());
        } else {
            annotate_group(element);
        }
    }
    let mut rows = 0_i64;
    for group in footer.structs_mut(file::ROW_GROUPS) {
        group.keep(group::ALL);
        rows = rows.saturating_add(group.int(group::ROWS).unwrap_or_default());
        group.set_if_absent(group::BYTES, Value::int(0));
        for (chunk, physical) in group.structs_mut(group::COLUMNS).zip(&columns) {
            normalise_chunk(chunk, *physical);
        }
    }
    footer.set_if_absent(file::ROWS, Value::int(rows));
    if let Some(Value::List(properties)) = footer.get_mut(file::PROPERTIES) {
        properties.items.retain(is_property);
    }
    valid_text(&mut footer, file::CREATED_BY);
    let is_ordered = |order: &mut Struct| order.variant().is_some();
    if footer.items_mut(file::COLUMN_ORDERS).len() != columns.len() || !footer.structs_mut(file::COLUMN_ORDERS).all(is_ordered) {
        footer.remove(file::COLUMN_ORDERS);
    }
    Some(footer.write())
}

/// A property that has a key, and a value if any, that are text.
fn is_property(property: &Value) -> bool {
    let Value::Struct(property) = property else { return false };
    let is_text = |id| property.binary(id).map(|text| std::str::from_utf8(text).is_ok());
    is_text(1) == Some(true) && (is_text(2) == Some(true) || !property.has(2))
}

/// Makes a text valid UTF-8.
fn valid_text(fields: &mut Struct, id: i16) {
    let valid = fields.binary(id).and_then(|text| match String::from_utf8_lossy(text) {
        Cow::Owned(valid) => Some(valid.into_bytes()),
        Cow::Borrowed(_) => None,
    });
    if let Some(valid) = valid {
        fields.set(id, Value::Binary(Cow::Owned(valid)));
    }
}

/// Leaves a column the annotation that its physical type can have: of two that differ the newer one counts, one that says nothing or what cannot be
/// goes, and the column is then what its physical type is.
fn annotate(element: &mut Struct) {
    let physical = element.int(element::TYPE).unwrap_or_default();
    let length = element.int(element::LENGTH).unwrap_or_default();
    let converted = element.int(element::CONVERTED);
    if converted == Some(annotation::NULLS_OF_PARQUET_CPP) {
        element.remove(element::CONVERTED);
        let mut unknown = Struct::default();
        unknown.set(annotation::LOGICAL_UNKNOWN, Value::Struct(Struct::default()));
        element.set(element::LOGICAL, Value::Struct(unknown));
        return;
    }
    let logical = element.struct_of(element::LOGICAL).and_then(Struct::variant);
    let suits = logical.is_some_and(|(variant, parameters)| suits(variant, parameters, physical, length));
    if suits {
        let decimal = match logical {
            Some((annotation::LOGICAL_DECIMAL, Value::Struct(decimal))) => Some((decimal.int(1), decimal.int(2))),
            _ => None,
        };
        element.remove(element::CONVERTED);
        match decimal {
            Some((scale, precision)) => set_decimal(element, physical, length, scale, precision),
            None => remove_decimal(element),
        }
        return;
    }
    element.remove(element::LOGICAL);
    match converted {
        Some(annotation::DECIMAL) if is_decimal(physical) => {
            let (scale, precision) = (element.int(element::SCALE), element.int(element::PRECISION));
            set_decimal(element, physical, length, scale, precision);
        }
        Some(converted) if converted_suits(converted, physical, length) => remove_decimal(element),
        _ => {
            element.remove(element::CONVERTED);
            remove_decimal(element);
        }
    }
}

fn remove_decimal(element: &mut Struct) {
    element.remove(element::SCALE);
    element.remove(element::PRECISION);
}

const fn is_decimal(physical: i64) -> bool {
    matches!(physical, physical::INT32 | physical::INT64 | physical::BYTE_ARRAY | physical::FIXED)
}

/// A decimal without a scale has none, by the format's definition; its precision is at most what its physical type can hold.
fn set_decimal(element: &mut Struct, physical: i64, length: i64, scale: Option<i64>, precision: Option<i64>) {
    let most = match physical {
        physical::INT32 => 9,
        physical::INT64 => 18,
        // The digits that every number of so many bytes has.
        physical::FIXED => ((length * 8 - 1) as f64 * std::f64::consts::LOG10_2).floor() as i64,
        _ => i64::from(i32::MAX),
    };
    let scale = scale.unwrap_or_default();
    let precision = precision.filter(|precision| *precision > 0).unwrap_or(38).max(scale).min(most);
    element.set(element::SCALE, Value::int(scale));
    element.set(element::PRECISION, Value::int(precision));
    if let Some(decimal) =
        element.struct_mut(element::LOGICAL).and_then(|logical| logical.struct_mut(annotation::LOGICAL_DECIMAL))
    {
        decimal.set(1, Value::int(scale));
        decimal.set(2, Value::int(precision));
    }
}

/// Whether a logical type is one that we know, complete, and can be of that physical type.
fn suits(variant: i16, parameters: &Value, physical: i64, length: i64) -> bool {
    let Value::Struct(parameters) = parameters else { return false };
    let unit = || parameters.struct_of(2).and_then(Struct::variant).map(|(unit, _)| unit);
    let has_zone = || matches!(parameters.get(1), Some(Value::Bool(_)));
    match variant {
        // String, enum, JSON, BSON, geometry, geography.
        1 | 4 | 12 | 13 | 17 | 18 => physical == physical::BYTE_ARRAY,
        annotation::LOGICAL_DECIMAL => is_decimal(physical),
        // Date.
        6 => physical == physical::INT32,
        // Time, of milliseconds or what is finer.
        7 => has_zone() && matches!((unit(), physical), (Some(1), physical::INT32) | (Some(2 | 3), physical::INT64)),
        // Timestamp.
        8 => has_zone() && matches!((unit(), physical), (Some(1..=3), physical::INT64)),
        // Integer of so many bits.
        10 => {
            let bits = parameters.int(1);
            let is_suited = matches!((bits, physical), (Some(8 | 16 | 32), physical::INT32) | (Some(64), physical::INT64));
            is_suited && matches!(parameters.get(2), Some(Value::Bool(_)))
        }
        annotation::LOGICAL_UNKNOWN => true,
        // UUID and half floats.
        14 => physical == physical::FIXED && length == 16,
        15 => physical == physical::FIXED && length == 2,
        _ => false,
    }
}

fn converted_suits(converted: i64, physical: i64, length: i64) -> bool {
    match converted {
        // UTF8, enum, JSON, BSON.
        0 | 4 | 19 | 20 => physical == physical::BYTE_ARRAY,
        // Date, time of milliseconds, integers of up to 32 bits.
        6 | 7 | 11..=13 | 15..=17 => physical == physical::INT32,
        // Time and timestamps, integers of 64 bits.
        8..=10 | 14 | 18 => physical == physical::INT64,
        // Interval.
        21 => physical == physical::FIXED && length == 12,
        _ => false,
    }
}

/// Leaves a group what makes it a map or a list.
fn annotate_group(element: &mut Struct) {
    let variant = element.struct_of(element::LOGICAL).and_then(Struct::variant).map(|(variant, _)| variant);
    if variant.is_none_or(|variant| !(1..=annotation::LAST_LOGICAL).contains(&variant)) {
        element.remove(element::LOGICAL);
    } else {
        element.remove(element::CONVERTED);
    }
    if element.int(element::CONVERTED).is_some_and(|converted| !(1..=3).contains(&converted)) {
        element.remove(element::CONVERTED);
    }
    remove_decimal(element);
    element.remove(element::TYPE);
}

/// Gives a column chunk the required fields that are of no use, and takes from it what describes it wrongly.
fn normalise_chunk(chunk: &mut Struct, physical: i64) {
    chunk.keep(chunk::ALL);
    chunk.set_if_absent(chunk::FILE_OFFSET, Value::int(0));
    let Some(column) = chunk.struct_mut(chunk::METADATA) else { return };
    column.keep(column::ALL);
    column.set(column::TYPE, Value::int(physical));
    // Pages name their encodings themselves.
    column.set(column::ENCODINGS, Value::no_ints());
    column.set_if_absent(column::CODEC, Value::int(0));
    if let Some(bytes) = column.int(column::COMPRESSED).or_else(|| column.int(column::UNCOMPRESSED)) {
        column.set_if_absent(column::COMPRESSED, Value::int(bytes));
        column.set_if_absent(column::UNCOMPRESSED, Value::int(bytes));
    }
    let values = column.int(column::VALUES).unwrap_or(i64::MAX);
    if let Some(found) = column.struct_mut(column::STATISTICS) {
        normalise_statistics(found, physical, values);
    }
}

/// Takes away figures that cannot be.
fn normalise_statistics(found: &mut Struct, physical: i64, values: i64) {
    found.keep(statistics::ALL);
    let length = match physical {
        physical::BOOLEAN => Some(1),
        physical::INT32 | physical::FLOAT => Some(4),
        physical::INT64 | physical::DOUBLE => Some(8),
        physical::INT96 => Some(12),
        _ => None,
    };
    let fits = |bound: &Value| matches!(bound, Value::Binary(bytes) if length.is_none_or(|length| bytes.len() == length));
    for (min, max) in [(statistics::MIN, statistics::MAX), (statistics::MIN_VALUE, statistics::MAX_VALUE)] {
        if [min, max].iter().any(|bound| found.get(*bound).is_some_and(|bound| !fits(bound))) {
            found.remove(min);
            found.remove(max);
        }
    }
    for count in [statistics::NULLS, statistics::DISTINCT] {
        if found.int(count).is_none_or(|count| !(0..=values).contains(&count)) {
            found.remove(count);
        }
    }
}

/// A codec that is not one of the format's, of any column.
pub(super) fn unknown_codec(thrift: &[u8]) -> Option<i64> {
    let mut footer = Struct::read(thrift)?;
    let groups = footer.structs_mut(file::ROW_GROUPS);
    let mut codecs = groups.flat_map(|group| {
        group
            .structs_mut(group::COLUMNS)
            .filter_map(|chunk| chunk.struct_of(chunk::METADATA)?.int(column::CODEC))
            .collect::<Vec<_>>()
    });
    codecs.find(|codec| !CODECS.contains(codec))
}
