//! How statements name tables, views and partitions.

use std::fmt::{self, Display, Formatter};

use glaux_catalog::TableName;

use crate::sql::quote::{hive_name, hive_string};

/// A table or view as a statement names it. Athena's only catalog, `awsdatacatalog`, is accepted before it and not kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableRef {
    /// The session's database if absent.
    pub database: Option<String>,
    pub table: String,
}

/// `PARTITION (key = value, ...)`: the keys in the order of the statement, each with its literal's raw text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PartitionSpec(pub Vec<(String, String)>);

impl TableRef {
    /// The full name, with `database` where the statement has none.
    #[must_use]
    pub fn resolve(&self, database: &str) -> TableName {
        TableName::new(self.database.as_deref().unwrap_or(database), &self.table)
    }
}

impl Display for TableRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => write!(f, "{}.{}", hive_name(database), hive_name(&self.table)),
            None => f.write_str(&hive_name(&self.table)),
        }
    }
}

impl Display for PartitionSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|(key, value)| format!("{}={}", hive_name(key), hive_string(value))).collect();
        write!(f, "PARTITION ({})", pairs.join(", "))
    }
}
