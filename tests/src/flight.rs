//! A client of a [`Server`]: `arrow-flight`'s own, logged in, which runs statements the way most drivers do, by GetFlightInfo and DoGet.
//!
//! What it gives is compared with what an engine in process gives, so it adds nothing and leaves out nothing.

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use arrow_flight::{
    FlightInfo, HandshakeRequest, decode::FlightRecordBatchStream, error::FlightError, sql::client::FlightSqlServiceClient,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::{TryStreamExt, stream};
use serde_json::Value;
use tonic::{Code, Request, Status, transport::Channel};

use crate::{runner::render, server::Server};

/// The metadata key of a status with the error's kind, as `ErrorKind` writes it.
pub const KIND: &str = "x-glaux-error-kind";

/// The trailer with a query's figures, as JSON.
pub const STATS: &str = "x-glaux-stats";

/// A client with a session of its own.
#[derive(Debug, Clone)]
pub struct Client {
    pub sql: FlightSqlServiceClient<Channel>,
}

/// What a statement gave.
#[derive(Debug)]
pub struct Fetched {
    pub info: FlightInfo,
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// The figures of the trailers.
    pub figures: Value,
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub struct Refused {
    pub code: Code,
    /// As `ErrorKind` writes it; empty for an error that is not ours.
    pub kind: String,
    /// With its causes and its hint.
    pub message: String,
    /// The query's figures, if there was a query.
    pub figures: Option<Value>,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let text = |key| status.metadata().get(key).and_then(|value| value.to_str().ok());
        Self {
            code: status.code(),
            kind: text(KIND).unwrap_or_default().to_owned(),
            message: status.message().to_owned(),
            figures: text(STATS).and_then(|json| serde_json::from_str(json).ok()),
        }
    }
}

impl From<FlightError> for Refused {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => (*status).into(),
            other => Self { code: Code::Unknown, kind: "CLIENT".to_owned(), message: other.to_string(), figures: None },
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Refused {}

impl Fetched {
    /// The values as text, a row a line, `|` between them.
    ///
    /// # Panics
    /// If a value cannot be shown.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        lines(&self.batches)
    }
}

/// Batches' values as text, a row a line, `|` between them.
///
/// # Panics
/// If a value cannot be shown.
#[must_use]
pub fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| render::rows(batch).expect("values can be shown"));
    rows.map(|row| row.join("|")).collect()
}

/// A schema without what is said of the whole and without the descriptions of types that only drivers read: what the engine gave.
#[must_use]
pub fn plain(schema: &Schema) -> Schema {
    let field = |field: &arrow::datatypes::FieldRef| {
        let metadata = field.metadata().iter().filter(|(key, _)| !key.starts_with("ARROW:FLIGHT:SQL:"));
        field.as_ref().clone().with_metadata(metadata.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

impl Client {
    /// Connects without saying who is calling.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn anonymous(server: &Server) -> Self {
        Self { sql: FlightSqlServiceClient::new(channel(server).await) }
    }

    /// Connects and logs in, on a connection of its own.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn login(server: &Server, user: &str, password: &str) -> Result<Self, Refused> {
        let mut client = Self::anonymous(server).await;
        // Not by the client's own call, which makes a text of the status.
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
        request.metadata_mut().insert("authorization", format!("Basic {basic}").parse().expect("it is a header's value"));
        let (metadata, mut answers, _) = client.sql.inner().clone().handshake(request).await?.into_parts();
        while answers.message().await?.is_some() {}
        let token = metadata.get("authorization").and_then(|token| token.to_str().ok()?.strip_prefix("Bearer "));
        client.sql.set_token(token.expect("a login is answered with a token").to_owned());
        Ok(client)
    }

    /// Runs a statement to its end.
    ///
    /// # Errors
    /// The statement's, from GetFlightInfo or DoGet.
    ///
    /// # Panics
    /// If the server breaks the protocol: schemas that differ, an end without figures.
    pub async fn run(&mut self, sql: &str) -> Result<Fetched, Refused> {
        let info = self.sql.execute(sql.to_owned(), None).await?;
        self.fetch(info).await
    }

    /// Fetches what GetFlightInfo gave.
    ///
    /// # Errors
    /// That of DoGet.
    ///
    /// # Panics
    /// As [`Client::run`].
    pub async fn fetch(&mut self, info: FlightInfo) -> Result<Fetched, Refused> {
        let planned = info.clone().try_decode_schema().expect("a schema in FlightInfo");
        let (mut batches, mut figures) = (Vec::new(), Value::Null);
        for endpoint in &info.endpoint {
            assert!(endpoint.location.is_empty(), "on the same connection");
            let ticket = endpoint.ticket.clone().expect("a ticket");
            figures = read(self.sql.do_get(ticket).await?, &planned, &mut batches).await?;
        }
        Ok(Fetched { info, schema: planned.with_metadata(std::collections::HashMap::default()).into(), batches, figures })
    }
}

/// Reads a stream to its end, whose trailers have the figures.
async fn read(mut stream: FlightRecordBatchStream, planned: &Schema, batches: &mut Vec<RecordBatch>) -> Result<Value, Refused> {
    while let Some(batch) = stream.try_next().await? {
        // Without rows it is a sign of life.
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    let schema = stream.schema().expect("a stream begins with a schema");
    assert_eq!(schema.fields(), planned.fields(), "FlightInfo's schema is DoGet's");
    let trailers = stream.trailers().expect("a stream ends with trailers");
    let figures = trailers.get(STATS).expect("the trailers have figures").to_str().expect("figures are text");
    Ok(serde_json::from_str(figures).expect("figures are JSON"))
}

/// A connection of its own.
///
/// # Panics
/// If nobody listens.
pub async fn channel(server: &Server) -> Channel {
    try_channel(server).await.expect("the server listens")
}

/// A connection of its own; `None` if nobody listens.
///
/// # Panics
/// If the server's address is none.
pub async fn try_channel(server: &Server) -> Option<Channel> {
    let address = format!("http://{}", server.flight());
    let endpoint = Channel::from_shared(address).expect("an address");
    endpoint.connect().await.ok()
}
