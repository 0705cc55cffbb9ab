//! A table as the planner sees it: which files it has, with which schema, and what is known of them. `hive` is the table of the catalog: partitions that
//! survive (`prune`; computed ones: `projected`), the files that they hold (`listing`), their hidden columns (`hidden`), and what the planner is told of
//! them (`statistics`). `registered` holds tables of record batches, which are not in the catalog.

mod context;
mod hidden;
mod hive;
mod listing;
mod projected;
mod prune;
mod registered;
mod statistics;

pub(crate) use self::{
    context::ScanContext,
    hive::LakeTable,
    listing::{KeptListings, LISTING, Listing, ListingPolicy, Refreshed, refresh},
    registered::RegisteredTables,
};
