//! Which values become which: equal ones, or an error, never another value and never NULL.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
        FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeListArray,
        LargeStringArray, ListArray, MapArray, NullArray, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
        TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType, Field, Int32Type, TimeUnit},
};
use glaux_catalog::HiveType;

use super::super::convert::{convert, converts, file_type};
use crate::error::{ErrorKind, Result};

fn to(values: impl Array + 'static, wanted: &str) -> Result<ArrayRef> {
    let wanted: HiveType = wanted.parse().unwrap();
    let values: ArrayRef = Arc::new(values);
    assert!(converts(values.data_type(), &wanted), "{} to {wanted}", values.data_type());
    let converted = convert(&values, &wanted, &file_type(&wanted), "c")?;
    assert_eq!(converted.data_type(), &file_type(&wanted));
    assert_eq!(converted.len(), values.len());
    Ok(converted)
}

#[track_caller]
fn refused(converted: Result<ArrayRef>, value: &str) {
    let error = converted.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("\"c\"") && error.message().ends_with(value), "{error}");
}

#[test]
fn numbers_become_equal_numbers_or_nothing() {
    let whole = to(Int64Array::from(vec![Some(-128), None, Some(127)]), "tinyint").unwrap();
    assert_eq!(whole.as_ref(), &Int8Array::from(vec![Some(-128), None, Some(127)]));
    refused(to(Int64Array::from(vec![1, 128]), "tinyint"), "128");
    let floats = to(Float64Array::from(vec![Some(3.0), None]), "int").unwrap();
    assert_eq!(floats.as_ref(), &Int32Array::from(vec![Some(3), None]));
    refused(to(Float64Array::from(vec![3.0, 1.5]), "int"), "1.5");
    refused(to(Float64Array::from(vec![f64::NAN]), "bigint"), "NaN");
    refused(to(Int64Array::from(vec![1 << 53, (1 << 53) + 1]), "double"), "9007199254740993");
    assert!(to(Float64Array::from(vec![0.5, f64::NAN, f64::INFINITY]), "float").unwrap().as_any().is::<Float32Array>());
    refused(to(Float64Array::from(vec![0.1]), "float"), "0.1");
    let wide = to(UInt64Array::from(vec![u64::MAX]), "decimal(20,0)").unwrap();
    assert_eq!(wide.as_ref(), &Decimal128Array::from(vec![i128::from(u64::MAX)]).with_precision_and_scale(20, 0).unwrap());
    refused(to(UInt64Array::from(vec![u64::MAX]), "bigint"), "18446744073709551615");
    let decimal = |value| Decimal128Array::from(vec![value]).with_precision_and_scale(10, 2).unwrap();
    assert!(to(decimal(150), "decimal(5,1)").is_ok());
    refused(to(decimal(155), "decimal(5,1)"), "1.55");
    refused(to(decimal(10_000_000), "decimal(5,1)"), "100000.00");
    assert!(to(Float64Array::from(vec![0.1]), "decimal(3,1)").is_ok());
    refused(to(Int64Array::from(vec![1000]), "decimal(3,0)"), "1000");
}

#[test]
fn instants_keep_what_they_say() {
    let micros = to(TimestampNanosecondArray::from(vec![Some(-1_000), None]), "timestamp").unwrap();
    assert_eq!(micros.as_ref(), &TimestampMicrosecondArray::from(vec![Some(-1), None]));
    refused(to(TimestampNanosecondArray::from(vec![1_001]), "timestamp"), "1970-01-01T00:00:00.000001001");
    refused(to(TimestampSecondArray::from(vec![i64::MAX / 1000]), "timestamp"), "");
    let utc = TimestampMicrosecondArray::from(vec![5]).with_timezone("UTC");
    assert_eq!(to(utc, "timestamp").unwrap().as_ref(), &TimestampMicrosecondArray::from(vec![5]));
    let days = to(TimestampNanosecondArray::from(vec![86_400_000_000_000]), "date").unwrap();
    assert_eq!(days.as_ref(), &Date32Array::from(vec![1]));
    refused(to(TimestampMicrosecondArray::from(vec![86_400_000_001]), "date"), "1970-01-02T00:00:00.000001");
    assert_eq!(to(Date64Array::from(vec![-86_400_000]), "date").unwrap().as_ref(), &Date32Array::from(vec![-1]));
    refused(to(Date64Array::from(vec![1]), "date"), "");
    assert_eq!(
        to(Date32Array::from(vec![1]), "timestamp").unwrap().as_ref(),
        &TimestampMicrosecondArray::from(vec![86_400_000_000])
    );
    refused(to(Date32Array::from(vec![i32::MAX]), "timestamp"), "");
    refused(to(Date64Array::from(vec![i64::MAX]), "timestamp"), "");
    // A key has milliseconds.
    let key = HiveType::Timestamp;
    let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_000, 1_001]));
    assert!(convert(&values.slice(0, 1), &key, &key.to_arrow(), "c").is_ok());
    refused(convert(&values, &key, &key.to_arrow(), "c"), "1970-01-01T00:00:00.001001");
}

#[test]
fn text_stays_text() {
    let views = StringViewArray::from(vec![Some("a text that is longer than a view holds"), None]);
    let plain = StringArray::from(vec![Some("a text that is longer than a view holds"), None]);
    assert_eq!(to(views, "string").unwrap().as_ref(), &plain);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("é"), None, Some("é")].into_iter().collect();
    assert_eq!(to(dictionary, "varchar(1)").unwrap().as_ref(), &StringArray::from(vec![Some("é"), None, Some("é")]));
    refused(to(LargeStringArray::from(vec!["ab ", "abc"]), "varchar(2)"), "ab ");
    refused(to(LargeStringArray::from(vec!["ab ", "abc"]), "char(2)"), "abc");
    let fixed = FixedSizeBinaryArray::try_from_iter([[0x61_u8, 0x62], [0xff, 0xfe]].into_iter()).unwrap();
    assert_eq!(to(fixed.clone(), "binary").unwrap().as_ref(), &BinaryArray::from_vec(vec![b"ab", &[0xff, 0xfe]]));
    refused(to(fixed, "string"), "fffe");
    assert_eq!(to(NullArray::new(2), "int").unwrap().null_count(), 2);
    let long = to(StringArray::from(vec!["é".repeat(1000)]), "varchar(5)").unwrap_err();
    assert!(long.message().len() < 300, "{long}");
}

#[test]
fn what_is_of_another_kind_does_not_convert() {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    for (found, wanted) in [
        (DataType::Utf8, "int"),
        (DataType::Int32, "string"),
        (DataType::Int32, "boolean"),
        (DataType::Boolean, "int"),
        (DataType::Int64, "timestamp"),
        (DataType::Time64(TimeUnit::Microsecond), "bigint"),
        (DataType::Duration(TimeUnit::Second), "bigint"),
        (DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into())), "timestamp"),
        (list.clone(), "array<int>"),
        (list, "string"),
        (DataType::Struct(vec![Field::new("a", DataType::Int32, true)].into()), "struct<b:int>"),
        (
            DataType::Struct(vec![Field::new("a", DataType::Int32, true), Field::new("A", DataType::Int32, true)].into()),
            "struct<a:int>",
        ),
    ] {
        assert!(!converts(&found, &wanted.parse().unwrap()), "{found} to {wanted}");
    }
    assert_eq!(to(BooleanArray::from(vec![true]), "boolean").unwrap().as_ref(), &BooleanArray::from(vec![true]));
}

#[test]
fn parts_are_converted_and_what_a_null_hides_is_not_looked_at() {
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let values = Arc::new(Int64Array::from(vec![1, i64::MAX, 2, 3])) as ArrayRef;
    let nulls = Some(NullBuffer::from(vec![true, false, true]));
    let expected = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, Some(vec![Some(2), Some(3)])]);
    let same = |converted: &ArrayRef| {
        let converted: &ListArray = converted.as_list();
        assert_eq!(converted.values().as_ref(), expected.values().as_ref());
        assert_eq!(converted.offsets(), expected.offsets());
        assert_eq!(converted.nulls(), expected.nulls());
    };
    let offsets = OffsetBuffer::from_lengths([1, 1, 2]);
    same(&to(ListArray::new(Arc::clone(&item), offsets, Arc::clone(&values), nulls.clone()), "array<int>").unwrap());
    let offsets = OffsetBuffer::<i64>::from_lengths([1, 1, 2]);
    same(&to(LargeListArray::new(Arc::clone(&item), offsets, Arc::clone(&values), nulls.clone()), "array<int>").unwrap());
    let whole = ListArray::new(Arc::clone(&item), OffsetBuffer::from_lengths([1, 1, 2]), values, None);
    refused(to(whole.clone(), "array<int>"), &i64::MAX.to_string());
    let sliced = to(whole.slice(2, 1), "array<int>").unwrap();
    assert_eq!(sliced.as_list::<i32>().values().as_ref(), &Int32Array::from(vec![2, 3]));

    let fixed = Arc::new(Int64Array::from(vec![1, 2, i64::MAX, 4])) as ArrayRef;
    let fixed = FixedSizeListArray::new(item, 2, fixed, Some(NullBuffer::from(vec![true, false])));
    let fixed = to(fixed, "array<int>").unwrap();
    assert_eq!(fixed.as_list::<i32>().values().as_ref(), &Int32Array::from(vec![1, 2]));
    assert!(fixed.is_null(1));

    let fields = vec![Field::new("B", DataType::Int64, true), Field::new("a", DataType::Utf8, true)];
    let parts: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1, i64::MAX])), Arc::new(StringArray::from(vec![Some("x"), None]))];
    let found = StructArray::new(fields.into(), parts, Some(NullBuffer::from(vec![true, false])));
    let converted = to(found, "struct<a:string,b:int,c:date>").unwrap();
    let converted = converted.as_struct();
    assert_eq!(converted.column(0).as_ref(), &StringArray::from(vec![Some("x"), None]));
    assert_eq!(converted.column(1).as_ref(), &Int32Array::from(vec![Some(1), None]));
    assert_eq!((converted.column(2).null_count(), converted.is_null(1)), (2, true));

    let entry = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Int64, true)];
    let parts: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["a", "b"])), Arc::new(Int64Array::from(vec![Some(1), None]))];
    let entries = StructArray::new(entry.into(), parts, None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::from_lengths([2]), entries, None, false);
    let converted = to(map, "map<string,int>").unwrap();
    assert_eq!(converted.as_map().values().as_ref(), &Int32Array::from(vec![Some(1), None]));
}
