//! Flight's and Flight SQL's actions, by name.

use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, RenewFlightEndpointRequest,
    Ticket as FlightTicket,
    sql::{
        ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, ProstMessageExt,
    },
};
use bytes::Bytes;
use glaux_engine::{Error, Result, query::QueryReport};
use prost::Message;

use super::{
    command::{self, Read},
    context::{Flight, ipc, wire_schema},
    session_options::{self, CloseSessionResult, CloseStatus, SetSessionOptionsRequest},
    stats,
};
use crate::statements::Caller;

/// Prepares a statement.
pub(super) const PREPARE: &str = "CreatePreparedStatement";

/// The actions, each with what it takes and gives.
const ACTIONS: [(&str, &str); 11] = [
    (PREPARE, "Prepares a statement. ActionCreatePreparedStatementRequest -> ActionCreatePreparedStatementResult"),
    ("ClosePreparedStatement", "Closes a prepared statement. ActionClosePreparedStatementRequest -> nothing"),
    ("CancelQuery", "Cancels a query by its FlightInfo. ActionCancelQueryRequest -> ActionCancelQueryResult"),
    ("CancelFlightInfo", "Cancels a query by its FlightInfo. CancelFlightInfoRequest -> CancelFlightInfoResult"),
    (
        "RenewFlightEndpoint",
        "Gives a result more time to be fetched, within max_ticket_lifetime. RenewFlightEndpointRequest -> FlightEndpoint",
    ),
    ("SetSessionOptions", "Sets the session's options. SetSessionOptionsRequest -> SetSessionOptionsResult"),
    ("GetSessionOptions", "The session's options. GetSessionOptionsRequest -> GetSessionOptionsResult"),
    ("CloseSession", "Ends the session. CloseSessionRequest -> CloseSessionResult"),
    ("GetQueryStats", "A query's figures so far, or at its end. Its id, or nothing for the session's last -> JSON"),
    ("Quote", "What a query takes at most, without running it: bytes, requests, price, and why not less. Its SQL -> JSON"),
    ("GetServerInfo", "The server's version. Nothing -> JSON"),
];

/// What a cancellation came to, by the protocol's numbers.
const CANCELLED: i32 = 1;
const NOT_CANCELLABLE: i32 = 3;

pub(super) fn list() -> Vec<ActionType> {
    let action = |(name, description): (&str, &str)| ActionType { r#type: name.to_owned(), description: description.to_owned() };
    ACTIONS.map(action).to_vec()
}

/// Carries an action out; gives the body of its result, if it has one.
pub(super) async fn run(flight: &Flight, caller: &Caller, action: &Action) -> Result<Option<Bytes>> {
    let (name, body) = (action.r#type.as_str(), action.body.as_ref());
    match name {
        PREPARE => {
            let request: ActionCreatePreparedStatementRequest = command::wrapped(body, name)?;
            command::no_transaction(request.transaction_id.as_deref())?;
            prepare(flight, caller, request.query).await.map(|result| Some(result.as_any().encode_to_vec().into()))
        }
        "ClosePreparedStatement" => {
            let request: ActionClosePreparedStatementRequest = command::wrapped(body, name)?;
            flight.statements.close_prepared(caller, &request.prepared_statement_handle);
            Ok(None)
        }
        "CancelQuery" => {
            let request: ActionCancelQueryRequest = command::wrapped(body, name)?;
            let info = command::bare::<FlightInfo>(&request.info, name)?;
            let result = match cancel(flight, caller, Some(&info))? {
                true => CANCELLED,
                false => NOT_CANCELLABLE,
            };
            Ok(Some(ActionCancelQueryResult { result }.as_any().encode_to_vec().into()))
        }
        "CancelFlightInfo" => {
            let request: CancelFlightInfoRequest = command::bare(body, name)?;
            let status = match cancel(flight, caller, request.info.as_ref())? {
                true => CancelStatus::Cancelled,
                false => CancelStatus::NotCancellable,
            };
            Ok(Some(CancelFlightInfoResult { status: status.into() }.encode_to_vec().into()))
        }
        "RenewFlightEndpoint" => {
            let request: RenewFlightEndpointRequest = command::bare(body, name)?;
            let ticket = request.endpoint.and_then(|endpoint| endpoint.ticket).ok_or_else(|| no_ticket(name))?;
            let Read::Result(signed) = command::of_ticket(&ticket)? else {
                return Err(
                    Error::invalid("the endpoint does not belong to a statement").with_hint("Metadata can be asked for again")
                );
            };
            let (held, ticket) = flight.held_by(caller, &signed)?;
            flight.statements.renew(caller, &held).await?;
            Ok(Some(flight.endpoint(&held, ticket.endpoint).encode_to_vec().into()))
        }
        "SetSessionOptions" => {
            let request: SetSessionOptionsRequest = command::bare(body, name)?;
            flight.statements.keep_settings(caller);
            let result = session_options::set(request, &caller.client, flight.statements.engine()).await;
            Ok(Some(result.encode_to_vec().into()))
        }
        "GetSessionOptions" => Ok(Some(session_options::get(&caller.client).encode_to_vec().into())),
        "CloseSession" => {
            flight.statements.close_session(caller);
            Ok(Some(CloseSessionResult { status: CloseStatus::Closed.into() }.encode_to_vec().into()))
        }
        "GetQueryStats" => {
            let report = report(flight, caller, body).await?;
            Ok(Some(stats::json(&report).to_string().into()))
        }
        "Quote" => {
            let sql = std::str::from_utf8(body).map_err(|_| Error::invalid("the statement to quote is not text"))?;
            let quote = flight.statements.quote(caller, sql).await?;
            Ok(Some(serde_json::json!(quote).to_string().into()))
        }
        "GetServerInfo" => {
            let info = serde_json::json!({ "name": "glaux", "version": env!("CARGO_PKG_VERSION") });
            Ok(Some(info.to_string().into()))
        }
        "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => Err(command::transactions()),
        "CreatePreparedSubstraitPlan" => Err(command::no_substrait()),
        other => {
            Err(Error::unsupported(format!("action \"{other}\" is not supported")).with_hint("ListActions lists those that are"))
        }
    }
}

async fn prepare(flight: &Flight, caller: &Caller, sql: String) -> Result<ActionCreatePreparedStatementResult> {
    let prepared = flight.statements.prepare(caller, sql).await?;
    Ok(ActionCreatePreparedStatementResult {
        prepared_statement_handle: Bytes::copy_from_slice(prepared.id.as_bytes()),
        // The protocol has no flag for updates: a schema without columns says that the statement is one.
        dataset_schema: ipc(&wire_schema(&prepared.description.schema))?,
        parameter_schema: ipc(&prepared.description.parameters)?,
    })
}

fn no_ticket(action: &str) -> Error {
    Error::invalid(format!("the request of \"{action}\" has no ticket")).with_hint("Send what GetFlightInfo returned")
}

/// Whether the statement of a FlightInfo was still to be cancelled.
fn cancel(flight: &Flight, caller: &Caller, info: Option<&FlightInfo>) -> Result<bool> {
    let ticket = info.and_then(|info| info.endpoint.first()).and_then(|endpoint| endpoint.ticket.as_ref());
    let ticket: &FlightTicket = ticket.ok_or_else(|| no_ticket("CancelFlightInfo"))?;
    if !matches!(command::of_ticket(ticket)?, Read::Result(_)) {
        // What a metadata command gives is there at once.
        return Ok(false);
    }
    let (held, _) = flight.held(caller, ticket)?;
    Ok(flight.statements.cancel(&held))
}

async fn report(flight: &Flight, caller: &Caller, body: &[u8]) -> Result<QueryReport> {
    if body.is_empty() {
        let last = caller.client.last_query();
        return last.ok_or_else(|| Error::not_found("the session has run no query").with_hint("Send the query's id"));
    }
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("the query's id is not text"))?;
    flight.statements.report(caller, text.parse()?).await
}
