//! The memory tier.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{object::ObjectVersion, segment_map::SegmentMap};

/// What a segment costs beside its bytes.
const OVERHEAD: u64 = 256;

/// Segments in memory, each a buffer of its own.
#[derive(Debug)]
pub(super) struct Memory {
    held: Mutex<SegmentMap<ObjectVersion, Bytes>>,
}

impl Memory {
    pub(super) fn new(capacity: u64) -> Self {
        Self { held: Mutex::new(SegmentMap::new(capacity)) }
    }

    /// What is held of a range: start and bytes, in order, without overlaps.
    pub(super) fn parts(&self, object: &ObjectVersion, range: &Range<u64>) -> Vec<(u64, Bytes)> {
        let parts = self.held().parts(object, range);
        let cut = |part: super::segment_map::Part<Bytes>| {
            let offset = |at: u64| (at - part.segment.start) as usize;
            (part.range.start, part.value.slice(offset(part.range.start)..offset(part.range.end)))
        };
        parts.into_iter().map(cut).collect()
    }

    /// Whether bytes are worth a copy.
    pub(super) fn wants(&self, object: &ObjectVersion, start: u64, bytes: &Bytes) -> bool {
        self.held().wants(object, &range(start, bytes), weight(bytes))
    }

    /// Keeps bytes that are the whole of their buffer.
    pub(super) fn put(&self, object: &ObjectVersion, start: u64, bytes: &Bytes) {
        let gone = self.held().put(object.clone(), range(start, bytes), weight(bytes), bytes.clone());
        // Freed after the lock.
        drop(gone);
    }

    /// What is held, in bytes.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.held().weight()
    }

    fn held(&self) -> MutexGuard<'_, SegmentMap<ObjectVersion, Bytes>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn range(start: u64, bytes: &Bytes) -> Range<u64> {
    start..start + bytes.len() as u64
}

fn weight(bytes: &Bytes) -> u64 {
    bytes.len() as u64 + OVERHEAD
}
