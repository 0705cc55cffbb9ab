//! Definitions as AWS Glue tells them in JSON: the documents (`document`), read as the catalog's own definitions (`read`), written from them
//! (`write`), and the views that Athena keeps there (`view`).
//!
//! What Glue has and the catalog has not is kept with the definition, as JSON in the property [`KEPT`], and written back. Nothing here
//! asks Glue, or changes a catalog; locations and the SQL of views are taken as they are.

mod document;
mod read;
#[cfg(test)]
mod tests;
mod view;
mod write;

use std::collections::BTreeMap;

pub use document::{
    Documents, GlueColumn, GlueDatabase, GluePartition, GlueSerde, GlueStorage, GlueTable, GlueTime, SharedStorage,
};
pub use read::{database, partition, table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
pub use write::{database as write_database, partition as write_partition, table as write_table};

use crate::{
    error::{Error, Result},
    model::Properties,
};

/// The property of a table or partition that holds, as JSON, what Glue told of it and the catalog has no place for.
pub const KEPT: &str = "glaux.glue";

/// Fields of Glue's that are not the catalog's.
type Rest = Map<String, Value>;

/// What is kept of a definition, by the part of it that it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Kept {
    /// Of the table, the partition or the database itself.
    #[serde(skip_serializing_if = "Map::is_empty")]
    own: Rest,
    #[serde(skip_serializing_if = "Map::is_empty")]
    storage_descriptor: Rest,
    #[serde(skip_serializing_if = "Map::is_empty")]
    serde_info: Rest,
    /// By the column's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<String, Rest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partition_keys: BTreeMap<String, Rest>,
    /// Of what a view's text holds.
    #[serde(skip_serializing_if = "Map::is_empty")]
    view: Rest,
}

impl Kept {
    /// What these properties hold.
    ///
    /// # Errors
    /// `CorruptData` if it is not what was kept.
    fn of(properties: &Properties) -> Result<Self> {
        let Some(text) = properties.get(KEPT) else { return Ok(Self::default()) };
        serde_json::from_str(text).map_err(|error| {
            Error::corrupt(format!("property \"{KEPT}\" does not decode"))
                .with_hint("Remove the property; what it kept of Glue's is lost then")
                .with_source(error)
        })
    }

    fn put(&self, properties: &mut Properties) -> Result<()> {
        if *self != Self::default() {
            let text = serde_json::to_string(self)
                .map_err(|error| Error::internal("what is kept does not encode").with_source(error))?;
            properties.insert(KEPT.to_owned(), text);
        }
        Ok(())
    }
}

/// The fields that say something: not null, not empty, and not what Glue writes where nothing was said.
fn telling(rest: Rest) -> Rest {
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.values().all(is_empty),
            _ => false,
        }
    }
    let says = |key: &str, value: &Value| match key {
        "Retention" => *value != 0,
        "Compressed" | "StoredAsSubDirectories" | "IsRegisteredWithLakeFormation" | "IsMultiDialectView" => {
            *value != Value::Bool(false)
        }
        _ => !is_empty(value),
    };
    rest.into_iter().filter(|(key, value)| says(key, value)).collect()
}
