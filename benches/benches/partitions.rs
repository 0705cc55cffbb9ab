//! What the partitions of a table cost in CPU time, piece by piece, for finding out which piece a change has made slower: their index, statements
//! planned on it, and listings read. `lake_bench partitions` measures the whole, on a store with latency.
//!
//! `cargo bench --workspace --bench partitions`; criterion compares with the run before.

use std::{collections::BTreeMap, error::Error, hint::black_box, time::Duration};

use arrow::temporal_conversions::date32_to_datetime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glaux_catalog::{
    HiveType,
    discovery::{ListRequest, StoreProvider},
    model::Column,
    partition::{PartitionEntry, PartitionIndex, PartitionIndexBuilder},
};
use glaux_engine::{accounting::Meter, storage::Stores};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
};
use tokio::runtime::Runtime;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PARTITIONS: usize = 100_000;
/// 2013-05-05, so that the last of them is in 2024.
const FIRST_DAY: usize = 15_830;

/// The Hive name of the n-th hour.
fn name(n: usize) -> String {
    let day = i32::try_from(FIRST_DAY + n / 24).ok().and_then(date32_to_datetime).unwrap_or_default();
    format!("dt={}/h={:02}", day.date(), n % 24)
}

fn build(names: &[String]) -> Result<PartitionIndex> {
    let keys = [Column::new("dt", HiveType::Date), Column::new("h", HiveType::Int)];
    let mut builder = PartitionIndexBuilder::new(&keys);
    for name in names {
        builder.push(name, None, None)?;
    }
    Ok(builder.finish()?)
}

fn index(criterion: &mut Criterion) {
    let names: Vec<String> = (0..PARTITIONS).map(name).collect();
    let Ok(index) = build(&names) else { return };
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(PARTITIONS as u64));
    group.bench_function("build", |bencher| bencher.iter(|| build(black_box(&names)).map(|index| index.len()).ok()));
    let day = PARTITIONS..PARTITIONS + 24;
    let changes: BTreeMap<_, _> = day.map(|n| (name(n), Some(PartitionEntry::default()))).collect();
    group.bench_function("update with a day", |bencher| bencher.iter(|| index.updated(black_box(&changes)).ok()));
    group.bench_function("find each", |bencher| {
        bencher.iter(|| names.iter().filter(|name| index.find(black_box(name)).is_some()).count());
    });
    group.bench_function("name each", |bencher| bencher.iter(|| index.names().map(|name| name.len()).sum::<usize>()));
    group.finish();
}

/// A table on the endpoint, without latency, and a snapshot of its files.
async fn table() -> Result<Instance> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let Lake::S3(endpoint) = &instance.lake else { return Err("the lake is not on the endpoint".into()) };
    instance.write("one/a.parquet", "SELECT value AS n FROM generate_series(1, 1000)").await;
    let file = endpoint.get(BUCKET, "one/a.parquet").ok_or("the file is not there")?;
    endpoint.put_many(BUCKET, (0..PARTITIONS).map(|n| format!("t/{}/part-0.parquet", name(n))), file);
    instance
        .run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (dt DATE, h INT) STORED AS PARQUET LOCATION '{lake}/t/'")
        .await;
    instance.run("MSCK REPAIR TABLE t").await;
    instance.run("SET SESSION listing = 'snapshot'").await;
    instance.run("REFRESH TABLE t").await;
    Ok(instance)
}

fn statements(criterion: &mut Criterion) {
    let Ok(runtime) = Runtime::new() else { return };
    let instance = match runtime.block_on(table()) {
        Ok(instance) => instance,
        Err(error) => return eprintln!("no table: {error}"),
    };
    let mut group = criterion.benchmark_group("statement");
    for (name, predicate) in [
        ("plan: one partition", "dt = DATE '2024-09-30' AND h = 3"),
        ("plan: a range and equality", "dt BETWEEN DATE '2024-09-21' AND DATE '2024-09-30' AND h = 3"),
        ("plan: a function of one key", "dt = DATE '2024-09-30' AND h % 12 = 3"),
        ("plan: both keys", "EXTRACT(DAY FROM dt) = h"),
        ("plan: nothing", "dt = DATE '1970-01-01'"),
    ] {
        let sql = format!("EXPLAIN SELECT sum(n) AS total FROM t WHERE {predicate}");
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(instance.run(&sql))));
    }
    group.sample_size(10).measurement_time(Duration::from_secs(8)).throughput(Throughput::Elements(PARTITIONS as u64));
    group.bench_function("repair, nothing new", |bencher| bencher.iter(|| runtime.block_on(instance.run("MSCK REPAIR TABLE t"))));
    group.bench_function("refresh", |bencher| bencher.iter(|| runtime.block_on(instance.run("REFRESH TABLE t"))));
    group.finish();

    let Lake::S3(endpoint) = &instance.lake else { return };
    let stores = Stores::for_query(&Stores::new(endpoint.storage_options()), Meter::new(None));
    let Ok(location) = stores.open(&format!("s3://{BUCKET}/t/")) else { return };
    let request = ListRequest { prefix: "t/".to_owned(), ..ListRequest::default() };
    let mut group = criterion.benchmark_group("listing");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("a page, with the store's own time", |bencher| {
        bencher.iter(|| runtime.block_on(location.lister.page(request.clone())).map(|page| page.objects.len()).ok());
    });
    group.finish();
}

criterion_group!(benches, index, statements);
criterion_main!(benches);
