//! The engine's settings: plain numbers and paths, read from a file or set by an embedding program. Live objects are passed as `Parts`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use glaux_catalog::model::Access;
use serde::{Deserialize, Serialize};

use crate::{
    accounting::{DEFAULT_TARIFF, TariffOptions},
    lifecycle::HistoryOptions,
    storage::{DataCacheOptions, StorageOptions},
};
pub use crate::{hooks::HookOptions, scan::FetchOptions};

/// How an engine is opened. Every field has a default, so that `EngineOptions::default()` opens `./glaux-data`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Catalog, history and spill files live here.
    pub data_dir: PathBuf,
    /// Bytes that all queries together may hold in memory before they spill; absent means 70 % of the machine's.
    pub memory_limit: Option<u64>,
    /// Bytes that spilling may write to disk.
    pub spill_limit: u64,
    /// Streams that one query decodes in parallel; absent means one a core.
    pub parallelism: Option<usize>,
    /// Queries that run at the same time; more wait.
    pub max_concurrent_queries: usize,
    /// Listing requests of one query in flight.
    pub listing_concurrency: usize,
    /// Bytes of decoded footers kept in memory.
    pub footer_cache_bytes: u64,
    /// Bytes of footers kept on disk, below the data directory, so that a restarted process does not read them again.
    pub footer_disk_bytes: u64,
    pub fetch: FetchOptions,
    pub data_cache: DataCacheOptions,
    pub history: HistoryOptions,
    /// What users who are not administrators may do where nothing is granted: `none`, `read` or `write`.
    pub default_access: Access,
    pub locations: LocationOptions,
    /// What workgroups may have called when their budgets run low, by name.
    #[serde(skip)]
    pub hooks: BTreeMap<String, HookOptions>,
    /// The name of the tariff by which queries are billed whose workgroup names no other.
    pub tariff: String,
    /// Versions of tariffs, by name, besides those that are built in.
    pub tariffs: BTreeMap<String, Vec<TariffOptions>>,
    pub storage: StorageOptions,
}

/// Which locations tables, partitions, databases, ingest and crawls may name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocationOptions {
    /// URLs and paths below which users who are not administrators may name locations, besides their databases' own and the folders `lake` and
    /// `warehouse` of the data directory.
    pub allowed: Vec<String>,
    /// Whether administrators may name files of this machine that are not below `allowed`. Absent: yes; a server says no.
    pub file: Option<bool>,
    /// The same for `http://` and `https://`.
    pub http: Option<bool>,
    /// Files and folders that no statement reaches, besides the data directory's own.
    #[serde(skip)]
    pub closed: Vec<PathBuf>,
}

impl From<PathBuf> for EngineOptions {
    /// The defaults over this data directory.
    fn from(data_dir: PathBuf) -> Self {
        Self { data_dir, ..Self::default() }
    }
}

impl From<&Path> for EngineOptions {
    fn from(data_dir: &Path) -> Self {
        data_dir.to_path_buf().into()
    }
}

impl From<&str> for EngineOptions {
    fn from(data_dir: &str) -> Self {
        PathBuf::from(data_dir).into()
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./glaux-data"),
            memory_limit: None,
            spill_limit: 100 << 30,
            parallelism: None,
            max_concurrent_queries: 16,
            listing_concurrency: 128,
            footer_cache_bytes: 128 << 20,
            footer_disk_bytes: 1 << 30,
            fetch: FetchOptions::default(),
            data_cache: DataCacheOptions::default(),
            history: HistoryOptions::default(),
            default_access: Access::Read,
            locations: LocationOptions::default(),
            hooks: BTreeMap::new(),
            tariff: DEFAULT_TARIFF.to_owned(),
            tariffs: BTreeMap::new(),
            storage: StorageOptions::default(),
        }
    }
}
