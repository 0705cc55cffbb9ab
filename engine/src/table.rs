//! A table as the planner sees it: its files, its schema, and its statistics. `hive` is a table of the catalog: its matching partitions (`prune`;
//! projected ones: `projected`), whether they have to be filtered (`partition_filter`), their files (`listing`), hidden columns (`hidden`), and
//! statistics for the planner (`statistics`). `registered` holds tables of record batches, which are not in the catalog.

mod context;
mod hidden;
mod hive;
mod listing;
mod partition_filter;
mod projected;
mod prune;
mod registered;
mod statistics;

pub(crate) use self::{
    context::ScanContext,
    hive::LakeTable,
    listing::{KeptListings, LISTING, Listing, ListingPolicy, Refreshed, refresh},
    partition_filter::requires_partition_filter,
    registered::RegisteredTables,
};
