//! A query as a stream of record batches, with a limit on what it may scan, its upper bound before it runs, and its bill when it has ended.
//!
//! `cargo run --release -p glaux-engine --example stream_and_bill`, or `... -- ./glaux-demo "SELECT count(*) FROM lineitem"` to ask a data directory.

use std::error::Error;

use futures::TryStreamExt;
use glaux_engine::{arrow::util::pretty::print_batches, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let engine = match arguments.next() {
        Some(data_dir) => Engine::open(data_dir.as_str()).await?,
        None => Engine::in_memory().await?,
    };
    let sql = arguments.next().unwrap_or_else(|| "SELECT n, n * n AS square FROM (VALUES 1, 2, 3) AS t (n)".to_owned());

    // A session says who asks, and how much a query of theirs may scan.
    let session = Session::new(SessionOptions {
        user: "reporting".to_owned(),
        labels: [("job".to_owned(), "example".to_owned())].into(),
        max_scan: Some(10_000_000_000),
        ..SessionOptions::default()
    });

    // Planning reads no table data.
    let planned = engine.query(&sql).session(&session).plan().await?;
    if let Some(estimate) = planned.estimate() {
        println!("scans at most {} bytes of {} files, for {}", estimate.bytes, estimate.files, estimate.bill);
    }

    // Dropping the stream cancels the query.
    let mut rows = planned.run().await?;
    while let Some(batch) = rows.try_next().await? {
        print_batches(&[batch])?;
    }

    // The stream has ended, so the report is final. `system.queries` has it too.
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
