//! Signals of a command: Ctrl-C asks what is running to stop, and a second one ends the process at once; others end it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use tokio::sync::Notify;

use crate::exit_code;

/// Hears Ctrl-C from the moment it is made until the process ends. Clones hear the same key.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pressed: Notify,
    /// How often the key was pressed since something last began.
    count: AtomicU64,
    /// Whether no press ends the process.
    is_patient: AtomicBool,
}

impl Interrupt {
    /// Starts to listen: from its return on, the key does not end the process by itself. A second press does `before_end`, and ends it. Must
    /// be called within a runtime.
    pub(crate) fn listen(before_end: fn()) -> Self {
        let this = Self(Arc::default());
        let inner = Arc::clone(&this.0);
        let mut key = Key::install();
        tokio::spawn(async move {
            while key.pressed().await {
                if inner.count.fetch_add(1, SeqCst) > 0 && !inner.is_patient.load(SeqCst) {
                    before_end();
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

    /// Says whether another program has the terminal, which hears the key as well: no press ends the process then.
    pub(crate) fn set_patient(&self, is_patient: bool) {
        self.0.is_patient.store(is_patient, SeqCst);
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

/// Does something before the process ends by a signal that ends it: SIGTERM, SIGHUP, SIGQUIT. The exit code is 128 and the signal's number.
#[cfg(unix)]
pub(crate) fn end_at_signals(runtime: &tokio::runtime::Runtime, before_end: fn()) {
    use tokio::signal::unix::{SignalKind, signal};

    let _context = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let mut heard = match signal(kind) {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!(%error, "a signal cannot be heard");
                continue;
            }
        };
        drop(runtime.spawn(async move {
            if heard.recv().await.is_some() {
                before_end();
                std::process::exit(128 + kind.as_raw_value());
            }
        }));
    }
}

#[cfg(not(unix))]
pub(crate) fn end_at_signals(_: &tokio::runtime::Runtime, _: fn()) {}

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
