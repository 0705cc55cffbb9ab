//! How many connections a listener accepts, and how long it waits for each.

use std::time::Duration;

/// What a listener takes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at a time. Beyond it the longest idle gives way; if none is idle, the new one is closed.
    pub(crate) max_connections: usize,
    /// Of one address; beyond it, one of the same address gives way.
    pub(crate) max_connections_per_address: usize,
    /// With calls of one user under way; more are refused.
    pub(crate) max_connections_per_user: usize,
    /// How long a client may take to begin, and to agree on keys.
    pub(crate) handshake_timeout: Duration,
    /// After how long without a word the system asks whether the other side is still there.
    pub(crate) keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_connections_per_address: 3072,
            max_connections_per_user: 2048,
            handshake_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
        }
    }
}
