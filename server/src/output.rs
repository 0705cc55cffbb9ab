//! Results, one form a file: `table` for people, `csv` and `json` line by line, `arrow` and `parquet` in binary. They go to standard output, to
//! a pager or to a file (`results`).
//!
//! Every form streams: what is written is a batch or a chunk of rows, never a whole result in memory (Parquet keeps a row group).

mod arrow;
mod cell;
mod csv;
mod format;
mod forms;
mod json;
mod layout;
mod pager;
mod parquet;
mod records;
mod results;
mod style;
mod table;
mod whole_file;
mod writer;

pub(crate) use self::{
    format::Format,
    layout::{Cell, Layout},
    results::{Results, Width, Writing},
    style::{Expanded, Style},
    whole_file::discard_unfinished,
    writer::is_broken_pipe,
};

#[cfg(test)]
mod tests;
