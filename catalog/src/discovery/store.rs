//! What discovery needs of a store: pages of listings, and where a location is.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use object_store::ObjectMeta;

use crate::error::Result;

/// A request for one page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// The key prefix below the store's root, exactly: no `/` is appended.
    pub prefix: String,
    /// Whether keys with a `/` after the prefix are rolled up into `prefixes`.
    pub delimited: bool,
    /// Only keys after this one.
    pub start_after: Option<String>,
    /// The token of the page before.
    pub token: Option<String>,
    /// On a disk, the folder that symbolic links must not leave, with its final `/`; empty for the whole disk. The default is the folder of the prefix.
    pub within: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    pub objects: Vec<ObjectMeta>,
    /// Rolled-up prefixes, each with its final `/`, not percent-decoded.
    pub prefixes: Vec<String>,
    /// Files and rolled-up prefixes whose names cannot be part of a location: they can be reported, but not read.
    pub unnameable: Vec<String>,
    /// Present if there are more pages.
    pub next_token: Option<String>,
}

/// Lists a store page by page, so that every request is visible.
#[async_trait]
pub trait Lister: Debug + Send + Sync {
    /// # Errors
    /// `Denied`, `NotFound` (a bucket, a host), `Throttled` or `Unavailable`, naming the location.
    async fn page(&self, request: ListRequest) -> Result<ListPage>;

    /// Whether a listing can begin at any key for the price of one page (`start_after`), and is in the order of keys. Other stores are listed directory
    /// by directory.
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
    /// `Invalid` for a URL that names no store, `Unsupported` for a scheme that is not supported.
    fn open(&self, location: &str) -> Result<OpenLocation>;

    /// The canonical form of a location, without a final `/`: links are followed, and two locations of one place have the same form.
    fn real(&self, location: &str) -> String {
        location.trim_end_matches('/').to_owned()
    }
}
