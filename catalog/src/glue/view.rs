//! Athena's views in Glue: the text of the view is a comment with JSON in base64. Hive's views, whose text is SQL, are not supported.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    ident::CATALOG_NAME,
    model::Column,
};

const BEGIN: &str = "/* Presto View:";
const END: &str = "*/";

/// What Glue has instead of the text for Hive.
pub(super) const EXPANDED: &str = "/* Presto View */";

/// A view's definition, as Athena writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PrestoView {
    pub original_sql: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(default)]
    pub columns: Vec<PrestoColumn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PrestoColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub trino_type: String,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// # Errors
/// `Unsupported` for a view of Hive, `Invalid` for a text that cannot be decoded.
pub(super) fn read(text: &str) -> Result<PrestoView> {
    let Some(encoded) = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) else {
        return Err(Error::unsupported("it is a Hive view, whose SQL is not Trino's")
            .with_hint("Rewrite its query in Trino's SQL, and create it with CREATE VIEW"));
    };
    let damaged = || Error::invalid("its text is not valid JSON in base64");
    let json = STANDARD.decode(encoded.trim()).map_err(|error| damaged().with_source(error))?;
    serde_json::from_slice(&json).map_err(|error| damaged().with_source(error))
}

/// The text of a view, as in Glue.
///
/// # Errors
/// `Internal` if it could not be encoded.
pub(super) fn write(
    sql: &str,
    database: &str,
    columns: &[Column],
    comment: Option<&str>,
    rest: Map<String, Value>,
) -> Result<String> {
    let column =
        |column: &Column| PrestoColumn { name: column.name.clone(), trino_type: column.hive_type.trino_name(), rest: Map::new() };
    let view = PrestoView {
        original_sql: sql.to_owned(),
        catalog: Some(CATALOG_NAME.to_owned()),
        schema: Some(database.to_owned()),
        columns: columns.iter().map(column).collect(),
        comment: comment.map(str::to_owned),
        rest,
    };
    let json = serde_json::to_vec(&view).map_err(|error| Error::internal("a view could not be encoded").with_source(error))?;
    Ok(format!("{BEGIN} {} {END}", STANDARD.encode(json)))
}
