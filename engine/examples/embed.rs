//! Glaux in a program of one's own, in three lines: an engine, a query with a value for its parameter, and the result.
//!
//! `cargo run --release -p glaux-engine --example embed` needs nothing: the engine is in memory. Give it a data directory to ask the tables there:
//! `... --example embed -- ./glaux-demo "SELECT count(*) AS orders FROM orders"`.

use std::error::Error;

use glaux_engine::{arrow::util::pretty::print_batches, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if let (Some(data_dir), Some(sql)) = (arguments.next(), arguments.next()) {
        let engine = Engine::open(data_dir.as_str()).await?;
        print_batches(&engine.query(&sql).collect().await?)?;
        return Ok(());
    }

    let engine = Engine::in_memory().await?;
    let query = engine.query("SELECT n, n * n AS square FROM (VALUES 1, 2, 3) AS t (n) WHERE n >= ?").bind(2).await?;
    print_batches(&query.collect().await?)?;
    Ok(())
}
