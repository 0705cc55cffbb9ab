//! The settings of a workgroup as they are stored: one JSON document.

use serde::{Deserialize, Serialize};

/// All of them are optional; [`super::WORKGROUP_SETTINGS`] has their types, bounds and meanings. A document with a setting that this release does not know
/// is refused: a limit that is not known cannot be enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkgroupSettings {
    pub result_location: Option<String>,
    pub tariff: Option<String>,
    pub bytes_scanned_cutoff_per_query: Option<u64>,
    pub refuse_over_quote: Option<bool>,
    /// An exact decimal.
    pub budget_per_day_usd: Option<String>,
    /// An exact decimal.
    pub budget_per_month_usd: Option<String>,
    /// In per cent, ascending.
    pub budget_warning_levels: Vec<u8>,
    pub budget_hard_stop: Option<bool>,
    pub hook: Option<String>,
    pub max_concurrent_queries: Option<u32>,
    pub max_queued_queries: Option<u32>,
    pub timeout_ms: Option<u64>,
    pub memory_limit: Option<u64>,
    pub dialect: Option<String>,
    pub require_partition_filter: Option<bool>,
    pub allowed_users: Vec<String>,
    pub allowed_groups: Vec<String>,
    pub enforce: Option<bool>,
}
