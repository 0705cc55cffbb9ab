//! A table or view, with the version that every change raises.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Column, Properties, StorageDescriptor};
use crate::ident::TableName;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TableType {
    ExternalTable,
    VirtualView,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: TableName,
    /// Assigned by the metastore; constant for the life of the table, and never reused.
    pub id: i64,
    /// Assigned by the metastore; raised by every change of the table or of its partitions.
    pub version: i64,
    pub table_type: TableType,
    pub storage: StorageDescriptor,
    /// `PARTITIONED BY`, outermost first.
    pub partition_keys: Vec<Column>,
    pub comment: Option<String>,
    /// `TBLPROPERTIES`, Glue's `Parameters`.
    pub properties: Properties,
    /// The query of a view, as written.
    pub view_text: Option<String>,
    /// The database that was current when the view was created: unqualified names in `view_text` belong to it.
    #[serde(default)]
    pub view_database: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Table {
    /// An external table that is not stored yet.
    #[must_use]
    pub fn external(name: TableName, storage: StorageDescriptor, partition_keys: Vec<Column>, created_at: DateTime<Utc>) -> Self {
        Self {
            name,
            id: 0,
            version: 0,
            table_type: TableType::ExternalTable,
            storage,
            partition_keys,
            comment: None,
            properties: Properties::new(),
            view_text: None,
            view_database: None,
            created_at,
            updated_at: created_at,
        }
    }

    #[must_use]
    pub fn is_view(&self) -> bool {
        self.table_type == TableType::VirtualView
    }

    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        !self.partition_keys.is_empty()
    }

    /// Data columns and then partition keys: the order of `SELECT *`.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.storage.columns.iter().chain(&self.partition_keys)
    }

    /// The location with exactly one `/` at its end.
    #[must_use]
    pub fn root(&self) -> String {
        format!("{}/", self.storage.location.trim_end_matches('/'))
    }
}
