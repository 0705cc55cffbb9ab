//! Where progress is drawn: a terminal that is a little narrower than it is.
//!
//! The library fills a line up to its end, so that whatever else is written begins a line of its own. But the `^C` that a terminal shows would
//! do so too; the library would then clear that line and leave the progress.

use std::{fmt, io};

use console::Term;
use indicatif::TermLike;

/// Columns that stay free: `^C`, and one for the cursor.
const SPARE: u16 = 3;

/// Standard error as a terminal.
pub(super) struct OneLine(Term);

impl OneLine {
    /// Whether there are columns for anything.
    pub(super) fn has_room(&self) -> bool {
        self.0.size().1 > SPARE
    }
}

impl Default for OneLine {
    fn default() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl fmt::Debug for OneLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneLine")
    }
}

impl TermLike for OneLine {
    fn width(&self) -> u16 {
        // The library counts on a column, and a terminal may become smaller meanwhile.
        self.0.size().1.saturating_sub(SPARE).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
