//! The section `[flight]` of the configuration: what the Flight SQL server accepts, and what it keeps for clients.

use serde::{Deserialize, Serialize};

use crate::{
    span::Span,
    statements::{Lifetimes, Limit, Limits, Shares},
};

/// The section `[flight]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlightOptions {
    /// How long a planned result waits to be fetched.
    pub(crate) ticket_lifetime: Span,
    /// How long it waits with all renewals: what was planned grows old, in what it says of the lake and of rights.
    pub(crate) max_ticket_lifetime: Span,
    /// How long it waits once the connection is gone by which it was asked for.
    pub(crate) orphan_lifetime: Span,
    /// Results of one session that may wait at the same time; beyond it the oldest goes.
    pub(crate) max_held_statements: usize,
    pub(crate) max_held_statements_per_user: usize,
    pub(crate) max_held_statements_total: usize,
    /// Beyond it the longest idle goes.
    pub(crate) max_sessions: usize,
    pub(crate) max_sessions_per_user: usize,
    /// How long a session is kept that nobody uses.
    pub(crate) session_idle: Span,
    /// Of one session; beyond it the longest idle goes.
    pub(crate) max_prepared_statements: usize,
    pub(crate) max_prepared_statements_per_user: usize,
    pub(crate) max_prepared_statements_total: usize,
    /// How long a prepared statement is kept that nobody uses.
    pub(crate) prepared_idle: Span,
    /// The largest message that is taken in: batches of ingest and of parameters.
    pub(crate) max_message_bytes: usize,
    /// The most that a request's headers may have: long tokens, and options that drivers send as headers.
    pub(crate) max_header_bytes: u32,
    /// Calls that one connection may have open.
    pub(crate) max_streams: u32,
    /// Beyond it the longest idle is closed.
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    /// With calls of one user under way.
    pub(crate) max_connections_per_user: usize,
    /// How long a connection may take to begin, and to agree on keys.
    pub(crate) handshake_timeout: Span,
    /// How long a request may stall before it is there as a whole.
    pub(crate) request_timeout: Span,
    /// How long a connection may be silent before it is asked whether it still lives.
    pub(crate) keep_alive: Span,
}

impl Default for FlightOptions {
    fn default() -> Self {
        Self {
            ticket_lifetime: Span::seconds(600),
            orphan_lifetime: Span::seconds(30),
            max_ticket_lifetime: Span::hours(1),
            max_held_statements: 256,
            max_held_statements_per_user: 1_024,
            max_held_statements_total: 4_096,
            max_sessions: 10_000,
            max_sessions_per_user: 2_500,
            session_idle: Span::hours(24),
            max_prepared_statements: 1_000,
            max_prepared_statements_per_user: 5_000,
            max_prepared_statements_total: 20_000,
            prepared_idle: Span::hours(1),
            max_message_bytes: 64 << 20,
            max_header_bytes: 64 << 10,
            max_streams: 1_000,
            max_connections: 4_096,
            max_connections_per_address: 3_072,
            max_connections_per_user: 2_048,
            handshake_timeout: Span::seconds(10),
            request_timeout: Span::seconds(60),
            keep_alive: Span::seconds(30),
        }
    }
}

impl FlightOptions {
    /// What is kept for clients.
    pub(crate) const fn kept(&self) -> Limits {
        let results = Shares {
            session: Limit { most: self.max_held_statements, setting: "flight.max_held_statements" },
            user: Limit { most: self.max_held_statements_per_user, setting: "flight.max_held_statements_per_user" },
            all: Limit { most: self.max_held_statements_total, setting: "flight.max_held_statements_total" },
        };
        let prepared = Shares {
            session: Limit { most: self.max_prepared_statements, setting: "flight.max_prepared_statements" },
            user: Limit { most: self.max_prepared_statements_per_user, setting: "flight.max_prepared_statements_per_user" },
            all: Limit { most: self.max_prepared_statements_total, setting: "flight.max_prepared_statements_total" },
        };
        Limits {
            results,
            result_lifetimes: Lifetimes {
                waiting: self.ticket_lifetime.0,
                renewed: self.max_ticket_lifetime.0,
                orphaned: self.orphan_lifetime.0,
            },
            prepared,
            prepared_idle: self.prepared_idle.0,
            sessions_of_user: Limit { most: self.max_sessions_per_user, setting: "flight.max_sessions_per_user" },
            sessions: Limit { most: self.max_sessions, setting: "flight.max_sessions" },
            session_idle: self.session_idle.0,
        }
    }
}
