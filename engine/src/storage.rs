//! From a URL to a store: the only place that builds stores, so that every request is counted and every failure explained.
//!
//! ```text
//!  URL -> Stores (built once a process) -> QueryStores (one a query) -> TaggedStore, StoreLister
//!                    |                                                      | the query's meter travels with each request
//!                    +-- object_store -> WireService: counts every attempt and body byte -> network
//!                    +-- LocalStore: counts every operation and byte read -> disk
//!                    +-- OwnStore: counts every operation and byte read -> a store that the embedding program registered
//! ```
//!
//! Nothing here decides what to read, or prices anything. The data cache (`cache`) is asked by who reads, and knows no store.

mod builder;
mod cache;
mod closed;
mod credentials;
mod endpoint;
mod entity_tag;
mod environment;
mod excerpt;
mod failure;
mod file_version;
mod http_error;
mod list;
mod local;
mod meter_tag;
mod metered;
mod options;
mod origin;
mod own;
mod place;
#[cfg(feature = "aws-profile")]
mod profile;
mod ranges;
mod real;
mod registry;
mod scheme;
mod url;
mod values;
mod wire;

#[cfg(test)]
mod tests;

pub use cache::DataCacheOptions;
pub(crate) use cache::{DataCache, ObjectVersion};
pub(crate) use closed::{ClosedFiles, refused as closed_location};
pub(crate) use entity_tag::is_same_version;
pub use environment::Environment;
pub use failure::from_store;
pub use options::{BucketOptions, Secret, StorageOptions};
pub use origin::StoreOrigin;
pub(crate) use ranges::{RangePolicy, covered};
pub(crate) use real::RealLocation;
pub use registry::{Location, QueryStores, Stores};
pub(crate) use scheme::wording;
