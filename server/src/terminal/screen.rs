//! The size and the abilities of the screen.

use console::Term;

/// The size of a terminal, both at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Screen {
    /// The screen that standard output is shown on; `None` if that is no terminal, or one that does not tell its size.
    pub(crate) fn of_stdout() -> Option<Self> {
        let (rows, columns) = Term::stdout().size_checked()?;
        (rows > 0 && columns > 0).then(|| Self { rows: rows.into(), columns: columns.into() })
    }
}

/// Whether the terminal is one of those that nothing can be drawn on and removed from again.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|kind| ["dumb", "cons25", "emacs"].iter().any(|dumb| kind.eq_ignore_ascii_case(dumb)))
}
