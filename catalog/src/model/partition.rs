//! A Hive partition: a tuple of raw values, with its own location, columns and SerDe if they differ from the table's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Column, Properties, SerDe};

/// One raw, unescaped string for each partition key; `None` is Hive's `__HIVE_DEFAULT_PARTITION__`, SQL's NULL.
pub type PartitionValues = Vec<Option<String>>;

/// The identity of a partition is its raw values: `month=01` and `month=1` are two partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    pub values: PartitionValues,
    /// The URL, if it is not the default location, `table root + Hive name`.
    pub location: Option<String>,
    /// Own columns (after `ALTER TABLE ... PARTITION ... REPLACE COLUMNS`); `None` means the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    /// Own SerDe; `None` means the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serde: Option<SerDe>,
    #[serde(default)]
    pub properties: Properties,
    pub created_at: DateTime<Utc>,
}

impl Partition {
    #[must_use]
    pub fn new(values: PartitionValues, created_at: DateTime<Utc>) -> Self {
        Self { values, location: None, columns: None, serde: None, properties: Properties::new(), created_at }
    }
}
