//! The section `[flight]` of the configuration: what the Flight SQL server allows.

use serde::{Deserialize, Serialize};

use crate::config::Span;

/// The section `[flight]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlightOptions {
    /// How long a planned result waits to be fetched.
    pub(crate) ticket_lifetime: Span,
    /// Results of one user that may wait at the same time.
    pub(crate) max_held_statements: usize,
    pub(crate) max_sessions: usize,
    /// How long a session is kept that nobody uses.
    pub(crate) session_idle: Span,
    /// Of one session.
    pub(crate) max_prepared_statements: usize,
    /// How long a prepared statement is kept that nobody uses.
    pub(crate) prepared_idle: Span,
    /// The largest message that is taken in: batches of ingest and of parameters.
    pub(crate) max_message_bytes: usize,
    /// The most that a request's headers may have: long tokens, and options that drivers send as headers.
    pub(crate) max_header_bytes: u32,
    /// Calls that one connection may have open.
    pub(crate) max_streams: u32,
    pub(crate) max_connections: usize,
    /// How long a connection may be silent before it is asked whether it still lives.
    pub(crate) keep_alive: Span,
}

impl Default for FlightOptions {
    fn default() -> Self {
        Self {
            ticket_lifetime: Span::seconds(600),
            max_held_statements: 256,
            max_sessions: 10_000,
            session_idle: Span::hours(24),
            max_prepared_statements: 1_000,
            prepared_idle: Span::hours(1),
            max_message_bytes: 64 << 20,
            max_header_bytes: 64 << 10,
            max_streams: 1_000,
            max_connections: 4_096,
            keep_alive: Span::seconds(30),
        }
    }
}
