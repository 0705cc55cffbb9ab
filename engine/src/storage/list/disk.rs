//! Lists directories as an object store lists keys: in byte order, in pages of a thousand, with prefixes that need not end with `/`.
//!
//! Files whose names no location can have (control characters, bytes that are not UTF-8) are reported separately. Symbolic links are followed within
//! the folder that a request names. Left out are links that lead outside it or back to a parent, broken links, files that are still being
//! written, and closed files. An unfinished walk waits for the next page, so a directory is read once and not once a page.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path as FsPath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    vec,
};

use glaux_catalog::discovery::{ListPage, ListRequest};
use object_store::{ObjectMeta, path::Path};

use crate::{
    error::{Error, ErrorKind, Result},
    storage::{
        closed::{ClosedFiles, real_path},
        file_version,
    },
};

/// Entries of a page at most; what S3 gives.
const PAGE_SIZE: usize = 1000;

/// Walks that wait for their next page; beyond this they are begun anew.
const MAX_WAITING: usize = 256;

/// The disk's lister, shared by all queries.
pub(in crate::storage) struct Disk {
    waiting: Mutex<HashMap<WalkKey, Walk>>,
    closed: Arc<ClosedFiles>,
}

/// What identifies a walk that waits: prefix, delimited, start, the folder within which links are followed, token.
type WalkKey = (String, bool, Option<String>, Option<String>, String);

impl Disk {
    pub(in crate::storage) fn new(closed: Arc<ClosedFiles>) -> Self {
        Self { waiting: Mutex::default(), closed }
    }

    /// One page. A directory that does not exist has no keys.
    pub(super) async fn page(self: &Arc<Self>, request: ListRequest) -> Result<ListPage> {
        let disk = Arc::clone(self);
        let page = tokio::task::spawn_blocking(move || disk.read_page(request)).await;
        page.map_err(|error| Error::internal("a listing was interrupted").with_source(error))?
    }

    fn read_page(&self, request: ListRequest) -> Result<ListPage> {
        let ListRequest { prefix, delimited, start_after, token, within } = request;
        let waiting = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |token: String| (prefix.clone(), delimited, start_after.clone(), within.clone(), token);
        let known = token.as_ref().and_then(|token| waiting().remove(&key(token.clone())));
        let mut walk = match known {
            Some(walk) => walk,
            None => Walk::new(&prefix, delimited, start_after.clone(), token, within.as_deref(), Arc::clone(&self.closed))?,
        };
        let mut page = ListPage::default();
        let mut last = String::new();
        while page.objects.len() + page.prefixes.len() + page.unnameable.len() < PAGE_SIZE {
            match walk.next()? {
                None => return Ok(page),
                Some(Found::Directory(key)) => {
                    last.clone_from(&key);
                    page.prefixes.push(key);
                }
                Some(Found::File(meta)) => {
                    meta.location.as_ref().clone_into(&mut last);
                    page.objects.push(meta);
                }
                Some(Found::Unnameable(key)) => {
                    last.clone_from(&key);
                    page.unnameable.push(key);
                }
            }
        }
        walk.peeked = walk.next()?;
        if walk.peeked.is_some() {
            let mut waiting = waiting();
            if waiting.len() >= MAX_WAITING {
                waiting.clear();
            }
            waiting.insert(key(last.clone()), walk);
            page.next_token = Some(last);
        }
        Ok(page)
    }
}

enum Found {
    /// With its final `/`.
    Directory(String),
    File(ObjectMeta),
    /// A directory's with its final `/`.
    Unnameable(String),
}

/// An entry of a directory by its key; a directory's ends with `/`, which is what makes the order that of the keys.
struct Entry {
    key: String,
    path: PathBuf,
    /// Whether a location can have its key.
    is_nameable: bool,
}

impl Entry {
    fn is_directory(&self) -> bool {
        self.key.ends_with('/')
    }
}

/// A walk through a tree in the order of its keys.
struct Walk {
    delimited: bool,
    /// Keys up to this one are left out; a directory that may hold later ones is not.
    after: Option<String>,
    /// The last entry of the page before.
    resume: Option<String>,
    stack: Vec<vec::IntoIter<Entry>>,
    peeked: Option<Found>,
    /// The folder out of which no link is followed, with the links to itself followed.
    bound: PathBuf,
    closed: Arc<ClosedFiles>,
}

impl Walk {
    fn new(
        prefix: &str,
        delimited: bool,
        after: Option<String>,
        resume: Option<String>,
        within: Option<&str>,
        closed: Arc<ClosedFiles>,
    ) -> Result<Self> {
        let base = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        Path::parse(base)
            .map_err(|error| Error::invalid(format!("\"{prefix}\" is not a path that can be listed")).with_source(error))?;
        let directory = |key: &str| FsPath::new("/").join(key.trim_end_matches('/'));
        let bound = real_path(&directory(within.unwrap_or(base)));
        let mut entries = read_directory(&directory(base), base, true, &bound, &closed)?;
        entries.retain(|entry| entry.key.starts_with(prefix));
        Ok(Self { delimited, after, resume, stack: vec![entries.into_iter()], peeked: None, bound, closed })
    }

    fn next(&mut self) -> Result<Option<Found>> {
        if let Some(found) = self.peeked.take() {
            return Ok(Some(found));
        }
        while let Some(entries) = self.stack.last_mut() {
            let Some(entry) = entries.next() else {
                self.stack.pop();
                continue;
            };
            if self.is_before(&entry) {
                continue;
            }
            if !entry.is_directory() {
                match fs::metadata(&entry.path) {
                    Ok(metadata) if !metadata.is_file() => {}
                    Ok(metadata) if entry.is_nameable => return Ok(Some(Found::File(object(&entry, &metadata)?))),
                    // An empty file is no data, whatever it is called.
                    Ok(metadata) if metadata.len() > 0 => return Ok(Some(Found::Unnameable(entry.key))),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(unreadable(&entry.path, error)),
                }
            } else if self.delimited {
                let found = if entry.is_nameable { Found::Directory } else { Found::Unnameable };
                return Ok(Some(found(entry.key)));
            } else {
                let entries = read_directory(&entry.path, &entry.key, entry.is_nameable, &self.bound, &self.closed)?;
                self.stack.push(entries.into_iter());
            }
        }
        Ok(None)
    }

    /// Whether an entry, with all that is in it, comes before where this walk begins.
    fn is_before(&self, entry: &Entry) -> bool {
        let before = |limit: &Option<String>, may_hold_later: bool| {
            let limit = limit.as_deref().unwrap_or_default();
            entry.key.as_str() <= limit && !(may_hold_later && limit.starts_with(&entry.key))
        };
        let is_directory = entry.is_directory();
        before(&self.after, is_directory) || before(&self.resume, is_directory && !self.delimited)
    }
}

/// The entries of a directory in the order of their keys. One that is missing, is no directory, or is not within `bound`,
/// has none. Where a location cannot have the directory's
/// key, it can have none of theirs.
fn read_directory(
    directory: &FsPath,
    prefix: &str,
    is_nameable: bool,
    bound: &FsPath,
    closed: &ClosedFiles,
) -> Result<Vec<Entry>> {
    let reader = match fs::read_dir(directory) {
        Ok(reader) => reader,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(directory, error)),
    };
    let real = directory.canonicalize().map_err(|error| unreadable(directory, error))?;
    if closed.hides(&real) || !real.starts_with(bound) {
        return Ok(Vec::new());
    }
    let is_concerned = closed.concerns(&real);
    let mut entries = Vec::new();
    for entry in reader {
        let entry = entry.map_err(|error| unreadable(directory, error))?;
        let path = entry.path();
        if is_concerned && closed.hides(&real.join(entry.file_name())) {
            continue;
        }
        let mut kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
        if kind.is_symlink() {
            if !path.canonicalize().is_ok_and(|target| target.starts_with(bound) && !closed.hides(&target)) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(target) if !target.is_dir() || !leads_up(&path) => kind = target.file_type(),
                _ => continue,
            }
        }
        let name = entry.file_name();
        let is_nameable = is_nameable && name.to_str().is_some_and(|name| !name.contains(|c: char| c.is_ascii_control()));
        let name = name.to_string_lossy();
        if kind.is_dir() {
            entries.push(Entry { key: format!("{prefix}{name}/"), path, is_nameable });
        } else if kind.is_file() && !is_being_written(&name) {
            entries.push(Entry { key: format!("{prefix}{name}"), path, is_nameable });
        }
    }
    entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

/// Whether a link leads to a directory that it is in itself.
fn leads_up(link: &FsPath) -> bool {
    let parent = link.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, link.canonicalize()) {
        (Some(parent), Ok(target)) => parent.starts_with(target),
        _ => true,
    }
}

/// The names under which `object_store` writes files before they are complete: `name#1`.
fn is_being_written(name: &str) -> bool {
    name.split_once('#').is_some_and(|(_, suffix)| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()))
}

fn object(entry: &Entry, metadata: &fs::Metadata) -> Result<ObjectMeta> {
    let location = Path::parse(&entry.key).map_err(|error| {
        Error::invalid(format!("\"{}\" is not a name that can be read", entry.path.display())).with_source(error)
    })?;
    file_version::of(location, metadata).map_err(|error| unreadable(&entry.path, error))
}

fn unreadable(path: &FsPath, source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("\"{}\" cannot be read", path.display())).with_source(source)
}
