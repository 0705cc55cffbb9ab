//! Record batches as the lines of a `.slt` file.

use arrow::{
    array::RecordBatch,
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};
use sqllogictest::DefaultColumnType;

/// One line of values a row; NULL is `NULL`, empty text is `(empty)`.
///
/// # Errors
/// What cannot be shown.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let value = |column: &ArrayFormatter<'_>, row: usize| {
        let text = column.value(row).to_string();
        if text.is_empty() { "(empty)".to_owned() } else { text.replace('\n', "\\n") }
    };
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| value(column, row)).collect()).collect())
}

/// The letter of a column's type.
pub(crate) fn letter(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 => DefaultColumnType::Text,
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() || matches!(data_type, DataType::Decimal128(..)) => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}
