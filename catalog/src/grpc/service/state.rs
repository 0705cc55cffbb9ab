//! The state of the service, what every call begins with, and the types of answers.

use std::sync::Arc;

use futures::stream::BoxStream;
use tokio::sync::watch as signal;
use tonic::{Extensions, Request, Response, Status, metadata::MetadataMap};

use super::gate::{Admitted, Gate};
use crate::{
    error::Result,
    grpc::{
        protocol::{PROTOCOL_HEADER, check_protocol},
        status::status_of,
    },
};

pub(super) type Reply<T> = Result<Response<T>, Status>;
pub(super) type Messages<T> = BoxStream<'static, Result<T, Status>>;

/// The service. Clones share their state.
#[derive(Debug, Clone)]
pub struct Service {
    pub(super) gate: Arc<dyn Gate>,
    /// Rises with every change made through this service, so that watchers look for changes at once.
    pub(super) changes: Arc<signal::Sender<u64>>,
}

impl Service {
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>) -> Self {
        Self { gate, changes: Arc::new(signal::Sender::new(0)) }
    }

    /// Admits a call. A stream of messages must be kept until the change that it describes is made: what limits the memory of requests counts
    /// them as long as their streams live.
    pub(super) async fn admit<T>(&self, request: Request<T>) -> Result<(Admitted, T), Status> {
        let (headers, extensions, message) = request.into_parts();
        Ok((self.admit_caller(&headers, &extensions).await?, message))
    }

    pub(super) async fn admit_caller(&self, headers: &MetadataMap, extensions: &Extensions) -> Result<Admitted, Status> {
        if let Some(protocol) = headers.get(PROTOCOL_HEADER) {
            let spoken = protocol.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            check_protocol(spoken).map_err(|error| status_of(&error))?;
        }
        self.gate.admit(headers, extensions).await
    }

    /// The answer to a call that changes something. It wakes the watchers.
    pub(super) fn changed<T>(&self, answer: Result<T>) -> Reply<T> {
        self.changes.send_modify(|count| *count += 1);
        answered(answer)
    }
}

pub(super) fn answered<T>(answer: Result<T>) -> Reply<T> {
    answer.map(Response::new).map_err(|error| status_of(&error))
}
