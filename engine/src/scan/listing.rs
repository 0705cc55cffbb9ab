//! The data files of surviving partitions, listed live and concurrently, so that a new file appears in the next query.
//!
//! A file counts if it holds bytes and no part of its path below the partition's location begins with `_` or `.`; sub-folders count, as
//! in Athena. A scan that keeps every partition lists the table's root in pages as long as that takes fewer requests than a listing a
//! partition. On plain HTTP, which does not list, a location names one file.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    discovery::{ListRequest, OpenLocation, StoreProvider},
    model::Table,
    partition::PartitionIndex,
};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::{
    error::{Result, from_store},
    storage::{ObjectVersion, QueryStores},
};

/// A data file, with the store that holds it.
#[derive(Debug, Clone)]
pub struct DataFile {
    pub store: Arc<dyn ObjectStore>,
    /// The URL of the store's root: `s3://bucket/`.
    pub store_url: Arc<str>,
    pub meta: ObjectMeta,
    /// The row of the file's partition in the index; 0 in tables without partition keys.
    pub partition: u32,
}

impl DataFile {
    /// The full URL, as `"$path"` shows it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.store_url, self.meta.location)
    }

    /// Whether it lies on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.store_url.starts_with("file:")
    }

    /// What tells its bytes from those of any other file, and of itself once it is overwritten.
    #[must_use]
    pub fn version(&self) -> ObjectVersion {
        let tag = self.meta.e_tag.as_deref().unwrap_or_default();
        let version = format!("{tag}{}", self.meta.last_modified.timestamp_micros());
        ObjectVersion { url: self.url().into(), size: self.meta.size, version: version.into() }
    }
}

/// Survivors from which a listing of the root is tried before one of each partition.
const COVER_FROM: usize = 8;

/// Lists the files of the partitions at `survivors`, or of the whole table if it has no partition keys, by partition and path.
///
/// # Errors
/// Those of the stores, naming the location.
pub async fn list(
    stores: &QueryStores,
    table: &Table,
    index: &PartitionIndex,
    survivors: &[u32],
    concurrency: usize,
) -> Result<Vec<DataFile>> {
    let root = table.root();
    if !table.is_partitioned() {
        let mut files = list_location(stores, &root, 0).await?;
        files.sort_unstable_by(|a, b| a.meta.location.cmp(&b.meta.location));
        return Ok(files);
    }
    let mut files = Vec::new();
    let mut single: Vec<u32> = survivors.to_vec();
    if survivors.len() == index.len() && survivors.len() >= COVER_FROM {
        let (below_root, elsewhere): (Vec<u32>, Vec<u32>) =
            survivors.iter().partition(|row| index.own_location(**row as usize).is_none());
        if let Some(covered) = list_root(stores, &root, table.partition_keys.len(), index, &below_root).await? {
            files = covered;
            single = elsewhere;
        }
    }
    let listings = single.into_iter().map(|row| {
        let location = index.location(row as usize, &root);
        async move { list_location(stores, &location, row).await }
    });
    let mut listings = stream::iter(listings).buffer_unordered(concurrency.max(1));
    while let Some(mut listed) = listings.try_next().await? {
        files.append(&mut listed);
    }
    files.sort_unstable_by(|a, b| (a.partition, &a.meta.location).cmp(&(b.partition, &b.meta.location)));
    Ok(files)
}

/// The file that a location on plain HTTP names: such servers do not list.
async fn single_file(stores: &QueryStores, location: &str, partition: u32) -> Result<DataFile> {
    let resolved = stores.resolve(location.trim_end_matches('/'))?;
    let meta = resolved.store.head(&resolved.path).await.map_err(|error| from_store(&error))?;
    Ok(DataFile { store: resolved.store, store_url: Arc::from(resolved.store_url.as_str()), meta, partition })
}

/// All data files below one location.
async fn list_location(stores: &QueryStores, location: &str, partition: u32) -> Result<Vec<DataFile>> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(vec![single_file(stores, location, partition).await?]);
    }
    let opened = Opened::new(stores, location)?;
    let mut files = Vec::new();
    let mut token = None;
    loop {
        let (objects, next) = opened.page(token).await?;
        for meta in objects {
            if opened.relative(&meta).is_some_and(|relative| is_data(relative, &meta)) {
                files.push(opened.file(meta, partition));
            }
        }
        match next {
            Some(next) => token = Some(next),
            None => return Ok(files),
        }
    }
}

/// The data files of the partitions at `rows` by listing the table's root; `None` if that takes more pages than it saves.
async fn list_root(
    stores: &QueryStores,
    root: &str,
    keys: usize,
    index: &PartitionIndex,
    rows: &[u32],
) -> Result<Option<Vec<DataFile>>> {
    let partitions: HashMap<&str, u32> = rows.iter().map(|row| (index.name(*row as usize), *row)).collect();
    let opened = Opened::new(stores, root)?;
    let mut budget = (rows.len() / 4).max(2);
    let mut files = Vec::new();
    let mut token = None;
    loop {
        if budget == 0 {
            return Ok(None);
        }
        budget -= 1;
        let (objects, next) = opened.page(token).await?;
        for meta in objects {
            let Some((directory, relative)) = opened.relative(&meta).and_then(|relative| split_after(relative, keys)) else {
                continue;
            };
            if let Some(partition) = partitions.get(directory)
                && is_data(relative, &meta)
            {
                files.push(opened.file(meta, *partition));
            }
        }
        match next {
            Some(next) => token = Some(next),
            None => return Ok(Some(files)),
        }
    }
}

/// Splits `a=1/b=2/file` after that many directories.
fn split_after(path: &str, directories: usize) -> Option<(&str, &str)> {
    let (slash, _) = path.match_indices('/').nth(directories.checked_sub(1)?)?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// Whether an object is a data file: not empty, not a folder's marker, not hidden.
fn is_data(relative: &str, meta: &ObjectMeta) -> bool {
    meta.size > 0
        && !relative.is_empty()
        && !relative.ends_with('/')
        && !relative.split('/').any(|part| part.starts_with(['_', '.']))
}

/// A location opened for listing.
struct Opened {
    location: OpenLocation,
    store: Arc<dyn ObjectStore>,
    store_url: Arc<str>,
    prefix: String,
}

impl Opened {
    fn new(stores: &QueryStores, url: &str) -> Result<Self> {
        let location = stores.open(url)?;
        let resolved = stores.resolve(url)?;
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        Ok(Self { location, store: resolved.store, store_url: Arc::from(resolved.store_url.as_str()), prefix })
    }

    async fn page(&self, token: Option<String>) -> Result<(Vec<ObjectMeta>, Option<String>)> {
        let request = ListRequest { prefix: self.prefix.clone(), token, ..ListRequest::default() };
        let page = self.location.lister.page(request).await?;
        Ok((page.objects, page.next_token))
    }

    fn relative<'a>(&self, meta: &'a ObjectMeta) -> Option<&'a str> {
        meta.location.as_ref().strip_prefix(&self.prefix)
    }

    fn file(&self, meta: ObjectMeta, partition: u32) -> DataFile {
        DataFile { store: Arc::clone(&self.store), store_url: Arc::clone(&self.store_url), meta, partition }
    }
}
