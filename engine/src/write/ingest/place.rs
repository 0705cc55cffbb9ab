//! Where the files of an ingest go: a partition's own location if it has one, or else its directory below the table's root.

use std::sync::Arc;

use glaux_catalog::partition::PartitionIndex;

use super::super::{
    table::{Place, Placement},
    upload::Publishing,
};
use crate::{
    error::{Error, ErrorKind, Result},
    storage::{QueryStores, RealLocation},
};

/// The places of one table's partitions.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) stores: Arc<QueryStores>,
    /// The table's root, with a slash at its end.
    pub(super) root: String,
    pub(super) index: Arc<PartitionIndex>,
}

impl Placement for Places {
    fn place(&self, name: &str) -> Result<Place> {
        let url = match self.index.find(name) {
            Some(row) => {
                let is_parquet = |library: &str| library.to_ascii_lowercase().contains("parquet");
                if let Some(serde) = self.index.serde(row).filter(|serde| !is_parquet(&serde.library)) {
                    return Err(Error::unsupported(format!(
                        "partition \"{name}\" has a format that cannot be written: {}",
                        serde.library
                    ))
                    .with_hint("Only Parquet files are written"));
                }
                self.index.location(row, &self.root)
            }
            None => format!("{}{name}", self.root),
        };
        let is_usual = self.index.find(name).is_none_or(|row| self.index.own_location(row).is_none());
        if is_usual && !RealLocation::of(&url)?.is_within(&RealLocation::of(&self.root)?) {
            return Err(Error::new(
                ErrorKind::Denied,
                format!("partition \"{name}\" is a link to outside of its table's location"),
            )
            .with_hint("Give the partition the location to which the link leads"));
        }
        place(&self.stores, &url)
    }
}

/// Opens a location for writing.
///
/// # Errors
/// `Unsupported` for plain HTTP; otherwise as opening it for reading.
pub(super) fn place(stores: &QueryStores, url: &str) -> Result<Place> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Err(Error::unsupported(format!("files at \"{url}\" cannot be written"))
            .with_hint("Plain HTTP is read-only: keep the table in an object store or a folder"));
    }
    let location = stores.resolve(url)?;
    // What is being written to a disk is there under some name.
    let publishing = if location.store_url.as_str().starts_with("file:") { Publishing::Rename } else { Publishing::Completion };
    Ok(Place { store: location.store, directory: location.path, publishing })
}
