//! The data cache: ranges of objects, kept in memory and on disk, so that a second run of a query fetches nothing.
//!
//! ```text
//!  get -> memory -> what is missing there: disk (file work on blocking threads) -> kept in memory too
//!  put -> memory, and a bounded queue -> the one thread that writes files
//! ```
//!
//! A segment is the very range that was fetched, of one version of an object; a wanted range is served from one or several neighbouring
//! segments. What stays is decided by how often it was used (`policy`), so that one long scan does not drive out what every
//! query reads. Files are checked whenever they are read (`file`): what is damaged, cut short or foreign is removed, and never served.
//!
//! The cache is an attempt: nothing in it fails a query. It fetches nothing, and knows neither stores nor bills.

mod disk;
mod file;
mod memory;
mod object;
mod policy;
mod segment_files;
mod segment_map;
#[cfg(test)]
mod tests;
mod writer;

use std::{ops::Range, path::Path, sync::Arc};

use bytes::{Bytes, BytesMut};
pub(crate) use object::ObjectVersion;
use serde::{Deserialize, Serialize};

use self::{disk::Disk, memory::Memory};
use crate::error::Result;

/// How much the data cache keeps. Both absent or 0: there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataCacheOptions {
    /// Bytes of fetched data kept in memory; 0 keeps none there.
    pub memory_bytes: u64,
    /// Bytes of fetched data kept on disk, which outlive the process; 0 keeps none there.
    pub disk_bytes: u64,
}

/// The data cache of a process. Dropping it gives up the writes that wait still.
#[derive(Debug)]
pub(crate) struct DataCache {
    memory: Option<Memory>,
    disk: Option<Disk>,
}

impl DataCache {
    /// A cache of those sizes, `None` if both are 0. The directory is made when something is written to it; what other processes left or
    /// put there is found without waiting for it here. Several processes may use one directory, each with a limit of its own.
    ///
    /// # Errors
    /// `Internal`, if the system gives no thread. A directory that cannot be written to is no error: it is logged, and keeps nothing.
    pub(crate) fn open(options: &DataCacheOptions, directory: &Path) -> Result<Option<Arc<Self>>> {
        if options.memory_bytes == 0 && options.disk_bytes == 0 {
            return Ok(None);
        }
        let memory = (options.memory_bytes > 0).then(|| Memory::new(options.memory_bytes));
        let disk = (options.disk_bytes > 0).then(|| Disk::open(directory, options.disk_bytes)).transpose()?;
        Ok(Some(Arc::new(Self { memory, disk })))
    }

    /// The bytes of a range, if all of it is held: in one or several neighbouring segments, in memory or on disk.
    pub(crate) async fn get(&self, object: &ObjectVersion, range: Range<u64>) -> Option<Bytes> {
        if range.start >= range.end {
            return Some(Bytes::new());
        }
        let mut parts = self.memory.as_ref().map_or_else(Vec::new, |memory| memory.parts(object, &range));
        let gaps = gaps(&range, &parts);
        if gaps.is_empty() {
            if let Some(disk) = &self.disk {
                disk.touch(object, &range);
            }
        } else {
            let found = self.disk.as_ref()?.get(object, gaps).await?;
            if let Some(memory) = &self.memory {
                for (start, bytes) in &found {
                    memory.put(object, *start, bytes);
                }
            }
            parts.extend(found);
            parts.sort_unstable_by_key(|(start, _)| *start);
        }
        joined(parts)
    }

    /// Offers bytes that were fetched; returns at once, disk writes happen behind. Offers that come faster than the disk takes them are
    /// passed over, as are those that are held already.
    pub(crate) fn put(&self, object: &ObjectVersion, start: u64, bytes: Bytes) {
        let end = start.checked_add(bytes.len() as u64);
        if bytes.is_empty() || end.is_none_or(|end| end > object.size) {
            return;
        }
        let kept = match &self.memory {
            // A copy, so that no larger buffer is kept alive by a slice of it.
            Some(memory) if memory.wants(object, start, &bytes) => {
                let copy = Bytes::copy_from_slice(&bytes);
                memory.put(object, start, &copy);
                copy
            }
            _ => bytes,
        };
        if let Some(disk) = &self.disk {
            disk.put(object, start, kept);
        }
    }

    /// Bytes held in memory now, with what keeping them costs.
    #[cfg(test)]
    fn memory_bytes(&self) -> u64 {
        self.memory.as_ref().map_or(0, Memory::weight)
    }

    /// Bytes of the files on disk that this process knows of now, in whole blocks of the disk.
    #[cfg(test)]
    fn disk_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, Disk::weight)
    }

    /// Waits until all that was offered is on disk.
    #[cfg(test)]
    async fn flush(&self) {
        if let Some(disk) = &self.disk {
            disk.flush().await;
        }
    }
}

/// What of a range the parts leave open; they lie in it, in order, and do not overlap.
fn gaps(range: &Range<u64>, parts: &[(u64, Bytes)]) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = range.start;
    for (start, bytes) in parts {
        if at < *start {
            gaps.push(at..*start);
        }
        at = start + bytes.len() as u64;
    }
    if at < range.end {
        gaps.push(at..range.end);
    }
    gaps
}

/// The bytes of parts that lie end to end.
fn joined(mut parts: Vec<(u64, Bytes)>) -> Option<Bytes> {
    if parts.len() == 1 {
        return parts.pop().map(|(_, bytes)| bytes);
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(|(_, bytes)| bytes.len()).sum());
    for (_, bytes) in &parts {
        whole.extend_from_slice(bytes);
    }
    Some(whole.freeze())
}
