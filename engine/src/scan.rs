//! The scan of a table: which partitions survive (`prune`), which files they hold (`listing`), how the files are read and what of them
//! is consumed (`format`, `reader`, `footer`), and how their schemas become the table's (`evolve`).
//!
//! Data flows one way: `provider` prunes the partition index, lists the survivors, and hands DataFusion a plan node over
//! `format::parquet`; everything that node reads goes through `reader`, which is where the bill is counted.

mod evolve;
mod footer;
mod format;
mod hidden;
mod kept;
mod listing;
mod provider;
mod prune;
mod reader;

pub use footer::Footers;
pub use kept::{KeptFooter, KeptFooters, KeptKey};
pub use listing::{DataFile, list};
pub use provider::{LakeTable, ScanContext};
