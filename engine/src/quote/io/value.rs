//! Values as Trino writes them in documents.

use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;

/// What stands for a value that has no text.
const UNREPRESENTABLE: &str = "<UNREPRESENTABLE VALUE>";

/// A value that is not NULL.
pub(super) fn text(value: &ScalarValue) -> String {
    if let Some(text) = value.try_as_str().flatten() {
        return text.to_owned();
    }
    match value {
        ScalarValue::Float32(Some(value)) => return format!("{value:E}"),
        ScalarValue::Float64(Some(value)) => return format!("{value:E}"),
        _ if value.data_type().is_nested() || value.data_type().is_binary() => return UNREPRESENTABLE.to_owned(),
        _ => {}
    }
    let shown = value.to_array().ok().and_then(|array| array_value_to_string(&array, 0).ok());
    let shown = shown.unwrap_or_else(|| UNREPRESENTABLE.to_owned());
    match value {
        // With milliseconds, which is all that Hive's timestamps have.
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => {
            let shown = shown.replacen('T', " ", 1);
            match shown.split_once('.') {
                Some((whole, fraction)) => format!("{whole}.{fraction:0<3}"),
                None => format!("{shown}.000"),
            }
        }
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in the documents of a Trino: see `answers.jsonl` among the front door's tests.
    #[test]
    fn values_are_written_as_trino_writes_them() {
        for (value, expected) in [
            (ScalarValue::Int32(Some(2024)), "2024"),
            (ScalarValue::Utf8View(Some("eu".to_owned())), "eu"),
            (ScalarValue::Boolean(Some(true)), "true"),
            (ScalarValue::Decimal128(Some(1000), 10, 2), "10.00"),
            (ScalarValue::Date32(Some(19_875)), "2024-06-01"),
            (ScalarValue::TimestampMillisecond(Some(1_704_067_200_000), None), "2024-01-01 00:00:00.000"),
            (ScalarValue::TimestampMicrosecond(Some(1_704_067_200_500_000), None), "2024-01-01 00:00:00.500"),
            (ScalarValue::Float32(Some(1.5)), "1.5E0"),
            (ScalarValue::Binary(Some(vec![0])), "<UNREPRESENTABLE VALUE>"),
        ] {
            assert_eq!(text(&value), expected);
        }
    }
}
