//! A bare Flight server: batches that lie in memory, encoded by Arrow's own encoder. What the transport takes without a query engine.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, PollInfo,
    PutResult, Result as ActionResult, SchemaResult, Ticket, encode::FlightDataEncoderBuilder,
    flight_service_server::FlightService,
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use tonic::{Request, Response, Status, Streaming};

type Messages<T> = BoxStream<'static, Result<T, Status>>;
type Answer<T> = Result<Response<T>, Status>;

/// Gives the same batches for every ticket.
#[derive(Debug)]
pub(super) struct Batches {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

fn not_offered<T>() -> Answer<T> {
    Err(Status::unimplemented("only DoGet is offered"))
}

#[tonic::async_trait]
impl FlightService for Batches {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoActionStream = Messages<ActionResult>;
    type ListActionsStream = Messages<ActionType>;
    type DoExchangeStream = Messages<FlightData>;

    async fn do_get(&self, _: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let batches = stream::iter(self.batches.clone()).map(Ok);
        let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(&self.schema)).build(batches);
        Ok(Response::new(encoder.map_err(Status::from).boxed()))
    }

    async fn handshake(&self, _: Request<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        not_offered()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        not_offered()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        not_offered()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        not_offered()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        not_offered()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        not_offered()
    }

    async fn do_action(&self, _: Request<Action>) -> Answer<Self::DoActionStream> {
        not_offered()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        not_offered()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        not_offered()
    }
}
