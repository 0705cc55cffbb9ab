//! The directory of segment files: finds, reads, writes and removes them. Plain blocking file work.
//!
//! A walk over the directory (`survey`) finds the files in it: once in the background after opening, and again whenever a good part of the limit
//! has been written, so that files of other processes are found and counted. Until the first walk is done, the directory of a wanted object is
//! looked up directly.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;

use super::{
    file::{self, ObjectId, Unread},
    object::ObjectVersion,
    segment_map::{Segment, SegmentMap},
};

/// Files take whole blocks of the disk.
const DISK_BLOCK: u64 = 4096;
/// Of the layout of the directory: another one lies beside it and does not disturb.
const LAYOUT: &str = "segments-1";
/// Where files lie while they are written.
const NEW: &str = "new";

/// The directory and what is known of it.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    root: PathBuf,
    capacity: u64,
    held: Mutex<SegmentMap<ObjectId, ()>>,
    is_surveyed: AtomicBool,
    is_closing: AtomicBool,
    is_troubled: AtomicBool,
}

/// A file found in the directory.
#[derive(Debug)]
struct Found {
    object: ObjectId,
    range: Range<u64>,
    weight: u64,
    written: SystemTime,
}

impl SegmentFiles {
    /// Nothing is read or made yet.
    pub(super) fn new(directory: &Path, capacity: u64) -> Self {
        Self {
            root: directory.join(LAYOUT),
            capacity,
            held: Mutex::new(SegmentMap::new(capacity)),
            is_surveyed: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_troubled: AtomicBool::new(false),
        }
    }

    /// Bytes on disk at most.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Says that nothing more is to be begun.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// What is held, in bytes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.held().weight()
    }

    /// Counts a use of what is held in memory too.
    pub(super) fn touch(&self, object: &ObjectVersion, range: &Range<u64>) {
        self.held().parts(&ObjectId::of(object), range);
    }

    /// Notes that the directory could not be used; the first time, in the log.
    pub(super) fn trouble(&self, error: &io::Error) {
        if !self.is_troubled.swap(true, Ordering::AcqRel) {
            let directory = self.root.display();
            tracing::warn!(%error, %directory, "the data cache cannot use its directory: queries go on without it");
        }
    }

    fn held(&self) -> MutexGuard<'_, SegmentMap<ObjectId, ()>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_surveyed(&self) -> bool {
        self.is_surveyed.load(Ordering::Acquire)
    }

    pub(super) fn covers(&self, object: ObjectId, ranges: &[Range<u64>]) -> bool {
        let held = self.held();
        ranges.iter().all(|range| held.covers(&object, range))
    }

    fn path(&self, object: ObjectId, range: &Range<u64>) -> PathBuf {
        object.directory(&self.root).join(file::name(range))
    }

    /// All of some ranges of an object, or nothing: start and bytes, each the whole of its buffer.
    pub(super) fn read(&self, object: &ObjectVersion, ranges: &[Range<u64>]) -> Option<Vec<(u64, Bytes)>> {
        let id = ObjectId::of(object);
        if !self.covers(id, ranges) {
            if self.is_surveyed() {
                return None;
            }
            let mut found = Vec::new();
            self.look_into(id, &mut found);
            self.take_up(found);
        }
        let mut whole = Vec::new();
        for range in ranges {
            let parts = self.held().parts(&id, range);
            if parts.iter().map(|part| part.range.end - part.range.start).sum::<u64>() != range.end - range.start {
                return None;
            }
            for part in parts {
                match file::read(&self.path(id, &part.segment), object, &part.segment, &part.range) {
                    Ok(bytes) => whole.push((part.range.start, bytes)),
                    Err(why) => {
                        self.lost(id, &part.segment, &why);
                        return None;
                    }
                }
            }
        }
        Some(whole)
    }

    /// Forgets a segment that could not be read, and takes away what lies in its place.
    fn lost(&self, object: ObjectId, segment: &Range<u64>, why: &Unread) {
        match why {
            Unread::Absent => {}
            Unread::Damaged => {
                let path = self.path(object, segment);
                tracing::debug!(path = %path.display(), "a damaged file of the data cache is removed");
                _ = fs::remove_file(path);
            }
            Unread::Failed(error) => self.trouble(error),
        }
        self.held().remove(&object, segment);
    }

    /// Writes a segment's file, unless it is held or another process wrote it, and takes it up; tells the bytes written.
    pub(super) fn write(&self, object: &ObjectVersion, start: u64, bytes: &[u8]) -> io::Result<u64> {
        let (id, range) = (ObjectId::of(object), start..start + bytes.len() as u64);
        let length = file::length(object, &range);
        let weight = length.next_multiple_of(DISK_BLOCK);
        if !self.held().wants(&id, &range, weight) {
            return Ok(0);
        }
        let path = self.path(id, &range);
        let is_there = fs::symlink_metadata(&path).is_ok_and(|there| there.is_file() && there.len() == length);
        if !is_there {
            let new = self.root.join(NEW);
            let temporary = new.join(uuid::Uuid::now_v7().to_string());
            let written = fs::create_dir_all(&new)
                .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).open(&temporary))
                .and_then(|mut file| {
                    // While it is locked nobody takes it for one that a dead process left.
                    _ = file.try_lock();
                    file::write(&mut file, object, start, bytes)?;
                    fs::create_dir_all(id.directory(&self.root))?;
                    fs::rename(&temporary, &path).or_else(|_| {
                        // Another process took the empty directory away just then.
                        fs::create_dir_all(id.directory(&self.root)).and_then(|()| fs::rename(&temporary, &path))
                    })
                });
            if let Err(error) = written {
                _ = fs::remove_file(temporary);
                return Err(error);
            }
        }
        let gone = self.held().put(id, range, weight, ());
        self.delete(gone);
        Ok(weight)
    }

    /// Walks the directory: takes up what is new, and forgets what is no longer there. Only the writing thread calls it.
    pub(super) fn survey(&self) {
        let before: Vec<(ObjectId, Range<u64>)> =
            self.held().segments().map(|segment| (segment.object, segment.range.clone())).collect();
        let mut found = Vec::new();
        for shard in entries(&self.root) {
            let path = self.root.join(&shard);
            if shard.len() != 2 {
                if shard == NEW {
                    sweep(&path);
                }
                continue;
            }
            for object in entries(&path) {
                if self.is_closing() {
                    return;
                }
                if let Some(object) = ObjectId::parse(&object).filter(|_| object.starts_with(&shard)) {
                    self.look_into(object, &mut found);
                }
            }
        }
        let there: std::collections::HashSet<_> = found.iter().map(|found| (found.object, &found.range)).collect();
        let vanished: Vec<_> = before.iter().filter(|(object, range)| !there.contains(&(*object, range))).collect();
        {
            let mut held = self.held();
            for (object, range) in vanished {
                held.remove(object, range);
            }
        }
        self.take_up(found);
        self.is_surveyed.store(true, Ordering::Release);
    }

    /// Adds an object's files; removes what cannot be one of its segments.
    fn look_into(&self, object: ObjectId, found: &mut Vec<Found>) {
        let directory = object.directory(&self.root);
        for name in entries(&directory) {
            let path = directory.join(&name);
            let Ok(there) = fs::symlink_metadata(&path) else { continue };
            let range = file::parse_name(&name).filter(|range| there.is_file() && there.len() > range.end - range.start);
            match range {
                Some(range) => found.push(Found {
                    object,
                    range,
                    weight: there.len().next_multiple_of(DISK_BLOCK),
                    written: there.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                }),
                None if !there.is_dir() => _ = fs::remove_file(path),
                None => {}
            }
        }
    }

    /// Takes up files that were found, the oldest first, as if they were written now.
    fn take_up(&self, mut found: Vec<Found>) {
        found.sort_unstable_by_key(|found| found.written);
        let mut gone = Vec::new();
        for Found { object, range, weight, .. } in found {
            let mut held = self.held();
            // Whoever finds it damaged meanwhile removes the file first and then forgets the segment, so that under the lock a file that is
            // there still is one that is not forgotten yet.
            if !held.contains(&object, &range) && self.path(object, &range).exists() {
                gone.extend(held.put(object, range, weight, ()));
            }
        }
        self.delete(gone);
    }

    /// Removes the files of segments that are held no longer.
    fn delete(&self, gone: Vec<Segment<ObjectId, ()>>) {
        for Segment { object, range, .. } in gone {
            _ = fs::remove_file(self.path(object, &range));
            // Succeeds if that was the last.
            _ = fs::remove_dir(object.directory(&self.root));
        }
    }
}

/// The names in a directory that are text; none if there is no directory.
fn entries(directory: &Path) -> impl Iterator<Item = String> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

/// Removes what dead processes left half written: what nobody has locked.
fn sweep(new: &Path) {
    for name in entries(new) {
        let path = new.join(name);
        if fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            _ = fs::remove_file(path);
        }
    }
}
