//! One client of the soak: what it asks for is drawn, the same in every run. It keeps its token over broken connections, as drivers do.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightClient,
    error::FlightError,
    sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo},
};
use futures::TryStreamExt;

use crate::flight::{
    Result,
    client::{self, Client},
    lake,
    proxy::Proxy,
};

/// How long a query runs that is given up.
const RUNS: Duration = Duration::from_millis(30);

/// What a client may ask for, and how often of a hundred times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Point,
    Prepared,
    Metadata,
    Scan,
    Dropped,
    Cancelled,
    Cut,
    Definition,
    Mistake,
    Abandoned,
    NewSession,
}

const SHARES: [(Operation, u64); 11] = [
    (Operation::Point, 30),
    (Operation::Prepared, 15),
    (Operation::Metadata, 12),
    (Operation::Scan, 8),
    (Operation::Dropped, 8),
    (Operation::Cancelled, 6),
    (Operation::Cut, 6),
    (Operation::Definition, 5),
    (Operation::Mistake, 6),
    (Operation::Abandoned, 2),
    (Operation::NewSession, 2),
];

impl Operation {
    /// The outcomes that are right.
    fn expects(self, outcome: &str) -> bool {
        match self {
            Self::Mistake => matches!(outcome, "InvalidArgument" | "NotFound"),
            _ => outcome == "Ok",
        }
    }
}

/// Outcomes by operation.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(Operation, String), usize>);

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    pub(super) fn done(&self) -> usize {
        self.0.values().sum()
    }

    pub(super) fn unexpected(&self) -> usize {
        self.0.iter().filter(|((operation, outcome), _)| !operation.expects(outcome)).map(|(_, count)| count).sum()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (String, &str, usize)> {
        self.0.iter().map(|((operation, outcome), count)| (format!("{operation:?}"), outcome.as_str(), *count))
    }
}

#[derive(Debug)]
pub(super) struct Load {
    number: usize,
    address: SocketAddr,
    location: String,
    /// What is drawn next (xorshift).
    state: u64,
}

impl Load {
    pub(super) fn new(number: usize, address: SocketAddr, location: &str) -> Self {
        Self { number, address, location: location.to_owned(), state: 0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1) }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % below
    }

    fn operation(&mut self) -> Operation {
        let mut drawn = self.draw(SHARES.iter().map(|(_, share)| share).sum());
        for (operation, share) in SHARES {
            match drawn.checked_sub(share) {
                Some(rest) => drawn = rest,
                None => return operation,
            }
        }
        Operation::Point
    }

    /// Asks until the time is over, and closes its session.
    pub(super) async fn go_on(mut self, until: Instant) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut client = client::log_in(self.address).await?;
        while Instant::now() < until {
            let operation = self.operation();
            let outcome = match self.carry_out(operation, &mut client).await {
                Ok(()) => "Ok".to_owned(),
                Err(error) => match error.downcast_ref::<FlightError>() {
                    Some(FlightError::Tonic(status)) => format!("{:?}", status.code()),
                    _ => error.to_string(),
                },
            };
            *tally.0.entry((operation, outcome)).or_default() += 1;
        }
        close(&mut client).await?;
        Ok(tally)
    }

    async fn carry_out(&mut self, operation: Operation, client: &mut Client) -> Result<()> {
        let at = self.draw(10_000) as usize;
        match operation {
            Operation::Point => expect(client::query(client, &lake::point(at)).await?.rows, 1),
            Operation::Prepared => {
                let mut prepared = client.prepare(lake::point(at), None).await?;
                for _ in 0..3 {
                    let info = prepared.execute().await?;
                    expect(client::fetch(client, info).await?.rows, 1)?;
                }
                Ok(prepared.close().await?)
            }
            Operation::Metadata => metadata(client, at).await,
            Operation::Scan => expect(client::query(client, "SELECT d, n, s FROM points WHERE n < 500").await?.rows, 50_000),
            Operation::Dropped => {
                let info = client.execute(endless(at).to_owned(), None).await?;
                run_for_a_while(client.clone(), info, async |_| Ok(())).await
            }
            Operation::Cancelled => {
                let info = client.execute(endless(at).to_owned(), None).await?;
                let mut canceller = FlightClient::new_from_inner(client.inner().clone());
                if let Some(token) = client.token() {
                    canceller.add_header("authorization", &format!("Bearer {token}"))?;
                }
                run_for_a_while(client.clone(), info, async |info| {
                    canceller.cancel_flight_info(CancelFlightInfoRequest::new(info)).await.map(|_| ()).map_err(Into::into)
                })
                .await
            }
            Operation::Cut => {
                let proxy = Proxy::to(self.address).await?;
                let mut far = Client::new(client::channel(proxy.address).await?);
                if let Some(token) = client.token() {
                    far.set_token(token.clone());
                }
                let info = far.execute(endless(at).to_owned(), None).await?;
                run_for_a_while(far, info, async |_| {
                    drop(proxy);
                    Ok(())
                })
                .await
            }
            Operation::Definition => self.define(client).await,
            Operation::Mistake => {
                let sql = ["SELECT FROM WHERE", "SELECT x FROM no_such_table", "SELECT no_such_column FROM points"][at % 3];
                client::query(client, sql).await.map(|_| ()).map_err(Into::into)
            }
            // Planned, and given back without having been fetched.
            Operation::Abandoned => {
                let info = client.execute(lake::point(at), None).await?;
                let mut canceller = FlightClient::new_from_inner(client.inner().clone());
                if let Some(token) = client.token() {
                    canceller.add_header("authorization", &format!("Bearer {token}"))?;
                }
                canceller.cancel_flight_info(CancelFlightInfoRequest::new(info)).await?;
                Ok(())
            }
            Operation::NewSession => {
                close(client).await?;
                *client = client::log_in(self.address).await?;
                Ok(())
            }
        }
    }

    async fn define(&mut self, client: &mut Client) -> Result<()> {
        let name = format!("soak_{}", self.number);
        let table = format!("(n BIGINT) PARTITIONED BY (d INT) STORED AS PARQUET LOCATION '{}/points/'", self.location);
        for sql in [
            format!("CREATE EXTERNAL TABLE IF NOT EXISTS {name} {table}"),
            format!("ALTER TABLE {name} ADD IF NOT EXISTS PARTITION (d = 1)"),
            format!("DROP TABLE {name}"),
        ] {
            client.execute_update(sql, None).await?;
        }
        Ok(())
    }
}

fn endless(at: usize) -> &'static str {
    if at.is_multiple_of(2) { lake::SCANS } else { lake::STREAMS }
}

fn expect(rows: usize, expected: usize) -> Result<()> {
    if rows == expected { Ok(()) } else { Err(format!("{rows} rows instead of {expected}").into()) }
}

async fn metadata(client: &mut Client, at: usize) -> Result<()> {
    let info = match at % 4 {
        0 => client.get_tables(CommandGetTables { include_schema: true, ..CommandGetTables::default() }).await?,
        1 => client.get_db_schemas(CommandGetDbSchemas::default()).await?,
        2 => client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await?,
        _ => client.get_catalogs().await?,
    };
    client::fetch(client, info).await?;
    Ok(())
}

/// Reads a result for a while, ends it in some way, and gives it up.
async fn run_for_a_while(
    mut client: Client,
    info: arrow_flight::FlightInfo,
    end: impl AsyncFnOnce(arrow_flight::FlightInfo) -> Result<()>,
) -> Result<()> {
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).ok_or("a result has no ticket")?;
    let mut batches = client.do_get(ticket).await?;
    let read = async { while let Ok(Some(_)) = batches.try_next().await {} };
    // That the time is over is what is waited for.
    let _ = tokio::time::timeout(RUNS, read).await;
    end(info).await
}

async fn close(client: &mut Client) -> Result<()> {
    let _: Vec<_> = client.do_action(Action::new("CloseSession", Vec::new())).await?.try_collect().await?;
    Ok(())
}
