//! One value as text, for `table` and `csv`: dates and timestamps as Athena prints them, nested values in brackets and braces.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType},
    util::display::{ArrayFormatter, FormatOptions},
};
use glaux_engine::Result;

use super::writer::arrow_error;

/// Formatters of a batch's columns, in order.
///
/// # Errors
/// `Internal` for a type that has no text form.
pub(super) fn formatters(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>> {
    let formatter = |column| ArrayFormatter::try_new(column, options(fraction_digits(column)));
    batch.columns().iter().map(|column| formatter(column.as_ref())).collect::<Result<_, _>>().map_err(arrow_error)
}

/// Whether a column's values line up at their right end.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// How seconds are shown: Athena's three digits, and more where a value has them, so that none is lost.
#[derive(Clone, Copy)]
enum Fraction {
    Millis,
    Micros,
    Nanos,
    /// As many as a value needs: inside nested values.
    Needed,
}

fn fraction_digits(column: &dyn Array) -> Fraction {
    let finest = |values: &[i64], micro: i64| {
        if values.iter().all(|value| value % (micro * 1_000) == 0) {
            Fraction::Millis
        } else if values.iter().all(|value| value % micro == 0) {
            Fraction::Micros
        } else {
            Fraction::Nanos
        }
    };
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => Fraction::Millis,
        DataType::Timestamp(TimeUnit::Microsecond, _) => finest(column.as_primitive::<TimestampMicrosecondType>().values(), 1),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => finest(column.as_primitive::<TimestampNanosecondType>().values(), 1_000),
        _ => Fraction::Needed,
    }
}

fn options(fraction: Fraction) -> &'static FormatOptions<'static> {
    const fn with(timestamp: &'static str, zoned: &'static str) -> FormatOptions<'static> {
        FormatOptions::new()
            .with_display_error(false)
            .with_null("NULL")
            .with_date_format(Some("%Y-%m-%d"))
            .with_timestamp_format(Some(timestamp))
            .with_timestamp_tz_format(Some(zoned))
    }
    static MILLIS: FormatOptions<'static> = with("%Y-%m-%d %H:%M:%S%.3f", "%Y-%m-%d %H:%M:%S%.3f %Z");
    static MICROS: FormatOptions<'static> = with("%Y-%m-%d %H:%M:%S%.6f", "%Y-%m-%d %H:%M:%S%.6f %Z");
    static NANOS: FormatOptions<'static> = with("%Y-%m-%d %H:%M:%S%.9f", "%Y-%m-%d %H:%M:%S%.9f %Z");
    static NEEDED: FormatOptions<'static> = with("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f %Z");
    match fraction {
        Fraction::Millis => &MILLIS,
        Fraction::Micros => &MICROS,
        Fraction::Nanos => &NANOS,
        Fraction::Needed => &NEEDED,
    }
}
