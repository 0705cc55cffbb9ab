//! The Flight service: one method an RPC, each of which finds out who calls, decodes what is asked, and lets `statements` or the engine do it.
//!
//! It stands on Flight's own service and decodes Flight SQL's commands itself: the ready-made Flight SQL service answers `Internal` to
//! what does not decode, and leaves GetSchema and PollFlightInfo out.

use std::{pin::Pin, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket as FlightTicket,
    flight_service_server::FlightService,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use glaux_engine::{
    Error, Result,
    query::{Parameters, QueryId},
};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::{
    actions,
    caller::FlightCall,
    command::{self, Read},
    context::{Flight, ipc, wire_schema},
    metadata::{self, MetadataCommand},
    put, result, stats, status,
    trailers::Trailers,
};
use crate::{
    auth::unauthenticated,
    statements::{Answer, Caller, Held, Opened, Refusal},
};

type Reply<T> = std::result::Result<Response<T>, Status>;
type Messages<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send + 'static>>;

impl Flight {
    fn info(&self, held: &Held, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let metadata = stats::schema_metadata(held.query, held.estimate.as_ref());
        let schema = wire_schema(&held.schema).with_metadata(metadata);
        let mut info = FlightInfo::new()
            .with_descriptor(descriptor)
            .with_ordered(held.ordered)
            .with_app_metadata(stats::planned(held.query, held.estimate.as_ref()).to_string());
        info.schema = ipc(&schema)?;
        (info.total_records, info.total_bytes) = (-1, -1);
        Ok((0..held.streams).fold(info, |info, stream| info.with_endpoint(self.endpoint(held, stream))))
    }

    async fn held_for(&self, caller: &Caller, read: Read) -> Result<Planned, Refusal> {
        let held = match read {
            Read::Statement(sql) => self.statements.plan(caller, &sql, &Parameters::default()).await?,
            Read::Prepared(handle) => {
                let prepared = self.statements.prepared(caller, &handle)?;
                self.statements.plan(caller, &prepared.sql, &prepared.bound()).await?
            }
            Read::Metadata(command) => return Ok(Planned::Metadata(command)),
            Read::Result(signed) => self.held_by(caller, &signed)?.0,
        };
        Ok(Planned::Statement(held))
    }

    async fn flight_info(&self, caller: &Caller, descriptor: FlightDescriptor) -> Result<FlightInfo, Refusal> {
        let read = command::read(command::of_descriptor(&descriptor)?)?;
        let cmd = descriptor.cmd.clone();
        match self.held_for(caller, read).await? {
            Planned::Statement(held) => Ok(self.info(&held, descriptor)?),
            Planned::Metadata(command) => {
                let mut info = FlightInfo::new()
                    .with_descriptor(descriptor)
                    .with_ordered(true)
                    .with_endpoint(FlightEndpoint::new().with_ticket(FlightTicket { ticket: cmd }));
                info.schema = ipc(&metadata::schema(&command))?;
                (info.total_records, info.total_bytes) = (-1, -1);
                Ok(info)
            }
        }
    }

    async fn schema_of(&self, caller: &Caller, descriptor: &FlightDescriptor) -> Result<Schema> {
        match command::read(command::of_descriptor(descriptor)?)? {
            Read::Statement(sql) => {
                let description = self.statements.engine().describe(&caller.client.session, &sql).await?;
                Ok(wire_schema(&description.schema))
            }
            Read::Prepared(handle) => Ok(wire_schema(&self.statements.prepared(caller, &handle)?.description.schema)),
            Read::Metadata(command) => Ok(metadata::schema(&command).as_ref().clone()),
            Read::Result(signed) => Ok(wire_schema(&self.held_by(caller, &signed)?.0.schema)),
        }
    }

    async fn read(&self, call: &FlightCall, ticket: &FlightTicket, trailers: Trailers) -> Result<Reading, Refusal> {
        let caller = &call.caller;
        let signed = match command::of_ticket(ticket)? {
            Read::Metadata(command) => {
                let browser = self.statements.engine().browse(&caller.client.session);
                let batch = metadata::answer(&command, &browser, &self.limits).await?;
                return Ok(Reading { query: None, messages: result::of_batch(&batch, None, &trailers).boxed() });
            }
            Read::Result(signed) => signed,
            // A statement that is fetched without having been asked for before.
            statement => match self.held_for(caller, statement).await? {
                Planned::Statement(held) => return self.open(call, held, 0, trailers).await,
                Planned::Metadata(_) => return Err(Error::internal("a statement became metadata").into()),
            },
        };
        let (held, ticket) = self.held_by(caller, &signed)?;
        self.open(call, held, ticket.endpoint, trailers).await
    }

    async fn open(&self, call: &FlightCall, held: Arc<Held>, stream: u16, trailers: Trailers) -> Result<Reading, Refusal> {
        let query = Some(held.query);
        let messages = match self.statements.open(&call.caller, held, stream).await? {
            Opened::Rows(rows) => {
                let schema: SchemaRef = Arc::new(wire_schema(&rows.schema()));
                result::of_rows(rows, schema, trailers, call.deadline).boxed()
            }
            Opened::Answer(answer) => {
                let Answer { batch, report } = *answer;
                let schema = Arc::new(wire_schema(&batch.schema()));
                let batch = with_schema(&batch, schema)?;
                result::of_batch(&batch, Some(&report), &trailers).boxed()
            }
        };
        Ok(Reading { query, messages })
    }
}

enum Planned {
    Statement(Arc<Held>),
    Metadata(MetadataCommand),
}

/// An answer to DoGet.
struct Reading {
    query: Option<QueryId>,
    messages: Messages<FlightData>,
}

fn with_schema(batch: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)
        .map_err(|error| Error::internal("an answer does not fit its schema").with_source(error))
}

/// The service of a server. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Service(pub(crate) Arc<Flight>);

impl Service {
    async fn call<T>(&self, request: &Request<T>) -> std::result::Result<FlightCall, Status> {
        self.0.callers.identify(request.metadata(), request.extensions()).await.map_err(|error| status::of(&error))
    }
}

/// One RPC's span, with the fields that its log lines have.
fn span(method: &'static str, caller: &Caller) -> tracing::Span {
    let (user, session) = (&caller.identity.user, caller.client.id);
    tracing::info_span!("rpc", method, %user, %session, query_id = tracing::field::Empty)
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoActionStream = Messages<ActionResult>;
    type ListActionsStream = Messages<ActionType>;
    type DoExchangeStream = Messages<FlightData>;

    async fn handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Reply<Self::HandshakeStream> {
        self.0.statements.accepting().map_err(|error| status::of(&error))?;
        self.0.callers.handshake(request).await.map_err(|error| status::of(&error))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Reply<Self::ListFlightsStream> {
        let call = self.call(&request).await?;
        let infos = self.0.statements.waiting(&call.caller).into_iter().map(|held| {
            let ticket = self.0.endpoint(&held, 0).ticket.unwrap_or_default();
            let info = self.0.info(&held, FlightDescriptor::new_cmd(ticket.ticket));
            info.map_err(|error| status::of(&error))
        });
        let infos: Vec<_> = infos.collect();
        Ok(call.answer(stream::iter(infos).boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Reply<FlightInfo> {
        let call = self.call(&request).await?;
        let asked = self.0.flight_info(&call.caller, request.into_inner());
        Ok(call.answer(asked.instrument(span("GetFlightInfo", &call.caller)).await?))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Reply<PollInfo> {
        let call = self.call(&request).await?;
        let asked = self.0.flight_info(&call.caller, request.into_inner());
        let info = asked.instrument(span("PollFlightInfo", &call.caller)).await?;
        // Planned is ready: the rows come as they are read.
        Ok(call.answer(PollInfo { info: Some(info), flight_descriptor: None, progress: Some(1.0), expiration_time: None }))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Reply<SchemaResult> {
        let call = self.call(&request).await?;
        let asked = self.0.schema_of(&call.caller, request.get_ref());
        let schema = asked.instrument(span("GetSchema", &call.caller)).await;
        let schema = schema.and_then(|schema| ipc(&schema)).map_err(|error| status::of(&error))?;
        Ok(call.answer(SchemaResult { schema }))
    }

    async fn do_get(&self, request: Request<FlightTicket>) -> Reply<Self::DoGetStream> {
        self.0.statements.accepting().map_err(|error| status::of(&error))?;
        let call = self.call(&request).await?;
        let trailers = request.extensions().get::<Trailers>().cloned().unwrap_or_default();
        let read = self.0.read(&call, request.get_ref(), trailers);
        let reading = read.instrument(span("DoGet", &call.caller)).await?;
        let mut response = call.answer(reading.messages);
        if let Some(id) = reading.query.and_then(|id| id.to_string().parse().ok()) {
            response.metadata_mut().insert(stats::QUERY_ID, id);
        }
        Ok(response)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Reply<Self::DoPutStream> {
        let call = self.call(&request).await?;
        let put = put::run(&self.0, &call.caller, request.into_inner());
        let result = put.instrument(span("DoPut", &call.caller)).await?;
        Ok(call.answer(stream::iter([Ok(PutResult { app_metadata: result })]).boxed()))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Reply<Self::ListActionsStream> {
        let call = self.call(&request).await?;
        Ok(call.answer(stream::iter(actions::list().into_iter().map(Ok)).boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Reply<Self::DoActionStream> {
        let call = self.call(&request).await?;
        if call.is_new() && request.get_ref().r#type == "GetSessionOptions" {
            let error = unauthenticated("the call has no session")
                .with_hint("Keep the token or the cookie that the server sends, or set an option first");
            return Err(status::of(&error));
        }
        let action = actions::run(&self.0, &call.caller, request.get_ref());
        let result = action.instrument(span("DoAction", &call.caller)).await.map_err(|error| {
            if request.get_ref().r#type == actions::PREPARE { status::of_preparing(&error) } else { status::of(&error) }
        })?;
        let results: Vec<_> = result.into_iter().map(|body: Bytes| Ok(ActionResult { body })).collect();
        Ok(call.answer(stream::iter(results).boxed()))
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Reply<Self::DoExchangeStream> {
        self.call(&request).await?;
        let error = Error::unsupported("DoExchange is not supported").with_hint("Use DoGet to read and DoPut to write");
        Err(status::of(&error))
    }
}
