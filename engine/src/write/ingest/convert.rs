//! Lossless conversion of values to another type: a value that does not fit is an error that names the column and shows the value.
//!
//! Numbers become other numbers if they are equal to them, timestamps dates if they are midnights, text stays text. Text is never read as
//! a number, nor anything written as text.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, ListArray, MapArray, StructArray, UInt32Array, new_null_array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::{CastOptions, cast_with_options, is_null, kernels::cmp::distinct, nullif, take},
    datatypes::{DataType, Field, FieldRef, TimeUnit},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use glaux_catalog::{HiveType, ident::fold};

use crate::error::{Error, Result};

/// What does not fit becomes NULL, and is looked for.
const CAST: CastOptions<'static> = CastOptions { safe: true, format_options: FormatOptions::new() };

/// The longest value that an error shows, in characters.
const SHOWN: usize = 64;

/// The Arrow type with which a column is written, whatever the format: timestamps have microseconds, and the parts of lists and maps have the names of
/// Parquet's specification, so that Parquet gets the form that every reader knows.
pub(super) fn file_type(hive_type: &HiveType) -> DataType {
    match hive_type {
        HiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        HiveType::Array(element) => DataType::List(element_field(element)),
        HiveType::Map(key, value) => DataType::Map(entries_field(key, value), false),
        HiveType::Struct(fields) => DataType::Struct(fields.iter().map(|(name, part)| part_field(name, part)).collect()),
        scalar => scalar.to_arrow(),
    }
}

fn part_field(name: &str, hive_type: &HiveType) -> FieldRef {
    Arc::new(Field::new(name, file_type(hive_type), true))
}

fn element_field(element: &HiveType) -> FieldRef {
    part_field("element", element)
}

fn entries_field(key: &HiveType, value: &HiveType) -> FieldRef {
    let entry = [Field::new("key", file_type(key), false), Field::new("value", file_type(value), true)];
    Arc::new(Field::new("key_value", DataType::Struct(entry.into_iter().collect()), false))
}

/// Whether values of an Arrow type can be given a Hive type, if each of them fits.
pub(super) fn converts(found: &DataType, wanted: &HiveType) -> bool {
    use DataType as T;
    use HiveType as H;
    let is_text = matches!(wanted, H::Char(_) | H::Varchar(_) | H::String | H::Binary);
    match (found, wanted) {
        (T::Null, _) | (T::Boolean, H::Boolean) | (T::Date32 | T::Date64, H::Date | H::Timestamp) => true,
        (T::Dictionary(_, value), _) => converts(value, wanted),
        (T::RunEndEncoded(_, value), _) => converts(value.data_type(), wanted),
        (T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), _) => is_text,
        (T::Timestamp(..), H::Timestamp) => HiveType::from_arrow(found).is_ok(),
        (T::Timestamp(_, None), H::Date) => true,
        (
            T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) | T::FixedSizeList(item, _),
            H::Array(element),
        ) => converts(item.data_type(), element),
        (T::Map(entries, _), H::Map(key, value)) => match entries.data_type() {
            T::Struct(parts) if parts.len() == 2 => converts(parts[0].data_type(), key) && converts(parts[1].data_type(), value),
            _ => false,
        },
        (T::Struct(found), H::Struct(wanted)) => {
            let names: std::collections::HashSet<_> = found.iter().map(|field| fold(field.name())).collect();
            let fits = |field: &FieldRef| {
                let wanted = wanted.iter().find(|(name, _)| *name == fold(field.name()));
                wanted.is_some_and(|(_, wanted)| converts(field.data_type(), wanted))
            };
            names.len() == found.len() && found.iter().all(fits)
        }
        (found, _) => {
            let is_number =
                matches!(wanted, H::TinyInt | H::SmallInt | H::Int | H::BigInt | H::Float | H::Double | H::Decimal(..));
            found.is_numeric() && is_number
        }
    }
}

/// The values as the Arrow type for a Hive type: [`file_type`], or another of the same kind.
///
/// # Errors
/// `Invalid` for a value that does not fit, naming the column. Types that do not go together at all, which [`converts`] tells, are
/// `Internal`.
pub(super) fn convert(values: &ArrayRef, hive_type: &HiveType, wanted: &DataType, column: &str) -> Result<ArrayRef> {
    let broken = |error: ArrowError| {
        Error::invalid(format!("the values of column \"{column}\" cannot be given its type \"{hive_type}\"")).with_source(error)
    };
    match (values.data_type(), hive_type) {
        (found, _) if found == wanted && !matches!(hive_type, HiveType::Char(_) | HiveType::Varchar(_)) => Ok(Arc::clone(values)),
        (DataType::Null, _) => Ok(new_null_array(wanted, values.len())),
        (DataType::Dictionary(_, plain), _) => {
            convert(&cast_with_options(values, plain, &CAST).map_err(broken)?, hive_type, wanted, column)
        }
        (DataType::RunEndEncoded(_, plain), _) => {
            convert(&cast_with_options(values, plain.data_type(), &CAST).map_err(broken)?, hive_type, wanted, column)
        }
        (_, HiveType::Array(element)) => list(values, element, column, broken),
        (_, HiveType::Map(key, value)) => {
            let Some(map) = values.as_map_opt() else { return Err(unlike(values, hive_type, column)) };
            let (offsets, indices) = compact(map.offsets(), map.nulls());
            let part = |part: &ArrayRef, hive_type: &HiveType| {
                let part = take(part, &indices, None).map_err(broken)?;
                convert(&part, hive_type, &file_type(hive_type), column)
            };
            let parts = vec![part(map.keys(), key)?, part(map.values(), value)?];
            let entries = entries_field(key, value);
            let DataType::Struct(fields) = entries.data_type() else { return Err(unlike(values, hive_type, column)) };
            let parts = StructArray::try_new(fields.clone(), parts, None).map_err(broken)?;
            let map = MapArray::try_new(Arc::clone(&entries), offsets, parts, map.nulls().cloned(), false).map_err(broken)?;
            Ok(Arc::new(map))
        }
        (_, HiveType::Struct(fields)) => {
            let Some(found) = values.as_struct_opt() else { return Err(unlike(values, hive_type, column)) };
            let absent = is_null(found).map_err(broken)?;
            let part = |(name, part): &(String, HiveType)| {
                let at = found.fields().iter().position(|field| fold(field.name()) == *name);
                let Some(values) = at.map(|at| found.column(at)).filter(|values| *values.data_type() != DataType::Null) else {
                    return Ok(new_null_array(&file_type(part), found.len()));
                };
                // What a NULL hides need not fit.
                convert(&nullif(values, &absent).map_err(broken)?, part, &file_type(part), column)
            };
            let parts = fields.iter().map(part).collect::<Result<Vec<_>>>()?;
            let fields = fields.iter().map(|(name, part)| part_field(name, part)).collect();
            let built = StructArray::try_new_with_length(fields, parts, found.nulls().cloned(), found.len());
            Ok(Arc::new(built.map_err(broken)?))
        }
        _ => scalar(values, hive_type, wanted, column, broken),
    }
}

fn list(values: &ArrayRef, element: &HiveType, column: &str, broken: impl Fn(ArrowError) -> Error) -> Result<ArrayRef> {
    let (offsets, indices, items, nulls) = match values.data_type() {
        DataType::FixedSizeList(_, size) => {
            let fixed: &FixedSizeListArray = values.as_fixed_size_list();
            let lengths = OffsetBuffer::from_lengths(std::iter::repeat_n(usize::try_from(*size).unwrap_or(0), fixed.len()));
            let (offsets, indices) = compact(&lengths, fixed.nulls());
            (offsets, indices, Arc::clone(fixed.values()), fixed.nulls().cloned())
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            let plain = cast_with_options(values, &DataType::List(Arc::clone(item)), &CAST).map_err(&broken)?;
            let plain: &ListArray = plain.as_list();
            let (offsets, indices) = compact(plain.offsets(), plain.nulls());
            (offsets, indices, Arc::clone(plain.values()), plain.nulls().cloned())
        }
        _ => return Err(unlike(values, &HiveType::Array(Box::new(element.clone())), column)),
    };
    let items = take(&items, &indices, None).map_err(&broken)?;
    let items = convert(&items, element, &file_type(element), column)?;
    let built = ListArray::try_new(element_field(element), offsets, items, nulls).map_err(&broken)?;
    Ok(Arc::new(built))
}

/// The parts of rows one after another, without those that a NULL hides: the new offsets, and which parts those are.
fn compact(offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>) -> (OffsetBuffer<i32>, UInt32Array) {
    let ranges = || {
        offsets.windows(2).enumerate().map(|(row, ends)| {
            let hidden = nulls.is_some_and(|nulls| nulls.is_null(row));
            ends[0].unsigned_abs()..if hidden { ends[0] } else { ends[1] }.unsigned_abs()
        })
    };
    let lengths = OffsetBuffer::from_lengths(ranges().map(|range| range.len()));
    (lengths, UInt32Array::from_iter_values(ranges().flatten()))
}

fn scalar(
    values: &ArrayRef,
    hive_type: &HiveType,
    wanted: &DataType,
    column: &str,
    broken: impl Fn(ArrowError) -> Error,
) -> Result<ArrayRef> {
    use DataType as T;
    let found = values.data_type();
    let through = match (found, wanted) {
        (T::Date64, T::Timestamp(..)) => T::Timestamp(TimeUnit::Millisecond, None),
        (T::FixedSizeBinary(_), _) => T::Binary,
        _ => found.clone(),
    };
    let cast = |values: &ArrayRef, to: &DataType| cast_with_options(values, to, &CAST).map_err(&broken);
    let converted = cast(&cast(values, &through)?, wanted)?;
    let mut misfit = (0..values.len()).find(|row| values.is_valid(*row) && converted.is_null(*row));
    if misfit.is_none() && may_change(found, wanted) {
        let back = cast(&cast(&converted, &through)?, found)?;
        let differs: BooleanArray = distinct(values, &back).map_err(&broken)?;
        misfit = differs.values().set_indices().next();
    }
    let limit = match hive_type {
        HiveType::Varchar(limit) | HiveType::Char(limit) => Some(*limit as usize),
        _ => None,
    };
    if let (None, Some(limit), Some(texts)) = (misfit, limit, converted.as_string_opt::<i32>()) {
        let is_padded = matches!(hive_type, HiveType::Char(_));
        let length = |text: &str| if is_padded { text.trim_end_matches(' ') } else { text }.chars().count();
        misfit = texts.iter().position(|text| text.is_some_and(|text| length(text) > limit));
    }
    match misfit {
        None => Ok(converted),
        Some(row) => {
            let error = Error::invalid(format!(
                "a value of column \"{column}\" does not fit its type \"{hive_type}\": {}",
                shown(values, row)
            ));
            Err(match (hive_type, found) {
                (HiveType::Timestamp, _) => error
                    .with_hint("Round it to microseconds, the precision of files; queries and partition keys have milliseconds"),
                (HiveType::Date, T::Date64 | T::Timestamp(..)) => {
                    error.with_hint("Remove the time of day: only midnight can be stored as a date")
                }
                _ => error.with_hint("Correct the value, or use a column with a wider type"),
            })
        }
    }
}

/// Whether a cast that succeeds may give another value than it was given.
fn may_change(found: &DataType, wanted: &DataType) -> bool {
    let both_whole = found.is_integer() && wanted.is_integer();
    let is_text = |data_type: &DataType| !data_type.is_numeric() && !data_type.is_temporal();
    found != wanted && !both_whole && !is_text(found)
}

fn shown(values: &ArrayRef, row: usize) -> String {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(true);
    let text = ArrayFormatter::try_new(values, &OPTIONS).map(|formatter| formatter.value(row).to_string()).unwrap_or_default();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn unlike(values: &ArrayRef, hive_type: &HiveType, column: &str) -> Error {
    Error::internal(format!("column \"{column}\" of type \"{hive_type}\" received values of type \"{}\"", values.data_type()))
}
