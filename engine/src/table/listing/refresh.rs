//! `REFRESH TABLE`: lists a table's files, or those of some partitions, and records them for queries that do not list.

use glaux_catalog::{model::Table, partition::PartitionIndex};

use super::{DataFile, Listing, ListingPolicy, chunk::Recorded, snapshot};
use crate::error::Result;

/// What a refresh did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refreshed {
    /// The table is listed at each query: there is nothing to renew.
    Nothing,
    /// What was kept of listings is forgotten: the next query lists.
    Forgotten,
    /// So many files of so many partitions (or of the table) were recorded.
    Recorded { partitions: usize, files: usize },
}

/// Renews what queries go by, for the partitions at these rows of the index, ascending; all of the table without them.
///
/// # Errors
/// Those of listing and of the metastore. Then what was recorded before stays.
pub(crate) async fn refresh(listing: &Listing, table: &Table, index: &PartitionIndex, rows: Option<&[u32]>) -> Result<Refreshed> {
    listing.kept.forget(table.id);
    match ListingPolicy::of(table, listing.policy)? {
        ListingPolicy::Live => return Ok(Refreshed::Nothing),
        ListingPolicy::Ttl(_) => return Ok(Refreshed::Forgotten),
        ListingPolicy::Snapshot => {}
    }
    let taken_at = listing.clock.now();
    let all: Vec<u32>;
    let wanted = match rows {
        Some(rows) => rows,
        None => {
            all = if table.is_partitioned() {
                (0..index.len()).filter_map(|row| u32::try_from(row).ok()).collect()
            } else {
                vec![0]
            };
            &all
        }
    };
    let files = listing.live_files(table, index, wanted).await?;
    let count = files.len();
    let mut files = files.into_iter().peekable();
    let record = |row: &u32| {
        let mut of_row = Vec::new();
        while let Some(DataFile { meta, .. }) = files.next_if(|file| file.partition <= *row) {
            of_row.push(meta);
        }
        Recorded {
            partition: index.name(*row as usize).to_owned(),
            own_location: index.own_location(*row as usize).map(str::to_owned),
            taken_at,
            files: of_row,
        }
    };
    let records: Vec<Recorded> = wanted.iter().map(record).collect();
    let partitions = records.len();
    let metastore = listing.metastore.as_ref();
    match rows {
        None => snapshot::replace(metastore, table, records).await?,
        Some(_) => snapshot::update(metastore, &listing.kept, table, records).await?,
    }
    Ok(Refreshed::Recorded { partitions, files: count })
}
