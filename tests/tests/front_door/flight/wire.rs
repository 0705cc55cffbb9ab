//! What travels: one schema whatever asks for it, messages below the limit of clients, endpoints, and results of no rows.

use std::collections::BTreeSet;

use arrow_flight::{
    Empty, FlightDescriptor,
    sql::{
        Any, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
        CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
        ProstMessageExt,
    },
};
use futures::TryStreamExt;
use libtest_mimic::{Failed, Trial};
use prost::Message;
use serde_json::json;

use super::{
    client::{Raw, command, on_s3, server, table, ticket},
    options, timed,
};

/// gRPC's usual limit of a message.
const LIMIT: usize = 4 << 20;

pub(super) fn trials() -> Vec<Trial> {
    timed![
        one_schema_whatever_asks,
        metadata_commands_have_one_schema,
        messages_stay_below_the_limit,
        parallel_endpoints_give_every_row_once,
        results_of_nulls_and_of_nothing,
        polling_is_over_at_once,
        actions_and_flights_are_listed,
    ]
}

async fn one_schema_whatever_asks() -> Result<(), Failed> {
    let (server, lake) = server();
    table(&server, &lake).await;
    let mut raw = Raw::login(&server, "ada").await;
    for sql in [
        "SELECT * FROM t",
        "SELECT count(*), min(n), max(n), avg(n), sum(n) FROM t",
        "SELECT 1, 'a', NULL, DATE '2025-01-01', 1.5, TIMESTAMP '2025-01-01 00:00:00', \"$path\" FROM t",
        "SELECT array[n], map(array['a'], array[n]), row(n, p) FROM t",
        "SELECT n FROM t WHERE false",
        "SHOW TABLES",
        "DESCRIBE t",
        "EXPLAIN SELECT n FROM t",
        "SELECT * FROM system.queries",
        "SELECT * FROM information_schema.columns",
        "USE default",
    ] {
        let prepared = raw.client.sql.prepare(sql.to_owned(), None).await?;
        let described = prepared.dataset_schema()?.clone();
        let asked = raw.schema_of(command(sql)).await?;
        let info = raw.info(sql).await?;
        let planned = info.clone().try_decode_schema()?;
        let read = raw.get(ticket(&info.endpoint[0])).await?;
        let got = read.schema().await;
        assert_eq!(asked, described, "GetSchema and prepared: {sql}");
        assert_eq!(planned.fields(), described.fields(), "FlightInfo and prepared: {sql}");
        assert_eq!(got, described, "DoGet and prepared: {sql}");
        assert!(got.fields().iter().all(|field| field.metadata().contains_key("ARROW:FLIGHT:SQL:TYPE_NAME")), "{sql}");
        for batch in read.batches().await {
            assert_eq!(batch.schema().as_ref(), &described, "batches: {sql}");
        }
        prepared.close().await?;
    }
    Ok(())
}

async fn metadata_commands_have_one_schema() -> Result<(), Failed> {
    let (server, lake) = server();
    table(&server, &lake).await;
    let mut raw = Raw::login(&server, "ada").await;
    let t = || "t".to_owned();
    let tables = |include_schema| CommandGetTables { include_schema, ..CommandGetTables::default() }.as_any();
    let commands: [(Any, bool); 12] = [
        (CommandGetCatalogs::default().as_any(), true),
        (CommandGetDbSchemas::default().as_any(), true),
        (tables(false), true),
        (tables(true), true),
        (CommandGetTableTypes::default().as_any(), true),
        (CommandGetSqlInfo::default().as_any(), true),
        (CommandGetXdbcTypeInfo::default().as_any(), true),
        (CommandGetPrimaryKeys { table: t(), ..CommandGetPrimaryKeys::default() }.as_any(), false),
        (CommandGetExportedKeys { table: t(), ..CommandGetExportedKeys::default() }.as_any(), false),
        (CommandGetImportedKeys { table: t(), ..CommandGetImportedKeys::default() }.as_any(), false),
        (CommandGetCrossReference { pk_table: t(), fk_table: t(), ..CommandGetCrossReference::default() }.as_any(), false),
        (CommandGetPrimaryKeys { table: "nowhere".to_owned(), ..CommandGetPrimaryKeys::default() }.as_any(), false),
    ];
    for (command, has_rows) in commands {
        let name = command.type_url.clone();
        let asked = raw.schema_of(command.encode_to_vec()).await?;
        let info = raw.info_of(command.encode_to_vec()).await?;
        let planned = info.clone().try_decode_schema()?;
        let read = raw.get(ticket(&info.endpoint[0])).await?;
        assert_eq!(asked, planned, "{name}");
        assert_eq!(read.schema().await, planned, "{name}");
        assert_eq!(!read.batches().await.is_empty(), has_rows, "{name}");
    }
    Ok(())
}

/// Rows of very different length in one batch, the long ones side by side: no message reaches what clients take by default.
async fn messages_stay_below_the_limit() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let sql = "SELECT value AS x, rpad('', CASE WHEN value % 4000 < 8 THEN 1000000 ELSE value % 7 END, 'abc') AS s \
               FROM generate_series(1001, 9000) ORDER BY value";
    let read = raw.run(sql).await?;
    assert!(read.messages.len() > 6, "{} messages", read.messages.len());
    for message in &read.messages {
        assert!(message.encoded_len() < LIMIT, "a message of {} bytes", message.encoded_len());
    }
    let batches = read.batches().await;
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 8000);
    let sizes: usize = batches.iter().map(|batch| batch.column(1).to_data().get_slice_memory_size().unwrap_or_default()).sum();
    assert!(sizes > 16_000_000, "16 long values were sent, not {sizes} bytes");
    Ok(())
}

async fn parallel_endpoints_give_every_row_once() -> Result<(), Failed> {
    let (server, _lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    assert_eq!(raw.info("SELECT n FROM t").await?.endpoint.len(), 1, "one is the default");
    assert_eq!(options::set(&mut raw, "parallel_endpoints", json!(4)).await, None);
    let ordered = raw.info("SELECT n FROM t ORDER BY n").await?;
    assert_eq!((ordered.endpoint.len(), ordered.ordered), (1, true), "what has an order stays in one");

    let info = raw.info("SELECT n FROM t").await?;
    assert_eq!((info.endpoint.len(), info.ordered), (4, false));
    let reads = info.endpoint.iter().map(|endpoint| {
        let (mut raw, ticket) = (raw.clone(), ticket(endpoint));
        async move {
            let read = raw.get(ticket).await?;
            Ok::<_, tonic::Status>((read.lines().await, read.figures()))
        }
    });
    let reads = futures::future::try_join_all(reads).await?;
    let all: Vec<i64> = reads.iter().flat_map(|(lines, _)| lines).map(|line| line.parse().expect("a number")).collect();
    assert_eq!(all.len(), 2000);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), (1..=2000).collect());
    for (_, figures) in &reads {
        assert_eq!(figures["state"], "SUCCEEDED");
        assert_eq!(figures["query_id"], reads[0].1["query_id"], "it is one query");
        assert_eq!(figures["rows"], 2000);
    }
    // Each ticket is good for one reading.
    let again = raw.get(ticket(&info.endpoint[2])).await.expect_err("it is refused");
    assert_eq!(again.code(), tonic::Code::NotFound, "{again}");
    let id = reads[0].1["query_id"].as_str().expect("an id").to_owned();
    assert_eq!(raw.state(&id).await, "SUCCEEDED");
    Ok(())
}

async fn results_of_nulls_and_of_nothing() -> Result<(), Failed> {
    let (server, lake) = server();
    table(&server, &lake).await;
    let mut raw = Raw::login(&server, "ada").await;
    let read = raw.run("SELECT NULL AS a, CAST(NULL AS VARCHAR) AS b, '' AS c").await?;
    assert_eq!(read.lines().await, ["NULL|NULL|(empty)"]);
    for sql in ["SELECT n, p FROM t WHERE n < 0", "SELECT n, p FROM t LIMIT 0", "SELECT n FROM t WHERE p = 77"] {
        let read = raw.run(sql).await?;
        assert!(read.lines().await.is_empty(), "{sql}");
        assert!(!read.schema().await.fields().is_empty(), "{sql}");
        assert_eq!((read.figures()["state"].as_str(), read.figures()["rows"].as_u64()), (Some("SUCCEEDED"), Some(0)), "{sql}");
    }
    // No columns at all.
    let read = raw.run("USE default").await?;
    assert!(read.schema().await.fields().is_empty() && read.lines().await.is_empty());
    Ok(())
}

async fn polling_is_over_at_once() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let request = raw.request(FlightDescriptor::new_cmd(command("SELECT 7 AS x")));
    let polled = raw.rpc.poll_flight_info(request).await?.into_inner();
    assert_eq!(polled.flight_descriptor, None, "there is nothing to wait for");
    let info = polled.info.ok_or("an info")?;
    assert_eq!(raw.get(ticket(&info.endpoint[0])).await?.lines().await, ["7"]);
    let request = raw.request(FlightDescriptor::new_cmd(CommandGetCatalogs::default().as_any().encode_to_vec()));
    let info = raw.rpc.poll_flight_info(request).await?.into_inner().info.ok_or("an info")?;
    assert_eq!(raw.get(ticket(&info.endpoint[0])).await?.lines().await, ["awsdatacatalog"]);
    Ok(())
}

async fn actions_and_flights_are_listed() -> Result<(), Failed> {
    let (server, _lake) = server();
    let (mut ada, mut bob) = (Raw::login(&server, "ada").await, Raw::login(&server, "bob").await);
    let request = ada.request(Empty {});
    let actions: Vec<_> = ada.rpc.list_actions(request).await?.into_inner().try_collect().await?;
    let names: BTreeSet<_> = actions.iter().map(|action| action.r#type.as_str()).collect();
    for name in [
        "CreatePreparedStatement",
        "ClosePreparedStatement",
        "CancelQuery",
        "CancelFlightInfo",
        "RenewFlightEndpoint",
        "SetSessionOptions",
        "GetSessionOptions",
        "CloseSession",
        "GetQueryStats",
        "Quote",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(actions.iter().all(|action| !action.description.is_empty()));

    let info = ada.info("SELECT 1 AS x").await?;
    assert_eq!(ada.waiting().await.len(), 1);
    assert!(bob.waiting().await.is_empty(), "others see only theirs");
    let listed = ada.waiting().await.remove(0);
    assert_eq!(ada.get(listed).await?.lines().await, ["1"]);
    assert!(ada.waiting().await.is_empty());
    assert_eq!(ada.get(ticket(&info.endpoint[0])).await.expect_err("it is refused").code(), tonic::Code::NotFound);
    Ok(())
}
