//! The arguments of `CALL system.crawl(...)`, and how they are written back.

use std::fmt::{self, Display, Formatter};

use crate::sql::quote::trino_string;

/// What a crawl does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrawlPolicy {
    /// Glue's `UPDATE_IN_DATABASE`: tables are created, columns added and widened, partitions added.
    #[default]
    Update,
    /// As [`CrawlPolicy::Update`], but columns that exist keep their types.
    AddColumns,
    /// Glue's `LOG`: nothing is changed.
    Log,
}

/// What a crawl does with what the catalog has and the lake no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrawlDeletions {
    /// Glue's `LOG`: it is told.
    #[default]
    Log,
    /// Glue's `DELETE_FROM_DATABASE`: it is removed from the catalog.
    Delete,
}

/// `CALL system.crawl(...)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crawl {
    pub url: String,
    /// The session's if absent.
    pub database: Option<String>,
    pub policy: CrawlPolicy,
    pub deletions: CrawlDeletions,
    /// Whether nothing is changed, and what would be is told.
    pub dry_run: bool,
    /// How many folders below the URL the tables are; absent, it is found out.
    pub table_level: Option<u32>,
    /// Files that are read of each partition; at least one.
    pub sample: u32,
    /// What the names of new tables begin with.
    pub table_prefix: String,
}

impl CrawlPolicy {
    /// By its own name or by Glue's, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().replace('-', "_").as_str() {
            "update" | "update_in_database" => Self::Update,
            "add_columns" => Self::AddColumns,
            "log" => Self::Log,
            _ => return None,
        })
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::AddColumns => "add-columns",
            Self::Log => "log",
        }
    }
}

impl CrawlDeletions {
    /// By its own name or by Glue's, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "log" => Self::Log,
            "delete" | "delete_from_database" => Self::Delete,
            _ => return None,
        })
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Delete => "delete",
        }
    }
}

impl Crawl {
    /// A crawl as it is without further arguments.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            database: None,
            policy: CrawlPolicy::default(),
            deletions: CrawlDeletions::default(),
            dry_run: false,
            table_level: None,
            sample: 1,
            table_prefix: String::new(),
        }
    }
}

impl Display for Crawl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CALL system.crawl({}", trino_string(&self.url))?;
        if let Some(database) = &self.database {
            write!(f, ", database => {}", trino_string(database))?;
        }
        if self.policy != CrawlPolicy::default() {
            write!(f, ", policy => {}", trino_string(self.policy.as_str()))?;
        }
        if self.deletions != CrawlDeletions::default() {
            write!(f, ", deletions => {}", trino_string(self.deletions.as_str()))?;
        }
        if self.dry_run {
            f.write_str(", dry_run => true")?;
        }
        if let Some(level) = self.table_level {
            write!(f, ", table_level => {level}")?;
        }
        if self.sample != 1 {
            write!(f, ", sample => {}", self.sample)?;
        }
        if !self.table_prefix.is_empty() {
            write!(f, ", table_prefix => {}", trino_string(&self.table_prefix))?;
        }
        f.write_str(")")
    }
}
