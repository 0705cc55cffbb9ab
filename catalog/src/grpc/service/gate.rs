//! Who may call the service, and which metastore they see.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use tonic::{Extensions, Status, metadata::MetadataMap};

use crate::{grpc::repairer::Repairer, metastore::Metastore};

/// A caller who was admitted.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The catalog as the caller may see and change it. Valid for one call.
    pub metastore: Arc<dyn Metastore>,
    pub user: String,
    /// Whether the caller sees everything and may do everything.
    pub administrator: bool,
    /// What repairs tables for the caller; `None` if the service has no access to storage.
    pub repairer: Option<Arc<dyn Repairer>>,
}

/// Authenticates callers, and signals shutdown.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// Identifies the caller by the headers and the connection of a call.
    ///
    /// # Errors
    /// The status that the call fails with.
    async fn admit(&self, headers: &MetadataMap, extensions: &Extensions) -> Result<Admitted, Status>;

    /// Ready once the server shuts down. Streams without an end are closed then.
    async fn closing(&self);
}
