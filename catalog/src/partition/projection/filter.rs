//! The filters of a query on one partition key.

/// The filters of a query on one key, as texts of the key: a value must satisfy all that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// The value is one of these.
    pub values: Option<Vec<String>>,
    /// The value is at least this.
    pub low: Option<String>,
    /// The value is at most this.
    pub high: Option<String>,
}
