//! What the calls of one server share, and the translations that more than one kind of call needs: tickets, endpoints and schemas.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow_flight::{
    FlightEndpoint, SchemaAsIpc, Ticket as FlightTicket,
    sql::{ProstMessageExt, TicketStatementQuery},
};
use bytes::Bytes;
use glaux_engine::{Error, Result, sql::MAX_STATEMENT};
use prost::Message;

use super::{
    caller::Callers,
    command::{self, Read},
    metadata::{ServerLimits, type_name},
    options::FlightOptions,
    ticket::Ticket,
};
use crate::{
    auth::Authenticator,
    statements::{Caller, Held, Statements},
};

/// Everything that the calls of one server share.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) statements: Arc<Statements>,
    pub(super) callers: Callers,
    pub(super) limits: ServerLimits,
}

impl Flight {
    pub(crate) fn new(statements: Arc<Statements>, authenticator: Arc<Authenticator>, options: &FlightOptions) -> Self {
        Self {
            callers: Callers { authenticator, statements: Arc::clone(&statements) },
            limits: ServerLimits {
                statement_idle: Some(options.prepared_idle.0),
                connections: Some(options.max_connections as u64),
                statements: Some(options.max_prepared_statements as u64),
                statement_bytes: Some(MAX_STATEMENT as u64),
            },
            statements,
        }
    }

    /// The statement of a ticket that the caller shows, which may have been fetched already.
    ///
    /// # Errors
    /// `Invalid`, `Denied` or `NotFound`.
    pub(super) fn held(&self, caller: &Caller, ticket: &FlightTicket) -> Result<(Arc<Held>, Ticket)> {
        let Read::Result(signed) = command::of_ticket(ticket)? else {
            return Err(Error::invalid("the ticket does not belong to a statement"));
        };
        let ticket = self.verify(caller, &signed)?;
        Ok((self.statements.held(caller, ticket.statement)?, ticket))
    }

    /// The statement of a ticket that is still good to fetch it with.
    ///
    /// # Errors
    /// `Invalid`, `Denied` or `NotFound`.
    pub(super) fn held_by(&self, caller: &Caller, signed: &[u8]) -> Result<(Arc<Held>, Ticket)> {
        let ticket = self.verify(caller, signed)?;
        ticket.check_time(self.statements.engine().clock().now())?;
        Ok((self.statements.held(caller, ticket.statement)?, ticket))
    }

    fn verify(&self, caller: &Caller, signed: &[u8]) -> Result<Ticket> {
        Ticket::verify(signed, &caller.identity.user, self.callers.authenticator.signer())
    }

    /// One of a result's streams as an endpoint: a ticket, to be shown on the same connection.
    pub(super) fn endpoint(&self, held: &Held, stream: u16) -> FlightEndpoint {
        let (expires_at, user) = (held.expires_at(), held.user().to_owned());
        let ticket = Ticket { statement: held.id, endpoint: stream, expires_at, user };
        let handle = TicketStatementQuery { statement_handle: ticket.sign(self.callers.authenticator.signer()).into() };
        FlightEndpoint::new().with_ticket(FlightTicket::new(handle.as_any().encode_to_vec()))
    }
}

/// A result's schema as every message shows it: with the names of Athena's types in the fields' metadata.
pub(super) fn wire_schema(schema: &Schema) -> Schema {
    let field = |field: &Arc<Field>| Arc::new(type_name::describe(field));
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

/// A schema as an encapsulated message.
///
/// # Errors
/// `Internal` if it cannot be encoded.
pub(super) fn ipc(schema: &Schema) -> Result<Bytes> {
    let options = arrow::ipc::writer::IpcWriteOptions::default();
    let message = arrow_flight::IpcMessage::try_from(SchemaAsIpc::new(schema, &options));
    message.map(|message| message.0).map_err(|error| Error::internal("a schema could not be encoded").with_source(error))
}
