//! Flight's calls one by one, with all that they answer: headers, messages as they came, trailers.

use arrow::{array::RecordBatch, datatypes::Schema};
use arrow_flight::{
    Action, Criteria, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaResult, Ticket,
    decode::FlightRecordBatchStream,
    error::FlightError,
    flight_service_client::FlightServiceClient,
    sql::{CommandStatementQuery, ProstMessageExt},
};
use futures::{StreamExt, TryStreamExt, stream};
use glaux_tests::{
    flight::{self, Client},
    instance::Instance,
    lake::Lake,
    server::Server,
};
use prost::Message;
use serde_json::Value;
use tonic::{Request, Status, Streaming, metadata::MetadataMap, transport::Channel};

/// A client that sees everything.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) client: Client,
    pub(super) rpc: FlightServiceClient<Channel>,
}

/// An answer to DoGet, read to its end.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) headers: MetadataMap,
    pub(super) messages: Vec<FlightData>,
    pub(super) trailers: MetadataMap,
}

/// A server and a folder for its lake.
pub(super) fn server() -> (Server, Lake) {
    let lake = Lake::in_folder();
    (Server::start(Some(&lake), ""), lake)
}

/// A server with a table `t` (n BIGINT, 1 to 2000, in two partitions by `p`) on S3.
pub(super) async fn on_s3() -> (Server, Lake) {
    let lake = Lake::on_s3().await;
    let server = Server::start(Some(&lake), "");
    table(&server, &lake).await;
    (server, lake)
}

/// Makes the table `t`.
pub(super) async fn table(server: &Server, lake: &Lake) {
    // Only what writes the files.
    let writer = Instance::start(Lake::in_folder()).await;
    for (path, rows) in [("t/p=1/a.parquet", "1, 1000"), ("t/p=2/a.parquet", "1001, 2000")] {
        let outcome = writer.run(&format!("SELECT value AS n FROM generate_series({rows})")).await;
        lake.write(path, &outcome.schema, &outcome.batches, &Default::default()).expect("a file can be written");
    }
    let mut client = Client::login(server, "maker", "").await.expect("a login");
    for sql in [
        "CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'",
        "MSCK REPAIR TABLE t",
    ] {
        client.run(&lake.expand(sql)).await.expect("the table can be made");
    }
}

/// A query's command as bytes.
pub(super) fn command(sql: &str) -> Vec<u8> {
    CommandStatementQuery { query: sql.to_owned(), transaction_id: None }.as_any().encode_to_vec()
}

pub(super) fn ticket(endpoint: &FlightEndpoint) -> Ticket {
    endpoint.ticket.clone().expect("an endpoint has a ticket")
}

impl Raw {
    pub(super) async fn login(server: &Server, user: &str) -> Self {
        let client = Client::login(server, user, "").await.expect("a login");
        Self { rpc: client.sql.inner().clone(), client }
    }

    /// A request in this client's session.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = self.client.sql.token() {
            let token = format!("Bearer {token}").parse().expect("a token is a header's value");
            request.metadata_mut().insert("authorization", token);
        }
        request
    }

    pub(super) async fn info_of(&mut self, command: Vec<u8>) -> Result<FlightInfo, Status> {
        let request = self.request(FlightDescriptor::new_cmd(command));
        Ok(self.rpc.get_flight_info(request).await?.into_inner())
    }

    pub(super) async fn info(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.info_of(command(sql)).await
    }

    pub(super) async fn schema_of(&mut self, command: Vec<u8>) -> Result<Schema, Status> {
        let request = self.request(FlightDescriptor::new_cmd(command));
        let SchemaResult { schema } = self.rpc.get_schema(request).await?.into_inner();
        Ok(Schema::try_from(IpcMessage(schema)).expect("a schema"))
    }

    /// Begins DoGet.
    pub(super) async fn open(&mut self, ticket: Ticket) -> Result<(MetadataMap, Streaming<FlightData>), Status> {
        let request = self.request(ticket);
        let (headers, stream, _) = self.rpc.do_get(request).await?.into_parts();
        Ok((headers, stream))
    }

    /// Reads what a ticket stands for to its end.
    pub(super) async fn get(&mut self, ticket: Ticket) -> Result<Read, Status> {
        let (headers, stream) = self.open(ticket).await?;
        read(headers, stream).await
    }

    /// The query's id and its stream, before anything of it has been read.
    pub(super) async fn begin(&mut self, sql: &str) -> (String, FlightInfo, Streaming<FlightData>) {
        let info = self.info(sql).await.expect("a plan");
        let (headers, stream) = self.open(ticket(&info.endpoint[0])).await.expect("a stream");
        (text(&headers, "x-glaux-query-id"), info, stream)
    }

    pub(super) async fn run(&mut self, sql: &str) -> Result<Read, Status> {
        let info = self.info(sql).await?;
        self.get(ticket(&info.endpoint[0])).await
    }

    /// A statement's rows as text.
    #[expect(clippy::panic, reason = "a test that cannot go on fails")]
    pub(super) async fn lines(&mut self, sql: &str) -> Vec<String> {
        match self.client.run(sql).await {
            Ok(fetched) => fetched.lines(),
            Err(refused) => panic!("{sql}: {refused}"),
        }
    }

    pub(super) async fn action(&mut self, name: &str, body: impl Into<bytes::Bytes>) -> Result<Vec<bytes::Bytes>, Status> {
        let request = self.request(Action { r#type: name.to_owned(), body: body.into() });
        let results = self.rpc.do_action(request).await?.into_inner();
        results.map_ok(|result| result.body).try_collect().await
    }

    /// The tickets of what waits to be fetched.
    pub(super) async fn waiting(&mut self) -> Vec<Ticket> {
        let request = self.request(Criteria::default());
        let listed = self.rpc.list_flights(request).await.expect("ListFlights").into_inner();
        let infos: Vec<FlightInfo> = listed.try_collect().await.expect("infos");
        infos.iter().flat_map(|info| &info.endpoint).map(ticket).collect()
    }

    /// Waits until a query's entry in the history says that it has ended; gives its state.
    pub(super) async fn state(&mut self, query: &str) -> String {
        loop {
            let sql = format!("SELECT state FROM system.queries WHERE query_id = '{query}'");
            match self.lines(&sql).await.pop() {
                Some(state) if state != "RUNNING" && state != "QUEUED" => return state,
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

impl Read {
    /// The batches that have rows.
    pub(super) async fn batches(&self) -> Vec<RecordBatch> {
        let messages = stream::iter(self.messages.clone().into_iter().map(Ok::<_, FlightError>));
        let batches: Vec<RecordBatch> =
            FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await.expect("messages decode");
        batches.into_iter().filter(|batch| batch.num_rows() > 0).collect()
    }

    pub(super) async fn lines(&self) -> Vec<String> {
        flight::lines(&self.batches().await)
    }

    /// The schema of the first message.
    pub(super) async fn schema(&self) -> Schema {
        let messages = stream::iter(self.messages.clone().into_iter().map(Ok::<_, FlightError>));
        let mut stream = FlightRecordBatchStream::new_from_flight_data(messages);
        while stream.next().await.is_some() {}
        stream.schema().expect("a stream begins with a schema").as_ref().clone()
    }

    /// The figures of the trailers.
    pub(super) fn figures(&self) -> Value {
        serde_json::from_str(&text(&self.trailers, "x-glaux-stats")).expect("the trailers have figures")
    }
}

/// Reads a stream to its end.
pub(super) async fn read(headers: MetadataMap, mut stream: Streaming<FlightData>) -> Result<Read, Status> {
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    let trailers = stream.trailers().await?.unwrap_or_default();
    Ok(Read { headers, messages, trailers })
}

/// The text of a header or trailer.
#[expect(clippy::panic, reason = "a test that cannot go on fails")]
pub(super) fn text(map: &MetadataMap, key: &str) -> String {
    let value = map.get(key).unwrap_or_else(|| panic!("{key} is not among {map:?}"));
    value.to_str().expect("text").to_owned()
}
