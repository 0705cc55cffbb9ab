//! An object store of one's own behind a bucket's URL: any `ObjectStore`, here one in memory. Tables over it are listed, read, metered and billed as
//! those on S3 are.
//!
//! `cargo run --release -p glaux-engine --example custom_store`

use std::{error::Error, sync::Arc};

use glaux_engine::{
    arrow::util::pretty::print_batches,
    object_store::{ObjectStoreExt, memory::InMemory, path::Path},
    prelude::*,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = InMemory::new();
    store.put(&Path::from("readings/day=2025-01-01/a.csv"), "north,4.5\nsouth,17.0\n".into()).await?;
    store.put(&Path::from("readings/day=2025-01-02/a.csv"), "north,3.0\n".into()).await?;

    let engine = Engine::in_memory().await?;
    engine.register_object_store("s3://sensors", Arc::new(store))?;
    let table = "CREATE EXTERNAL TABLE readings (sensor STRING, celsius DOUBLE) PARTITIONED BY (day DATE) \
                 ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION 's3://sensors/readings/'";
    engine.query(table).collect().await?;
    engine.query("MSCK REPAIR TABLE readings").collect().await?;

    let query = engine.query("SELECT sensor, celsius FROM readings WHERE day = DATE '2025-01-01' ORDER BY sensor").await?;
    let (batches, report) = query.collect_with_report().await?;
    print_batches(&batches)?;
    let usage = report.usage;
    println!("scanned {} bytes in {} requests", usage.data_scanned_bytes, usage.requests.total());
    Ok(())
}
