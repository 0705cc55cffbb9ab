//! `lake_bench catalog`: the catalog service on loopback, over SQLite, with a table of many partitions (`dt=YYYY-MM-DD/h=HH`):
//! how many partitions a second come to an Arrow reader and into an index, how long a change of many takes, and a call of a few.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{buffer::Buffer, ipc::reader::StreamDecoder};
use glaux_catalog::{
    HiveType, Metastore, TableName,
    grpc::{CatalogServiceServer, OpenGate, RemoteMetastore, RemoteOptions, Service},
    metastore::{Definitions, PartitionChange, SqliteMetastore},
    model::{Column, Partition, Properties, SerDe, StorageDescriptor, Table, TableType},
};
use glaux_proto::catalog::v1::{GetPartitionsRequest, TableRef, catalog_service_client::CatalogServiceClient};
use tonic::transport::{Endpoint, Server, server::TcpIncoming};

use crate::{
    Result,
    figures::{Figures, Samples},
    finish,
};

/// Partitions unless another number is given.
const PARTITIONS: usize = 1_000_000;

/// How often what is short is measured.
const ROUNDS: usize = 5;

/// Partitions in one change.
const BATCH: usize = 100_000;

/// Days since 1970-01-01 of the first partition: 1990-01-01.
const FIRST_DAY: usize = 7_305;

pub(crate) const USAGE: &str = "catalog [PARTITIONS]";

pub(crate) async fn run(arguments: &[String]) -> i32 {
    let partitions = match arguments {
        [] => Some(PARTITIONS),
        [count] => count.parse().ok().filter(|count| *count > 0),
        _ => None,
    };
    match partitions {
        Some(partitions) => finish(measure(partitions).await),
        None => {
            eprintln!("usage: lake_bench {USAGE}");
            2
        }
    }
}

async fn measure(count: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn Metastore> = Arc::new(SqliteMetastore::open(folder.path().join("catalog.sqlite"))?);
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?;
    let address = incoming.local_addr()?;
    let service =
        CatalogServiceServer::new(Service::new(Arc::new(OpenGate(Arc::clone(&store))))).max_decoding_message_size(64 << 20);
    let serving = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));

    let mut options = RemoteOptions::new(format!("grpc://{address}"));
    options.timeout = Duration::from_secs(600);
    let remote = RemoteMetastore::connect(&options).await?;
    let table = remote.create_table(definition()).await?;
    let mut figures = Figures::new(&format!("catalog service over SQLite, {count} partitions, on loopback"));

    let started = Instant::now();
    for first in (0..count).step_by(BATCH) {
        let add = (first..count.min(first + BATCH)).map(partition).collect();
        remote.change_partitions(&table, PartitionChange { add, ..PartitionChange::default() }).await?;
    }
    figures
        .line(&format!("adding all, {BATCH} at a time: partitions a second"), format!("{:.0}", rate(count, started.elapsed())));

    let table = remote.table(&table.name).await?;
    let started = Instant::now();
    store.partition_index(&table).await?;
    figures.line("the service's own index, from the file", crate::figures::millis(started.elapsed()));

    let mut client = CatalogServiceClient::new(
        Endpoint::from_shared(format!("http://{address}"))?
            .initial_stream_window_size(8 << 20)
            .initial_connection_window_size(16 << 20)
            .connect()
            .await?,
    )
    .max_decoding_message_size(64 << 20);
    let mut read = Samples::default();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let (rows, sent) = to_arrow(&mut client, &table).await?;
        read.push(started.elapsed());
        if rows != count {
            return Err(format!("{rows} of {count} partitions came").into());
        }
        bytes = sent;
    }
    figures.line("bytes of Arrow", crate::figures::mebibytes(bytes));
    figures.at_least("to an Arrow reader: partitions a second", rate(count, read.median()), 1_000_000.0);

    let mut built = Samples::default();
    for _ in 0..ROUNDS {
        let fresh = RemoteMetastore::connect(&options).await?;
        let started = Instant::now();
        let index = fresh.partition_index(&table).await?;
        built.push(started.elapsed());
        if index.len() != count {
            return Err(format!("{} of {count} partitions came", index.len()).into());
        }
    }
    figures.line("into a client's index: partitions a second", format!("{:.0}", rate(count, built.median())));

    let mut calls = Samples::default();
    for _ in 0..1_000 {
        let started = Instant::now();
        remote.table(&table.name).await?;
        calls.push(started.elapsed());
    }
    figures.line("a definition, one call after the other, median", crate::figures::millis(calls.median()));
    serving.abort();
    Ok(figures.met())
}

/// Partitions a second.
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// All partitions as batches; how many, and in how many bytes.
async fn to_arrow(client: &mut CatalogServiceClient<tonic::transport::Channel>, table: &Table) -> Result<(usize, u64)> {
    let reference = TableRef {
        database: table.name.database.clone(),
        name: table.name.table.clone(),
        id: table.id,
        version: table.version,
        location: table.storage.location.clone(),
    };
    let asked = GetPartitionsRequest { table: Some(reference), ..GetPartitionsRequest::default() };
    let mut pieces = client.get_partitions(asked).await?.into_inner();
    let (mut decoder, mut rows, mut bytes) = (StreamDecoder::new(), 0, 0);
    while let Some(piece) = pieces.message().await? {
        bytes += piece.arrow_ipc.len() as u64;
        let mut buffer = Buffer::from(piece.arrow_ipc);
        while !buffer.is_empty() {
            rows += decoder.decode(&mut buffer)?.map_or(0, |batch| batch.num_rows());
        }
    }
    decoder.finish()?;
    Ok((rows, bytes))
}

fn definition() -> Table {
    let time = chrono::DateTime::UNIX_EPOCH;
    Table {
        name: TableName::new("default", "t"),
        id: 0,
        version: 0,
        table_type: TableType::ExternalTable,
        storage: StorageDescriptor {
            columns: vec![Column::new("n", HiveType::BigInt)],
            location: "s3://lake/t/".to_owned(),
            input_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat".to_owned(),
            output_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat".to_owned(),
            serde: SerDe::default(),
            bucket_columns: Vec::new(),
            bucket_count: None,
        },
        partition_keys: vec![Column::new("dt", HiveType::Date), Column::new("h", HiveType::Int)],
        comment: None,
        properties: Properties::new(),
        view_text: None,
        view_database: None,
        created_at: time,
        updated_at: time,
    }
}

/// The n-th hour.
fn partition(n: usize) -> Partition {
    let day = chrono::NaiveDate::from_epoch_days(i32::try_from(FIRST_DAY + n / 24).unwrap_or(0)).unwrap_or_default();
    Partition::new(vec![Some(day.to_string()), Some(format!("{:02}", n % 24))], chrono::DateTime::UNIX_EPOCH)
}
