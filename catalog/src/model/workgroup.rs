//! A workgroup: queries that share limits, a tariff, budgets and a queue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkgroupState {
    #[default]
    Enabled,
    Disabled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workgroup {
    pub name: String,
    pub description: Option<String>,
    pub created_at: DateTime<Utc>,
    pub state: WorkgroupState,
    pub settings: WorkgroupSettings,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkgroupSettings {
    pub result_location: Option<String>,
    pub tariff: Option<String>,
    pub bytes_scanned_cutoff_per_query: Option<u64>,
    pub refuse_over_quote: Option<bool>,
    pub budget_per_day_usd: Option<String>,
    pub budget_per_month_usd: Option<String>,
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
