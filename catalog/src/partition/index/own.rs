//! What a partition has of its own.

use crate::model::{Column, SerDe};

/// A partition's own columns and SerDe, instead of its table's.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartitionOwn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serde: Option<SerDe>,
}
