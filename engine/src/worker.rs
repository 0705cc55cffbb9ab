//! A thread that does jobs in the order in which they are queued.

use std::{
    fmt,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{Builder, JoinHandle},
};

use crate::error::{Error, Result};

/// The handle of the thread. Dropping it waits until all that is queued is done.
pub(crate) struct Worker<Job> {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Whose thread it is, for messages.
    of: &'static str,
}

impl<Job: Send + 'static> Worker<Job> {
    /// Starts the thread, which does `work` with the jobs that arrive until there are no more. `of` says whose thread it is.
    ///
    /// # Errors
    /// `Internal` if the system gives no thread.
    pub(crate) fn start(name: &str, of: &'static str, work: impl FnOnce(&Receiver<Job>) + Send + 'static) -> Result<Self> {
        let (jobs, receiver) = channel();
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&receiver))
            .map_err(|error| Error::internal(format!("the thread of {of} cannot be started")).with_source(error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), of })
    }

    /// Queues a job; `false` if the thread has ended, which it does only by a panic.
    pub(crate) fn queue(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }
}

impl<Job> Drop for Worker<Job> {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of {} panicked", self.of);
        }
    }
}

impl<Job> fmt::Debug for Worker<Job> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("of", &self.of).finish_non_exhaustive()
    }
}
