//! Which types of a file can be read as which types of a table, and what is said of those that cannot.

use arrow::datatypes::{DataType, Field};

use crate::{error::Error, formats::parquet::metadata::meaning};

/// Whether values of a file's type can be read as the table's without misreading any.
pub(super) fn reads_as(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    let is_text = |data_type: &DataType| {
        matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView)
    };
    match (found, wanted) {
        (found, wanted) if found == wanted => true,
        (T::Null, _) | (T::Timestamp(..), T::Timestamp(..)) => true,
        (T::Float16, T::Float32 | T::Float64) | (T::Float32, T::Float64) => true,
        (found, wanted) if found.is_integer() => wanted.is_integer() || matches!(wanted, T::Float64 | T::Decimal128(..)),
        (T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..), T::Decimal128(..)) => true,
        (T::FixedSizeBinary(_), T::Binary) => true,
        (T::Struct(found), T::Struct(wanted)) => {
            wanted.iter().all(|wanted| match found.iter().find(|f| f.name() == wanted.name()) {
                Some(found) => reads_as(found.data_type(), wanted.data_type()),
                None => true,
            })
        }
        (T::List(found) | T::LargeList(found), T::List(wanted)) => reads_as(found.data_type(), wanted.data_type()),
        (T::Map(found, _), T::Map(wanted, _)) => match (found.data_type(), wanted.data_type()) {
            (T::Struct(found), T::Struct(wanted)) => {
                found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| reads_as(f.data_type(), w.data_type()))
            }
            _ => false,
        },
        (found, wanted) => is_text(found) && is_text(wanted),
    }
}

pub(super) fn mismatch(wanted: &Field, found: &Field) -> Error {
    Error::corrupt(format!(
        "column \"{}\" is {} in the file but {} in the table",
        wanted.name(),
        meaning(found),
        wanted.data_type()
    ))
    .with_hint("Use ALTER TABLE ... REPLACE COLUMNS to match the files; a column has one type in all files")
}
