//! Where the files of an ingest go: a partition's own location if it has one, or else its directory below the table's root.

use std::sync::Arc;

use glaux_catalog::{model::Table, partition::PartitionIndex};

use super::super::{
    table::{Place, Placement},
    upload::Publishing,
};
use crate::{
    error::{Error, ErrorKind, Result},
    formats::{self, OutputFormat},
    storage::{QueryStores, RealLocation},
};

/// The places of one table's partitions, and how files are written there.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) stores: Arc<QueryStores>,
    /// The table's root, with a slash at its end.
    pub(super) root: String,
    pub(super) index: Arc<PartitionIndex>,
    pub(super) format: Arc<dyn OutputFormat>,
    /// The table as it was found; none for a new one.
    pub(super) table: Option<Table>,
}

impl Placement for Places {
    fn place(&self, name: &str) -> Result<Place> {
        let row = self.index.find(name);
        let url = match row {
            Some(row) => self.index.location(row, &self.root),
            None => format!("{}{name}", self.root),
        };
        // A partition may be laid out otherwise than its table.
        let own = row.and_then(|row| self.index.own(row));
        let format = match (own, &self.table) {
            (Some(own), Some(table)) => {
                formats::output_of(table, Some(own)).map_err(|error| error.with_context("partition", name))?
            }
            _ => Arc::clone(&self.format),
        };
        let is_usual = row.is_none_or(|row| self.index.own_location(row).is_none());
        if is_usual && !RealLocation::of(&url)?.is_within(&RealLocation::of(&self.root)?) {
            return Err(Error::new(
                ErrorKind::Denied,
                format!("partition \"{name}\" is a link to outside of its table's location"),
            )
            .with_hint("Give the partition the location to which the link leads"));
        }
        place(&self.stores, &url, format)
    }
}

/// Opens a location for writing files of a format.
///
/// # Errors
/// `Unsupported` for plain HTTP; otherwise as opening it for reading.
pub(super) fn place(stores: &QueryStores, url: &str, format: Arc<dyn OutputFormat>) -> Result<Place> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Err(Error::unsupported(format!("files at \"{url}\" cannot be written"))
            .with_hint("Plain HTTP is read-only: keep the table in an object store or a folder"));
    }
    let location = stores.resolve(url)?;
    // What is being written to a disk is there under some name.
    let publishing = if location.store_url.as_str().starts_with("file:") { Publishing::Rename } else { Publishing::Completion };
    Ok(Place { store: location.store, directory: location.path, publishing, format })
}
