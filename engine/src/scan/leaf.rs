//! What executes a scan. DataFusion plans a table as a `DataSourceExec`, so that all its rules know what they look at; the last rule
//! ([`UseLakeScan`]) swaps it for [`LakeScan`], which reads the same rows.
//!
//! ```text
//!  LakeScan (exec) -- one Execution a run --> feed: opens files ahead (open: footer, prune), queues their row groups (unit)
//!                                             streams (stream): admit units, fetch what their decoders ask for (decode), project
//! ```
//!
//! `spec` is what planning settled, `shape` what a file's schema makes of it. Each of these knows only those before it: spec, shape, file, unit,
//! execution, open and decode, feed, stream, exec. An aggregation that footers can answer is swapped as well (`answer`).
//!
//! A unit is one row group. How many are under way does not depend on the number of streams: as many as the requests in flight and the bytes that
//! may be read ahead allow, fewer where rows may not be wanted (`LIMIT`, `ORDER BY ... LIMIT`, a join's filter that is still being found).

mod answer;
mod cheap;
mod decode;
mod exec;
mod execution;
mod fault;
mod feed;
mod file;
mod footer;
mod late;
mod mask;
mod open;
mod prune;
mod rule;
mod shape;
mod spec;
mod stream;
mod top;
mod unit;

pub(crate) use exec::LakeScan;
pub(crate) use rule::UseLakeScan;
