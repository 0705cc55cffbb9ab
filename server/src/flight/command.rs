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
        return Err(Error::unsupported("descriptors by path are not supported").with_hint("Send a Flight SQL command"));
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
    if bytes.is_empty() {
        return Err(Error::invalid("the command or ticket is empty").with_hint(SENT_BY_CLIENTS));
    }
    let any = Any::decode(bytes).map_err(|_| no_command())?;
    match Command::try_from(any).map_err(|_| no_command())? {
        // What bytes by chance decode to has no name that a message could have.
        Command::Unknown(any) if !is_name(last_part(&any.type_url)) => Err(no_command()),
        command => Ok(command),
    }
}

const SENT_BY_CLIENTS: &str = "Use a Flight SQL client; plain Flight descriptors are not supported";

fn no_command() -> Error {
    Error::invalid("the request is not a Flight SQL command").with_hint(SENT_BY_CLIENTS)
}

/// A command that neither reading nor putting knows.
fn unknown(command: &Command) -> Error {
    Error::unsupported(format!("command \"{}\" is not supported", name(command))).with_hint(
        "CommandStatementQuery, CommandPreparedStatementQuery and the CommandGet... are read, CommandStatementUpdate, \
             CommandPreparedStatementUpdate and CommandStatementIngest are put",
    )
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
        Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) | Command::CommandStatementIngest(_) => {
            Err(Error::invalid(format!("{} cannot be read", name(&command))).with_hint("Send it with DoPut"))
        }
        other => {
            let error = unknown(&other);
            MetadataCommand::from_command(other).map(Read::Metadata).ok_or(error)
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
        other if is_read(&other) => {
            Err(Error::invalid(format!("{} cannot be put", name(&other))).with_hint("Ask for it with GetFlightInfo"))
        }
        other => Err(unknown(&other)),
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
    Error::unsupported("transactions are not supported").with_hint("Every statement is a transaction of its own; use autocommit")
}

pub(super) fn no_substrait() -> Error {
    Error::unsupported("Substrait plans are not supported").with_hint("Send SQL text")
}

/// Whether reading takes the command, and nothing else does.
fn is_read(command: &Command) -> bool {
    matches!(command, Command::CommandStatementQuery(_) | Command::TicketStatementQuery(_))
        || MetadataCommand::from_command(command.clone()).is_some()
}

/// The last part of the command's type.
fn name(command: &Command) -> &str {
    last_part(command.type_url())
}

fn last_part(type_url: &str) -> &str {
    type_url.rsplit(['.', '/']).next().unwrap_or(type_url)
}

/// Whether a protocol's message can have the name.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
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
    Error::invalid(format!("the body of action \"{action}\" cannot be decoded"))
}

#[cfg(test)]
mod tests {
    use arrow_flight::sql::{CommandGetCatalogs, CommandStatementQuery, CommandStatementUpdate};
    use glaux_engine::ErrorKind;

    use super::*;

    fn any(type_url: &str) -> Vec<u8> {
        Any { type_url: type_url.to_owned(), value: Bytes::new() }.encode_to_vec()
    }

    /// What reading and putting say of the bytes of a command.
    fn refused(bytes: &[u8]) -> [Error; 2] {
        let errors = [of_bytes(bytes).and_then(read).map(drop), of_bytes(bytes).and_then(put).map(drop)];
        errors.map(|refused| refused.expect_err("it is refused"))
    }

    #[test]
    fn unknown_commands_are_named_and_sent_nowhere() {
        for error in refused(&any("type.googleapis.com/arrow.flight.protocol.sql.CommandFoo")) {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(error.to_string(), "command \"CommandFoo\" is not supported");
            assert!(error.hint().is_some_and(|hint| hint.contains("CommandStatementQuery") && !hint.contains("DoPut")));
        }
    }

    #[test]
    fn what_is_empty_says_so_and_what_is_no_command_too() {
        for error in refused(&[]) {
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, "the command or ticket is empty".to_owned()));
        }
        for bytes in [any("no name"), any("type.googleapis.com/"), vec![0xff; 8]] {
            for error in refused(&bytes) {
                let expected = "the request is not a Flight SQL command".to_owned();
                assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, expected));
            }
        }
    }

    #[test]
    fn commands_of_the_other_call_are_sent_there() {
        let update = CommandStatementUpdate { query: String::new(), transaction_id: None }.as_any();
        let error = of_bytes(&update.encode_to_vec()).and_then(read).expect_err("it is put");
        assert_eq!((error.kind(), error.hint()), (ErrorKind::Invalid, Some("Send it with DoPut")));
        let query = CommandStatementQuery { query: String::new(), transaction_id: None }.as_any();
        for any in [query, CommandGetCatalogs {}.as_any()] {
            let error = of_bytes(&any.encode_to_vec()).and_then(put).expect_err("it is read");
            assert_eq!((error.kind(), error.hint()), (ErrorKind::Invalid, Some("Ask for it with GetFlightInfo")));
        }
    }
}
