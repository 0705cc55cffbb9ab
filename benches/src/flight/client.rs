//! Clients as programs have them: Arrow's own, over a connection of their own, that read results to the end.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use arrow::array::{Array, RecordBatch};
use arrow_flight::{FlightInfo, error::FlightError, sql::client::FlightSqlServiceClient};
use futures::TryStreamExt;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use super::Result;

pub(super) type Client = FlightSqlServiceClient<Channel>;

/// A connection that nobody else uses.
pub(super) async fn channel(address: SocketAddr) -> std::result::Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(60)).connect().await
}

/// A client that has logged in and holds a token.
pub(super) async fn log_in(address: SocketAddr) -> Result<Client> {
    let mut client = Client::new(channel(address).await?);
    client.handshake("bench", "").await?;
    Ok(client)
}

/// A result that was read to its end.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) rows: usize,
    /// Bytes of the rows' arrays.
    pub(super) bytes: usize,
    /// When the first rows were there.
    pub(super) first: Option<Instant>,
}

impl Fetched {
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        if batch.num_rows() > 0 {
            self.first.get_or_insert_with(Instant::now);
        }
        self.rows += batch.num_rows();
        let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
        self.bytes += bytes.sum::<usize>();
    }
}

/// Reads all of a result's endpoints, one after the other.
pub(super) async fn fetch(client: &mut Client, info: FlightInfo) -> std::result::Result<Fetched, FlightError> {
    let mut fetched = Fetched::default();
    for ticket in info.endpoint.into_iter().filter_map(|endpoint| endpoint.ticket) {
        let mut batches = client.do_get(ticket).await?;
        while let Some(batch) = batches.try_next().await? {
            fetched.add(&batch);
        }
    }
    Ok(fetched)
}

/// Runs a query and reads its rows.
pub(super) async fn query(client: &mut Client, sql: &str) -> std::result::Result<Fetched, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    fetch(client, info).await
}

/// The code that a call failed with; `Unknown` for what did not come from a server.
pub(super) fn code(error: &FlightError) -> Code {
    match error {
        FlightError::Tonic(status) => status.code(),
        _ => Code::Unknown,
    }
}
