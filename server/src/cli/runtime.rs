//! The threads of a command.

use glaux_engine::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

/// Threads beyond the cores that queries keep busy: timers and signals are served by a thread that has nothing else to do, so that a join
/// that computes for minutes can still be cancelled.
const SPARE_THREADS: usize = 2;

/// Bytes of each thread's stack: plans of hundreds of levels are run on it. Only what is used takes memory.
pub(crate) const STACK: usize = 64 << 20;

/// The runtime that front ends wait on.
pub(super) fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Builder::new_multi_thread()
        .worker_threads(cores + SPARE_THREADS)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::LimitExceeded, "cannot start threads").with_source(error))
}
