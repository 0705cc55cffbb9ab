//! A pager for results that are longer than the screen: what is written is held back until it is, and only then the program is started.

use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    mem,
    process::{Child, Stdio},
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
};

use console::measure_text_width;

use crate::{
    diagnostic,
    terminal::{self, Lent, Screen},
};

/// The variables that name a pager, the first that is set counts; an empty one asks for none.
const VARIABLES: [&str; 2] = ["GLAUX_PAGER", "PAGER"];

/// What is tried where no variable names one.
const USUAL: [&str; 2] = ["less", "more"];

/// Lines of the screen that are left for the bill and the prompt.
const SPARE_LINES: usize = 2;

/// What is held back at most: beyond that it is as good as longer than the screen.
const MOST_HELD: usize = 1 << 20;

/// Where the bytes of one result go. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Pager(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    words: String,
    screen: Screen,
    way: Way,
    /// Whether the pager has been left before it had everything.
    was_left: bool,
}

#[derive(Debug)]
enum Way {
    /// So far it fits on the screen.
    Held {
        bytes: Vec<u8>,
        /// Lines of the screen that whole lines take.
        lines: usize,
        /// Where the last line begins.
        begun: usize,
    },
    Paged {
        child: Child,
        /// The terminal is the program's as long as it runs.
        lent: Lent,
    },
    /// Past a pager that did not start.
    Direct,
    /// Nowhere: it is over.
    Closed,
}

impl Pager {
    /// A pager for standard output, if that is a terminal and there is a pager.
    pub(super) fn wanted() -> Option<Self> {
        let screen = Screen::of_stdout().filter(|_| io::stdin().is_terminal() && !terminal::is_dumb())?;
        let way = Way::Held { bytes: Vec::new(), lines: 0, begun: 0 };
        Some(Self(Arc::new(Mutex::new(State { words: words()?, screen, way, was_left: false }))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.lock().way, Way::Paged { .. })
    }

    /// Whether its user has left the program, and wants no more.
    pub(super) fn was_left(&self) -> bool {
        let mut state = self.lock();
        if let Way::Paged { child, .. } = &mut state.way
            && matches!(child.try_wait(), Ok(Some(_)))
        {
            state.was_left = true;
        }
        state.was_left
    }

    /// Shows what was held back, or waits until the program is left.
    ///
    /// # Errors
    /// Those of standard output.
    pub(super) fn close(&self) -> io::Result<()> {
        let way = mem::replace(&mut self.lock().way, Way::Closed);
        match way {
            Way::Held { bytes, .. } => show(&bytes),
            Way::Paged { mut child, lent } => {
                drop(child.stdin.take());
                let ended = child.wait();
                drop(lent);
                ended.map(drop)
            }
            Way::Direct | Way::Closed => Ok(()),
        }
    }
}

impl Write for Pager {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.lock().take(written).map(|()| written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.lock().way {
            Way::Held { .. } | Way::Closed => Ok(()),
            Way::Paged { child, .. } => child.stdin.as_mut().map_or(Ok(()), Write::flush),
            Way::Direct => io::stdout().flush(),
        }
    }
}

impl State {
    fn take(&mut self, written: &[u8]) -> io::Result<()> {
        match &mut self.way {
            Way::Held { bytes, lines, begun } => {
                bytes.extend_from_slice(written);
                while let Some(length) = bytes[*begun..].iter().position(|byte| *byte == b'\n') {
                    let width = measure_text_width(&String::from_utf8_lossy(&bytes[*begun..*begun + length]));
                    *lines += width.div_ceil(self.screen.columns).max(1);
                    *begun += length + 1;
                    if *lines + SPARE_LINES > self.screen.rows {
                        return self.start();
                    }
                }
                if bytes.len() > MOST_HELD { self.start() } else { Ok(()) }
            }
            Way::Paged { child, .. } => {
                let Some(pipe) = child.stdin.as_mut() else { return Err(ErrorKind::BrokenPipe.into()) };
                let result = pipe.write_all(written);
                self.was_left |= result.is_err();
                result
            }
            Way::Direct => io::stdout().write_all(written),
            Way::Closed => Ok(()),
        }
    }

    /// Starts the program with what was held back; without it, that is shown as it is.
    fn start(&mut self) -> io::Result<()> {
        let Way::Held { bytes, .. } = mem::replace(&mut self.way, Way::Direct) else { return Ok(()) };
        let lent = terminal::lend();
        let mut command = terminal::command(&self.words, &[]);
        // As other programs start it: it leaves its text on the screen, and lets colours through.
        for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
            if env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        match command.stdin(Stdio::piped()).spawn() {
            Ok(child) => {
                self.way = Way::Paged { child, lent };
                self.take(&bytes)
            }
            Err(error) => {
                drop(lent);
                diagnostic::warn(&format!("the pager \"{}\" could not be started: {error}", self.words));
                show(&bytes)
            }
        }
    }
}

fn show(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The words that start the pager; none if none is wanted, or there is none.
fn words() -> Option<String> {
    static MISSING: Once = Once::new();
    let Some((variable, words)) = VARIABLES.into_iter().find_map(|name| Some((name, env::var(name).ok()?))) else {
        return USUAL.into_iter().find(|name| terminal::is_there(name)).map(str::to_owned);
    };
    if words.trim().is_empty() || words.trim() == "cat" {
        return None;
    }
    if !terminal::is_there(&words) {
        MISSING.call_once(|| diagnostic::warn(&format!("the pager \"{words}\" of the variable {variable} was not found")));
        return None;
    }
    Some(words)
}
