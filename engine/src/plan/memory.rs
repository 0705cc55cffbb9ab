//! The memory that one query holds: what all queries together may hold, a bound of its own if its workgroup sets one, and the most that it has held.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use datafusion::{
    error::{DataFusionError, Result},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size},
};

use crate::{accounting::Meter, failure::QUERY_LIMIT};

/// The memory of one query, out of that of all.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    all: Arc<dyn MemoryPool>,
    /// Bytes that the query may hold.
    limit: Option<usize>,
    held: AtomicUsize,
    meter: Arc<Meter>,
}

impl QueryMemory {
    pub(crate) fn new(all: &Arc<dyn MemoryPool>, limit: Option<u64>, meter: &Arc<Meter>) -> Arc<Self> {
        let limit = limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Arc::new(Self { all: Arc::clone(all), limit, held: AtomicUsize::new(0), meter: Arc::clone(meter) })
    }

    fn hold(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Relaxed).saturating_add(bytes);
        self.meter.note_memory(held as u64);
    }

    /// The error that makes operators spill which can.
    fn exhausted(&self, limit: usize, reservation: &MemoryReservation, additional: usize) -> DataFusionError {
        let [more, held, limit] = [additional, self.held.load(Relaxed), limit].map(human_readable_size);
        let consumer = reservation.consumer().name();
        DataFusionError::ResourcesExhausted(format!(
            "Failed to allocate additional {more} for {consumer}: the query holds {held} ({QUERY_LIMIT}{limit})"
        ))
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
        self.hold(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
        self.held.fetch_sub(shrink, Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let Some(limit) = self.limit else {
            self.all.try_grow(reservation, additional)?;
            self.hold(additional);
            return Ok(());
        };
        let within = |held: usize| held.checked_add(additional).filter(|held| *held <= limit);
        let Ok(before) = self.held.fetch_update(Relaxed, Relaxed, within) else {
            return Err(self.exhausted(limit, reservation, additional));
        };
        self.meter.note_memory((before + additional) as u64);
        self.all.try_grow(reservation, additional).inspect_err(|_| _ = self.held.fetch_sub(additional, Relaxed))
    }

    fn reserved(&self) -> usize {
        self.held.load(Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        match (self.limit, self.all.memory_limit()) {
            (Some(limit), MemoryLimit::Finite(all)) => MemoryLimit::Finite(limit.min(all)),
            (Some(limit), MemoryLimit::Infinite | MemoryLimit::Unknown) => MemoryLimit::Finite(limit),
            (None, all) => all,
        }
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query(used: {}, {})", human_readable_size(self.held.load(Relaxed)), self.all)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;
    use crate::{error::ErrorKind, failure::from_datafusion};

    #[test]
    fn a_query_holds_no_more_than_its_limit_and_than_there_is() {
        let all: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let (one, other) = (Meter::new(None), Meter::new(None));
        let memory = |limit, meter| QueryMemory::new(&all, limit, meter) as Arc<dyn MemoryPool>;
        let (bounded, free) = (memory(Some(40), &one), memory(None, &other));
        let first = MemoryConsumer::new("first").register(&bounded);
        let second = MemoryConsumer::new("second").register(&bounded);
        let third = MemoryConsumer::new("third").register(&free);
        first.try_grow(30).unwrap();
        let error = from_datafusion(second.try_grow(11).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(error.message(), "out of memory: 11.0 B more needed, and a query of this workgroup is limited to 40.0 B");
        second.try_grow(10).unwrap();
        // What must be held is, and counts.
        second.grow(5);
        assert!(first.try_grow(1).is_err());
        third.try_grow(55).unwrap();
        let error = from_datafusion(third.try_grow(1).unwrap_err());
        assert!(error.message().contains("all queries together"), "{error}");
        drop((first, second, third));
        assert_eq!((all.reserved(), bounded.reserved(), free.reserved()), (0, 0, 0));
        assert_eq!((one.peak_memory(), other.peak_memory()), (45, 55));
    }
}
