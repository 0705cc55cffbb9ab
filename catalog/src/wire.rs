//! What the catalog holds as it travels, and back: definitions as messages (`definition`), blobs in pieces (`attachment`),
//! partitions and indexes as Arrow (`partition`, `index`, both by `ipc`), errors as statuses (`failure`). The service and its
//! client share it; neither is known here.

pub(crate) mod attachment;
pub(crate) mod definition;
pub(crate) mod failure;
pub(crate) mod index;
mod ipc;
pub(crate) mod partition;

/// The protocol that this release speaks, and the oldest one that it still understands.
pub(crate) const PROTOCOL: u32 = 1;
pub(crate) const OLDEST_PROTOCOL: u32 = 1;

/// The header of a call with the protocol that its client speaks.
pub(crate) const PROTOCOL_HEADER: &str = "x-glaux-catalog-protocol";
