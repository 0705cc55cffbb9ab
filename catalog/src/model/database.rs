//! A database: a namespace of tables, with a comment, a location and properties, as in Glue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Properties;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Lower case.
    pub name: String,
    /// `COMMENT`, Glue's `Description`.
    pub comment: Option<String>,
    /// `LOCATION`, Glue's `LocationUri`.
    pub location: Option<String>,
    /// `DBPROPERTIES`, Glue's `Parameters`.
    pub properties: Properties,
    pub created_at: DateTime<Utc>,
}
