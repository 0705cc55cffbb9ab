//! Glaux in a program of one's own: open a lake, run SQL, stream the batches, read the bill.
//!
//! `cargo run --release -p glaux-engine --example embed` needs nothing: it opens a data directory of its own and asks it for a few rows. Give
//! it a data directory and a query to ask that: `... --example embed -- ./glaux-demo "SELECT count(*) FROM lineitem"`.

use std::{error::Error, path::PathBuf};

use futures::TryStreamExt;
use glaux_engine::{Engine, EngineOptions, Session, SessionOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let data_dir = arguments.next().map_or_else(|| std::env::temp_dir().join("glaux-embed-example"), PathBuf::from);
    let query = arguments.next().unwrap_or_else(|| "SELECT n, n * n AS square FROM (VALUES 1, 2, 3) AS t (n)".to_owned());

    // An engine is opened once and shared: clones are cheap.
    let engine = Engine::open(EngineOptions { data_dir, ..EngineOptions::default() }).await?;

    // A session knows who asks and how much they may scan.
    let session = Session::new(SessionOptions {
        user: "embedder".to_owned(),
        labels: [("job".to_owned(), "example".to_owned())].into(),
        max_scan: Some(10_000_000_000),
        ..SessionOptions::default()
    });

    // A query is a stream of record batches. Dropping it cancels it.
    let mut rows = engine.submit(&session, &query).await?;
    println!("query {} gives {:?}", rows.id(), rows.schema().fields().iter().map(|field| field.name()).collect::<Vec<_>>());
    while let Some(batch) = rows.try_next().await? {
        println!("{}", arrow::util::pretty::pretty_format_batches(&[batch])?);
    }

    // When the stream has ended the bill is final, and in the history.
    let report = rows.report();
    println!(
        "{}: scanned {} bytes in {} requests, billed {} bytes, {}",
        report.state,
        report.usage.data_scanned_bytes,
        report.usage.requests.total(),
        report.bill.billed_bytes,
        report.bill
    );
    Ok(())
}
