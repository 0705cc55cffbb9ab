//! The catalog service's gate: `auth` says who calls, and each caller has the catalog that the engine's grants show them.

use std::sync::Arc;

use async_trait::async_trait;
use glaux_catalog::grpc::{Admitted, CatalogServiceServer, Gate, Service, status_of};
use glaux_engine::{Engine, Error, ErrorKind, Role, Session, SessionOptions};
use tonic::{Extensions, Status, metadata::MetadataMap};

use super::repair::SessionRepairer;
use crate::{
    auth::{Authenticator, Sender, is_unauthenticated},
    flight::status,
    shutdown::Drain,
};

/// Lets in whom the authenticator knows.
#[derive(Debug)]
struct CatalogGate {
    engine: Engine,
    authenticator: Arc<Authenticator>,
    defaults: SessionOptions,
    drain: Drain,
}

/// The catalog service of this server.
pub(crate) fn service(
    engine: Engine,
    authenticator: Arc<Authenticator>,
    defaults: SessionOptions,
    drain: Drain,
    max_message_bytes: usize,
) -> CatalogServiceServer<Service> {
    let gate = CatalogGate { engine, authenticator, defaults, drain };
    CatalogServiceServer::new(Service::new(Arc::new(gate)))
        .max_decoding_message_size(max_message_bytes)
        .max_encoding_message_size(usize::MAX)
}

#[async_trait]
impl Gate for CatalogGate {
    async fn admit(&self, headers: &MetadataMap, extensions: &Extensions) -> Result<Admitted, Status> {
        if self.drain.is_draining() {
            let error = Error::new(ErrorKind::Unavailable, "the server is shutting down");
            return Err(status_of(&error.with_hint("Connect again in a moment")));
        }
        let caller = self.authenticator.caller(headers.as_ref(), &Sender::of(extensions)).await;
        let identity = caller.map_err(|error| match is_unauthenticated(&error) {
            true => status::of(&error),
            false => status_of(&error),
        })?;
        let role = if identity.administrator { Role::Administrator } else { Role::User };
        let session =
            Session::new(SessionOptions { user: identity.user.clone(), groups: identity.groups, role, ..self.defaults.clone() });
        let metastore = self.engine.catalog(&session);
        let repairer = Arc::new(SessionRepairer { engine: self.engine.clone(), session });
        Ok(Admitted { metastore, user: identity.user, administrator: identity.administrator, repairer: Some(repairer) })
    }

    async fn closing(&self) {
        self.drain.clone().draining().await;
    }
}
