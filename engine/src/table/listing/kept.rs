//! The listing cache of the process: the files of partitions for as long as a table's policy allows, parts of snapshots, and how many files
//! partitions have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use object_store::ObjectMeta;

use super::chunk::Chunk;

/// Bytes of listings, and of snapshots, that are kept.
const BYTES: u64 = 128 << 20;
/// Tables of which is remembered how many files their partitions hold.
const TABLES: u64 = 10_000;

/// The files at one location, and when they were listed.
#[derive(Debug)]
pub(super) struct KeptFiles {
    pub(super) files: Vec<ObjectMeta>,
    pub(super) listed_at: DateTime<Utc>,
}

/// Listings that are kept; of one process.
#[derive(Debug)]
pub(crate) struct KeptListings {
    /// By table, how often it was forgotten, and location.
    files: Cache<(i64, u64, String), Arc<KeptFiles>>,
    /// By table and name.
    chunks: Cache<(i64, String), Arc<Chunk>>,
    /// By table: files of a partition.
    fullness: Cache<i64, f64>,
    forgotten: Mutex<HashMap<i64, u64>>,
}

impl Default for KeptListings {
    fn default() -> Self {
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let of_files = move |key: &(i64, u64, String), kept: &Arc<KeptFiles>| {
            let file = |meta: &ObjectMeta| size_of::<ObjectMeta>() + meta.location.as_ref().len() + 40;
            size(key.2.len() + 64 + kept.files.iter().map(file).sum::<usize>())
        };
        Self {
            files: Cache::builder().max_capacity(BYTES).weigher(of_files).build(),
            chunks: Cache::builder().max_capacity(BYTES).weigher(move |_, chunk: &Arc<Chunk>| size(chunk.memory_size())).build(),
            fullness: Cache::new(TABLES),
            forgotten: Mutex::default(),
        }
    }
}

impl KeptListings {
    fn times_forgotten(&self, table: i64) -> u64 {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).get(&table).copied().unwrap_or_default()
    }

    pub(super) fn get(&self, table: i64, location: &str) -> Option<Arc<KeptFiles>> {
        self.files.get(&(table, self.times_forgotten(table), location.to_owned()))
    }

    pub(super) fn put(&self, table: i64, location: String, kept: KeptFiles) {
        self.files.insert((table, self.times_forgotten(table), location), Arc::new(kept));
    }

    /// Forgets the files of a table: the next query lists them.
    pub(crate) fn forget(&self, table: i64) {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).entry(table).or_default() += 1;
    }

    pub(super) fn chunk(&self, table: i64, name: &str) -> Option<Arc<Chunk>> {
        self.chunks.get(&(table, name.to_owned()))
    }

    pub(super) fn put_chunk(&self, table: i64, name: &str, chunk: &Arc<Chunk>) {
        self.chunks.insert((table, name.to_owned()), Arc::clone(chunk));
    }

    pub(super) fn fullness(&self, table: i64) -> Option<f64> {
        self.fullness.get(&table)
    }

    pub(super) fn set_fullness(&self, table: i64, files: f64) {
        self.fullness.insert(table, files);
    }
}
