//! What clients read of a column's type beside its Arrow type: the name in SQL, precision, scale, and how it compares. One mapping for
//! the tables that are browsed and for the results of queries. Types are described here, never changed.
//!
//! Names are Trino's, as `information_schema` and `CAST` have them: `varchar`, `decimal(10,2)`, `array(bigint)`. A timestamp in
//! milliseconds is plain `timestamp`, which is what SQL reads it back as, and what Athena calls it.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, TimeUnit};

/// The keys of a field's metadata in Flight SQL.
pub(crate) mod key {
    pub(crate) const CATALOG_NAME: &str = "ARROW:FLIGHT:SQL:CATALOG_NAME";
    /// As the specification has it.
    pub(crate) const DB_SCHEMA_NAME: &str = "ARROW:FLIGHT:SQL:DB_SCHEMA_NAME";
    /// The same, as Arrow's libraries for C++, Go and Java read it.
    pub(crate) const SCHEMA_NAME: &str = "ARROW:FLIGHT:SQL:SCHEMA_NAME";
    pub(crate) const TABLE_NAME: &str = "ARROW:FLIGHT:SQL:TABLE_NAME";
    pub(crate) const TYPE_NAME: &str = "ARROW:FLIGHT:SQL:TYPE_NAME";
    pub(crate) const PRECISION: &str = "ARROW:FLIGHT:SQL:PRECISION";
    pub(crate) const SCALE: &str = "ARROW:FLIGHT:SQL:SCALE";
    pub(crate) const IS_AUTO_INCREMENT: &str = "ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT";
    pub(crate) const IS_CASE_SENSITIVE: &str = "ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE";
    pub(crate) const IS_READ_ONLY: &str = "ARROW:FLIGHT:SQL:IS_READ_ONLY";
    pub(crate) const IS_SEARCHABLE: &str = "ARROW:FLIGHT:SQL:IS_SEARCHABLE";
    /// A column's comment. For tables only: JDBC makes it the label of a result's column.
    pub(crate) const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";
}

/// The size of text and binary values without a declared length, as Trino's drivers give it.
pub(crate) const UNBOUNDED: i32 = i32::MAX;

/// What there is to say of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeDescription {
    /// In SQL, lower case.
    pub(crate) name: String,
    /// Decimal digits of numbers (for floats, those that always survive), characters of text and of dates written out, bytes of
    /// binary values. None for what has no size.
    pub(crate) precision: Option<i32>,
    /// Digits after the point, for exact numbers and the seconds of times.
    pub(crate) scale: Option<i32>,
    /// Whether values that differ in case differ: text.
    pub(crate) case_sensitive: bool,
    /// Whether a WHERE clause may compare it: every type here.
    pub(crate) searchable: bool,
}

impl TypeDescription {
    /// Describes an Arrow type. Encodings of one type (views, large offsets, dictionaries) have its name.
    pub(crate) fn of(data_type: &DataType) -> Self {
        let (precision, scale) = size(data_type);
        Self { name: type_name(data_type), precision, scale, case_sensitive: is_text(data_type), searchable: true }
    }

    /// As a field's metadata.
    fn write_to(&self, metadata: &mut HashMap<String, String>) {
        let flag = |set: bool| if set { "1" } else { "0" }.to_owned();
        metadata.insert(key::TYPE_NAME.to_owned(), self.name.clone());
        for (key, number) in [(key::PRECISION, self.precision), (key::SCALE, self.scale)] {
            if let Some(number) = number {
                metadata.insert(key.to_owned(), number.to_string());
            }
        }
        metadata.insert(key::IS_AUTO_INCREMENT.to_owned(), flag(false));
        metadata.insert(key::IS_CASE_SENSITIVE.to_owned(), flag(self.case_sensitive));
        metadata.insert(key::IS_READ_ONLY.to_owned(), flag(true));
        metadata.insert(key::IS_SEARCHABLE.to_owned(), flag(self.searchable));
    }
}

/// The field with its type described in its metadata. Its name, type and nullability are as they were, and so is other metadata.
pub(crate) fn describe(field: &Field) -> Field {
    describe_as(field, &TypeDescription::of(field.data_type()))
}

/// The field described in other words, for columns whose declaration says more than their Arrow type.
pub(crate) fn describe_as(field: &Field, description: &TypeDescription) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.reserve(16);
    description.write_to(&mut metadata);
    field.clone().with_metadata(metadata)
}

/// The name of an Arrow type in Trino's SQL. What SQL has no name for is named as Arrow writes it, in lower case.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "unknown".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 => "bigint".to_owned(),
        DataType::UInt64 => "decimal(20,0)".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "varbinary".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => with_digits("time", *unit),
        DataType::Timestamp(unit, None) => with_digits("timestamp", *unit),
        DataType::Timestamp(unit, Some(_)) => with_digits("timestamp", *unit) + " with time zone",
        DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth) => "interval year to month".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval day to second".to_owned(),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _)
        | DataType::ListView(element)
        | DataType::LargeListView(element) => format!("array({})", type_name(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                format!("map({}, {})", type_name(entry[0].data_type()), type_name(entry[1].data_type()))
            }
            _ => "map".to_owned(),
        },
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{} {}", quoted(field.name()), type_name(field.data_type())));
            format!("row({})", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, value) => type_name(value.data_type()),
        DataType::Union(..) => data_type.to_string().to_lowercase(),
    }
}

/// Trino's spelling of a type of fractional seconds; three digits are the default.
fn with_digits(name: &str, unit: TimeUnit) -> String {
    match digits(unit) {
        3 => name.to_owned(),
        digits => format!("{name}({digits})"),
    }
}

const fn digits(unit: TimeUnit) -> i32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// A field's name as SQL reads it back.
fn quoted(name: &str) -> String {
    let starts_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_plain && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Precision and scale.
fn size(data_type: &DataType) -> (Option<i32>, Option<i32>) {
    /// The point and the digits of a fraction of a second.
    fn fraction(unit: TimeUnit) -> i32 {
        let digits = digits(unit);
        if digits == 0 { 0 } else { digits + 1 }
    }
    const DATE: i32 = "2026-01-31".len() as i32;
    const TIME: i32 = "12:00:00".len() as i32;
    const OFFSET: i32 = " +00:00".len() as i32;
    match data_type {
        DataType::Boolean => (Some(1), None),
        DataType::Int8 => (Some(3), Some(0)),
        DataType::Int16 | DataType::UInt8 => (Some(5), Some(0)),
        DataType::Int32 | DataType::UInt16 => (Some(10), Some(0)),
        DataType::Int64 | DataType::UInt32 => (Some(19), Some(0)),
        DataType::UInt64 => (Some(20), Some(0)),
        DataType::Float16 | DataType::Float32 => (Some(7), None),
        DataType::Float64 => (Some(15), None),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (Some(i32::from(*precision)), Some(i32::from(*scale))),
        DataType::FixedSizeBinary(bytes) => (Some(*bytes), None),
        DataType::Date32 | DataType::Date64 => (Some(DATE), None),
        DataType::Time32(unit) | DataType::Time64(unit) => (Some(TIME + fraction(*unit)), Some(digits(*unit))),
        DataType::Timestamp(unit, zone) => {
            let offset = if zone.is_some() { OFFSET } else { 0 };
            (Some(DATE + 1 + TIME + fraction(*unit) + offset), Some(digits(*unit)))
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => (Some(UNBOUNDED), None),
        DataType::Dictionary(_, value) => size(value),
        DataType::RunEndEncoded(_, value) => size(value.data_type()),
        _ => (None, None),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        DataType::RunEndEncoded(_, value) => is_text(value.data_type()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use glaux_catalog::HiveType;

    use super::*;

    fn of(data_type: &DataType) -> (String, Option<i32>, Option<i32>, bool) {
        let TypeDescription { name, precision, scale, case_sensitive, searchable } = TypeDescription::of(data_type);
        assert!(searchable);
        (name, precision, scale, case_sensitive)
    }

    #[test]
    fn types_have_trino_s_names_and_their_sizes() {
        let expected = [
            (DataType::Boolean, "boolean", Some(1), None),
            (DataType::Int8, "tinyint", Some(3), Some(0)),
            (DataType::Int16, "smallint", Some(5), Some(0)),
            (DataType::Int32, "integer", Some(10), Some(0)),
            (DataType::Int64, "bigint", Some(19), Some(0)),
            (DataType::Float32, "real", Some(7), None),
            (DataType::Float64, "double", Some(15), None),
            (DataType::Decimal128(10, 2), "decimal(10,2)", Some(10), Some(2)),
            (DataType::Binary, "varbinary", Some(i32::MAX), None),
            (DataType::Date32, "date", Some(10), None),
            (DataType::Timestamp(TimeUnit::Second, None), "timestamp(0)", Some(19), Some(0)),
            (DataType::Timestamp(TimeUnit::Millisecond, None), "timestamp", Some(23), Some(3)),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp(6)", Some(26), Some(6)),
            (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), "timestamp with time zone", Some(30), Some(3)),
            (DataType::Time64(TimeUnit::Nanosecond), "time(9)", Some(18), Some(9)),
            (DataType::Null, "unknown", None, None),
        ];
        for (data_type, name, precision, scale) in expected {
            assert_eq!(of(&data_type), (name.to_owned(), precision, scale, false));
        }
        assert_eq!(of(&DataType::Utf8), ("varchar".to_owned(), Some(i32::MAX), None, true));
    }

    #[test]
    fn encodings_of_one_type_are_described_alike() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for text in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
            assert_eq!(of(&text), of(&DataType::Utf8));
        }
        assert_eq!(of(&DataType::BinaryView), of(&DataType::Binary));
    }

    #[test]
    fn names_of_nested_types_are_those_of_the_catalog() {
        for text in [
            "array<string>",
            "map<string,array<int>>",
            "struct<a:int,b:struct<`odd name`:decimal(5,1)>>",
            "array<struct<x:binary,y:float>>",
        ] {
            let hive_type: HiveType = text.parse().unwrap();
            assert_eq!(TypeDescription::of(&hive_type.to_arrow()).name, hive_type.trino_name());
            assert_eq!(TypeDescription::of(&hive_type.to_arrow()).precision, None);
        }
    }

    #[test]
    fn a_field_keeps_what_it_had() {
        let own = HashMap::from([("own".to_owned(), "value".to_owned())]);
        let field = Field::new("n", DataType::Decimal128(10, 2), false).with_metadata(own);
        let described = describe(&field);
        assert_eq!((described.name(), described.data_type(), described.is_nullable()), (field.name(), field.data_type(), false));
        let expected = [
            ("own", "value"),
            ("ARROW:FLIGHT:SQL:TYPE_NAME", "decimal(10,2)"),
            ("ARROW:FLIGHT:SQL:PRECISION", "10"),
            ("ARROW:FLIGHT:SQL:SCALE", "2"),
            ("ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT", "0"),
            ("ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE", "0"),
            ("ARROW:FLIGHT:SQL:IS_READ_ONLY", "1"),
            ("ARROW:FLIGHT:SQL:IS_SEARCHABLE", "1"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(described.metadata(), &HashMap::from(expected));
    }

    #[test]
    fn what_has_no_size_says_none() {
        let field = Field::new("a", DataType::List(Arc::new(Field::new("item", DataType::Int64, true))), true);
        let metadata = describe(&field).metadata().clone();
        assert_eq!(metadata.get(key::TYPE_NAME).map(String::as_str), Some("array(bigint)"));
        assert!(!metadata.contains_key(key::PRECISION) && !metadata.contains_key(key::SCALE));
    }
}
