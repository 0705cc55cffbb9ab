//! Columns of CSV and JSON, from the first lines of a file.
//!
//! Numbers are `bigint` or `double`, whatever their size in the sample; a column whose values are of several types is `string`, which text can always
//! be read as.

use glaux_catalog::{HiveType, ident};
use serde_json::Value;

use super::format::Delimited;

/// Lines that are looked at.
const LINES: usize = 1000;

/// Delimiters, the likelier first.
const DELIMITERS: [char; 5] = [',', '\t', '|', ';', '\u{1}'];

/// What the first lines of a text file tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Text {
    Json(Vec<(String, HiveType)>),
    Delimited(Delimited, Vec<(String, HiveType)>),
}

/// Reads JSON objects, one a line; `None` if the lines are not that.
pub(super) fn json(text: &str) -> Option<Text> {
    let mut columns: Vec<(String, Option<HiveType>)> = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(LINES) {
        let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
        count += 1;
        for (name, value) in fields {
            let name = name.to_lowercase();
            let found = type_of(&value);
            match columns.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = both(known.take(), found),
                None => columns.push((name, found)),
            }
        }
    }
    let named = |(name, hive_type): (String, Option<HiveType>)| (name, hive_type.unwrap_or(HiveType::String));
    (count > 0 && !columns.is_empty()).then(|| Text::Json(columns.into_iter().map(named).collect()))
}

/// The type of a JSON value; `None` for null and what is empty, which goes with any.
fn type_of(value: &Value) -> Option<HiveType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => HiveType::Boolean,
        Value::Number(number) if number.is_i64() => HiveType::BigInt,
        Value::Number(_) => HiveType::Double,
        Value::String(_) => HiveType::String,
        // What has no elements tells nothing of them.
        Value::Array(items) => HiveType::Array(Box::new(items.iter().map(type_of).fold(None, both)?)),
        Value::Object(fields) if fields.is_empty() => return None,
        Value::Object(fields) => {
            let mut found: Vec<(String, HiveType)> = Vec::new();
            for (name, value) in fields {
                let (name, hive_type) = (name.to_lowercase(), type_of(value).unwrap_or(HiveType::String));
                if found.iter().all(|(known, _)| *known != name) {
                    found.push((name, hive_type));
                }
            }
            HiveType::Struct(found)
        }
    })
}

fn both(one: Option<HiveType>, other: Option<HiveType>) -> Option<HiveType> {
    match (one, other) {
        (Some(one), Some(other)) => Some(as_text(&one, &other)),
        (one, other) => one.or(other),
    }
}

/// The type as which values of both are read from text.
pub(super) fn as_text(one: &HiveType, other: &HiveType) -> HiveType {
    use HiveType as T;
    match (one, other) {
        (T::Array(one), T::Array(other)) => T::Array(Box::new(as_text(one, other))),
        (T::Struct(one), T::Struct(other)) => {
            let mut fields = one.clone();
            for (name, hive_type) in other {
                match fields.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = as_text(known, hive_type),
                    None => fields.push((name.clone(), hive_type.clone())),
                }
            }
            T::Struct(fields)
        }
        (one, other) => super::merge::merged(one, other).unwrap_or(T::String),
    }
}

/// Reads values between delimiters; `None` if no delimiter gives the lines an equal number of values.
pub(super) fn delimited(text: &str) -> Option<Text> {
    let is_quoted = text.contains('"');
    let split = |delimiter| rows(text, delimiter, is_quoted);
    let (delimiter, rows) =
        DELIMITERS.into_iter().map(|delimiter| (delimiter, split(delimiter))).find(|(_, rows)| is_regular(rows))?;
    let width = rows.first()?.len();
    let types = |rows: &[Vec<String>]| -> Vec<Option<HiveType>> {
        (0..width).map(|at| rows.iter().map(|row| value_type(&row[at], is_quoted)).fold(None, both)).collect()
    };
    let (first, rest) = rows.split_first()?;
    let header_types = types(std::slice::from_ref(first));
    let data_types = types(rest);
    let is_name = |name: &String| !name.trim().is_empty() && name.len() <= 150;
    let are_names = first.iter().all(is_name)
        && header_types.iter().all(|found| *found == Some(HiveType::String))
        && (1..width).all(|at| !first[..at].contains(&first[at]));
    // Names over other types are a header; so are those over text that never has the same value.
    let differs = data_types.iter().any(|found| found.as_ref().is_some_and(|found| *found != HiveType::String));
    let has_header = are_names && !rest.is_empty() && differs;
    let (names, types): (Vec<String>, _) = if has_header {
        (column_names(first), data_types)
    } else {
        ((0..width).map(|at| format!("col{at}")).collect(), types(&rows))
    };
    let columns = names.into_iter().zip(types).map(|(name, found)| (name, found.unwrap_or(HiveType::String))).collect();
    Some(Text::Delimited(Delimited { delimiter, is_quoted, has_header }, columns))
}

/// Names out of a header: each column has one of its own, that the catalog takes.
fn column_names(header: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (at, name) in header.iter().enumerate() {
        let name = column_name(name);
        let is_free = ident::checked("column", &name).is_ok() && !names.contains(&name);
        names.push(if is_free { name } else { format!("col{at}") });
    }
    names
}

/// A name without what the catalog does not take.
fn column_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.chars().map(|c| if c.is_control() || matches!(c, '/' | '.' | ' ') { '_' } else { c }).collect()
}

fn is_regular(rows: &[Vec<String>]) -> bool {
    rows.first().is_some_and(|first| first.len() > 1 && rows.iter().all(|row| row.len() == first.len()))
}

fn rows(text: &str, delimiter: char, is_quoted: bool) -> Vec<Vec<String>> {
    text.lines().filter(|line| !line.is_empty()).take(LINES).map(|line| values(line, delimiter, is_quoted)).collect()
}

fn values(line: &str, delimiter: char, is_quoted: bool) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut within = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && within && chars.next_if_eq(&'"').is_some() => {
                values.last_mut().into_iter().for_each(|value| value.push('"'))
            }
            '"' if is_quoted => within = !within,
            c if c == delimiter && !within => values.push(String::new()),
            c => values.last_mut().into_iter().for_each(|value| value.push(c)),
        }
    }
    values
}

/// The type that one value has; `None` for an empty one. Quoted files have no dates: their SerDe reads days in numbers.
fn value_type(value: &str, is_quoted: bool) -> Option<HiveType> {
    let value = value.trim();
    if value.is_empty() || value == "\\N" {
        return None;
    }
    let has_zeros = value.len() > 1 && value.starts_with('0') && !value.starts_with("0.");
    Some(if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
        HiveType::Boolean
    } else if !has_zeros && value.parse::<i64>().is_ok() {
        HiveType::BigInt
    } else if !has_zeros
        && value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && value.parse::<f64>().is_ok()
    {
        HiveType::Double
    } else if !is_quoted && fits(&HiveType::Date, value) {
        HiveType::Date
    } else if !is_quoted && value.len() > 10 && fits(&HiveType::Timestamp, value) {
        HiveType::Timestamp
    } else {
        HiveType::String
    })
}

/// Whether the text is a value of the type.
pub(super) fn fits(hive_type: &HiveType, value: &str) -> bool {
    glaux_catalog::partition::typed_array(hive_type, std::iter::once(Some(value))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: Option<Text>) -> String {
        let columns = |columns: Vec<(String, HiveType)>| {
            columns.iter().map(|(name, hive_type)| format!("{name} {hive_type}")).collect::<Vec<_>>().join(", ")
        };
        match text {
            None => "nothing".to_owned(),
            Some(Text::Json(found)) => columns(found),
            Some(Text::Delimited(layout, found)) => format!(
                "{:?}{}{}: {}",
                layout.delimiter,
                if layout.is_quoted { " quoted" } else { "" },
                if layout.has_header { " header" } else { "" },
                columns(found)
            ),
        }
    }

    #[test]
    fn delimited_text_tells_its_columns() {
        for (text, expected) in [
            ("id,Name,at\n1,ada,2024-01-02\n2,bob,2024-01-03\n", "',' header: id bigint, name string, at date"),
            ("1\t2.5\tx\n2\t3\ty\n", "'\\t': col0 bigint, col1 double, col2 string"),
            ("a|b\nx|true\ny|FALSE", "'|' header: a string, b boolean"),
            ("id,text\n1,\"a, \"\"b\"\"\"\n2,c", "',' quoted header: id bigint, text string"),
            ("zip,n\n01234,\n98765,1e3\n", "',' header: zip string, n double"),
            ("a,b\nc,d\n", "',': col0 string, col1 string"),
            ("2024-01-02 03:04:05,1\n", "',': col0 timestamp, col1 bigint"),
            ("a b,A.b,n\nx,y,1", "',' header: a_b string, col1 string, n bigint"),
            ("one column\nof text", "nothing"),
            ("a,b\nc", "nothing"),
            ("", "nothing"),
        ] {
            assert_eq!(shown(delimited(text)), expected, "{text}");
        }
    }

    #[test]
    fn json_tells_its_columns() {
        for (text, expected) in [
            ("{\"Id\": 1, \"x\": null}\n{\"id\": 2.5, \"x\": true}\n", "id double, x boolean"),
            (
                "{\"a\": [1, null], \"s\": {\"K\": \"v\"}}\n{\"a\": [], \"s\": {\"n\": 1}}",
                "a array<bigint>, s struct<k:string,n:bigint>",
            ),
            ("{\"a\": 1}\n{\"a\": \"x\"}", "a string"),
            ("{\"a\": {}}", "a string"),
            ("[1, 2]", "nothing"),
            ("{\"a\": 1", "nothing"),
            ("", "nothing"),
        ] {
            assert_eq!(shown(json(text)), expected, "{text}");
        }
    }
}
