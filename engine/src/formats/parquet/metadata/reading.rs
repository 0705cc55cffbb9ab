//! How a table's files are read: which of a file's columns are the table's.

use std::sync::Arc;

use glaux_catalog::{HiveType, model::Table};

/// How the columns of a table's files are read: by name, whatever the case, and each as the file has it, unless it is said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// The table's columns, where they are found by position.
    pub positions: Option<Arc<[String]>>,
    /// The table's columns of text: what a file has of them as plain bytes is text, and checked as such.
    pub texts: Arc<[String]>,
}

impl Reading {
    /// As the table's SerDe and columns say.
    pub(crate) fn of(table: &Table) -> Self {
        let columns = || table.storage.columns.iter();
        let is_text = |hive_type: &HiveType| matches!(hive_type, HiveType::String | HiveType::Varchar(_) | HiveType::Char(_));
        let access = table.storage.serde.properties.get("parquet.column.index.access");
        let is_by_position = access.is_some_and(|access| access == "true");
        Self {
            positions: is_by_position.then(|| columns().map(|column| column.name.clone()).collect()),
            texts: columns().filter(|column| is_text(&column.hive_type)).map(|column| column.name.clone()).collect(),
        }
    }
}
