//! Finding partitions in storage: `walk` lists what is below a table's root, `directory` tells partitions' directories from others, `repair` compares
//! them with the catalog and changes it, `findings` keeps what it could not take.

mod directory;
mod findings;
mod repair;
mod walk;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
pub use directory::{Found, Ignored, IgnoredReason};
pub use findings::{Finding, findings};
use object_store::ObjectMeta;
pub use repair::{Named, RepairMode, RepairOptions, RepairProgress, Repaired, repair};
pub use walk::{Piece, Walk, WalkOptions};

use crate::error::Result;

/// One page of a listing is asked for with this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// The key prefix below the store's root, raw: no `/` is appended to it.
    pub prefix: String,
    /// Whether keys that continue with a `/` after the prefix are rolled up into `prefixes`.
    pub delimited: bool,
    /// Only keys after this one.
    pub start_after: Option<String>,
    /// From the page before.
    pub token: Option<String>,
    /// On a disk, the folder out of which no link is followed, with its final `/`; empty for the whole disk. By default the one that the prefix is in.
    pub within: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    pub objects: Vec<ObjectMeta>,
    /// Rolled-up prefixes, each with its final `/`, raw (not percent-decoded).
    pub prefixes: Vec<String>,
    /// Files and rolled-up prefixes whose names no location can have: they can be reported, and not be read.
    pub unnameable: Vec<String>,
    /// Present if there is more.
    pub next_token: Option<String>,
}

/// Lists a store page by page, so that every request is visible.
#[async_trait]
pub trait Lister: Debug + Send + Sync {
    /// # Errors
    /// `Denied`, `NotFound` (a bucket, a host), `Throttled`, `Unavailable`, naming the location.
    async fn page(&self, request: ListRequest) -> Result<ListPage>;

    /// Whether a listing can begin at any key for the price of a page (`start_after`), and comes in the order of keys. Where it cannot, stores are
    /// listed directory by directory.
    fn seeks(&self) -> bool {
        true
    }
}

/// A location opened for listing.
#[derive(Debug, Clone)]
pub struct OpenLocation {
    pub lister: Arc<dyn Lister>,
    /// The key prefix of the location below the store's root, without a final `/`; empty for the root itself.
    pub prefix: String,
}

/// Opens the store of a URL. The engine provides it; the catalog never builds a store.
pub trait StoreProvider: Debug + Send + Sync {
    /// # Errors
    /// `Invalid` for a URL that names no store, `Unsupported` for a scheme that is not offered.
    fn open(&self, location: &str) -> Result<OpenLocation>;

    /// What a location names, in one form without a final `/`: links are followed, and two that name one place give one text.
    fn real(&self, location: &str) -> String {
        location.trim_end_matches('/').to_owned()
    }
}
