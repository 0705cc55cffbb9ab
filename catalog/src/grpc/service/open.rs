//! A gate without authentication: every caller is an administrator. For tests, and for services that only trusted processes reach.

use std::sync::Arc;

use async_trait::async_trait;
use tonic::{Extensions, Status, metadata::MetadataMap};

use super::gate::{Admitted, Gate};
use crate::metastore::Metastore;

/// Admits every caller to one metastore, and never closes.
#[derive(Debug, Clone)]
pub struct OpenGate(pub Arc<dyn Metastore>);

#[async_trait]
impl Gate for OpenGate {
    async fn admit(&self, _headers: &MetadataMap, _extensions: &Extensions) -> Result<Admitted, Status> {
        let metastore = Arc::clone(&self.0);
        Ok(Admitted { metastore, user: "anonymous".to_owned(), administrator: true, repairer: None })
    }

    async fn closing(&self) {
        std::future::pending().await
    }
}
