//! Rows taken into tables of delimited text on S3, and queried: every type, nested ones, what is special in text, and the bill.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
        Int32Array, Int32Builder, Int64Array, ListArray, MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, Field, Int32Type},
};
use futures::stream;
use glaux_engine::{
    ErrorKind,
    query::Failure,
    write::{IfExists, IfNotExists, IngestSummary, IngestTarget},
};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "ingest_text";
        every_type_comes_back,
        what_is_special_in_text_comes_back,
        partitions_are_pruned_and_compressed_bytes_are_billed,
        a_value_that_would_be_lost_is_refused,
    ]
}

const OPEN_CSV: &str = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'";

async fn append(instance: &Instance, table: &str, rows: &RecordBatch) -> Result<IngestSummary, Failure> {
    let target = IngestTarget {
        database: None,
        table: table.to_owned(),
        if_not_exists: IfNotExists::Fail,
        if_exists: IfExists::Append,
        location: None,
        partitioned_by: Vec::new(),
        schema: rows.schema(),
    };
    instance.engine.ingest(&instance.session, target, stream::iter([Ok(rows.clone())])).await
}

fn keys(instance: &Instance) -> Vec<String> {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint.keys(BUCKET),
        Lake::Folder(_) => unreachable!("these lakes are on S3"),
    }
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, Failed> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true)))?)
}

fn texts<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A row of values, and one of NULLs.
fn of_every_type() -> Result<RecordBatch, Failed> {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (key, value) in [("one", Some(1)), ("none", None)] {
        maps.keys().append_value(key);
        maps.values().append_option(value);
    }
    maps.append(true)?;
    maps.append(false)?;
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None, Some(-3)]), None]);
    let parts: Vec<ArrayRef> = vec![texts([Some("x"), None]), Arc::new(Int32Array::from(vec![Some(7), None]))];
    let fields = vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int32, true)];
    let rows = StructArray::new(fields.into(), parts, Some(vec![true, false].into()));
    let decimals = Decimal128Array::from(vec![Some(-12_345), None]).with_precision_and_scale(10, 2)?;
    let columns: [(&str, ArrayRef); 15] = [
        ("bo", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("ti", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("si", Arc::new(Int16Array::from(vec![Some(32_767), None]))),
        ("i", Arc::new(Int32Array::from(vec![Some(-2_147_483_648), None]))),
        ("bi", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("f", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("d", Arc::new(Float64Array::from(vec![Some(1e23), None]))),
        ("de", Arc::new(decimals)),
        ("s", texts([Some("é日"), None])),
        ("bn", Arc::new(BinaryArray::from(vec![Some(b"\x00\xff".as_slice()), None]))),
        ("da", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("t", Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), None]))),
        ("l", Arc::new(lists)),
        ("m", Arc::new(maps.finish())),
        ("r", Arc::new(rows)),
    ];
    batch(columns)
}

async fn every_type_comes_back() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let rows = of_every_type()?;
    let columns = "bo BOOLEAN, ti TINYINT, si SMALLINT, i INT, bi BIGINT, f FLOAT, d DOUBLE, de DECIMAL(10,2), s STRING, \
                   bn BINARY, da DATE, t TIMESTAMP, l ARRAY<INT>, m MAP<STRING,INT>, r STRUCT<a:STRING,b:INT>";
    let escaped = "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY ',' \
                   MAP KEYS TERMINATED BY ':' STORED AS TEXTFILE";
    for (table, layout) in [("parquet", "STORED AS PARQUET"), ("plain", "STORED AS TEXTFILE"), ("escaped", escaped)] {
        instance.run(&format!("CREATE EXTERNAL TABLE {table} ({columns}) {layout} LOCATION '{{lake}}/{table}/'")).await;
        assert_eq!(append(&instance, table, &rows).await?.rows, 2);
    }
    let of = async |table: &str| instance.run(&format!("SELECT * FROM {table} ORDER BY bo NULLS LAST")).await.lines();
    let expected = of("parquet").await;
    assert_eq!(expected.len(), 2);
    assert_eq!(of("plain").await, expected);
    assert_eq!(of("escaped").await, expected);
    let parts = "SELECT l[3], m['one'], r.a, r.b FROM plain WHERE d = 1e23 AND f = CAST(0.1 AS real) AND de = -123.45";
    assert_eq!(instance.run(parts).await.lines(), ["-3|1|x|7"]);
    let times = instance.run("SELECT CAST(t AS varchar), CAST(da AS varchar), to_hex(bn) FROM plain WHERE bo").await;
    assert_eq!(times.lines(), ["2023-11-14 22:13:20.123|1969-12-31|00FF"]);
    Ok(())
}

async fn what_is_special_in_text_comes_back() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let special = ["", "a,b", "c\\d", "\"", "\"e\"", "\\N", "NULL", " f ", "\\", ",", "\t", "\u{1}", "é|;"];
    let numbers: Vec<i64> = (0..).take(special.len() + 1).collect();
    let values = special.iter().map(|text| Some(*text)).chain([None]).collect::<StringArray>();
    let rows = batch([("n", Arc::new(Int64Array::from(numbers)) as ArrayRef), ("s", Arc::new(values))])?;
    for (table, layout) in [
        ("parquet", "STORED AS PARQUET".to_owned()),
        ("escaped", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' STORED AS TEXTFILE".to_owned()),
        ("quoted", format!("{OPEN_CSV} STORED AS TEXTFILE")),
        ("named", format!("{OPEN_CSV} WITH SERDEPROPERTIES ('separatorChar' = '|', 'escapeChar' = '\\\\') STORED AS TEXTFILE")),
    ] {
        let table = format!("CREATE EXTERNAL TABLE {table} (n BIGINT, s STRING) {layout} LOCATION '{{lake}}/{table}/'");
        instance.run(&table).await;
    }
    for table in ["parquet", "escaped", "quoted", "named"] {
        append(&instance, table, &rows).await?;
    }
    let of = async |sql: &str| instance.run(sql).await.lines();
    let expected = of("SELECT n, s FROM parquet ORDER BY n").await;
    assert_eq!(of("SELECT n, s FROM escaped ORDER BY n").await, expected);
    // OpenCSVSerde has one form for NULL and the empty text, as in Trino and Athena.
    let expected = of("SELECT n, coalesce(s, '') FROM parquet ORDER BY n").await;
    assert_eq!(of("SELECT n, s FROM quoted ORDER BY n").await, expected);
    assert_eq!(of("SELECT n, s FROM named ORDER BY n").await, expected);
    Ok(())
}

async fn partitions_are_pruned_and_compressed_bytes_are_billed() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let table = "CREATE EXTERNAL TABLE t (n BIGINT, s STRING) PARTITIONED BY (k STRING) \
                 ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION '{lake}/t/' \
                 TBLPROPERTIES ('skip.header.line.count' = '1')";
    instance.run(table).await;
    let ids = || (0..1000_i64);
    let rows = batch([
        ("n", Arc::new(Int64Array::from_iter_values(ids())) as ArrayRef),
        ("s", Arc::new(StringArray::from_iter_values(ids().map(|id| format!("text of {id}"))))),
        ("k", Arc::new(StringArray::from_iter_values(ids().map(|id| format!("k{}", id % 4))))),
    ])?;
    let summary = append(&instance, "t", &rows).await?;
    assert_eq!((summary.rows, summary.files, summary.report.usage.requests.put), (1000, 4, 4));
    let files = keys(&instance);
    assert_eq!(files.len(), 4);
    assert!(files[0].starts_with("t/k=k0/") && files[0].ends_with("-00000.gz"), "{files:?}");
    let one = instance.run("SELECT count(*), sum(n), count(DISTINCT s) FROM t WHERE k = 'k3'").await;
    assert_eq!(one.lines(), ["250|125250|250"]);
    assert_eq!((one.report.usage.partitions.scanned, one.report.usage.files.scanned), (1, 1));
    let all = instance.run("SELECT count(*), sum(n) FROM t").await;
    assert_eq!(all.lines(), ["1000|499500"]);
    assert_eq!(all.report.usage.data_scanned_bytes, summary.bytes, "as compressed at rest");
    assert!(summary.bytes < 20_000, "{} bytes", summary.bytes);
    Ok(())
}

async fn a_value_that_would_be_lost_is_refused() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT, s STRING) STORED AS TEXTFILE LOCATION '{lake}/t/'").await;
    for lost in ["line\nbreak", "\\N", "one\u{1}two"] {
        let rows = batch([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef), ("s", texts([Some("fine"), Some(lost)]))])?;
        let failure = append(&instance, "t", &rows).await.err().ok_or("it succeeded")?;
        assert_eq!(failure.error.kind(), ErrorKind::Invalid);
        assert!(failure.error.message().contains("column \"s\""), "{}", failure.error);
        assert_eq!(keys(&instance), [""; 0]);
    }
    assert_eq!(instance.run("SELECT count(*) AS c FROM t").await.lines(), ["0"]);
    Ok(())
}
