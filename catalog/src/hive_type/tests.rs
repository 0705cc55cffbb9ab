//! Tests of Hive's types: grammar, print, Arrow.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use proptest::prelude::*;

use super::HiveType;
use crate::error::ErrorKind;

fn parse(text: &str) -> HiveType {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

#[test]
fn every_spelling_prints_as_hive_prints_it() {
    for (text, printed, trino) in [
        ("BOOLEAN", "boolean", "boolean"),
        ("integer", "int", "integer"),
        ("Int", "int", "integer"),
        (" float ", "float", "real"),
        ("double  precision", "double", "double"),
        ("decimal", "decimal(10,0)", "decimal(10,0)"),
        ("DECIMAL ( 12 )", "decimal(12,0)", "decimal(12,0)"),
        ("numeric(38, 38)", "decimal(38,38)", "decimal(38,38)"),
        ("varchar(65535)", "varchar(65535)", "varchar(65535)"),
        ("char( 3 )", "char(3)", "char(3)"),
        ("string", "string", "varchar"),
        ("binary", "binary", "varbinary"),
        ("timestamp", "timestamp", "timestamp(3)"),
        ("array < array<int >>", "array<array<int>>", "array(array(integer))"),
        ("MAP<string,\n array<date>>", "map<string,array<date>>", "map(varchar, array(date))"),
        ("struct<A : int, b:struct<c:string>>", "struct<a:int,b:struct<c:string>>", "row(a integer, b row(c varchar))"),
        ("struct<user-id:int,`a:b`:int>", "struct<user-id:int,`a:b`:int>", "row(\"user-id\" integer, \"a:b\" integer)"),
        ("struct<a:int comment 'it\\'s', b:int COMMENT \"x\">", "struct<a:int,b:int>", "row(a integer, b integer)"),
    ] {
        let hive_type = parse(text);
        assert_eq!(hive_type.to_string(), printed, "{text}");
        assert_eq!(hive_type.trino_name(), trino, "{text}");
        assert_eq!(parse(printed), hive_type);
    }
}

#[test]
fn errors_name_the_text_and_the_place() {
    for (text, message) in [
        ("array<int", "type \"array<int\": it ends where \">\" is expected, at character 10"),
        ("array<int>>", "type \"array<int>>\": found \">\" where the end of the type is expected, at character 11"),
        ("struct<a int>", "type \"struct<a int>\": found \">\" where \":\" is expected, at character 13"),
        ("struct<a:int,A:int>", "type \"struct<a:int,A:int>\": field \"a\" is defined twice, at character 14"),
        (
            "decimal(39,0)",
            "type \"decimal(39,0)\": decimal takes a precision of 1 to 38 and a scale of 0 to the precision, at character 1",
        ),
        ("map<int,varchar>", "type \"map<int,varchar>\": varchar takes a length of 1 to 65535, at character 9"),
        ("map<array<int>,int>", "type \"map<array<int>,int>\": the key of a map must have a primitive type, at character 5"),
        ("array<real>", "type \"array<real>\": there is no type \"real\", at character 7"),
        ("", "type \"\": it ends where a type is expected, at character 1"),
    ] {
        assert_eq!(text.parse::<HiveType>().unwrap_err().to_string(), message);
    }
    assert_eq!("real".parse::<HiveType>().unwrap_err().hint(), Some("In DDL, write float"));
    assert_eq!("uniontype<int>".parse::<HiveType>().unwrap_err().kind(), ErrorKind::Unsupported);
    let deep = format!("{}int{}", "array<".repeat(10_000), ">".repeat(10_000));
    assert!(deep.parse::<HiveType>().unwrap_err().to_string().contains("nests deeper"));
}

#[test]
fn arrow_types_come_back_as_the_hive_type_that_holds_them() {
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    for (arrow, hive) in [
        (DataType::UInt32, "bigint"),
        (DataType::UInt64, "decimal(20,0)"),
        (DataType::Utf8View, "string"),
        (DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), "string"),
        (utc, "timestamp"),
        (DataType::LargeList(Arc::new(Field::new("element", DataType::Int32, false))), "array<int>"),
        (DataType::Decimal256(30, 2), "decimal(30,2)"),
    ] {
        assert_eq!(HiveType::from_arrow(&arrow).unwrap().to_string(), hive);
    }
    let berlin = DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into()));
    for arrow in
        [DataType::Null, DataType::Time32(TimeUnit::Second), DataType::Decimal256(60, 2), DataType::Decimal128(3, -2), berlin]
    {
        assert_eq!(HiveType::from_arrow(&arrow).unwrap_err().kind(), ErrorKind::Unsupported, "{arrow}");
    }
    // What Hive's grammar does not read back.
    let of = |names: &[&str]| -> DataType {
        DataType::Struct(names.iter().map(|name| Field::new(*name, DataType::Int32, true)).collect())
    };
    let entries = vec![Field::new("key", of(&["a"]), false), Field::new("value", DataType::Int32, true)];
    let by_struct = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false);
    let list = |inner| DataType::List(Arc::new(Field::new("item", inner, true)));
    for arrow in [by_struct, of(&["a", "A"]), of(&[""]), (0..100).fold(DataType::Int32, |inner, _| list(inner))] {
        assert_eq!(HiveType::from_arrow(&arrow).unwrap_err().kind(), ErrorKind::Invalid, "{arrow}");
    }
    assert_eq!(
        parse("map<string,int>").to_arrow().to_string(),
        DataType::Map(
            Arc::new(Field::new(
                "entries",
                DataType::Struct(
                    vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int32, true)].into()
                ),
                false
            )),
            false
        )
        .to_string()
    );
}

fn any_type() -> impl Strategy<Value = HiveType> {
    let primitive = prop_oneof![
        Just(HiveType::Boolean),
        Just(HiveType::TinyInt),
        Just(HiveType::SmallInt),
        Just(HiveType::Int),
        Just(HiveType::BigInt),
        Just(HiveType::Float),
        Just(HiveType::Double),
        (1u8..=38).prop_flat_map(|p| (Just(p), 0..=p)).prop_map(|(p, s)| HiveType::Decimal(p, i8::try_from(s).unwrap())),
        (1u32..=255).prop_map(HiveType::Char),
        (1u32..=65_535).prop_map(HiveType::Varchar),
        Just(HiveType::String),
        Just(HiveType::Binary),
        Just(HiveType::Date),
        Just(HiveType::Timestamp),
    ];
    primitive.clone().prop_recursive(4, 24, 4, move |inner| {
        let name = "[a-z0-9 _:,<>`'$-]{1,6}".prop_filter("trimmed", |name| name.trim() == name);
        prop_oneof![
            inner.clone().prop_map(|element| HiveType::Array(Box::new(element))),
            (primitive.clone(), inner.clone()).prop_map(|(key, value)| HiveType::Map(Box::new(key), Box::new(value))),
            prop::collection::btree_map(name, inner, 1..4).prop_map(|fields| HiveType::Struct(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn print_then_parse_gives_the_same_type(hive_type in any_type()) {
        prop_assert_eq!(hive_type.to_string().parse::<HiveType>().unwrap(), hive_type);
    }

    #[test]
    fn every_type_has_an_arrow_type_that_maps_back(hive_type in any_type()) {
        let back = HiveType::from_arrow(&hive_type.to_arrow()).unwrap();
        prop_assert_eq!(back.to_arrow(), hive_type.to_arrow());
    }
}
