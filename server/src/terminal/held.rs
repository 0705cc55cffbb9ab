//! The terminal's settings while the shell runs: keys typed while a statement runs are buffered, without echo, until the editor reads them.
//!
//! A terminal's own line editing would echo them into the progress line, cut lines at 4,096 bytes, and throw away all that waits at Ctrl-C.

use std::process::Stdio;

use tokio::runtime::Runtime;

use super::screen::is_dumb;

/// Holds the settings for as long as it lives; the terminal has its own again after that, and after [`restore`].
#[derive(Debug)]
pub(crate) struct Held(());

impl Held {
    /// Changes the settings of the terminal on standard input. A terminal that refuses, or that no editor can draw on, is used as it is.
    pub(crate) fn hold(runtime: &Runtime) -> Self {
        if is_dumb() {
            return Self(());
        }
        if let Err(error) = settings::hold() {
            tracing::debug!(%error, "the settings of the terminal cannot be changed");
        }
        settings::take_again_when_continued(runtime);
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

/// Lets the shell's line editor read: until it returns the keys are its own, Ctrl-C too.
pub(crate) fn editing<T>(read: impl FnOnce() -> T) -> T {
    settings::edit(true);
    let read = read();
    settings::edit(false);
    read
}

/// Gives the terminal its own settings back until the process is continued: before it stops.
pub(crate) fn suspend() {
    settings::suspend();
}

/// Gives the terminal its own settings back for another program, until what this returns is dropped.
pub(crate) fn lend() -> Lent {
    settings::lend(true);
    Lent(())
}

/// The terminal is another program's.
#[derive(Debug)]
#[must_use]
pub(crate) struct Lent(());

impl Drop for Lent {
    fn drop(&mut self) {
        settings::lend(false);
    }
}

/// The terminal that keys come from, for another program's standard input: the shell's own is its line editor's.
pub(crate) fn input() -> Stdio {
    settings::input()
}

#[cfg(unix)]
mod settings {
    use std::{
        io,
        os::fd::OwnedFd,
        process::Stdio,
        sync::{Mutex, MutexGuard, PoisonError},
    };

    use rustix::{
        io::fcntl_dupfd_cloexec,
        process::{Signal as Number, getpgrp},
        termios::{
            ControlModes, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
        },
    };
    use tokio::{
        runtime::Runtime,
        signal::unix::{Signal, SignalKind, signal},
    };

    use crate::terminal::keys::Keys;

    /// The terminal while the shell has changed its settings.
    struct Terminal {
        terminal: OwnedFd,
        own: Termios,
        /// While a statement runs: Ctrl-C stops it.
        running: Termios,
        /// While the editor reads.
        editing: Termios,
        is_editing: bool,
        /// Whether another program has it.
        is_lent: bool,
        keys: Keys,
    }

    impl Terminal {
        fn set(&self, settings: &Termios) {
            // A terminal that has gone needs nothing any more.
            let _ = tcsetattr(&self.terminal, OptionalActions::Drain, settings);
        }

        fn set_current(&self) {
            self.set(match (self.is_lent, self.is_editing) {
                (true, _) => &self.own,
                (false, true) => &self.editing,
                (false, false) => &self.running,
            });
        }
    }

    static HELD: Mutex<Option<Terminal>> = Mutex::new(None);

    fn held() -> MutexGuard<'static, Option<Terminal>> {
        HELD.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold() -> io::Result<()> {
        // Standard input is the editor's own terminal from here on.
        let terminal = fcntl_dupfd_cloexec(io::stdin(), 3)?;
        let own = tcgetattr(&terminal)?;
        let mut running = own.clone();
        running.input_modes.remove(InputModes::ICRNL);
        running.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        running.local_modes.insert(LocalModes::NOFLSH);
        running.special_codes[SpecialCodeIndex::VMIN] = 1;
        running.special_codes[SpecialCodeIndex::VTIME] = 0;
        let mut editing = running.clone();
        editing.input_modes.remove(InputModes::BRKINT | InputModes::INPCK | InputModes::ISTRIP | InputModes::IXON);
        editing.control_modes.insert(ControlModes::CS8);
        editing.local_modes.remove(LocalModes::IEXTEN | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Drain, &running)?;
        let keys =
            fcntl_dupfd_cloexec(&terminal, 3).map_err(io::Error::from).and_then(|terminal| Keys::start(terminal, &editing));
        match keys {
            Ok(keys) => {
                *held() = Some(Terminal { terminal, own, running, editing, is_editing: false, is_lent: false, keys });
                Ok(())
            }
            Err(error) => {
                tcsetattr(&terminal, OptionalActions::Drain, &own)?;
                Err(error)
            }
        }
    }

    pub(super) fn edit(is_editing: bool) {
        if let Some(terminal) = held().as_mut() {
            terminal.is_editing = is_editing;
            terminal.set_current();
            terminal.keys.flow(is_editing);
        }
    }

    pub(super) fn restore() {
        if let Some(terminal) = held().take() {
            terminal.set(&terminal.own);
        }
    }

    pub(super) fn suspend() {
        if let Some(terminal) = held().as_ref() {
            terminal.set(&terminal.own);
        }
    }

    pub(super) fn lend(is_lent: bool) {
        if let Some(terminal) = held().as_mut() {
            terminal.is_lent = is_lent;
            terminal.set_current();
        }
    }

    pub(super) fn input() -> Stdio {
        let terminal = held().as_ref().and_then(|held| fcntl_dupfd_cloexec(&held.terminal, 3).ok());
        terminal.map_or_else(Stdio::inherit, Stdio::from)
    }

    /// Takes the terminal again when the process is continued.
    pub(super) fn take_again_when_continued(runtime: &Runtime) {
        let _context = runtime.enter();
        match signal(SignalKind::from_raw(Number::CONT.as_raw())) {
            Ok(mut heard) => drop(runtime.spawn(async move { take_again_at(&mut heard).await })),
            Err(error) => tracing::debug!(%error, "a signal cannot be heard"),
        }
    }

    async fn take_again_at(heard: &mut Signal) {
        while heard.recv().await.is_some() {
            // Who changes a terminal from the background is stopped again; another program sets it up by itself.
            if let Some(terminal) = held().as_ref()
                && !terminal.is_lent
                && tcgetpgrp(&terminal.terminal).is_ok_and(|foreground| foreground == getpgrp())
            {
                terminal.set_current();
            }
        }
    }
}

#[cfg(not(unix))]
mod settings {
    use std::{io, process::Stdio};

    use tokio::runtime::Runtime;

    pub(super) fn hold() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn edit(_: bool) {}

    pub(super) fn restore() {}

    pub(super) fn suspend() {}

    pub(super) fn lend(_: bool) {}

    pub(super) fn input() -> Stdio {
        Stdio::inherit()
    }

    pub(super) fn take_again_when_continued(_: &Runtime) {}
}
