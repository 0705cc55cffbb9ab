//! Definitions as the JSON of AWS Glue: its documents (`document`), read as definitions of the catalog (`read`) and written from them (`write`),
//! and Athena's views in them (`view`).
//!
//! Fields that only Glue has are kept with the definition, as JSON in the property [`KEPT`], and written back. Nothing here calls Glue or changes a
//! catalog; locations and the SQL of views are not changed.

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

/// The property of a definition with the fields that only Glue has, as JSON.
pub const KEPT: &str = "glaux.glue";

/// Fields that only Glue has.
type Rest = Map<String, Value>;

/// The fields of a definition that only Glue has, by the part of the definition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Kept {
    /// Those of the table, partition or database itself.
    #[serde(skip_serializing_if = "Map::is_empty")]
    own: Rest,
    #[serde(skip_serializing_if = "Map::is_empty")]
    storage_descriptor: Rest,
    #[serde(skip_serializing_if = "Map::is_empty")]
    serde_info: Rest,
    /// By the name of the column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<String, Rest>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partition_keys: BTreeMap<String, Rest>,
    /// Those in the text of a view.
    #[serde(skip_serializing_if = "Map::is_empty")]
    view: Rest,
}

impl Kept {
    /// The fields kept in these properties.
    ///
    /// # Errors
    /// `CorruptData` if they cannot be decoded.
    fn of(properties: &Properties) -> Result<Self> {
        let Some(text) = properties.get(KEPT) else { return Ok(Self::default()) };
        serde_json::from_str(text).map_err(|error| {
            Error::corrupt(format!("property \"{KEPT}\" cannot be decoded"))
                .with_hint("Remove the property; the fields of Glue that it kept are lost then")
                .with_source(error)
        })
    }

    fn put(&self, properties: &mut Properties) -> Result<()> {
        if *self != Self::default() {
            let text = serde_json::to_string(self)
                .map_err(|error| Error::internal("the fields of Glue could not be encoded").with_source(error))?;
            properties.insert(KEPT.to_owned(), text);
        }
        Ok(())
    }
}

/// The fields with information: those that are neither null, nor empty, nor the default that Glue writes.
fn informative(rest: Rest) -> Rest {
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.values().all(is_empty),
            _ => false,
        }
    }
    let is_informative = |key: &str, value: &Value| match key {
        "Retention" => *value != 0,
        "Compressed" | "StoredAsSubDirectories" | "IsRegisteredWithLakeFormation" | "IsMultiDialectView" => {
            *value != Value::Bool(false)
        }
        _ => !is_empty(value),
    };
    rest.into_iter().filter(|(key, value)| is_informative(key, value)).collect()
}
