//! Lists the Hive directories below a table's root, level by level, several at once.
//!
//! Requests are one delimited listing (all its pages) for each directory above the last key; files are never listed. It does not know
//! what the catalog holds already (`diff`).

use std::{collections::VecDeque, fmt};

use futures::{StreamExt, stream::FuturesUnordered};

use super::{ListRequest, Lister};
use crate::{
    error::{Error, Result},
    model::{Column, PartitionValues},
    partition::{check_value, parse_segment},
};

/// How to walk.
#[derive(Debug, Clone)]
pub struct WalkOptions {
    /// How many listings go on at once; at least one.
    pub concurrency: usize,
    /// How many of the ignored directories are named.
    pub max_ignored: usize,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { concurrency: 32, max_ignored: 10 }
    }
}

/// A partition's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The raw, decoded values.
    pub values: PartitionValues,
    /// The directory as it is written in the store, relative to the table's root, without a `/` at either end.
    pub path: String,
}

/// A directory that is not a partition's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Relative to the table's root, without a `/` at either end.
    pub path: String,
    pub reason: IgnoredReason,
}

/// Why a directory is not a partition's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// Its name is not of the form `key=value`.
    NotKeyValue,
    /// Its key is not the one of its level.
    OtherKey,
    /// Its key differs in case, which Athena's `MSCK REPAIR TABLE` does not see.
    KeyCase,
    /// Another directory has the same values, and the usual spelling of them.
    SameValues,
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotKeyValue => "its name is not of the form key=value",
            Self::OtherKey => "its key is not the partition key of its level",
            Self::KeyCase => "its key is not in lower case",
            Self::SameValues => "another directory has the same values",
        })
    }
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// By path.
    pub found: Vec<Found>,
    /// Some of the ignored directories, by path. Hidden ones (`_` or `.` at the beginning) are not among them.
    pub ignored: Vec<Ignored>,
    /// How many were ignored.
    pub ignored_count: usize,
    /// How many pages were listed.
    pub pages: u64,
}

/// A directory to list: the values so far, and its path relative to the root, with its final `/` (empty for the root).
#[derive(Debug)]
struct Directory {
    values: PartitionValues,
    path: String,
}

/// Finds the partitions' directories below `prefix`, the table's root in the store.
///
/// A directory counts if it is at the last key's level; whether files are in it does not matter. As Athena's `MSCK REPAIR TABLE`, it takes
/// keys in lower case only.
///
/// # Errors
/// `Invalid` for a value that is not of its key's type, naming the whole path; what the lister returns.
pub async fn walk(lister: &dyn Lister, prefix: &str, keys: &[Column], options: &WalkOptions) -> Result<Walked> {
    let mut walked = Walked::default();
    if keys.is_empty() {
        return Ok(walked);
    }
    let root = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_end_matches('/')) };
    let mut waiting = VecDeque::from([Directory { values: Vec::new(), path: String::new() }]);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < options.concurrency.max(1) {
            // The latest first: what is deep is finished before what is wide begins, which keeps the queue short.
            let Some(directory) = waiting.pop_back() else { break };
            running.push(list(lister, &root, directory));
        }
        let Some(listed) = running.next().await else { break };
        let (directory, children, pages) = listed?;
        walked.pages += pages;
        for child in children {
            classify(&root, keys, &directory, &child, &mut waiting, &mut walked)?;
        }
    }
    walked.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walked.ignored.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walked.ignored_count = walked.ignored.len();
    walked.ignored.truncate(options.max_ignored);
    Ok(walked)
}

/// The names of a directory's directories.
async fn list(lister: &dyn Lister, root: &str, directory: Directory) -> Result<(Directory, Vec<String>, u64)> {
    let prefix = format!("{root}{}", directory.path);
    let mut names = Vec::new();
    let mut pages = 0;
    let mut token: Option<String> = None;
    loop {
        let request = ListRequest { prefix: prefix.clone(), delimited: true, start_after: None, token: token.clone() };
        let page = lister.page(request).await?;
        pages += 1;
        names.extend(page.prefixes.iter().filter_map(|child| child.strip_prefix(&prefix)?.strip_suffix('/')).map(str::to_owned));
        match page.next_token {
            None => return Ok((directory, names, pages)),
            next if next == token => {
                let message = format!("the listing of \"{prefix}\" does not advance");
                return Err(Error::new(crate::ErrorKind::Unavailable, message).with_hint("Report it to the store's provider"));
            }
            next => token = next,
        }
    }
}

fn classify(
    root: &str,
    keys: &[Column],
    parent: &Directory,
    name: &str,
    waiting: &mut VecDeque<Directory>,
    walked: &mut Walked,
) -> Result<()> {
    let Some(key) = keys.get(parent.values.len()) else { return Ok(()) };
    if name.starts_with(['_', '.']) {
        return Ok(());
    }
    let path = format!("{}{name}", parent.path);
    let reason = match parse_segment(name) {
        None => IgnoredReason::NotKeyValue,
        Some((found, _)) if found != key.name && found.to_lowercase() == key.name => IgnoredReason::KeyCase,
        Some((found, _)) if found != key.name => IgnoredReason::OtherKey,
        Some((_, value)) => {
            if let Some(value) = &value {
                check_value(key, value).map_err(|error| error.with_context("path", format!("{root}{path}/")))?;
            }
            let mut values = parent.values.clone();
            values.push(value);
            if values.len() == keys.len() {
                walked.found.push(Found { values, path });
            } else {
                waiting.push_back(Directory { values, path: format!("{path}/") });
            }
            return Ok(());
        }
    };
    walked.ignored.push(Ignored { path, reason });
    Ok(())
}

#[cfg(test)]
mod tests;
