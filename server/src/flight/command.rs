//! What a client asks for, decoded: descriptors, tickets and actions that do not decode are its mistake, not ours.

use arrow_flight::{
    FlightDescriptor, Ticket as FlightTicket,
    flight_descriptor::DescriptorType,
    sql::{Any, Command, CommandStatementIngest, ProstMessageExt},
};
use bytes::Bytes;
use glaux_engine::{Error, Result};
use prost::Message;

use super::metadata::MetadataCommand;

/// What GetFlightInfo, GetSchema, PollFlightInfo and DoGet take.
#[derive(Debug)]
pub(super) enum Read {
    Statement(String),
    Prepared(Bytes),
    Metadata(MetadataCommand),
    /// A result of GetFlightInfo, by its signed ticket.
    Result(Bytes),
}

/// What DoPut takes.
#[derive(Debug)]
pub(super) enum Put {
    Update(String),
    PreparedUpdate(Bytes),
    Bind(Bytes),
    Ingest(Box<CommandStatementIngest>),
}

/// The command of a descriptor.
///
/// # Errors
/// `Invalid` for what is no Flight SQL command, `Unsupported` for those that are not offered.
pub(super) fn of_descriptor(descriptor: &FlightDescriptor) -> Result<Command> {
    if descriptor.r#type() == DescriptorType::Path {
        return Err(Error::unsupported("descriptors by path are not offered").with_hint("Send a Flight SQL command"));
    }
    of_bytes(&descriptor.cmd)
}

/// What a ticket asks for.
///
/// # Errors
/// As [`of_descriptor`].
pub(super) fn of_ticket(ticket: &FlightTicket) -> Result<Read> {
    read(of_bytes(&ticket.ticket)?)
}

fn of_bytes(bytes: &[u8]) -> Result<Command> {
    let any = Any::decode(bytes).map_err(|_| no_command())?;
    Command::try_from(any).map_err(|_| no_command())
}

fn no_command() -> Error {
    Error::invalid("the request holds no Flight SQL command")
        .with_hint("Use a Flight SQL client; plain Flight descriptors are not offered")
}

/// A command that reads.
///
/// # Errors
/// As [`of_descriptor`].
pub(super) fn read(command: Command) -> Result<Read> {
    match command {
        Command::CommandStatementQuery(query) => {
            no_transaction(query.transaction_id.as_deref())?;
            Ok(Read::Statement(query.query))
        }
        Command::CommandPreparedStatementQuery(query) => Ok(Read::Prepared(query.prepared_statement_handle)),
        Command::TicketStatementQuery(ticket) => Ok(Read::Result(ticket.statement_handle)),
        Command::CommandStatementSubstraitPlan(_) => Err(no_substrait()),
        other => {
            let name = name(&other);
            MetadataCommand::from_command(other)
                .map(Read::Metadata)
                .ok_or_else(|| Error::invalid(format!("{name} cannot be read")).with_hint("Send it with DoPut"))
        }
    }
}

/// A command that is put.
///
/// # Errors
/// As [`of_descriptor`].
pub(super) fn put(command: Command) -> Result<Put> {
    match command {
        Command::CommandStatementUpdate(update) => {
            no_transaction(update.transaction_id.as_deref())?;
            Ok(Put::Update(update.query))
        }
        Command::CommandPreparedStatementUpdate(update) => Ok(Put::PreparedUpdate(update.prepared_statement_handle)),
        Command::CommandPreparedStatementQuery(query) => Ok(Put::Bind(query.prepared_statement_handle)),
        Command::CommandStatementIngest(ingest) => {
            no_transaction(ingest.transaction_id.as_deref())?;
            Ok(Put::Ingest(Box::new(ingest)))
        }
        Command::CommandStatementSubstraitPlan(_) => Err(no_substrait()),
        other => Err(Error::invalid(format!("{} cannot be put", name(&other))).with_hint("Ask for it with GetFlightInfo")),
    }
}

/// # Errors
/// `Unsupported` for a transaction's id, which can only be made up.
pub(super) fn no_transaction(id: Option<&[u8]>) -> Result<()> {
    match id {
        None | Some([]) => Ok(()),
        Some(_) => Err(transactions()),
    }
}

pub(super) fn transactions() -> Error {
    Error::unsupported("transactions are not offered").with_hint("Every statement is a transaction of its own; use autocommit")
}

pub(super) fn no_substrait() -> Error {
    Error::unsupported("Substrait plans are not offered").with_hint("Send SQL text")
}

/// The last part of the command's type.
fn name(command: &Command) -> String {
    let url = command.clone().into_any().type_url;
    url.rsplit('.').next().unwrap_or(&url).to_owned()
}

/// A message that an action's body wraps in `Any`, as Flight SQL's own actions do.
///
/// # Errors
/// `Invalid`.
pub(super) fn wrapped<M: ProstMessageExt + Default>(body: &[u8], action: &str) -> Result<M> {
    let unpacked = Any::decode(body).ok().and_then(|any| any.unpack::<M>().ok().flatten());
    unpacked.ok_or_else(|| bad_body(action))
}

/// A message that an action's body is, as Flight's own actions have it.
///
/// # Errors
/// `Invalid`.
pub(super) fn bare<M: Message + Default>(body: &[u8], action: &str) -> Result<M> {
    M::decode(body).map_err(|_| bad_body(action))
}

fn bad_body(action: &str) -> Error {
    Error::invalid(format!("the body of action \"{action}\" does not decode"))
}
