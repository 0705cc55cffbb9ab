//! GetXdbcTypeInfo: the types that a table's column can have, as ODBC's SQLGetTypeInfo lists them. What a given column's type is called
//! is `type_name`'s business; the names are the same.

use std::sync::LazyLock;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    error::FlightError,
    sql::{
        Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode,
        metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder},
    },
};
use glaux_engine::{Error, Result};

use super::type_name::UNBOUNDED;

static TYPES: LazyLock<Result<XdbcTypeInfoData, FlightError>> = LazyLock::new(|| {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for row in rows() {
        builder.append(row);
    }
    builder.build()
});

pub(super) fn schema() -> SchemaRef {
    XdbcTypeInfoDataBuilder::new().schema()
}

/// All types, or those of one ODBC code, by code and name.
pub(super) fn batch(data_type: Option<i32>) -> Result<RecordBatch> {
    let build = || TYPES.as_ref().map_err(ToString::to_string)?.record_batch(data_type).map_err(|error| error.to_string());
    build().map_err(|error| Error::internal(format!("the list of types could not be created: {error}")))
}

fn rows() -> Vec<XdbcTypeInfo> {
    let bits = |name, code, bits| XdbcTypeInfo { num_prec_radix: Some(2), ..number(name, code, bits) };
    vec![
        other("boolean", XdbcDataType::XdbcBit, Some(1)),
        integer("tinyint", XdbcDataType::XdbcTinyint, 3),
        integer("smallint", XdbcDataType::XdbcSmallint, 5),
        integer("integer", XdbcDataType::XdbcInteger, 10),
        integer("bigint", XdbcDataType::XdbcBigint, 19),
        // The name that definitions have for it.
        bits("float", XdbcDataType::XdbcFloat, 24),
        bits("real", XdbcDataType::XdbcReal, 24),
        bits("double", XdbcDataType::XdbcDouble, 53),
        XdbcTypeInfo {
            create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
            num_prec_radix: Some(10),
            minimum_scale: Some(0),
            maximum_scale: Some(38),
            ..number("decimal", XdbcDataType::XdbcDecimal, 38)
        },
        text("char", XdbcDataType::XdbcChar, 255),
        text("varchar", XdbcDataType::XdbcVarchar, UNBOUNDED),
        // The name that definitions have for it.
        literal(other("binary", XdbcDataType::XdbcBinary, Some(UNBOUNDED)), "X'", "'"),
        literal(other("varbinary", XdbcDataType::XdbcVarbinary, Some(UNBOUNDED)), "X'", "'"),
        XdbcTypeInfo {
            sql_data_type: XdbcDataType::XdbcDatetime,
            // ODBC's SQL_CODE_DATE, which has this number.
            datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
            ..literal(other("date", XdbcDataType::XdbcDate, Some(10)), "DATE '", "'")
        },
        XdbcTypeInfo {
            sql_data_type: XdbcDataType::XdbcDatetime,
            datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
            minimum_scale: Some(3),
            maximum_scale: Some(3),
            ..literal(other("timestamp", XdbcDataType::XdbcTimestamp, Some(23)), "TIMESTAMP '", "'")
        },
        literal(other("array", XdbcDataType::XdbcUnknownType, None), "ARRAY[", "]"),
        other("map", XdbcDataType::XdbcUnknownType, None),
        literal(other("row", XdbcDataType::XdbcUnknownType, None), "ROW(", ")"),
    ]
}

/// What all types have in common: no type refuses NULL, and WHERE compares all, but only text by LIKE.
fn other(name: &str, code: XdbcDataType, column_size: Option<i32>) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_owned(),
        local_type_name: Some(name.to_owned()),
        data_type: code,
        sql_data_type: code,
        column_size,
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Basic,
        ..XdbcTypeInfo::default()
    }
}

fn literal(info: XdbcTypeInfo, prefix: &str, suffix: &str) -> XdbcTypeInfo {
    XdbcTypeInfo { literal_prefix: Some(prefix.to_owned()), literal_suffix: Some(suffix.to_owned()), ..info }
}

fn number(name: &str, code: XdbcDataType, column_size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo { unsigned_attribute: Some(false), auto_increment: Some(false), ..other(name, code, Some(column_size)) }
}

fn integer(name: &str, code: XdbcDataType, digits: i32) -> XdbcTypeInfo {
    XdbcTypeInfo { num_prec_radix: Some(10), minimum_scale: Some(0), maximum_scale: Some(0), ..number(name, code, digits) }
}

fn text(name: &str, code: XdbcDataType, longest: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        create_params: Some(vec!["length".to_owned()]),
        case_sensitive: true,
        searchable: Searchable::Full,
        ..literal(other(name, code, Some(longest)), "'", "'")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{AsArray, cast::as_string_array},
        datatypes::{DataType, Field, Int32Type, Schema},
    };

    use super::*;

    fn names(batch: &RecordBatch) -> Vec<String> {
        as_string_array(batch.column(0)).iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_is_the_protocol_s() {
        let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
        let number = |name, nullable| Field::new(name, DataType::Int32, nullable);
        let flag = |name, nullable| Field::new(name, DataType::Boolean, nullable);
        let params = DataType::List(Arc::new(Field::new("item", DataType::Utf8, false)));
        let expected = Schema::new(vec![
            text("type_name", false),
            number("data_type", false),
            number("column_size", true),
            text("literal_prefix", true),
            text("literal_suffix", true),
            Field::new("create_params", params, true),
            number("nullable", false),
            flag("case_sensitive", false),
            number("searchable", false),
            flag("unsigned_attribute", true),
            flag("fixed_prec_scale", false),
            flag("auto_increment", true),
            text("local_type_name", true),
            number("minimum_scale", true),
            number("maximum_scale", true),
            number("sql_data_type", false),
            number("datetime_subcode", true),
            number("num_prec_radix", true),
            number("interval_precision", true),
        ]);
        assert_eq!(*schema(), expected);
        assert_eq!(*batch(None).unwrap().schema(), expected);
    }

    #[test]
    fn types_are_sorted_by_code_and_name() {
        let batch = batch(None).unwrap();
        let codes = batch.column(1).as_primitive::<Int32Type>().values().to_vec();
        let sorted = [
            (-7, "boolean"),
            (-6, "tinyint"),
            (-5, "bigint"),
            (-3, "varbinary"),
            (-2, "binary"),
            (0, "array"),
            (0, "map"),
            (0, "row"),
            (1, "char"),
            (3, "decimal"),
            (4, "integer"),
            (5, "smallint"),
            (6, "float"),
            (7, "real"),
            (8, "double"),
            (12, "varchar"),
            (91, "date"),
            (93, "timestamp"),
        ];
        assert_eq!(codes, sorted.map(|row| row.0));
        assert_eq!(names(&batch), sorted.map(|row| row.1));
    }

    #[test]
    fn a_code_selects_its_types() {
        assert_eq!(names(&batch(Some(93)).unwrap()), ["timestamp"]);
        assert_eq!(names(&batch(Some(0)).unwrap()), ["array", "map", "row"]);
        let none = batch(Some(92)).unwrap();
        assert_eq!((none.num_rows(), none.schema()), (0, schema()));
    }

    #[test]
    fn datetimes_have_a_general_code_and_a_subcode() {
        let batch = batch(Some(91)).unwrap();
        let at = |column: &str| batch.column_by_name(column).unwrap().as_primitive::<Int32Type>().value(0);
        assert_eq!((at("data_type"), at("sql_data_type"), at("datetime_subcode"), at("column_size")), (91, 9, 1, 10));
    }
}
