//! What service and client send each other: definitions as messages (`definition`, `workgroup`), attachments in pieces (`attachment`), partitions and indexes as
//! Arrow IPC (`partition`, `index`, both by `ipc`).

pub(super) mod attachment;
pub(super) mod definition;
pub(super) mod index;
mod ipc;
pub(super) mod partition;
pub(super) mod workgroup;
