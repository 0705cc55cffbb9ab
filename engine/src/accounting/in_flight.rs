//! The requests of a query that are in flight. Its figures are final only when there are none: a query that succeeds or fails waits for them,
//! since the store counts them too; one that is cancelled aborts them.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// Requests may begin.
    No,
    /// None begins any more.
    Settling,
    /// Those that are under way end, too.
    Now,
}

/// The requests of one query.
#[derive(Debug)]
pub(crate) struct InFlight {
    running: watch::Sender<usize>,
    stop: watch::Sender<Stop>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { running: watch::Sender::new(0), stop: watch::Sender::new(Stop::No) }
    }
}

impl InFlight {
    /// A request begins, and is under way until the answer is dropped; `None` if the query has ended.
    #[must_use]
    pub(crate) fn begin(&self) -> Option<Flight<'_>> {
        self.running.send_modify(|running| *running += 1);
        let flight = Flight(self);
        (*self.stop.borrow() == Stop::No).then_some(flight)
    }

    /// Lets no more begin; whether all that did have ended.
    #[must_use]
    pub(crate) fn close(&self) -> bool {
        self.raise(Stop::Settling);
        *self.running.borrow() == 0
    }

    /// Whether no request is under way.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        *self.running.borrow() == 0
    }

    /// Lets no more begin, and waits for those under way.
    pub(crate) async fn settle(&self) {
        self.raise(Stop::Settling);
        // The sender is here, so that it cannot be gone.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Ends all of them.
    pub(crate) fn abort(&self) {
        self.raise(Stop::Now);
    }

    /// Ready when a request must end.
    pub(crate) async fn aborted(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop == Stop::Now).await;
    }

    fn raise(&self, to: Stop) {
        self.stop.send_if_modified(|stop| {
            let is_raised = *stop < to;
            *stop = to.max(*stop);
            is_raised
        });
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Flight<'a>(&'a InFlight);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}
