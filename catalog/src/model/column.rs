//! A column of a table, a partition key, or a field.

use serde::{Deserialize, Serialize};

use crate::hive_type::HiveType;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Lower case.
    pub name: String,
    #[serde(rename = "type")]
    pub hive_type: HiveType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    pub fn new(name: impl Into<String>, hive_type: HiveType) -> Self {
        Self { name: name.into(), hive_type, comment: None }
    }
}
