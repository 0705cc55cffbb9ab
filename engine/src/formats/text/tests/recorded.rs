//! Cases that a Trino has answered, one on a line: a table, and a file or rows.

use serde_json::Value;

use super::{LAZY_SIMPLE, OPEN_CSV, Table};
use crate::error::Result;

/// Checks that all cases are answered as they were. `least` is how many there are at least, and `difference` what is otherwise in one.
pub(super) fn check(cases: &str, least: usize, difference: fn(&Value) -> Option<String>) {
    let cases: Vec<Value> = cases.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() > least, "the answers are there");
    let wrong: Vec<String> = cases.iter().filter_map(|case| difference(case).map(|found| format!("{case}\n  {found}"))).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The table of a case.
pub(super) fn table(case: &Value) -> Result<Table> {
    fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
    let serde = if case["format"] == "CSV" { OPEN_CSV } else { LAZY_SIMPLE };
    Table::new(serde, &borrowed(&pairs(&case["columns"])), &borrowed(&pairs(&case["properties"])))
}

/// The bytes of a case's file.
pub(super) fn file(case: &Value) -> Vec<u8> {
    case["hex"].as_str().map_or_else(|| text(&case["file"]).into_bytes(), bytes_of_hex)
}

/// The pairs of texts of a list, or of an object.
pub(super) fn pairs(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        other => other.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(super) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
