//! Updates the catalog's partitions from storage: walks, compares page by page, and commits in batches while the walk goes on.
//!
//! Each batch is one transaction, so that a repair that is cancelled has added what it reported, and the next one adds the rest. Directories that are
//! not partitions are attached to the table (`findings`), and so are the ranges in which its keys were listed, for the next repair.

mod compare;
mod outcome;

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering::Relaxed,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};

use self::compare::Comparison;
pub use self::outcome::{Named, RepairProgress, Repaired};
use super::{
    directory::Ignored,
    findings,
    store::{ListRequest, OpenLocation, StoreProvider},
    walk::{Walk, WalkOptions},
};
use crate::{
    error::Result,
    metastore::{Attachments, Definitions, DropPartition, Metastore, PartitionChange, PartitionChangeSummary},
    model::{Attachment, Partition, Table},
    partition::{HIVE_DEFAULT_PARTITION, PartitionIndex},
};

/// New partitions that make a batch worth its transaction while the walk goes on.
const BATCH_FROM: usize = 8192;
/// Partitions of one batch, at most.
const BATCH_MOST: usize = 65_536;

/// The attachment with the ranges of the last complete walk.
const RANGES: &str = "repair/ranges";
/// The prefix of all attachments of repairs.
const KEPT: &str = "repair/";

/// What a repair changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RepairMode {
    /// Adds partitions that exist only in storage, as Athena does.
    #[default]
    Add,
    /// Drops partitions that exist only in the catalog.
    Drop,
    /// Both.
    Sync,
}

/// How to repair.
#[derive(Debug, Clone)]
pub struct RepairOptions {
    pub mode: RepairMode,
    /// Only what comes after the greatest known partition. Missing partitions are not found then.
    pub tail: bool,
    /// Concurrent listings.
    pub concurrency: usize,
    /// Partitions of each kind that are named in the result; all are counted.
    pub named: usize,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self { mode: RepairMode::Add, tail: false, concurrency: 64, named: 1000 }
    }
}

/// Repairs a table.
///
/// # Errors
/// Those of the store and of the metastore; `Conflict` if the table's location changes in the meantime. What was committed before stays.
pub async fn repair(
    metastore: &dyn Metastore,
    stores: &dyn StoreProvider,
    table: &Table,
    options: &RepairOptions,
    progress: &RepairProgress,
    now: DateTime<Utc>,
) -> Result<Repaired> {
    let location = stores.open(&table.storage.location)?;
    let kept = metastore.attachments(table, KEPT).await?;
    let mut walk_options = WalkOptions { concurrency: options.concurrency, ..WalkOptions::default() };
    let (mut walk, index) = if options.tail {
        let index = metastore.partition_index(table).await?;
        walk_options.after = greatest(&index);
        (Walk::new(&location, &table.partition_keys, walk_options), index)
    } else {
        walk_options.remembered = kept.iter().find(|kept| kept.name == RANGES).map(|ranges| ranges.bytes.to_vec());
        let mut walk = Walk::new(&location, &table.partition_keys, walk_options);
        // The index is read while the first pages are requested.
        walk.send();
        (walk, metastore.partition_index(table).await?)
    };
    let comparison = Comparison::new(table, stores, &index, now);
    let mut run = Run { definitions: metastore, table, options, progress, comparison };
    run.add_found(&mut walk).await?;
    let mut repaired = Repaired { pages: walk.pages(), ..Repaired::default() };
    if !options.tail {
        let drops = options.mode != RepairMode::Add;
        let mut gone = run.comparison.gone();
        if drops {
            gone.extend(run.gone_elsewhere(stores).await?);
            gone.sort_unstable();
        }
        let names = gone.iter().take(options.named).map(|row| index.name(*row)).collect();
        repaired.missing_from_storage = Named { names, count: gone.len() };
        if drops {
            run.drop_rows(&index, &gone).await?;
        }
    }
    repaired.missing_in_metastore = run.comparison.new_partitions(options.named);
    repaired.ignored = run.comparison.into_ignored();
    if !options.tail {
        keep(metastore, table, &kept, walk.finish(), &repaired.ignored, now).await?;
    }
    Ok(repaired)
}

/// The greatest partition in the order of keys, of those at their default location, without those of NULLs: these sort after all future values.
fn greatest(index: &PartitionIndex) -> Option<String> {
    let named = index.names().enumerate();
    let usual = named.filter(|(row, name)| index.own_location(*row).is_none() && !name.contains(HIVE_DEFAULT_PARTITION));
    let greatest = usual.map(|(_, name)| name + "/").max()?;
    Some(greatest.trim_end_matches('/').to_owned())
}

/// A running repair.
struct Run<'a> {
    definitions: &'a dyn Definitions,
    table: &'a Table,
    options: &'a RepairOptions,
    progress: &'a RepairProgress,
    comparison: Comparison<'a>,
}

impl<'a> Run<'a> {
    /// Walks to the end, and adds new partitions on the way, if the repair adds.
    async fn add_found(&mut self, walk: &mut Walk) -> Result<()> {
        let adds = self.options.mode != RepairMode::Drop;
        let mut writing: Option<BoxFuture<'a, Result<PartitionChangeSummary>>> = None;
        loop {
            if writing.is_none() && adds && self.comparison.pending() >= BATCH_FROM {
                writing = Some(self.write());
            }
            let piece = match &mut writing {
                None => walk.next().await?,
                Some(batch) => tokio::select! {
                    written = batch => {
                        self.written(written?);
                        writing = None;
                        continue;
                    }
                    piece = walk.next() => piece?,
                },
            };
            let Some(piece) = piece else { break };
            self.progress.found.fetch_add(piece.found.len() as u64, Relaxed);
            self.comparison.take(piece);
        }
        if let Some(batch) = writing {
            self.written(batch.await?);
        }
        self.comparison.settle();
        while adds && self.comparison.pending() > 0 {
            let batch = self.write();
            self.written(batch.await?);
        }
        Ok(())
    }

    /// Commits the next batch. Partitions that another repair has added in the meantime are skipped.
    fn write(&mut self) -> BoxFuture<'a, Result<PartitionChangeSummary>> {
        let add: Vec<Partition> = self.comparison.next_batch(BATCH_MOST);
        self.definitions.change_partitions(self.table, PartitionChange { add, skip_existing: true, ..PartitionChange::default() })
    }

    fn written(&self, summary: PartitionChangeSummary) {
        self.progress.added.fetch_add(summary.added as u64, Relaxed);
        self.progress.dropped.fetch_add(summary.dropped as u64, Relaxed);
    }

    /// The rows whose own locations do not exist. Those that the walk has seen are not listed.
    async fn gone_elsewhere(&self, stores: &dyn StoreProvider) -> Result<Vec<usize>> {
        // Several may have one location.
        let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, location) in self.comparison.unseen_elsewhere() {
            rows.entry(location).or_default().push(row);
        }
        let asked = rows.into_iter().map(|(location, rows)| async move {
            let is_there = is_there(&stores.open(&location)?).await?;
            Ok(if is_there { Vec::new() } else { rows })
        });
        let answers = stream::iter(asked).buffer_unordered(self.options.concurrency.max(1));
        answers.try_concat().await
    }

    /// Drops rows. If another directory has the values of a row, a repair that adds replaces the partition by that one.
    async fn drop_rows(&mut self, index: &PartitionIndex, rows: &[usize]) -> Result<()> {
        let mut moved = match self.options.mode {
            RepairMode::Sync => self.comparison.moved(rows),
            _ => HashMap::new(),
        };
        for rows in rows.chunks(BATCH_MOST) {
            let drop = |row: &usize| DropPartition { values: index.raw_values(*row), if_exists: true };
            let change = PartitionChange {
                drop: rows.iter().map(drop).collect(),
                add: rows.iter().filter_map(|row| moved.remove(row)).collect(),
                ..PartitionChange::default()
            };
            self.written(self.definitions.change_partitions(self.table, change).await?);
        }
        Ok(())
    }
}

/// Whether a location exists as a directory, as in a walk: a key is in it, or is its marker, or it is a directory on a disk. A file does not count.
async fn is_there(location: &OpenLocation) -> Result<bool> {
    let directory = format!("{}/", location.prefix);
    let mut request = match location.prefix.is_empty() {
        true => ListRequest::default(),
        // By its name without a slash, as a marker alone is listed as a directory only then. It may be a link, wherever that leads.
        false => ListRequest {
            prefix: location.prefix.clone(),
            delimited: true,
            within: Some(String::new()),
            ..ListRequest::default()
        },
    };
    loop {
        let page = location.lister.page(request.clone()).await?;
        let is_found = match location.prefix.is_empty() {
            true => !page.objects.is_empty(),
            false => page.prefixes.contains(&directory),
        };
        if is_found || page.next_token.is_none() {
            return Ok(is_found);
        }
        request.token = page.next_token;
    }
}

/// Attaches what the walk learned to the table, where it differs from what is attached.
async fn keep(
    attachments: &dyn Attachments,
    table: &Table,
    kept: &[Attachment],
    ranges: Option<Vec<u8>>,
    ignored: &[Ignored],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut changes = vec![(RANGES.to_owned(), ranges.map(Bytes::from))];
    changes.extend(findings::encode(ignored, now, kept)?);
    changes.retain(|(name, bytes)| {
        let before = kept.iter().find(|kept| kept.name == *name).map(|kept| &kept.bytes);
        before != bytes.as_ref()
    });
    if changes.is_empty() { Ok(()) } else { attachments.set_attachments(table, changes).await }
}
