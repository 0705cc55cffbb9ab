//! Lists the files of partitions now, concurrently, in as few pages as possible.
//!
//! Partitions that lie near each other are listed together (`cover`), as far as the store can begin a listing at any key; a page that shows that they
//! hold more files than was thought divides the rest anew. On plain HTTP, which does not list, a location names one file.

use std::{collections::HashMap, path::Path as FsPath, sync::Arc};

use futures::{StreamExt, stream::FuturesUnordered};
use glaux_catalog::{
    discovery::{ListPage, ListRequest, OpenLocation, StoreProvider},
    model::Table,
    partition::PartitionIndex,
};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::{
    DataFile,
    cover::{Part, parts},
};
use crate::{
    error::{Error, Result},
    storage::{QueryStores, RealLocation, from_store},
};

/// Survivors from which a listing of the root is tried before one of each partition, where listings cannot begin at any key.
const COVER_FROM: usize = 8;

/// Lists what is there now.
pub(super) struct Live<'a> {
    pub(super) stores: &'a QueryStores,
    pub(super) table: &'a Table,
    pub(super) index: &'a PartitionIndex,
    /// Pages asked for at once.
    pub(super) concurrency: usize,
    /// How many files a partition holds, as far as that is known.
    pub(super) files: Option<f64>,
}

/// A listing to be made.
enum Job {
    /// A partition (or the table) by itself, from after a key.
    Location { row: u32, location: String, after: Option<String> },
    /// Partitions in the usual places, with everything between them.
    Span(Vec<u32>),
}

/// What a listing gave.
#[derive(Default)]
struct Listed {
    files: Vec<DataFile>,
    /// What is still to be listed.
    rest: Vec<Job>,
    /// Keys and partitions of a page that was full.
    seen: Option<(usize, usize)>,
}

impl Live<'_> {
    /// The files of a table without partition keys.
    pub(super) async fn table(&self) -> Result<Vec<DataFile>> {
        let mut listed = self.location(0, &self.table.root(), None).await?;
        listed.files.sort_unstable_by(|a, b| a.meta.location.cmp(&b.meta.location));
        Ok(listed.files)
    }

    /// The files of the partitions at these rows, by partition and path; and how many a partition holds, if that was learned.
    pub(super) async fn rows(&self, rows: &[u32]) -> Result<(Vec<DataFile>, Option<f64>)> {
        let root = self.table.root();
        let mut files = Vec::new();
        let (usual, mut single): (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|row| self.index.own_location(**row as usize).is_none());
        let seeks = !is_http(&root) && !usual.is_empty() && self.stores.open(&root)?.lister.seeks();
        let mut waiting: Vec<Job> = Vec::new();
        if seeks {
            waiting.extend(self.divide(&usual, self.files.unwrap_or(1.0)));
        } else if usual.len() == self.index.len() && usual.len() >= COVER_FROM && !is_http(&root) {
            match self.root(&root, &usual).await? {
                Some(covered) => files = covered,
                None => single.extend(usual),
            }
        } else {
            single.extend(usual);
        }
        let one = |row: u32| Job::Location { row, location: self.index.location(row as usize, &root), after: None };
        waiting.extend(single.into_iter().map(one));
        waiting.reverse();
        let mut running = FuturesUnordered::new();
        let mut seen = (0, 0);
        loop {
            while running.len() < self.concurrency.max(1) {
                let Some(job) = waiting.pop() else { break };
                running.push(self.run(job));
            }
            let Some(listed) = running.next().await else { break };
            let Listed { files: mut more, rest, seen: of_page } = listed?;
            files.append(&mut more);
            if let Some((keys, partitions)) = of_page {
                seen = (seen.0 + keys, seen.1 + partitions);
            }
            waiting.extend(rest);
        }
        files.sort_unstable_by(|a, b| (a.partition, &a.meta.location).cmp(&(b.partition, &b.meta.location)));
        let learned = (seen.1 > 0).then(|| seen.0 as f64 / seen.1 as f64);
        Ok((files, learned))
    }

    fn divide(&self, rows: &[u32], files: f64) -> Vec<Job> {
        let root = self.table.root();
        let job = |part| match part {
            Part::One(row) => Job::Location { row, location: self.index.location(row as usize, &root), after: None },
            Part::Span(rows) => Job::Span(rows),
        };
        parts(rows, files).into_iter().map(job).collect()
    }

    async fn run(&self, job: Job) -> Result<Listed> {
        match job {
            Job::Location { row, location, after } => self.location(row, &location, after).await,
            Job::Span(rows) => self.span(rows).await,
        }
    }

    /// All data files below one location.
    async fn location(&self, row: u32, location: &str, after: Option<String>) -> Result<Listed> {
        if is_http(location) {
            return Ok(Listed { files: vec![self.single_file(location, row).await?], ..Listed::default() });
        }
        let opened = Opened::new(self.stores, location)?;
        // A partition in its usual place may be a link, but to nowhere outside of the table.
        let is_usual = self.table.is_partitioned() && self.index.own_location(row as usize).is_none();
        let within = is_usual.then(|| Opened::new(self.stores, &self.table.root())).transpose()?.map(|root| root.prefix);
        let mut listed = Listed::default();
        let mut is_empty = after.is_none();
        let mut request = ListRequest { prefix: opened.prefix.clone(), start_after: after, within, ..ListRequest::default() };
        loop {
            let page = opened.location.lister.page(request.clone()).await?;
            opened.check_names(&page, |_| true)?;
            is_empty &= page.objects.is_empty();
            for meta in page.objects {
                if opened.relative(&meta).is_some_and(|relative| is_data(relative, &meta)) {
                    listed.files.push(opened.file(meta, row));
                }
            }
            match page.next_token {
                Some(token) => request.token = Some(token),
                None => break,
            }
        }
        // Where a partition has its usual place, nothing is there but folders.
        if is_empty && (!self.table.is_partitioned() || self.index.own_location(row as usize).is_some()) {
            opened.check_folder(location).await?;
        }
        Ok(listed)
    }

    /// One page from the first of these partitions on, and whatever it leaves over.
    async fn span(&self, rows: Vec<u32>) -> Result<Listed> {
        let root = self.table.root();
        let keys = self.table.partition_keys.len();
        let opened = Opened::new(self.stores, &root)?;
        let directories: HashMap<String, u32> = rows.iter().map(|row| (self.index.name(*row as usize), *row)).collect();
        // Names and keys do not always come in the same order: `a=1-` is greater than `a=1`, and before it as a directory.
        let mut ordered: Vec<(String, u32)> = directories.iter().map(|(name, row)| (format!("{name}/"), *row)).collect();
        ordered.sort_unstable();
        let (Some((first, _)), Some((last, _))) = (ordered.first(), ordered.last()) else { return Ok(Listed::default()) };
        let shared = first.char_indices().zip(last.chars()).take_while(|((_, a), b)| a == b).last();
        let shared = shared.map_or("", |((at, c), _)| &first[..at + c.len_utf8()]);
        let prefix = shared.rfind('/').map_or("", |slash| &shared[..=slash]);
        let request = ListRequest {
            prefix: format!("{}{prefix}", opened.prefix),
            start_after: Some(format!("{}{}", opened.prefix, first.trim_end_matches('/'))),
            within: Some(opened.prefix.clone()),
            ..ListRequest::default()
        };
        let page = opened.location.lister.page(request).await?;
        opened.check_names(&page, |path| {
            split_after(path, keys).is_some_and(|(directory, _)| directories.contains_key(directory))
        })?;
        let mut listed = Listed::default();
        let (mut partitions, mut before) = (0, String::new());
        let count = page.objects.len();
        let mut reached = None;
        for meta in page.objects {
            let Some(path) = opened.relative(&meta) else { continue };
            reached = Some(path.to_owned());
            let Some((directory, relative)) = split_after(path, keys) else { continue };
            if before != directory {
                partitions += 1;
                directory.clone_into(&mut before);
            }
            if let Some(row) = directories.get(directory)
                && is_data(relative, &meta)
            {
                listed.files.push(opened.file(meta, *row));
            }
        }
        let is_past = |directory: &str| reached.as_ref().is_some_and(|reached| *reached > behind(directory));
        if page.next_token.is_none() || ordered.iter().all(|(directory, _)| is_past(directory)) {
            return Ok(listed);
        }
        let Some(reached) = reached else {
            // Nothing to go by: each by itself.
            let one = |row: &u32| Job::Location { row: *row, location: self.index.location(*row as usize, &root), after: None };
            listed.rest = rows.iter().map(one).collect();
            return Ok(listed);
        };
        listed.seen = Some((count, partitions.max(1)));
        let mut left = Vec::new();
        for (directory, row) in &ordered {
            if behind(directory) <= reached {
                continue;
            }
            if reached.starts_with(directory.as_str()) {
                let (location, after) = (self.index.location(*row as usize, &root), format!("{}{reached}", opened.prefix));
                listed.rest.push(Job::Location { row: *row, location, after: Some(after) });
            } else {
                left.push(*row);
            }
        }
        left.sort_unstable();
        listed.rest.extend(self.divide(&left, count as f64 / partitions.max(1) as f64));
        Ok(listed)
    }

    /// The data files of the partitions at `rows` by listing the table's root; `None` if that takes more pages than it saves.
    async fn root(&self, root: &str, rows: &[u32]) -> Result<Option<Vec<DataFile>>> {
        let partitions: HashMap<String, u32> = rows.iter().map(|row| (self.index.name(*row as usize), *row)).collect();
        let keys = self.table.partition_keys.len();
        let opened = Opened::new(self.stores, root)?;
        let mut files = Vec::new();
        let mut request = ListRequest { prefix: opened.prefix.clone(), ..ListRequest::default() };
        for _ in 0..(rows.len() / 4).max(2) {
            let page = opened.location.lister.page(request.clone()).await?;
            opened.check_names(&page, |path| {
                split_after(path, keys).is_some_and(|(directory, _)| partitions.contains_key(directory))
            })?;
            for meta in page.objects {
                let Some((directory, relative)) = opened.relative(&meta).and_then(|path| split_after(path, keys)) else {
                    continue;
                };
                if let Some(partition) = partitions.get(directory)
                    && is_data(relative, &meta)
                {
                    files.push(opened.file(meta, *partition));
                }
            }
            match page.next_token {
                Some(token) => request.token = Some(token),
                None => return Ok(Some(files)),
            }
        }
        Ok(None)
    }

    /// The file that a location on plain HTTP names: such servers do not list.
    async fn single_file(&self, location: &str, partition: u32) -> Result<DataFile> {
        let resolved = self.stores.resolve(location.trim_end_matches('/'))?;
        let meta = resolved.store.head(&resolved.path).await.map_err(|error| from_store(&error))?;
        Ok(DataFile { store: resolved.store, store_url: Arc::from(resolved.store_url.as_str()), meta, partition })
    }
}

pub(super) fn is_http(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}

/// The point behind everything in a directory, which ends with `/`: `0` comes after it.
fn behind(directory: &str) -> String {
    format!("{}0", directory.trim_end_matches('/'))
}

/// Splits `a=1/b=2/file` after that many directories.
fn split_after(path: &str, directories: usize) -> Option<(&str, &str)> {
    let (slash, _) = path.match_indices('/').nth(directories.checked_sub(1)?)?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// Whether an object is a data file: not empty, not a folder's marker, not hidden.
fn is_data(relative: &str, meta: &ObjectMeta) -> bool {
    meta.size > 0 && !relative.is_empty() && !relative.ends_with('/') && !is_hidden(relative)
}

fn is_hidden(relative: &str) -> bool {
    relative.split('/').any(|part| part.starts_with(['_', '.']))
}

/// A location opened for listing.
pub(super) struct Opened {
    location: OpenLocation,
    store: Arc<dyn ObjectStore>,
    store_url: Arc<str>,
    pub(super) prefix: String,
}

impl Opened {
    pub(super) fn new(stores: &QueryStores, url: &str) -> Result<Self> {
        let location = stores.open(url)?;
        let resolved = stores.resolve(url)?;
        let prefix = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
        Ok(Self { location, store: resolved.store, store_url: Arc::from(resolved.store_url.as_str()), prefix })
    }

    /// Refuses a page with data that cannot be read for its name; hidden files are none.
    ///
    /// # Errors
    /// `Invalid`, naming such a file among those whose paths below the location `matter`.
    fn check_names(&self, page: &ListPage, matter: impl Fn(&str) -> bool) -> Result<()> {
        let below = |key: &String| key.strip_prefix(&self.prefix).map(str::to_owned);
        let mut paths = page.unnameable.iter().filter_map(below).filter(|path| matter(path) && !is_hidden(path));
        match paths.next() {
            None => Ok(()),
            Some(path) => {
                let message = format!("the name of the file \"{}{}{path}\" cannot be read", self.store_url, self.prefix);
                Err(Error::invalid(message).with_hint(
                    "Rename the file, or give it a name that begins with _ or .: \
                     a location cannot contain control characters or bytes that are not UTF-8",
                ))
            }
        }
    }

    /// Refuses a location with nothing in it that is a file itself.
    ///
    /// # Errors
    /// `Invalid`, naming the location; those of the store.
    async fn check_folder(&self, location: &str) -> Result<()> {
        let request = ListRequest { prefix: self.location.prefix.clone(), delimited: true, ..ListRequest::default() };
        // Of what begins with its name, itself comes first.
        let page = self.location.lister.page(request).await?;
        match page.objects.iter().any(|object| object.location.as_ref() == self.location.prefix && object.size > 0) {
            true => Err(Error::invalid(format!("location \"{location}\" is a file, not a folder"))
                .with_hint("Give the table or partition the folder that the file is in: ALTER TABLE ... SET LOCATION")),
            false => Ok(()),
        }
    }

    fn relative<'a>(&self, meta: &'a ObjectMeta) -> Option<&'a str> {
        meta.location.as_ref().strip_prefix(&self.prefix)
    }

    /// Takes files that were noted down. A snapshot is written by whoever may write the table, and leads nowhere else.
    ///
    /// # Errors
    /// `CorruptData` for a file that is not below this location.
    pub(super) fn take(&self, table: &Table, metas: &[ObjectMeta], partition: u32, files: &mut Vec<DataFile>) -> Result<()> {
        let folder = self.folder()?;
        if let Some(meta) = metas.iter().find(|meta| self.is_elsewhere(meta, folder.as_ref())) {
            return Err(Error::corrupt(format!(
                "the file snapshot of table \"{}\" has a file from another location",
                table.name
            ))
            .with_context("file", meta.location.as_ref())
            .with_hint(format!("Run REFRESH TABLE {}", table.name)));
        }
        files.extend(metas.iter().map(|meta| self.file(meta.clone(), partition)));
        Ok(())
    }

    /// The folder of this machine that it really is, if it is one.
    fn folder(&self) -> Result<Option<RealLocation>> {
        let is_local = self.store_url.starts_with("file:");
        is_local.then(|| RealLocation::of_folder(&FsPath::new("/").join(&self.prefix))).transpose()
    }

    /// Whether a file is not below this location, or is so only by a link that leads out of it. On plain HTTP a location is the file itself.
    fn is_elsewhere(&self, meta: &ObjectMeta, folder: Option<&RealLocation>) -> bool {
        let leads_out = |folder: &RealLocation| {
            let file = RealLocation::of_folder(&FsPath::new("/").join(meta.location.as_ref()));
            !file.is_ok_and(|file| file.is_within(folder))
        };
        self.relative(meta).is_none() && meta.location.as_ref() != self.prefix.trim_end_matches('/')
            || folder.is_some_and(leads_out)
    }

    pub(super) fn file(&self, meta: ObjectMeta, partition: u32) -> DataFile {
        DataFile { store: Arc::clone(&self.store), store_url: Arc::clone(&self.store_url), meta, partition }
    }
}
