//! Shutting down in order: the first SIGTERM or Ctrl-C ends the taking of new work and lets what runs come to its end; a second one, or the
//! end of the time given, ends everything.

use std::time::Duration;

use tokio::sync::watch;

/// Whether the server is shutting down. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct Drain(watch::Receiver<Phase>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No new work; what runs may end.
    Draining,
    /// Everything ends.
    Over,
}

/// Tells everybody.
#[derive(Debug)]
pub(crate) struct Shutdown(watch::Sender<Phase>);

impl Shutdown {
    pub(crate) fn new() -> (Self, Drain) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self(sender), Drain(receiver))
    }

    /// Begins to shut down at the first signal; is over when everybody has gone (`done`), at the second signal, or after `patience`.
    pub(crate) async fn run(self, patience: Duration, done: impl Future<Output = ()>) {
        signal().await;
        tracing::info!(patience = ?patience, "shutting down: no new work, and what runs may come to its end");
        self.0.send_replace(Phase::Draining);
        tokio::select! {
            () = done => {}
            () = signal() => tracing::warn!("a second signal: what runs is ended"),
            () = tokio::time::sleep(patience) => tracing::warn!("the time to shut down is over: what runs is ended"),
        }
        self.0.send_replace(Phase::Over);
    }
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// Ready once no new work is taken.
    pub(crate) async fn draining(mut self) {
        // A sender that is gone takes no work either.
        let _ = self.0.wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Ready once everything must end.
    pub(crate) async fn over(mut self) {
        let _ = self.0.wait_for(|phase| *phase >= Phase::Over).await;
    }
}

/// SIGTERM, or Ctrl-C.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            },
            _ => std::future::pending().await,
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
