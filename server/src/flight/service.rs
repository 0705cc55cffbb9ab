//! The Flight service: one method an RPC, each of which finds out who calls, decodes what is asked, and lets the engine do it.
//!
//! It stands on Flight's own service and decodes Flight SQL's commands itself: the ready-made Flight SQL service answers `Internal` to
//! what does not decode, and leaves GetSchema and PollFlightInfo out.

use std::{pin::Pin, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket as FlightTicket,
    flight_service_server::FlightService,
    sql::{ProstMessageExt, TicketStatementQuery},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use glaux_engine::{
    Engine, Error, ErrorKind, Result, SessionOptions,
    query::{Failure, Parameters, QueryId},
    sql::MAX_STATEMENT,
};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::{
    actions,
    caller::{Caller, Callers},
    command::{self, Read},
    metadata::{self, MetadataCommand, ServerLimits},
    options::FlightOptions,
    prepared::PreparedStatements,
    put, result,
    session::{Sessions, endpoints},
    statements::{Answer, Held, Lifetimes, OpenError, Opened, Statements, carry_out},
    stats, status,
    ticket::Ticket,
    trailers::Trailers,
};
use crate::{
    auth::{Authenticator, unauthenticated},
    shutdown::Drain,
};

type Reply<T> = std::result::Result<Response<T>, Status>;
type Messages<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send + 'static>>;

/// Everything that the calls of one server share.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) engine: Engine,
    pub(super) callers: Callers,
    pub(super) statements: Statements,
    pub(super) prepared: PreparedStatements,
    pub(super) drain: Drain,
    limits: ServerLimits,
}

/// Why a statement has no result: its own error with its figures, or something before it.
#[derive(Debug)]
pub(super) enum Refusal {
    Failed(Box<Failure>),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Gone(error) => Self::Error(error),
            OpenError::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(failure) => status::of_failure(&failure),
            Refusal::Error(error) => status::of(&error),
        }
    }
}

impl Flight {
    pub(crate) fn new(
        engine: Engine,
        authenticator: Arc<Authenticator>,
        defaults: SessionOptions,
        options: &FlightOptions,
        drain: Drain,
    ) -> Self {
        let clock = Arc::clone(engine.clock());
        let sessions = Sessions::new(defaults, options.session_idle.0, options.max_sessions_per_user, options.max_sessions);
        Self {
            callers: Callers { authenticator, sessions },
            statements: Statements::new(
                clock,
                Lifetimes {
                    waiting: options.ticket_lifetime.0,
                    renewed: options.max_ticket_lifetime.0,
                    orphaned: options.orphan_lifetime.0,
                },
                options.held_shares(),
            ),
            prepared: PreparedStatements::new(options.prepared_idle.0, options.prepared_shares()),
            limits: ServerLimits {
                statement_idle: Some(options.prepared_idle.0),
                connections: Some(options.max_connections as u64),
                statements: Some(options.max_prepared_statements as u64),
                statement_bytes: Some(MAX_STATEMENT as u64),
            },
            engine,
            drain,
        }
    }

    /// # Errors
    /// `Unavailable` once the server is shutting down.
    pub(super) fn accepting(&self) -> Result<()> {
        if self.drain.is_draining() {
            return Err(Error::new(ErrorKind::Unavailable, "the server is shutting down").with_hint("Connect again in a moment"));
        }
        Ok(())
    }

    /// A result's schema as every message shows it: with the names of Athena's types in the fields' metadata.
    pub(super) fn wire_schema(&self, schema: &Schema) -> Schema {
        let field = |field: &Arc<Field>| Arc::new(metadata::type_name::describe(field));
        Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
    }

    /// The statement of a ticket that the caller shows, which may have been fetched already.
    ///
    /// # Errors
    /// `Invalid`, `Denied` or `NotFound`.
    pub(super) fn held(&self, caller: &Caller, ticket: &FlightTicket) -> Result<(Arc<Held>, Ticket)> {
        let Read::Result(signed) = command::of_ticket(ticket)? else {
            return Err(Error::invalid("the ticket is not of a statement's result"));
        };
        let ticket = Ticket::verify(&signed, &caller.identity.user, self.callers.authenticator.signer())?;
        Ok((self.statements.get(ticket.statement)?, ticket))
    }

    /// The statement of a ticket that is still good to fetch it with.
    pub(super) fn held_by(&self, caller: &Caller, signed: &[u8]) -> Result<(Arc<Held>, Ticket)> {
        let ticket = Ticket::verify(signed, &caller.identity.user, self.callers.authenticator.signer())?;
        ticket.check_time(self.engine.clock().now())?;
        Ok((self.statements.get(ticket.statement)?, ticket))
    }

    /// One of a result's endpoints: a ticket, to be shown on the same connection.
    pub(super) fn endpoint(&self, held: &Held, endpoint: u16) -> FlightEndpoint {
        let ticket = Ticket { statement: held.id, endpoint, expires_at: held.expires_at(), user: held.user.clone() };
        let handle = TicketStatementQuery { statement_handle: ticket.sign(self.callers.authenticator.signer()).into() };
        FlightEndpoint::new().with_ticket(FlightTicket::new(handle.as_any().encode_to_vec()))
    }

    fn info(&self, held: &Held, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let metadata = stats::schema_metadata(held.query, held.estimate.as_ref());
        let schema = self.wire_schema(&held.schema).with_metadata(metadata);
        let mut info = FlightInfo::new()
            .with_descriptor(descriptor)
            .with_ordered(held.ordered)
            .with_app_metadata(stats::planned(held.query, held.estimate.as_ref()).to_string());
        info.schema = actions::ipc(&schema)?;
        (info.total_records, info.total_bytes) = (-1, -1);
        Ok((0..held.endpoints).fold(info, |info, endpoint| info.with_endpoint(self.endpoint(held, endpoint))))
    }

    /// Plans a statement for the caller and holds it.
    async fn plan(&self, caller: &Caller, sql: &str, parameters: &Parameters) -> Result<Arc<Held>, Refusal> {
        self.accepting()?;
        let planned = self.engine.plan(&caller.client.session, sql, parameters).await?;
        tracing::Span::current().record("query_id", planned.id().to_string());
        let is_query = planned.is_query();
        let held = self.statements.hold(planned, self.callers.owner(caller), endpoints(&caller.client)).await?;
        if !is_query {
            // USE and SET SESSION have changed it.
            self.callers.sessions.keep_settings(&caller.client);
        }
        Ok(held)
    }

    async fn held_for(&self, caller: &Caller, read: Read) -> Result<Planned, Refusal> {
        match read {
            Read::Statement(sql) => Ok(Planned::Statement(self.plan(caller, &sql, &Parameters::default()).await?)),
            Read::Prepared(handle) => {
                let prepared = self.prepared.get(&handle, &caller.identity.user)?;
                Ok(Planned::Statement(self.plan(caller, &prepared.sql, &prepared.bound()).await?))
            }
            Read::Metadata(command) => Ok(Planned::Metadata(command)),
            Read::Result(signed) => Ok(Planned::Statement(self.held_by(caller, &signed)?.0)),
        }
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
                info.schema = actions::ipc(&metadata::schema(&command))?;
                (info.total_records, info.total_bytes) = (-1, -1);
                Ok(info)
            }
        }
    }

    async fn schema_of(&self, caller: &Caller, descriptor: &FlightDescriptor) -> Result<Schema> {
        match command::read(command::of_descriptor(descriptor)?)? {
            Read::Statement(sql) => {
                let description = self.engine.describe(&caller.client.session, &sql).await?;
                Ok(self.wire_schema(&description.schema))
            }
            Read::Prepared(handle) => {
                let prepared = self.prepared.get(&handle, &caller.identity.user)?;
                Ok(self.wire_schema(&prepared.description.schema))
            }
            Read::Metadata(command) => Ok(metadata::schema(&command).as_ref().clone()),
            Read::Result(signed) => Ok(self.wire_schema(&self.held_by(caller, &signed)?.0.schema)),
        }
    }

    async fn read(self: &Arc<Self>, caller: &Caller, ticket: &FlightTicket, trailers: Trailers) -> Result<Reading, Refusal> {
        let read = command::of_ticket(ticket)?;
        let signed = match read {
            Read::Metadata(command) => {
                let batch = metadata::answer(&command, &self.engine.browse(&caller.client.session), &self.limits).await?;
                return Ok(Reading { query: None, messages: result::of_batch(&batch, None, &trailers).boxed() });
            }
            Read::Result(signed) => signed,
            // A statement that is fetched without having been asked for before.
            statement => match self.held_for(caller, statement).await? {
                Planned::Statement(held) => return self.open(caller, held, 0, trailers).await,
                Planned::Metadata(_) => return Err(Error::internal("a statement became metadata").into()),
            },
        };
        let (held, ticket) = self.held_by(caller, &signed)?;
        self.open(caller, held, ticket.endpoint, trailers).await
    }

    async fn open(
        self: &Arc<Self>,
        caller: &Caller,
        held: Arc<Held>,
        endpoint: u16,
        trailers: Trailers,
    ) -> Result<Reading, Refusal> {
        let query = Some(held.query);
        tracing::Span::current().record("query_id", held.query.to_string());
        let opened = match held.open(endpoint, &caller.client.session).await {
            Ok(opened) => opened,
            Err(error) => {
                if let OpenError::Failed(failure) = &error {
                    caller.client.ended(failure.report);
                    self.statements.remove(held.id);
                }
                return Err(error.into());
            }
        };
        let messages = match opened {
            Opened::Feed(feed) => {
                let (flight, client) = (Arc::clone(self), Arc::clone(&caller.client));
                let schema: SchemaRef = Arc::new(self.wire_schema(&feed.schema()));
                let on_end = Box::new(move |report| {
                    client.ended(report);
                    flight.statements.fetched(&held);
                });
                result::of_feed(feed, schema, trailers, caller.deadline, on_end).boxed()
            }
            Opened::Answer(answer) => {
                let Answer { batch, report } = *answer;
                caller.client.ended(report);
                let schema = Arc::new(self.wire_schema(&batch.schema()));
                let batch = with_schema(&batch, schema)?;
                result::of_batch(&batch, Some(&report), &trailers).boxed()
            }
        };
        Ok(Reading { query, messages })
    }

    /// Runs a statement whose rows nobody wants.
    pub(super) async fn update(&self, caller: &Caller, sql: &str, parameters: &Parameters) -> Result<i64, Refusal> {
        self.accepting()?;
        let planned = self.engine.plan(&caller.client.session, sql, parameters).await?;
        let is_query = planned.is_query();
        if is_query {
            let mut query = planned.run().await?;
            let canceller = query.canceller();
            while let Some(batch) = query.next().await {
                batch.map_err(|error| Failure { error, report: canceller.report() })?;
            }
            caller.client.ended(canceller.report());
            return Ok(-1);
        }
        caller.client.ended(carry_out(planned).await?.report);
        self.callers.sessions.keep_settings(&caller.client);
        Ok(0)
    }

    /// Ends what has been waiting or idle for too long.
    pub(crate) fn sweep(&self) {
        self.statements.sweep();
        self.prepared.sweep();
        for session in self.callers.sessions.sweep() {
            self.prepared.close_session(session);
            self.statements.close_session(session);
        }
    }

    /// Sessions, prepared statements and held results, for the metrics.
    pub(crate) fn counts(&self) -> [(&'static str, usize); 3] {
        [
            ("sessions", self.callers.sessions.len()),
            ("prepared_statements", self.prepared.len()),
            ("held_statements", self.statements.len()),
        ]
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
    async fn caller<T>(&self, request: &Request<T>) -> std::result::Result<Caller, Status> {
        self.0.callers.identify(request.metadata(), request.extensions()).await
    }
}

/// One RPC's span, with what the log tells of it.
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
        self.0.accepting().map_err(|error| status::of(&error))?;
        self.0.callers.handshake(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Reply<Self::ListFlightsStream> {
        let caller = self.caller(&request).await?;
        let held = self.0.statements.of_user(&caller.identity.user);
        let infos = held.into_iter().map(|held| {
            let ticket = self.0.endpoint(&held, 0).ticket.unwrap_or_default();
            let info = self.0.info(&held, FlightDescriptor::new_cmd(ticket.ticket));
            info.map_err(|error| status::of(&error))
        });
        let infos: Vec<_> = infos.collect();
        Ok(caller.answer(stream::iter(infos).boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Reply<FlightInfo> {
        let caller = self.caller(&request).await?;
        let asked = self.0.flight_info(&caller, request.into_inner());
        Ok(caller.answer(asked.instrument(span("GetFlightInfo", &caller)).await?))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Reply<PollInfo> {
        let caller = self.caller(&request).await?;
        let asked = self.0.flight_info(&caller, request.into_inner());
        let info = asked.instrument(span("PollFlightInfo", &caller)).await?;
        // Planned is ready: the rows come as they are read.
        Ok(caller.answer(PollInfo { info: Some(info), flight_descriptor: None, progress: Some(1.0), expiration_time: None }))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Reply<SchemaResult> {
        let caller = self.caller(&request).await?;
        let asked = self.0.schema_of(&caller, request.get_ref());
        let schema = asked.instrument(span("GetSchema", &caller)).await;
        let schema = schema.and_then(|schema| actions::ipc(&schema)).map_err(|error| status::of(&error))?;
        Ok(caller.answer(SchemaResult { schema }))
    }

    async fn do_get(&self, request: Request<FlightTicket>) -> Reply<Self::DoGetStream> {
        self.0.accepting().map_err(|error| status::of(&error))?;
        let caller = self.caller(&request).await?;
        let trailers = request.extensions().get::<Trailers>().cloned().unwrap_or_default();
        let read = self.0.read(&caller, request.get_ref(), trailers);
        let reading = read.instrument(span("DoGet", &caller)).await?;
        let mut response = caller.answer(reading.messages);
        if let Some(id) = reading.query.and_then(|id| id.to_string().parse().ok()) {
            response.metadata_mut().insert(stats::QUERY_ID, id);
        }
        Ok(response)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Reply<Self::DoPutStream> {
        let caller = self.caller(&request).await?;
        let put = put::run(&self.0, &caller, request.into_inner());
        let result = put.instrument(span("DoPut", &caller)).await?;
        Ok(caller.answer(stream::iter([Ok(PutResult { app_metadata: result })]).boxed()))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Reply<Self::ListActionsStream> {
        let caller = self.caller(&request).await?;
        Ok(caller.answer(stream::iter(actions::list().into_iter().map(Ok)).boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Reply<Self::DoActionStream> {
        let caller = self.caller(&request).await?;
        if caller.is_new() && request.get_ref().r#type == "GetSessionOptions" {
            let error = unauthenticated("the call belongs to no session")
                .with_hint("Keep the token or the cookie that the server gives, or set an option first");
            return Err(status::of(&error));
        }
        let action = actions::run(&self.0, &caller, request.get_ref());
        let result = action.instrument(span("DoAction", &caller)).await.map_err(|error| {
            if request.get_ref().r#type == actions::PREPARE { status::of_preparing(&error) } else { status::of(&error) }
        })?;
        let results: Vec<_> = result.into_iter().map(|body: Bytes| Ok(ActionResult { body })).collect();
        Ok(caller.answer(stream::iter(results).boxed()))
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Reply<Self::DoExchangeStream> {
        self.caller(&request).await?;
        let error = Error::unsupported("DoExchange is not offered").with_hint("Use DoGet to read and DoPut to write");
        Err(status::of(&error))
    }
}
