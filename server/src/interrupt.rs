//! Ctrl-C: the first asks what is running to stop; a second one ends the process at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use tokio::sync::Notify;

use crate::{cli, exit_code};

/// Hears Ctrl-C from the moment it is made until the process ends. Clones hear the same key.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pressed: Notify,
    /// How often the key was pressed since something last began.
    count: AtomicU64,
}

impl Interrupt {
    /// Starts to listen: from its return on, the key does not end the process by itself. Must be called within a runtime.
    pub(crate) fn listen() -> Self {
        let this = Self(Arc::default());
        let inner = Arc::clone(&this.0);
        let mut key = Key::install();
        tokio::spawn(async move {
            while key.pressed().await {
                if inner.count.fetch_add(1, SeqCst) > 0 {
                    cli::restore_terminal();
                    std::process::exit(i32::from(exit_code::INTERRUPTED));
                }
                inner.pressed.notify_waiters();
            }
        });
        this
    }

    /// Forgets the key presses so far: what begins now is stopped by the next one.
    pub(crate) fn reset(&self) {
        self.0.count.store(0, SeqCst);
    }

    /// Whether the key was pressed since the last reset.
    pub(crate) fn was_pressed(&self) -> bool {
        self.0.count.load(SeqCst) > 0
    }

    /// Waits for the key; returns at once if it was pressed since the last reset.
    pub(crate) async fn pressed(&self) {
        let notified = self.0.pressed.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.was_pressed() {
            notified.await;
        }
    }
}

/// The signal of Ctrl-C.
#[cfg(unix)]
struct Key(std::io::Result<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Key {
    fn install() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()))
    }

    /// Waits for the next press; `false` if none can be seen.
    async fn pressed(&mut self) -> bool {
        match &mut self.0 {
            Ok(signal) => signal.recv().await.is_some(),
            Err(_) => false,
        }
    }
}

#[cfg(not(unix))]
struct Key;

#[cfg(not(unix))]
impl Key {
    fn install() -> Self {
        Self
    }

    async fn pressed(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
