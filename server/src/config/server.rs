//! The section `[server]`: where `glaux serve` listens, and how it shuts down. It opens nothing.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// The section `[server]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerOptions {
    /// Where Flight SQL is spoken: an address and a port; port 0 is any free one.
    pub(crate) flight_addr: SocketAddr,
    /// Where health and metrics are served.
    pub(crate) http_addr: SocketAddr,
    /// Connections of the HTTP port; beyond it the oldest is closed.
    pub(crate) http_max_connections: usize,
    /// How long a client of the HTTP port may take to send the head of a request.
    pub(crate) http_header_timeout: Span,
    /// Whether anybody on the network may do everything: without it, an address beyond this machine needs `[auth]`.
    pub(crate) allow_anonymous_network: bool,
    /// How long what runs may take to its end once the server shuts down.
    pub(crate) drain_timeout: Span,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            flight_addr: SocketAddr::from(([127, 0, 0, 1], 32010)),
            http_addr: SocketAddr::from(([127, 0, 0, 1], 8686)),
            http_max_connections: 512,
            http_header_timeout: Span::seconds(30),
            allow_anonymous_network: false,
            drain_timeout: Span::seconds(30),
        }
    }
}
