//! The catalog over gRPC, so that several processes share one. Only this folder knows tonic and prost.
//!
//! [`Service`] serves any metastore, and [`RemoteMetastore`] is its client, which is a metastore itself. Neither knows the other. They share messages
//! (definitions as protobuf, partitions as Arrow IPC, attachments in pieces), the map from errors to statuses and back, and the version of the protocol.

mod client;
mod message;
mod protocol;
mod repairer;
mod service;
mod status;

pub use client::{CatalogChange, ChangeKind, Credentials, RemoteMetastore, RemoteOptions, ServiceAnswer};
pub use glaux_proto::{FILE_DESCRIPTOR_SET, catalog::v1::catalog_service_server::CatalogServiceServer};
pub use repairer::{RepairStep, Repairer};
pub use service::{Admitted, Gate, NAME, OpenGate, Service};
pub use status::{KIND_HEADER, code, status_of};
