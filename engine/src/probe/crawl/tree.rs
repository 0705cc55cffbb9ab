//! The folders below a URL with their data files, listed once, in ranges of keys.
//!
//! The first levels are listed with a delimiter until there is enough to share out; the folders found are then cut into ranges of keys, each listed
//! flat. Of the files of a folder only a sample is held.

use std::collections::{BTreeMap, VecDeque};

use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    discovery::{ListPage, ListRequest, Lister, OpenLocation},
    format::{Kind, kind_of_name},
};
use object_store::ObjectMeta;

use crate::error::Result;

/// Levels that are listed with a delimiter at most.
const LEVELS: usize = 4;

/// The data files of one kind in one folder.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub count: u64,
    pub bytes: u64,
    first: Vec<ObjectMeta>,
    last: VecDeque<ObjectMeta>,
}

impl Files {
    /// Counts a file, and holds it if it is one of the first or last `held`. Files come in the order of their names.
    fn add(&mut self, file: ObjectMeta, held: usize) {
        self.count += 1;
        self.bytes += file.size;
        if self.first.len() < held / 2 {
            return self.first.push(file);
        }
        if self.last.len() >= held.max(1) - held / 2 {
            self.last.pop_front();
        }
        self.last.push_back(file);
    }

    /// Those that are held: the first ones and the last ones.
    pub(super) fn held(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.first.iter().chain(&self.last)
    }
}

/// A folder: its files by kind, and the folders in it by name.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub files: BTreeMap<Kind, Files>,
    pub folders: BTreeMap<String, Folder>,
    /// What lies in it or below it under a name that no location can have, by path below the crawled URL; a folder's ends with `/`.
    pub unnameable: Vec<String>,
}

impl Folder {
    /// Whether files lie in it or below it.
    pub(super) fn has_data(&self) -> bool {
        !self.files.is_empty() || !self.folders.is_empty()
    }

    /// The folder at a path below it, without a slash at either end; itself for the empty path.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(self, |folder, name| folder.folders.get(name))
    }

    /// Whether data files lie at a path below it, or might: what is hidden was not listed.
    pub(super) fn may_hold(&self, path: &str) -> bool {
        is_hidden(path) || self.at(path).is_some_and(Self::has_data)
    }

    /// The files in it and below it, by kind: how many, and their bytes.
    pub(super) fn totals(&self, totals: &mut BTreeMap<Kind, (u64, u64)>) {
        for (kind, files) in &self.files {
            let total = totals.entry(*kind).or_default();
            (total.0, total.1) = (total.0 + files.count, total.1 + files.bytes);
        }
        for folder in self.folders.values() {
            folder.totals(totals);
        }
    }

    /// The files of a kind that are held of it and of all folders below it, by path.
    pub(super) fn held<'a>(&'a self, kind: Kind, found: &mut Vec<&'a ObjectMeta>) {
        found.extend(self.files.get(&kind).into_iter().flat_map(Files::held));
        for folder in self.folders.values() {
            folder.held(kind, found);
        }
    }

    /// What lies in it and in all folders below it under a name that no location can have.
    pub(super) fn all_unnameable<'a>(&'a self, found: &mut Vec<&'a str>) {
        found.extend(self.unnameable.iter().map(String::as_str));
        for folder in self.folders.values() {
            folder.all_unnameable(found);
        }
    }

    /// Notes a path in the folder in which it cannot be followed any more.
    fn note(&mut self, relative: String) {
        let mut folder = self;
        for name in relative.split('/') {
            if !folder.folders.contains_key(name) {
                break;
            }
            folder = folder.folders.entry(name.to_owned()).or_default();
        }
        folder.unnameable.push(relative);
    }

    fn insert(&mut self, relative: &str, file: ObjectMeta, held: usize) {
        let mut folder = self;
        let mut rest = relative;
        while let Some((name, below)) = rest.split_once('/') {
            folder = folder.folders.entry(name.to_owned()).or_default();
            rest = below;
        }
        folder.files.entry(kind_of_name(rest)).or_default().add(file, held);
    }
}

/// Lists all that lies below a location. Files that no query reads are left out: empty ones, and those with a part of their path that begins with `_`
/// or `.`.
///
/// # Errors
/// Those of the store.
pub(super) async fn list(location: &OpenLocation, concurrency: usize, held: usize) -> Result<Folder> {
    let concurrency = concurrency.max(1);
    let root = if location.prefix.is_empty() { String::new() } else { format!("{}/", location.prefix) };
    let lister = location.lister.as_ref();
    let mut tree = Folder::default();
    let mut unnameable: Vec<String> = Vec::new();
    let mut add = |file: ObjectMeta| {
        if let Some(relative) = file.location.as_ref().strip_prefix(&root).filter(|relative| is_data(relative, &file)) {
            let relative = relative.to_owned();
            tree.insert(&relative, file, held);
        }
    };
    let mut level = vec![root.clone()];
    for _ in 0..LEVELS {
        let pages = stream::iter(level).map(|prefix| children(lister, &root, prefix)).buffered(concurrency);
        let listed: Vec<ListPage> = pages.try_collect().await?;
        level = Vec::new();
        for page in listed {
            page.objects.into_iter().for_each(&mut add);
            unnameable.extend(page.unnameable);
            level.extend(page.prefixes.into_iter().filter(|prefix| !is_hidden(&prefix[root.len()..])));
        }
        if level.is_empty() || level.len() >= concurrency * 2 {
            break;
        }
    }
    level.sort_unstable();
    let size = level.len().div_ceil(concurrency).max(1);
    let ranges: Vec<Vec<String>> = level.chunks(size).map(<[String]>::to_vec).collect();
    let mut ranges = stream::iter(ranges).map(|range| flat(lister, &root, range)).buffered(concurrency);
    while let Some(page) = ranges.try_next().await? {
        page.objects.into_iter().for_each(&mut add);
        unnameable.extend(page.unnameable);
    }
    // What is below a folder that is reported is reported with it.
    unnameable.sort_unstable();
    unnameable.dedup_by(|next, before| next == before || before.ends_with('/') && next.starts_with(before.as_str()));
    let visible = unnameable.iter().filter_map(|key| key.strip_prefix(&root)).filter(|relative| !is_hidden(relative));
    visible.for_each(|relative| tree.note(relative.to_owned()));
    Ok(tree)
}

fn is_hidden(relative: &str) -> bool {
    relative.split('/').any(|part| part.starts_with(['_', '.']))
}

fn is_data(relative: &str, file: &ObjectMeta) -> bool {
    file.size > 0 && !relative.is_empty() && !relative.ends_with('/') && !is_hidden(relative)
}

/// The files and the folders of one folder.
async fn children(lister: &dyn Lister, root: &str, prefix: String) -> Result<ListPage> {
    let mut all = ListPage::default();
    let within = Some(root.to_owned());
    let mut request = ListRequest { prefix, delimited: true, within, ..ListRequest::default() };
    loop {
        let page = lister.page(request.clone()).await?;
        all.objects.extend(page.objects);
        all.prefixes.extend(page.prefixes);
        all.unnameable.extend(page.unnameable);
        match page.next_token {
            Some(token) => request.token = Some(token),
            None => return Ok(all),
        }
    }
}

/// All files below these folders, which are neighbours in the order of their prefixes: those of one parent in one listing.
async fn flat(lister: &dyn Lister, root: &str, prefixes: Vec<String>) -> Result<ListPage> {
    let parent = |prefix: &str| prefix.trim_end_matches('/').rfind('/').map_or("", |at| &prefix[..=at]).to_owned();
    let mut found = ListPage::default();
    let mut at = 0;
    while at < prefixes.len() {
        let above = parent(&prefixes[at]);
        let run = prefixes[at..].iter().take_while(|prefix| parent(prefix) == above).count();
        let (first, last) = (&prefixes[at], &prefixes[at + run - 1]);
        let prefix = if run == 1 { first.clone() } else { above };
        let start_after = (run > 1).then(|| first.clone());
        let within = Some(root.to_owned());
        let mut request = ListRequest { prefix, start_after, within, ..ListRequest::default() };
        'pages: loop {
            let page = lister.page(request.clone()).await?;
            let is_beyond = |key: &str| key > last.as_str() && !key.starts_with(last.as_str());
            found.unnameable.extend(page.unnameable.into_iter().filter(|key| !is_beyond(key)));
            for object in page.objects {
                let key = object.location.as_ref();
                if is_beyond(key) {
                    break 'pages;
                }
                // Files beside the folders were found with them.
                if key.get(request.prefix.len()..).is_some_and(|rest| run == 1 || rest.contains('/')) {
                    found.objects.push(object);
                }
            }
            match page.next_token {
                Some(token) => request.token = Some(token),
                None => break,
            }
        }
        at += run;
    }
    Ok(found)
}
