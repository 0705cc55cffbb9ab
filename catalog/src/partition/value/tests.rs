//! Tests of what each type parses, rejects and prints.

use arrow::array::{Float32Array, Float64Array};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn printed(hive_type: &HiveType, raw: &str) -> Result<String> {
    let array = typed_array(hive_type, std::iter::once(Some(raw)))?;
    assert_eq!(array.data_type(), &hive_type.to_arrow());
    Ok(canonical(&array, 0)?.unwrap())
}

#[test]
fn reads_and_prints_each_type() {
    let decimal = HiveType::Decimal(5, 2);
    for (hive_type, raw, expected) in [
        (HiveType::Boolean, "TRUE", "true"),
        (HiveType::TinyInt, "-007", "-7"),
        (HiveType::SmallInt, "+32767", "32767"),
        (HiveType::Int, "01", "1"),
        (HiveType::BigInt, "-9223372036854775808", "-9223372036854775808"),
        (HiveType::Float, "0.1", "0.1"),
        (HiveType::Double, "1e10", "1.0E10"),
        (decimal.clone(), "1", "1.00"),
        (decimal.clone(), "-.5", "-0.50"),
        (decimal.clone(), "+001.500", "1.50"),
        (decimal, "999.99", "999.99"),
        (HiveType::String, " 01 ", " 01 "),
        (HiveType::Varchar(3), "abcd", "abcd"),
        (HiveType::Char(3), "a", "a"),
        (HiveType::Char(3), " a  ", " a"),
        (HiveType::Binary, "é", "é"),
        (HiveType::Date, "2024-02-29", "2024-02-29"),
        (HiveType::Timestamp, "1969-12-31 23:59:59.5", "1969-12-31 23:59:59.5"),
        (HiveType::Timestamp, "2024-01-01 00:00:00.123456789", "2024-01-01 00:00:00.123"),
        (HiveType::Timestamp, "2024-01-01 00:00:59.9995", "2024-01-01 00:01:00"),
        (HiveType::Timestamp, "2024-01-01", "2024-01-01 00:00:00"),
    ] {
        assert_eq!(printed(&hive_type, raw).unwrap(), expected, "{hive_type} {raw}");
        check_value(&Column::new("k", hive_type), raw).unwrap();
    }
}

#[test]
fn refuses_what_is_not_of_the_type() {
    let mut cases = vec![
        (HiveType::Boolean, "1"),
        (HiveType::TinyInt, "128"),
        (HiveType::Int, "2147483648"),
        (HiveType::Int, " 1"),
        (HiveType::Int, "1.0"),
        (HiveType::BigInt, ""),
        (HiveType::Double, "one"),
        (HiveType::Decimal(5, 2), "1000"),
        (HiveType::Decimal(5, 2), "0.001"),
        (HiveType::Decimal(5, 2), "."),
        (HiveType::Decimal(5, 2), "--1"),
        (HiveType::Decimal(5, 2), "1e2"),
        (HiveType::Decimal(38, 0), "999999999999999999999999999999999999999"),
    ];
    cases.extend(
        ["2023-02-29", "2024-1-1", "20240101", "2024-01-01 ", "+024-01-01", "2024-01-é"].map(|raw| (HiveType::Date, raw)),
    );
    cases.extend(
        [
            "2024-01-01T00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 1:00:00",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567890",
        ]
        .map(|raw| (HiveType::Timestamp, raw)),
    );
    for (hive_type, raw) in cases {
        let error = printed(&hive_type, raw).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{hive_type} {raw}");
        assert_eq!(error.message(), format!("partition value \"{raw}\" is not of type \"{hive_type}\""));
        let error = check_value(&Column::new("k", hive_type), raw).unwrap_err();
        assert!(error.to_string().ends_with(", key \"k\""), "{error}");
    }
}

#[test]
fn null_is_null_in_every_type() {
    for hive_type in
        [HiveType::Boolean, HiveType::Int, HiveType::Decimal(3, 1), HiveType::String, HiveType::Binary, HiveType::Timestamp]
    {
        let array = typed_array(&hive_type, [None, None].into_iter()).unwrap();
        assert_eq!((array.len(), array.null_count()), (2, 2));
        assert_eq!(canonical(&array, 1).unwrap(), None);
    }
}

#[test]
fn keys_and_values_must_agree() {
    let keys = [Column::new("y", HiveType::Int), Column::new("d", HiveType::Date)];
    check_count(&keys, &[Some("2024".into()), None]).unwrap();
    let error = check_count(&keys, &[Some("2024".into())]).unwrap_err();
    assert_eq!(error.message(), "1 partition values were given for the keys \"y\", \"d\"");
    let error = check_value(&keys[0], "x").unwrap_err();
    assert_eq!(error.to_string(), "partition value \"x\" is not of type \"int\", key \"y\"");
    let nested = HiveType::Array(Box::new(HiveType::Int));
    assert_eq!(typed_array(&nested, std::iter::empty()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn prints_floats_as_java() {
    let doubles = [0.0, -0.0, 1.0, -1.5, 0.001, 0.0009, 9_999_999.0, 1e7, 123_456.789, 1.25e-10, f64::NAN, f64::NEG_INFINITY];
    let expected =
        ["0.0", "-0.0", "1.0", "-1.5", "0.001", "9.0E-4", "9999999.0", "1.0E7", "123456.789", "1.25E-10", "NaN", "-Infinity"];
    let array = Float64Array::from(doubles.to_vec());
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!(canonical(&array, row).unwrap().as_deref(), Some(*expected));
    }
    assert_eq!(canonical(&Float32Array::from(vec![0.1f32]), 0).unwrap().as_deref(), Some("0.1"));
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(int: i64, double: f64, days in -700_000i32..2_900_000, millis in -60_000_000_000_000i64..250_000_000_000_000) {
        let days = printed_days(days);
        let millis = text::print_timestamp(millis).unwrap();
        for (hive_type, raw) in [
            (HiveType::BigInt, int.to_string()),
            (HiveType::Double, text::java_float(&format!("{double:e}"), double)),
            (HiveType::Date, days),
            (HiveType::Timestamp, millis),
        ] {
            prop_assert_eq!(printed(&hive_type, &raw).unwrap(), raw);
        }
        if !double.is_nan() {
            prop_assert_eq!(text::java_float(&format!("{double:e}"), double).parse::<f64>().unwrap(), double);
        }
    }

    #[test]
    fn checking_and_typing_agree(raw in "[-+]?[0-9]{0,12}(\\.[0-9]{0,4})?|[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9:.]{0,12})?") {
        for hive_type in [HiveType::Int, HiveType::Double, HiveType::Decimal(9, 2), HiveType::Date, HiveType::Timestamp] {
            let typed = typed_array(&hive_type, std::iter::once(Some(raw.as_str()))).is_ok();
            prop_assert_eq!(check_value(&Column::new("k", hive_type), &raw).is_ok(), typed);
        }
    }
}

fn printed_days(days: i32) -> String {
    text::print_date(days).unwrap()
}
