//! The scan of a table: which partitions survive (`prune`; computed ones: `projected`), which files they hold (`listing`), what is known of these (`metadata`, on disk `kept`,
//! for the planner `statistics`), and of that believed (`belief`), how their schemas become the table's (`evolve`), how they are read (`leaf`), and how bytes are got (`fetch`).
//!
//! Data flows one way: `provider` prunes the partition index, lists the survivors, and hands DataFusion a plan node; the last rule of planning
//! swaps it for that of `leaf`, which decodes and counts for the bill; everything it reads comes through `fetch`.

mod analyzed;
mod belief;
mod evolve;
mod fetch;
mod hidden;
mod kept;
mod leaf;
mod listing;
mod metadata;
mod peek;
mod projected;
mod provider;
mod prune;
mod statistics;

pub(crate) use analyzed::{Analyzed, Figures, OF_PARTITION, OF_TABLE};
pub use fetch::{FetchOptions, Fetcher, QueryFetch};
pub use kept::{KeptFooter, KeptFooters, KeptKey};
pub(crate) use leaf::{LakeScan, UseLakeScan};
pub use listing::{DataFile, KeptListings, LISTING, Listing, ListingPolicy, Refreshed, refresh};
pub use metadata::Footers;
pub(crate) use metadata::{arrow_schema as file_schema, meaning};
pub use provider::{LakeTable, ScanContext};
