//! The threads on which queries compute: the engine's own, apart from those on which its caller serves clients. A query that uses all of them does not
//! slow down health checks, new connections, KILL and statements that compute little.

use std::future::Future;

use tokio::{
    runtime::{Builder, EnterGuard, Runtime},
    sync::oneshot,
    task::JoinSet,
};

use crate::error::{Error, ErrorKind, Result};

/// Bytes of a thread's stack, for deep plans. Only the part that is used takes memory.
const STACK: usize = 64 << 20;

/// Threads beyond one for each core, so that queries go on while others read files.
const SPARE_THREADS: usize = 2;

#[derive(Debug)]
pub(crate) struct Executor(Option<Runtime>);

impl Executor {
    /// # Errors
    /// `LimitExceeded` if there are no threads.
    pub(crate) fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let runtime = Builder::new_multi_thread()
            .thread_name("glaux-executor")
            .worker_threads(cores + SPARE_THREADS)
            .thread_stack_size(STACK)
            .enable_all()
            .build();
        let none = |error| Error::new(ErrorKind::LimitExceeded, "no threads can be started to run queries").with_source(error);
        runtime.map(|runtime| Self(Some(runtime))).map_err(none)
    }

    /// What is spawned while the guard lives runs here.
    pub(crate) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    /// Does the work here. It ends with the future.
    ///
    /// # Errors
    /// Those of the work; `Internal` if the work panics.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let _task = self.spawn(async move {
            // The receiver may have gone.
            let _ = sender.send(work.await);
        });
        receiver.await.unwrap_or_else(|_| Err(Error::internal("running the query panicked")))
    }

    /// A task that runs here, and ends with the set.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some(runtime) = &self.0 {
            tasks.spawn_on(task, runtime.handle());
        }
        tasks
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // It may be dropped where blocking is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
