//! The footers, page indexes and bloom filters that are known: in memory, on disk (`kept`), or else read, once for all who want them.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use moka::future::Cache;
use parquet::file::metadata::ParquetMetaData;

use super::{
    decode::{self, TAIL},
    fault::corrupt,
    indexes::Indexes,
    reading::Reading,
    reads::MetadataReads,
};
use crate::{
    error::{Error, ErrorKind, Result},
    formats::parquet::{
        kept::{KeptFooter, KeptFooters, KeptKey},
        known::KnownFooter,
    },
    scan::DataFile,
    storage::ObjectVersion,
};

/// What is read of a file of a table nothing is known about.
pub(crate) const FIRST_READ: u64 = 64 << 10;

/// The most that is read at first, however long the footers of a table's other files are.
const LONGEST_FIRST_READ: u64 = 1 << 20;

/// A footer this many times as long as most is not expected.
const OUTLIER: u64 = 3;

/// Footers of a table whose lengths are remembered.
const REMEMBERED: usize = 128;

/// Files up to this size are read with one request, footer and data.
pub(crate) const SMALL_FILE: u64 = 512 << 10;

/// What the files of one scan have in common.
#[derive(Debug)]
pub(crate) struct TableFiles {
    /// The table's root, under which footer lengths are learned.
    pub root: Arc<str>,
    pub reading: Reading,
    /// How much to read of a footer at first, once it is settled for this scan: so that it reads the same whatever its streams' timing.
    pub first_read: OnceLock<u64>,
    /// Whether the first file's footer was read to learn that, and is not counted yet.
    pub learned: AtomicBool,
}

type Key = (ObjectVersion, Reading);

impl TableFiles {
    /// The bytes at the end of a file that are read at first, for its footer; the file has at least as many as that needs.
    pub(crate) fn first_bytes(&self, size: u64) -> u64 {
        self.first_read.get().copied().unwrap_or(FIRST_READ).clamp(TAIL, size)
    }
}

/// What is kept under a key, loaded once for all who want it at the same time. Where the query that loads it is stopped, another loads it.
async fn once<K, V, F>(cache: &Cache<K, V>, key: K, load: impl Fn() -> F) -> Result<V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Future<Output = Result<V>>,
{
    loop {
        let mut is_own = false;
        let loaded = cache.try_get_with(key.clone(), async {
            is_own = true;
            load().await
        });
        match loaded.await {
            Err(error) if !is_own && is_of_its_query(error.kind()) => {}
            loaded => return loaded.map_err(|error: Arc<Error>| Error::clone(&error)),
        }
    }
}

/// Whether an error says something of the query that met it, and nothing of what it wanted.
fn is_of_its_query(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Cancelled | ErrorKind::Aborted | ErrorKind::TimedOut | ErrorKind::LimitExceeded)
}

/// What is known of files, shared by all queries of an engine.
#[derive(Debug)]
pub(crate) struct Footers {
    footers: Cache<Key, Arc<KnownFooter>>,
    indexed: Cache<(Key, Indexes), Arc<ParquetMetaData>>,
    pieces: Cache<(ObjectVersion, Range<u64>), Bytes>,
    kept: Arc<KeptFooters>,
    /// The lengths of the footers last read of each table, by its root.
    learned: Mutex<HashMap<Arc<str>, VecDeque<u64>>>,
}

impl Footers {
    /// A cache of about that many bytes of memory, over what is kept on disk.
    #[must_use]
    pub(crate) fn new(capacity: u64, kept: Arc<KeptFooters>) -> Arc<Self> {
        let weight = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Arc::new(Self {
            footers: Cache::builder()
                .max_capacity(capacity / 2)
                .weigher(move |_, footer: &Arc<KnownFooter>| weight(footer.metadata().memory_size()))
                .build(),
            indexed: Cache::builder()
                .max_capacity(capacity / 4)
                .weigher(move |_, footer: &Arc<ParquetMetaData>| weight(footer.memory_size()))
                .build(),
            pieces: Cache::builder().max_capacity(capacity / 4).weigher(move |_, piece: &Bytes| weight(piece.len())).build(),
            kept,
            learned: Mutex::default(),
        })
    }

    /// How much to read at first of the files of a table; `None` if none was read yet.
    pub(crate) fn first_read(&self, table: &str) -> Option<u64> {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let lengths = learned.get(table)?;
        let mut lengths: Vec<u64> = lengths.iter().copied().collect();
        lengths.sort_unstable();
        // The longest, unless it stands out: one more request for that one is cheaper.
        let (longest, median) = (*lengths.last()?, lengths[lengths.len() / 2]);
        let expected = longest.min(median * OUTLIER);
        Some((expected + expected / 8).min(LONGEST_FIRST_READ))
    }

    /// The footer of a file if it is in memory.
    pub(crate) async fn known(&self, table: &TableFiles, file: &DataFile) -> Option<Arc<KnownFooter>> {
        self.footers.get(&(file.version(), table.reading.clone())).await
    }

    /// The footer of a file if it is in memory or on disk.
    pub(crate) async fn find(&self, table: &TableFiles, file: &DataFile) -> Option<Arc<KnownFooter>> {
        let key = (file.version(), table.reading.clone());
        if let Some(known) = self.footers.get(&key).await {
            return Some(known);
        }
        let known = self.kept_on_disk(table, file, &key.0).await?;
        self.footers.insert(key, Arc::clone(&known)).await;
        Some(known)
    }

    async fn kept_on_disk(&self, table: &TableFiles, file: &DataFile, version: &ObjectVersion) -> Option<Arc<KnownFooter>> {
        let kept = self.kept.get(&kept_key(version)).await?;
        let metadata = decode::footer(file, &kept.bytes, &table.reading).ok()?;
        let length = kept.bytes.len() as u64 + TAIL;
        self.learn(table, length);
        Some(Arc::new(KnownFooter::new(metadata, length)))
    }

    /// The footer of a file, fetched if it is not known, once for several callers at the same time, and whether it was known. A small file comes
    /// whole if it may.
    ///
    /// # Errors
    /// `CorruptData` or `Unsupported` (encrypted), naming the file; those of fetching.
    pub(crate) async fn open(
        &self,
        table: &TableFiles,
        file: &DataFile,
        reads: &MetadataReads,
    ) -> Result<(Arc<KnownFooter>, bool)> {
        let (version, was_known) = (&file.version(), &AtomicBool::new(true));
        let known = once(&self.footers, (version.clone(), table.reading.clone()), || async move {
            if let Some(known) = self.kept_on_disk(table, file, version).await {
                return Ok(known);
            }
            was_known.store(false, Relaxed);
            let thrift = self.read(table, file, reads).await?;
            let metadata = decode::footer(file, &thrift, &table.reading)?;
            let length = thrift.len() as u64 + TAIL;
            self.kept.put(kept_key(version), KeptFooter { bytes: thrift, indexes: None });
            Ok(Arc::new(KnownFooter::new(metadata, length)))
        });
        let known = known.await?;
        Ok((known, was_known.load(Relaxed)))
    }

    /// The footer with page indexes; as it is if the file has none, or they are not known and may not be read.
    ///
    /// # Errors
    /// As [`Footers::open`].
    pub(crate) async fn indexed(
        &self,
        table: &TableFiles,
        file: &DataFile,
        footer: &Arc<ParquetMetaData>,
        indexes: Indexes,
        reads: &MetadataReads,
    ) -> Result<Arc<ParquetMetaData>> {
        let Some(region) = indexes.region(footer) else { return Ok(Arc::clone(footer)) };
        if region.end > file.meta.size {
            return Err(corrupt(file, "its footer puts page indexes outside the file"));
        }
        reads.note(&region);
        let key = (file.version(), table.reading.clone());
        if indexes == Indexes::Offsets
            && let Some(metadata) = self.indexed.get(&(key.clone(), Indexes::All)).await
        {
            return Ok(metadata);
        }
        let (key, region) = ((key, indexes), &region);
        if !reads.may_fetch() && !self.has_indexes(&key, region).await {
            reads.lack();
            return Ok(Arc::clone(footer));
        }
        let loaded = once(&self.indexed, key, || async move {
            let kept_key = kept_key(&file.version());
            let kept = self.kept.get(&kept_key).await;
            let bytes = match kept.as_ref().and_then(|kept| held(kept, region)) {
                Some(bytes) => bytes,
                None => {
                    let bytes = reads.get(file, region.clone()).await?;
                    let kept = match kept {
                        Some(kept) => Some(kept),
                        // The footer was read a moment ago, and may be on its way to the disk.
                        None => {
                            self.kept.flush().await;
                            self.kept.get(&kept_key).await
                        }
                    };
                    if let Some(kept) = kept {
                        self.kept.put(kept_key, KeptFooter { bytes: kept.bytes, indexes: Some((region.start, bytes.clone())) });
                    }
                    bytes
                }
            };
            Ok(Arc::new(decode::indexed(file, footer, indexes, region.start, bytes)?))
        });
        loaded.await
    }

    /// Whether page indexes are in memory or on disk.
    async fn has_indexes(&self, key: &(Key, Indexes), region: &Range<u64>) -> bool {
        let ((version, _), _) = key;
        self.indexed.contains_key(key)
            || self.kept.get(&kept_key(version)).await.is_some_and(|kept| held(&kept, region).is_some())
    }

    /// A bloom filter, cached as the bytes it is; `None` if it is not known and may not be read.
    ///
    /// # Errors
    /// Those of fetching.
    pub(crate) async fn piece(&self, file: &DataFile, range: Range<u64>, reads: &MetadataReads) -> Result<Option<Bytes>> {
        reads.note(&range);
        let (key, range) = ((file.version(), range.clone()), &range);
        if !reads.may_fetch() {
            let known = self.pieces.get(&key).await;
            if known.is_none() {
                reads.lack();
            }
            return Ok(known);
        }
        let loaded = once(&self.pieces, key, || async move {
            // A copy, so that no larger buffer is kept alive by a slice of it.
            Ok(Bytes::copy_from_slice(&reads.get(file, range.clone()).await?))
        });
        loaded.await.map(Some)
    }

    fn learn(&self, table: &TableFiles, length: u64) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let lengths = learned.entry(Arc::clone(&table.root)).or_default();
        if lengths.len() >= REMEMBERED {
            lengths.pop_front();
        }
        lengths.push_back(length);
    }

    /// Reads a footer; its bytes without the tail.
    async fn read(&self, table: &TableFiles, file: &DataFile, reads: &MetadataReads) -> Result<Bytes> {
        let size = file.meta.size;
        if size < TAIL + 4 {
            return Err(corrupt(file, &format!("it has {size} bytes")));
        }
        let first = if reads.whole.is_some() { size } else { table.first_bytes(size) };
        let end = reads.fetch.fetch(file, std::slice::from_ref(&(size - first..size))).await?.pop().unwrap_or_default();
        let length = decode::footer_length(file, &end)?;
        self.learn(table, length + TAIL);
        if let Some(whole) = &reads.whole {
            // Of a file that is read for its data as well, only the footer is metadata.
            reads.scan.table().add_metadata(length + TAIL);
            // Somebody else may have read it meanwhile; then that is as good.
            let _ = whole.set((0, end.clone()));
        } else {
            reads.scan.table().add_metadata(first);
        }
        let missing = (length + TAIL).saturating_sub(first);
        if missing > 0 {
            let start = reads.get(file, size - length - TAIL..size - first).await?;
            let whole = [start.as_ref(), end.as_ref()].concat();
            return Ok(Bytes::from(whole).slice(..length as usize));
        }
        // A copy, so that the file is not kept alive by its footer.
        Ok(Bytes::copy_from_slice(&end[(first - length - TAIL) as usize..(first - TAIL) as usize]))
    }
}

/// The bytes of a region of page indexes, if they are kept.
fn held(kept: &KeptFooter, region: &Range<u64>) -> Option<Bytes> {
    let (offset, bytes) = kept.indexes.as_ref()?;
    let is_held = *offset <= region.start && region.end <= offset + bytes.len() as u64;
    is_held.then(|| bytes.slice((region.start - offset) as usize..(region.end - offset) as usize))
}

fn kept_key(version: &ObjectVersion) -> KeptKey {
    KeptKey { url: version.url.to_string(), size: version.size, version: version.version.to_string() }
}
