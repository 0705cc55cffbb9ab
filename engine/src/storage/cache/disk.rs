//! The disk tier: the segments' files, read on blocking threads, and the thread that writes them.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;

use super::{file::ObjectId, object::ObjectVersion, segment_files::SegmentFiles, writer::SegmentWriter};
use crate::error::Result;

/// The files of the data cache, and the thread that writes them.
#[derive(Debug)]
pub(super) struct Disk {
    files: Arc<SegmentFiles>,
    writer: SegmentWriter,
}

impl Disk {
    pub(super) fn open(directory: &Path, capacity: u64) -> Result<Self> {
        let files = Arc::new(SegmentFiles::new(directory, capacity));
        let writer = SegmentWriter::start(Arc::clone(&files))?;
        Ok(Self { files, writer })
    }

    /// Counts a use of what is held in memory too.
    pub(super) fn touch(&self, object: &ObjectVersion, range: &Range<u64>) {
        self.files.touch(object, range);
    }

    /// All of some ranges of an object, or nothing: start and bytes, each the whole of its buffer.
    pub(super) async fn get(&self, object: &ObjectVersion, ranges: Vec<Range<u64>>) -> Option<Vec<(u64, Bytes)>> {
        if self.files.is_surveyed() && !self.files.covers(ObjectId::of(object), &ranges) {
            return None;
        }
        let (files, object) = (Arc::clone(&self.files), object.clone());
        tokio::task::spawn_blocking(move || files.read(&object, &ranges)).await.ok().flatten()
    }

    /// Queues bytes to be written, unless they are held or the queue is full.
    pub(super) fn put(&self, object: &ObjectVersion, start: u64, bytes: Bytes) {
        let range = start..start + bytes.len() as u64;
        if !self.files.covers(ObjectId::of(object), std::slice::from_ref(&range)) {
            self.writer.queue(object.clone(), start, bytes);
        }
    }

    #[cfg(test)]
    pub(super) async fn flush(&self) {
        self.writer.flush().await;
    }

    /// What is held, in bytes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.files.weight()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> u64 {
        self.writer.waiting()
    }
}
