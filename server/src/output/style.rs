//! How a table looks: the width that it keeps to, colours, and rows as records.

use clap::ValueEnum;

/// Whether each row is shown as a record, a line a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Expanded {
    #[default]
    Off,
    On,
    /// Where a table would be wider than the terminal.
    Auto,
}

/// How one result looks as a table.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Columns that lines may have; nothing is cut without it.
    pub(crate) width: Option<usize>,
    pub(crate) is_colored: bool,
    pub(crate) expanded: Expanded,
}
