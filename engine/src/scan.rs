//! Reads the rows of a table's files: any format, any table.
//!
//! DataFusion plans a scan as a `DataSourceExec` over `source::LakeSource`, so that its rules know what they look at; the last rule of planning
//! (`UseLakeScan`) swaps it for `LakeScan`, which reads and counts. What it reads is named in the plan: splits, which are ranges of files.
//!
//! ```text
//!  LakeScan (exec) -- an Execution a run --> feed: opens splits ahead, through the format; queues their units
//!                                            streams (stream): admit units, let them fetch, decode, and give their rows
//! ```
//!
//! `spec` is what planning settled; `format` is all that is asked of a format (`formats` has them), `unit` of a part that is read by itself;
//! `fetch` is the only way to bytes, `io` counts them for the bill. Each file knows only those before it: file, fetch, io, columns, spec, quoted, budget,
//! unit, top, execution, format, source, feed, quote, stream, exec, answer, rule. An aggregation that a format can answer without rows is swapped as well
//! (`answer`). `quote` is the same scan as its figures before it runs (`quoted`): formats decide once for both what is read.
//!
//! How many units are under way does not depend on the number of streams: as many as the requests in flight and the bytes that may be read ahead
//! allow, fewer where rows may not be wanted (`LIMIT`, `ORDER BY ... LIMIT`, a join's filter that is still being found). Streams share the units of all
//! splits, unless they are told to read their own (`share_splits`).

mod analyzed;
mod answer;
mod budget;
mod cheap;
mod columns;
mod exec;
mod execution;
mod feed;
mod fetch;
mod file;
mod format;
mod io;
mod quote;
mod quoted;
mod rule;
mod sieve;
mod source;
mod spec;
mod stream;
mod top;
mod unit;

pub(crate) use self::{
    analyzed::{Analyzed, Figures, OF_PARTITION, OF_TABLE},
    answer::{FooterAggregate, merge},
    budget::Held,
    columns::{ColumnRange, FileColumns},
    exec::LakeScan,
    execution::Execution,
    fetch::{FetchBound, Fetcher, QueryFetch},
    file::DataFile,
    format::{Asked, Format, KnownFile, Opener, Quoter, Summaries},
    io::{ScanIo, consume},
    quoted::{FileQuote, QuotedScan, Reads, ScanQuote},
    rule::UseLakeScan,
    sieve::Sieve,
    source::LakeSource,
    spec::{Own, PlannedFile, Pruning, ScanSpec, Split},
    unit::{Next, Rows, Unit},
};
pub use self::{fetch::FetchOptions, quoted::Basis};
