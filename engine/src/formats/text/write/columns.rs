//! Columns of a batch as their Hive types have them, to be written row by row; and whether what is read is what was written.

use std::ops::Range;

use arrow::{
    array::{
        Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
        Int16Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, TimestampMicrosecondArray,
        TimestampMillisecondArray,
    },
    buffer::OffsetBuffer,
};
use glaux_catalog::HiveType;

use super::forms;

/// The values of a column, or of a part of one.
pub(super) struct Values<'a> {
    array: &'a dyn Array,
    pub typed: Typed<'a>,
}

/// The same by their types.
pub(super) enum Typed<'a> {
    Boolean(&'a BooleanArray),
    TinyInt(&'a Int8Array),
    SmallInt(&'a Int16Array),
    Int(&'a Int32Array),
    BigInt(&'a Int64Array),
    Float(&'a Float32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    /// With how many characters a text is written at least: those of a `char`.
    Text(&'a StringArray, usize),
    Binary(&'a BinaryArray),
    Date(&'a Date32Array),
    Micros(&'a TimestampMicrosecondArray),
    Millis(&'a TimestampMillisecondArray),
    Array(&'a ListArray, Box<Values<'a>>),
    Map(&'a MapArray, Box<Values<'a>>, Box<Values<'a>>),
    Struct(Vec<Values<'a>>),
}

/// In what a value that is read may differ from the one that was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    /// NULL and the empty text have one form.
    pub null_is_empty: bool,
    /// Times that are finer than milliseconds are rounded as they are read.
    pub rounds_times: bool,
}

impl<'a> Values<'a> {
    /// None if they are of another type.
    pub(super) fn new(hive_type: &HiveType, array: &'a dyn Array) -> Option<Self> {
        let typed = match hive_type {
            HiveType::Boolean => Typed::Boolean(array.as_boolean_opt()?),
            HiveType::TinyInt => Typed::TinyInt(array.as_primitive_opt()?),
            HiveType::SmallInt => Typed::SmallInt(array.as_primitive_opt()?),
            HiveType::Int => Typed::Int(array.as_primitive_opt()?),
            HiveType::BigInt => Typed::BigInt(array.as_primitive_opt()?),
            HiveType::Float => Typed::Float(array.as_primitive_opt()?),
            HiveType::Double => Typed::Double(array.as_primitive_opt()?),
            HiveType::Decimal(..) => Typed::Decimal(array.as_primitive_opt()?),
            HiveType::Char(length) => Typed::Text(array.as_string_opt()?, *length as usize),
            HiveType::Varchar(_) | HiveType::String => Typed::Text(array.as_string_opt()?, 0),
            HiveType::Binary => Typed::Binary(array.as_binary_opt()?),
            HiveType::Date => Typed::Date(array.as_primitive_opt()?),
            HiveType::Timestamp => match array.as_primitive_opt() {
                Some(micros) => Typed::Micros(micros),
                None => Typed::Millis(array.as_primitive_opt()?),
            },
            HiveType::Array(element) => {
                let list = array.as_list_opt::<i32>()?;
                Typed::Array(list, Box::new(Self::new(element, list.values().as_ref())?))
            }
            HiveType::Map(key, value) => {
                let map = array.as_map_opt()?;
                let (keys, values) = (Self::new(key, map.keys().as_ref())?, Self::new(value, map.values().as_ref())?);
                Typed::Map(map, Box::new(keys), Box::new(values))
            }
            HiveType::Struct(fields) => {
                let parts = array.as_struct_opt()?.columns();
                let parts = fields.iter().zip(parts).map(|((_, field), part)| Self::new(field, part.as_ref()));
                let parts = parts.collect::<Option<Vec<_>>>()?;
                Typed::Struct((parts.len() == fields.len()).then_some(parts)?)
            }
        };
        Some(Self { array, typed })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    /// Microseconds, of a time.
    pub(super) fn micros(&self, row: usize) -> Option<i64> {
        match &self.typed {
            Typed::Micros(values) => Some(values.value(row)),
            Typed::Millis(values) => Some(values.value(row).saturating_mul(1000)),
            _ => None,
        }
    }

    /// Writes a value that has no parts and is no text.
    pub(super) fn write_plain(&self, row: usize, out: &mut Vec<u8>) {
        match &self.typed {
            Typed::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true".as_slice() } else { b"false" }),
            Typed::TinyInt(values) => forms::push(format_args!("{}", values.value(row)), out),
            Typed::SmallInt(values) => forms::push(format_args!("{}", values.value(row)), out),
            Typed::Int(values) => forms::push(format_args!("{}", values.value(row)), out),
            Typed::BigInt(values) => forms::push(format_args!("{}", values.value(row)), out),
            Typed::Float(values) => forms::float(values.value(row), out),
            Typed::Double(values) => forms::float(values.value(row), out),
            Typed::Decimal(values) => out.extend_from_slice(values.value_as_string(row).as_bytes()),
            Typed::Binary(values) => forms::base64(values.value(row), out),
            Typed::Date(values) => forms::date(values.value(row).into(), out),
            Typed::Micros(_) | Typed::Millis(_) => forms::timestamp(self.micros(row).unwrap_or_default(), out),
            Typed::Text(..) | Typed::Array(..) | Typed::Map(..) | Typed::Struct(_) => {}
        }
    }

    /// Whether a value that was read is the one that was written.
    pub(super) fn is_same(&self, row: usize, read: &Values<'_>, at: usize, tolerance: Tolerance) -> bool {
        match (self.is_null(row), read.is_null(at)) {
            (true, true) => return true,
            (true, false) => return tolerance.null_is_empty && read.is_empty(at),
            (false, true) => return tolerance.null_is_empty && self.is_empty(row),
            (false, false) => {}
        }
        match (&self.typed, &read.typed) {
            (Typed::Boolean(written), Typed::Boolean(read)) => written.value(row) == read.value(at),
            (Typed::TinyInt(written), Typed::TinyInt(read)) => written.value(row) == read.value(at),
            (Typed::SmallInt(written), Typed::SmallInt(read)) => written.value(row) == read.value(at),
            (Typed::Int(written), Typed::Int(read)) => written.value(row) == read.value(at),
            (Typed::BigInt(written), Typed::BigInt(read)) => written.value(row) == read.value(at),
            (Typed::Float(written), Typed::Float(read)) => is_same_float(written.value(row).into(), read.value(at).into()),
            (Typed::Double(written), Typed::Double(read)) => is_same_float(written.value(row), read.value(at)),
            (Typed::Decimal(written), Typed::Decimal(read)) => written.value(row) == read.value(at),
            // A `char` is read without the spaces at its end.
            (Typed::Text(written, 1..), Typed::Text(read, _)) => written.value(row).trim_end_matches(' ') == read.value(at),
            (Typed::Text(written, _), Typed::Text(read, _)) => written.value(row) == read.value(at),
            (Typed::Binary(written), Typed::Binary(read)) => written.value(row) == read.value(at),
            (Typed::Date(written), Typed::Date(read)) => written.value(row) == read.value(at),
            (Typed::Micros(_) | Typed::Millis(_), Typed::Micros(_) | Typed::Millis(_)) => {
                let written = self.micros(row);
                let rounded = written.map(|micros| micros.saturating_add(500).div_euclid(1000) * 1000);
                (if tolerance.rounds_times { rounded } else { written }) == read.micros(at)
            }
            (Typed::Array(written, elements), Typed::Array(read, others)) => {
                let (parts, of_read) = (range(written.offsets(), row), range(read.offsets(), at));
                parts.len() == of_read.len() && parts.zip(of_read).all(|(row, at)| elements.is_same(row, others, at, tolerance))
            }
            (Typed::Map(written, keys, values), Typed::Map(read, other_keys, other_values)) => {
                let (parts, of_read) = (range(written.offsets(), row), range(read.offsets(), at));
                let is_same =
                    |(row, at)| keys.is_same(row, other_keys, at, tolerance) && values.is_same(row, other_values, at, tolerance);
                parts.len() == of_read.len() && parts.zip(of_read).all(is_same)
            }
            (Typed::Struct(written), Typed::Struct(read)) => {
                written.iter().zip(read).all(|(written, read)| written.is_same(row, read, at, tolerance))
            }
            _ => false,
        }
    }

    /// Whether a value is the empty text.
    fn is_empty(&self, row: usize) -> bool {
        matches!(&self.typed, Typed::Text(values, _) if values.value(row).is_empty())
    }
}

/// Which parts a row has.
pub(super) fn range(offsets: &OffsetBuffer<i32>, row: usize) -> Range<usize> {
    offsets[row].unsigned_abs() as usize..offsets[row + 1].unsigned_abs() as usize
}

fn is_same_float(written: f64, read: f64) -> bool {
    written.to_bits() == read.to_bits() || written.is_nan() && read.is_nan()
}
