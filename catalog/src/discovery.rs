//! Finds partitions in storage: `walk` lists what is below a table's root, `directory` distinguishes the directories of partitions from others,
//! `repair` compares them with the catalog and updates it, `findings` keeps what is not a partition. `store` is what they need of a store.

mod directory;
mod findings;
mod repair;
mod store;
mod walk;

pub use directory::{Ignored, IgnoredReason};
pub use findings::{Finding, findings};
pub use repair::{Named, RepairMode, RepairOptions, RepairProgress, Repaired, repair};
pub use store::{ListPage, ListRequest, Lister, OpenLocation, StoreProvider};
