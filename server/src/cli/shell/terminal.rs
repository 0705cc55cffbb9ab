//! The terminal's settings while the shell runs: keys that are typed while a statement runs wait, unseen, until the editor reads them.
//!
//! A terminal's own line editing would echo them into the progress line, cut lines at 4,096 bytes, and throw away all that waits at Ctrl-C.

use tokio::runtime::Runtime;

/// Holds the settings for as long as it lives; the terminal has its own again after that, and when a signal ends the process.
#[derive(Debug)]
pub(super) struct Held(());

impl Held {
    /// Changes the settings of the terminal on standard input. A terminal that refuses is used as it is.
    pub(super) fn hold(runtime: &Runtime) -> Self {
        if let Err(error) = settings::hold() {
            tracing::debug!(%error, "the settings of the terminal cannot be changed");
        }
        settings::restore_at_signals(runtime);
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal its own settings back, if the shell holds them: before the process ends in any other way than from `main`.
pub(crate) fn restore() {
    settings::restore();
}

#[cfg(unix)]
mod settings {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use tokio::{
        runtime::Runtime,
        signal::unix::{Signal, SignalKind, signal},
    };

    /// The terminal's own settings while the shell has changed them.
    static OWN: Mutex<Option<Termios>> = Mutex::new(None);

    pub(super) fn hold() -> io::Result<()> {
        let own = tcgetattr(io::stdin())?;
        let mut held = own.clone();
        // As the editor has them, but for signals: Ctrl-C stops a statement.
        held.input_modes.remove(InputModes::ICRNL);
        held.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        held.local_modes.insert(LocalModes::NOFLSH);
        held.special_codes[SpecialCodeIndex::VMIN] = 1;
        held.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Drain, &held)?;
        *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        Ok(())
    }

    pub(super) fn restore() {
        if let Some(own) = OWN.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A terminal that has gone needs nothing any more.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &own);
        }
    }

    /// Ends the process at signals that would end it anyway, with the terminal as it was.
    pub(super) fn restore_at_signals(runtime: &Runtime) {
        let _context = runtime.enter();
        for kind in [SignalKind::terminate(), SignalKind::hangup()] {
            match signal(kind) {
                Ok(mut heard) => drop(runtime.spawn(async move { end_at(&mut heard, kind).await })),
                Err(error) => tracing::debug!(%error, "a signal cannot be heard"),
            }
        }
    }

    async fn end_at(heard: &mut Signal, kind: SignalKind) {
        if heard.recv().await.is_some() {
            restore();
            std::process::exit(128 + kind.as_raw_value());
        }
    }
}

#[cfg(not(unix))]
mod settings {
    use std::io;

    use tokio::runtime::Runtime;

    pub(super) fn hold() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn restore() {}

    pub(super) fn restore_at_signals(_: &Runtime) {}
}
