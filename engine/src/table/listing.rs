//! The data files of the matching partitions, by the table's listing policy: listed now, so that a new file appears in the next query; cached
//! from an earlier query; or from the catalog's snapshot, without a request.
//!
//! A file counts if it holds bytes and no part of its path below the partition's location begins with `_` or `.`; sub-folders count, as
//! in Athena. What a snapshot or an earlier listing does not know is listed.

mod chunk;
mod cover;
mod kept;
mod live;
mod policy;
mod refresh;
mod snapshot;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use glaux_catalog::{Metastore, model::Table, partition::PartitionIndex};
use object_store::ObjectMeta;

use self::{
    chunk::Recorded,
    kept::KeptFiles,
    live::{Live, Opened},
    snapshot::Snapshot,
};
pub(crate) use self::{
    kept::KeptListings,
    policy::{LISTING, ListingPolicy},
    refresh::{Refreshed, refresh},
};
use crate::{clock::Clock, error::Result, scan::DataFile, storage::QueryStores};

/// How a query comes to know the files of its tables.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub stores: Arc<QueryStores>,
    /// The catalog, as the session's user may see it.
    pub metastore: Arc<dyn Metastore>,
    pub kept: Arc<KeptListings>,
    pub clock: Arc<dyn Clock>,
    /// The session's policy, in place of the tables'.
    pub policy: Option<ListingPolicy>,
    /// Pages asked for at once.
    pub concurrency: usize,
}

impl Listing {
    /// The files of the partitions at `survivors`, or of the whole table if it has no partition keys, by partition and path.
    ///
    /// # Errors
    /// Those of the stores, naming the location; `Invalid` for a table property that names no policy; `CorruptData` for a damaged snapshot.
    pub(crate) async fn files(&self, table: &Table, index: &PartitionIndex, survivors: &[u32]) -> Result<Vec<DataFile>> {
        let policy = ListingPolicy::of(table, self.policy)?;
        let told = self.stores.meter().listing();
        told.policy(policy.name());
        let wanted: &[u32] = if table.is_partitioned() { survivors } else { &[0] };
        let mut files = Vec::new();
        let rest = match policy {
            ListingPolicy::Live => wanted.to_vec(),
            ListingPolicy::Ttl(_) => self.kept_files(table, index, wanted, policy, &mut files)?,
            ListingPolicy::Snapshot => self.recorded_files(table, index, wanted, &mut files).await?,
        };
        if !rest.is_empty() {
            told.live(rest.len() as u64);
            let listed = self.live_files(table, index, &rest).await?;
            if let ListingPolicy::Ttl(_) = policy {
                self.keep(table, index, &rest, &listed);
            }
            files.extend(listed);
        }
        if rest.len() < wanted.len() {
            files.sort_unstable_by(|a, b| (a.partition, &a.meta.location).cmp(&(b.partition, &b.meta.location)));
        }
        Ok(files)
    }

    /// What is there now.
    async fn live_files(&self, table: &Table, index: &PartitionIndex, rows: &[u32]) -> Result<Vec<DataFile>> {
        let files = self.kept.fullness(table.id);
        let live = Live { stores: &self.stores, table, index, concurrency: self.concurrency, files };
        if !table.is_partitioned() {
            return live.table().await;
        }
        let (files, learned) = live.rows(rows).await?;
        if let Some(learned) = learned {
            self.kept.set_fullness(table.id, learned);
        }
        Ok(files)
    }

    /// Adds the files that are known from queries before, and gives the rows whose files are not, or no longer.
    fn kept_files(
        &self,
        table: &Table,
        index: &PartitionIndex,
        rows: &[u32],
        policy: ListingPolicy,
        files: &mut Vec<DataFile>,
    ) -> Result<Vec<u32>> {
        let ListingPolicy::Ttl(ttl) = policy else { return Ok(rows.to_vec()) };
        let (now, told) = (self.clock.now(), self.stores.meter().listing());
        let is_fresh = |kept: &Arc<KeptFiles>| is_fresh(kept.listed_at, now, ttl);
        let mut rest = Vec::new();
        let mut places = Places::new(self, table);
        for row in rows {
            match self.kept.get(table.id, &location(table, index, *row)).filter(is_fresh) {
                Some(kept) => {
                    told.kept(1, kept.listed_at);
                    places.add(index, *row, &kept.files, files)?;
                }
                None => rest.push(*row),
            }
        }
        Ok(rest)
    }

    fn keep(&self, table: &Table, index: &PartitionIndex, rows: &[u32], files: &[DataFile]) {
        let listed_at = self.clock.now();
        for row in rows {
            let start = files.partition_point(|file| file.partition < *row);
            let of_row = files[start..].iter().take_while(|file| file.partition == *row);
            let kept = KeptFiles { files: of_row.map(|file| file.meta.clone()).collect(), listed_at };
            self.kept.put(table.id, location(table, index, *row), kept);
        }
    }

    /// The rows of partitions of which nothing is recorded.
    ///
    /// # Errors
    /// `CorruptData` for a damaged snapshot.
    pub(crate) async fn unrecorded(&self, table: &Table, index: &PartitionIndex) -> Result<Vec<u32>> {
        let all: Vec<u32> = (0..index.len()).filter_map(|row| u32::try_from(row).ok()).collect();
        let Some(snapshot) = Snapshot::open(self.metastore.as_ref(), &self.kept, table).await? else { return Ok(all) };
        let mut unknown = Vec::new();
        let named = all.iter().map(|row| (*row, index.name(*row as usize)));
        let each = |row: u32, recorded: Option<&Recorded>| unknown.extend(recorded.is_none().then_some(row));
        snapshot.look_up(named, each).await?;
        Ok(unknown)
    }

    /// Adds the files that the snapshot tells, and gives the rows of which it tells nothing.
    async fn recorded_files(
        &self,
        table: &Table,
        index: &PartitionIndex,
        rows: &[u32],
        files: &mut Vec<DataFile>,
    ) -> Result<Vec<u32>> {
        let Some(snapshot) = Snapshot::open(self.metastore.as_ref(), &self.kept, table).await? else {
            return Ok(rows.to_vec());
        };
        let told = self.stores.meter().listing();
        let mut rest = Vec::new();
        let mut places = Places::new(self, table);
        let mut outcome = Ok(());
        let named = rows.iter().map(|row| (*row, index.name(*row as usize)));
        let each = |row: u32, recorded: Option<&Recorded>| {
            // One that was moved since lies elsewhere.
            let own_location = index.own_location(row as usize);
            match recorded.filter(|recorded| recorded.own_location.as_deref() == own_location) {
                Some(recorded) => {
                    told.snapshot(1, recorded.taken_at);
                    if outcome.is_ok() {
                        outcome = places.add(index, row, &recorded.files, files);
                    }
                }
                None => rest.push(row),
            }
        };
        snapshot.look_up(named, each).await?;
        outcome.map(|()| rest)
    }
}

/// Whether a listing is still good. One of a time to come is not: the clock was set back.
fn is_fresh(listed_at: DateTime<Utc>, now: DateTime<Utc>, ttl: Duration) -> bool {
    (now - listed_at).to_std().is_ok_and(|age| age < ttl)
}

/// Where the files of a row are: the partition's location, or the table's.
fn location(table: &Table, index: &PartitionIndex, row: u32) -> String {
    if table.is_partitioned() { index.location(row as usize, &table.root()) } else { table.root() }
}

/// Opens the stores of files whose keys are known; that of the table's root once.
struct Places<'a> {
    listing: &'a Listing,
    table: &'a Table,
    root: Option<Opened>,
}

impl<'a> Places<'a> {
    fn new(listing: &'a Listing, table: &'a Table) -> Self {
        Self { listing, table, root: None }
    }

    fn add(&mut self, index: &PartitionIndex, row: u32, metas: &[ObjectMeta], files: &mut Vec<DataFile>) -> Result<()> {
        if let Some(own) = index.own_location(row as usize) {
            let opened = Opened::new(&self.listing.stores, own)?;
            return opened.take(self.table, metas, row, files);
        }
        let opened = match &mut self.root {
            Some(opened) => opened,
            none => none.insert(Opened::new(&self.listing.stores, &self.table.root())?),
        };
        opened.take(self.table, metas, row, files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_good_for_its_time() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let minute = Duration::from_secs(60);
        assert!(is_fresh(at(100), at(100), minute) && is_fresh(at(100), at(159), minute));
        assert!(!is_fresh(at(100), at(160), minute));
        assert!(!is_fresh(at(100), at(99), minute));
        assert!(!is_fresh(at(100), at(100), Duration::ZERO));
    }
}
