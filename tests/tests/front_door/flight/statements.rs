//! Statements by every way in: each is executed as often as it was asked for, with its parameters, in its client's session.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, NullArray, RecordBatch, StringArray},
    datatypes::DataType,
};
use arrow_flight::{
    Ticket,
    sql::{
        CommandPreparedStatementQuery, CommandStatementIngest, ProstMessageExt, TableDefinitionOptions, TableExistsOption,
        TableNotExistOption,
    },
};
use futures::stream;
use glaux_tests::flight::{Client, Refused};
use libtest_mimic::{Failed, Trial};
use prost::Message;
use serde_json::json;
use tonic::Code;

use super::{
    client::{Raw, command, server, table, ticket},
    options, timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        definitions_are_carried_out_once_whichever_way_they_come,
        preparing_and_describing_change_nothing,
        parameters_go_by_position_beyond_ten,
        parameters_are_bound_again_and_again,
        wrong_parameters_are_refused,
        unknown_handles_are_not_found,
        sessions_are_apart,
        options_of_the_session,
        the_history_says_where_statements_come_from,
        rows_are_taken_in_and_read_back,
    ]
}

/// How often a statement is in the history, and with what states.
async fn history(raw: &mut Raw, sql: &str) -> Vec<String> {
    raw.lines(&format!("SELECT state FROM system.queries WHERE statement = '{}' ORDER BY submitted_at", sql.replace('\'', "''")))
        .await
}

async fn definitions_are_carried_out_once_whichever_way_they_come() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let create = |name: &str| format!("CREATE DATABASE {name}");

    // 1. A statement that is asked for as if it were a query. It is done by then, fetched or not, and fetched twice.
    let sql = create("by_query");
    let info = raw.info(&sql).await?;
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"], "before it is fetched");
    for _ in 0..2 {
        let read = raw.get(ticket(&info.endpoint[0])).await?;
        assert!(read.lines().await.is_empty());
        assert_eq!(read.figures()["state"], "SUCCEEDED");
    }
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"]);

    // 2. A prepared one, asked for as a query.
    let sql = create("by_prepared_query");
    let mut prepared = raw.client.sql.prepare(sql.clone(), None).await?;
    let info = prepared.execute().await?;
    raw.client.fetch(info).await?;
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"]);
    let again = Refused::from(prepared.execute().await.expect_err("it is refused"));
    assert_eq!(
        (again.code, again.kind.as_str()),
        (Code::AlreadyExists, "ALREADY_EXISTS"),
        "to execute it again is to create it again"
    );
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED", "FAILED"]);

    // 3. An update.
    let sql = create("by_update");
    raw.client.sql.execute_update(sql.clone(), None).await?;
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"]);

    // 4. A prepared update.
    let sql = create("by_prepared_update");
    let mut prepared = raw.client.sql.prepare(sql.clone(), None).await?;
    assert!(history(&mut raw, &sql).await.is_empty());
    prepared.execute_update().await?;
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"]);

    // 5. The command itself as a ticket.
    let sql = create("by_get");
    let read = raw.get(Ticket::new(command(&sql))).await?;
    assert_eq!(read.figures()["state"], "SUCCEEDED");
    assert_eq!(history(&mut raw, &sql).await, ["SUCCEEDED"]);

    let made = raw.lines("SHOW DATABASES").await;
    for name in ["by_query", "by_prepared_query", "by_update", "by_prepared_update", "by_get"] {
        assert!(made.contains(&name.to_owned()), "{name} is not among {made:?}");
    }
    Ok(())
}

async fn preparing_and_describing_change_nothing() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let prepared = raw.client.sql.prepare("CREATE DATABASE d".to_owned(), None).await?;
    assert!(prepared.dataset_schema()?.fields().is_empty(), "no columns tell that it is no query");
    assert!(raw.schema_of(command("CREATE DATABASE d")).await?.fields().is_empty());
    prepared.close().await?;
    assert_eq!(raw.lines("SHOW DATABASES").await, ["default"]);
    // What cannot be planned cannot be prepared.
    let refused = Refused::from(raw.client.sql.prepare("SELECT nope".to_owned(), None).await.expect_err("it is refused"));
    assert_eq!((refused.code, refused.kind.as_str()), (Code::NotFound, "NOT_FOUND"), "{refused}");
    // UNIMPLEMENTED would say that nothing can be prepared.
    for sql in ["INSERT INTO t VALUES (?)", "DELETE FROM t WHERE id = ?", "SELECT 'a' LIKE '%' || ? || '%' ESCAPE '/'"] {
        let refused = Refused::from(raw.client.sql.prepare(sql.to_owned(), None).await.expect_err("it is refused"));
        assert_eq!((refused.code, refused.kind.as_str()), (Code::InvalidArgument, "UNSUPPORTED"), "{refused}");
        let refused = raw.info_of(command(sql)).await.expect_err("it is refused");
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    }
    Ok(())
}

fn row(columns: Vec<ArrayRef>) -> RecordBatch {
    // Clients name them as they like.
    let named = columns.into_iter().enumerate().map(|(at, column)| (format!("param_{at}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).expect("a row of values")
}

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

async fn parameters_go_by_position_beyond_ten() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let sql = "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";
    let mut prepared = raw.client.sql.prepare(sql.to_owned(), None).await?;
    assert_eq!(prepared.parameter_schema()?.fields().len(), 12);
    prepared.set_parameters(row((1..=12).map(number).collect()))?;
    let info = prepared.execute().await?;
    assert_eq!(raw.client.fetch(info).await?.lines(), ["1|2|3|4|5|6|7|8|9|10|11|12"]);
    Ok(())
}

async fn parameters_are_bound_again_and_again() -> Result<(), Failed> {
    let (server, lake) = server();
    table(&server, &lake).await;
    let mut raw = Raw::login(&server, "ada").await;
    let mut prepared = raw.client.sql.prepare("SELECT count(*) AS c FROM t WHERE n <= ?".to_owned(), None).await?;
    assert_eq!(prepared.parameter_schema()?.field(0).data_type(), &DataType::Int64);
    for (value, rows) in [
        (number(7), "7"),
        (number(1500), "1500"),
        (Arc::new(NullArray::new(1)) as ArrayRef, "0"),
        (Arc::new(Int64Array::from(vec![None::<i64>])), "0"),
        (Arc::new(arrow::array::Int32Array::from(vec![3])), "3"),
    ] {
        prepared.set_parameters(row(vec![value]))?;
        let info = prepared.execute().await?;
        assert_eq!(raw.client.fetch(info).await?.lines(), [rows]);
    }
    // What is bound stays bound until something else is.
    prepared.set_parameters(row(vec![number(9)]))?;
    for _ in 0..2 {
        let info = prepared.execute().await?;
        assert_eq!(raw.client.fetch(info).await?.lines(), ["9"]);
    }
    let mut text = raw.client.sql.prepare("SELECT count(*) AS c FROM t WHERE CAST(n AS VARCHAR) LIKE ?".to_owned(), None).await?;
    text.set_parameters(row(vec![Arc::new(StringArray::from(vec!["199_"]))]))?;
    let info = text.execute().await?;
    assert_eq!(raw.client.fetch(info).await?.lines(), ["10"]);
    Ok(())
}

async fn wrong_parameters_are_refused() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let no_rows = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef)])?;
    for (sql, values, code) in [
        ("SELECT ?", row(vec![number(1), number(2)]), Code::InvalidArgument),
        ("SELECT ?, ?", row(vec![number(1)]), Code::InvalidArgument),
        ("SELECT 1", row(vec![number(1)]), Code::InvalidArgument),
        ("SHOW TABLES", row(vec![number(1)]), Code::InvalidArgument),
        ("SELECT ?", no_rows, Code::InvalidArgument),
    ] {
        let mut prepared = raw.client.sql.prepare(sql.to_owned(), None).await?;
        prepared.set_parameters(values.clone())?;
        let refused = Refused::from(prepared.execute().await.expect_err("it is refused"));
        assert_eq!(refused.code, code, "{sql} with {values:?}: {refused}");
        prepared.set_parameters(values.clone())?;
        let refused = Refused::from(prepared.execute_update().await.expect_err("it is refused"));
        assert_eq!(refused.code, code, "{sql} with {values:?} as an update: {refused}");
    }
    // Nothing bound at all.
    let mut prepared = raw.client.sql.prepare("SELECT ?".to_owned(), None).await?;
    let refused = Refused::from(prepared.execute().await.expect_err("it is refused"));
    assert_eq!(refused.code, Code::InvalidArgument, "{refused}");
    // It is as good as before.
    prepared.set_parameters(row(vec![number(5)]))?;
    let info = prepared.execute().await?;
    assert_eq!(raw.client.fetch(info).await?.lines(), ["5"]);
    Ok(())
}

async fn unknown_handles_are_not_found() -> Result<(), Failed> {
    let (server, _lake) = server();
    let (mut ada, mut bob) = (Raw::login(&server, "ada").await, Raw::login(&server, "bob").await);
    let create = |query: &str| {
        let request = arrow_flight::sql::ActionCreatePreparedStatementRequest { query: query.to_owned(), transaction_id: None };
        request.as_any().encode_to_vec()
    };
    let result = ada.action("CreatePreparedStatement", create("SELECT 1 AS x")).await?;
    let any = arrow_flight::sql::Any::decode(result[0].clone())?;
    let result: arrow_flight::sql::ActionCreatePreparedStatementResult = any.unpack()?.ok_or("a result")?;
    let handle = result.prepared_statement_handle;
    let execute =
        |handle: bytes::Bytes| CommandPreparedStatementQuery { prepared_statement_handle: handle }.as_any().encode_to_vec();
    let info = ada.info_of(execute(handle.clone())).await?;
    assert_eq!(ada.get(ticket(&info.endpoint[0])).await?.lines().await, ["1"]);
    for (is_hers, bytes) in [
        (false, handle.clone()),
        (true, vec![7_u8; 16].into()),
        (true, bytes::Bytes::from_static(b"nonsense")),
        (true, bytes::Bytes::new()),
    ] {
        let who = if is_hers { &mut ada } else { &mut bob };
        assert_eq!(who.info_of(execute(bytes.clone())).await.expect_err("it is refused").code(), Code::NotFound, "{bytes:?}");
        assert_eq!(who.schema_of(execute(bytes.clone())).await.expect_err("it is refused").code(), Code::NotFound, "{bytes:?}");
    }
    // To close what is not there, or is another's, is no mistake, and closes nothing.
    let close = |handle: bytes::Bytes| {
        let request = arrow_flight::sql::ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
        request.as_any().encode_to_vec()
    };
    bob.action("ClosePreparedStatement", close(handle.clone())).await?;
    ada.info_of(execute(handle.clone())).await?;
    ada.action("ClosePreparedStatement", close(handle.clone())).await?;
    ada.action("ClosePreparedStatement", close(handle.clone())).await?;
    assert_eq!(ada.info_of(execute(handle)).await.expect_err("it is refused").code(), Code::NotFound);
    Ok(())
}

async fn sessions_are_apart() -> Result<(), Failed> {
    let (server, lake) = server();
    // One user twice, and somebody else.
    let mut first = Raw::login(&server, "ada").await;
    let mut second = Raw::login(&server, "ada").await;
    let mut third = Raw::login(&server, "bob").await;
    for sql in [
        "CREATE DATABASE other",
        "CREATE EXTERNAL TABLE other.there (n INT) STORED AS PARQUET LOCATION '{lake}/x/'",
        "USE other",
        "SET SESSION timeout = '77s'",
    ] {
        first.lines(&lake.expand(sql)).await;
    }
    assert_eq!(first.lines("SHOW TABLES").await, ["there"]);
    for raw in [&mut second, &mut third] {
        assert!(raw.lines("SHOW TABLES").await.is_empty());
        assert!(raw.lines("SHOW SESSION").await.iter().all(|line| !line.contains("77s")));
        assert_eq!(options::get(raw).await["schema"], "default");
    }
    assert_eq!(options::get(&mut first).await["schema"], "other");
    // A client that keeps no token has no session.
    let mut nobody = Client::anonymous(&server).await;
    nobody.run("USE other").await?;
    assert!(nobody.run("SHOW TABLES").await?.lines().is_empty());
    // A session that is closed begins anew.
    first.action("CloseSession", Vec::new()).await?;
    assert!(first.lines("SHOW TABLES").await.is_empty());
    first.action("CloseSession", Vec::new()).await?;
    Ok(())
}

async fn options_of_the_session() -> Result<(), Failed> {
    const INVALID_NAME: i32 = 1;
    const INVALID_VALUE: i32 = 2;
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    raw.lines("CREATE DATABASE other").await;
    for (name, value, error) in [
        ("catalog", json!("awsdatacatalog"), None),
        ("catalog", json!("elsewhere"), Some(INVALID_VALUE)),
        ("schema", json!("other"), None),
        ("schema", json!("nowhere"), Some(INVALID_VALUE)),
        ("time_zone", json!("Europe/Berlin"), None),
        ("time_zone", json!("Nowhere/City"), Some(INVALID_VALUE)),
        ("time_zone", json!(["UTC"]), Some(INVALID_VALUE)),
        ("max_scan", json!(1_000_000), None),
        ("query_timeout", json!("5m"), None),
        ("no_such_option", json!("x"), Some(INVALID_NAME)),
        ("last_query.id", json!("x"), Some(INVALID_NAME)),
        ("parallel_endpoints", json!("many"), Some(INVALID_VALUE)),
    ] {
        assert_eq!(options::set(&mut raw, name, value.clone()).await, error, "{name} = {value}");
    }
    let options = options::get(&mut raw).await;
    assert_eq!(options["schema"], "other");
    assert_eq!(options["time_zone"], "Europe/Berlin");
    assert_eq!(options["max_scan"], "1000000");
    assert_eq!(options["timeout"], "300s");
    // By its former name as well.
    assert_eq!((&options["max_scan_bytes"], &options["query_timeout"]), (&options["max_scan"], &options["timeout"]));
    assert!(raw.lines("SHOW SESSION").await.iter().any(|line| line.starts_with("time_zone|Europe/Berlin|")));
    assert_eq!(options::set(&mut raw, "time_zone", json!(null)).await, None);
    assert_eq!(options::get(&mut raw).await["time_zone"], "UTC");
    // A call without a session has no options to give.
    let mut nobody = raw.clone();
    nobody.client = Client::anonymous(&server).await;
    nobody.rpc = nobody.client.sql.inner().clone();
    assert_eq!(nobody.action("GetSessionOptions", Vec::new()).await.expect_err("it is refused").code(), Code::Unauthenticated);
    Ok(())
}

async fn the_history_says_where_statements_come_from() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut named = Client::login(&server, "bob", "").await?;
    named.sql.set_header("x-glaux-application", "dbt 1.9");
    named.run("SELECT 1 AS origin").await?;
    let mut raw = Raw::login(&server, "ada").await;
    assert_eq!(options::set(&mut raw, "root_id", json!("run 7")).await, None);
    raw.lines("SELECT 2 AS origin").await;
    raw.lines("SET SESSION application = 'by hand'").await;
    raw.lines("SELECT 3 AS origin").await;
    let origins = "SELECT CASE WHEN application LIKE '%tonic/%' THEN 'its library' ELSE application END AS application,
        coalesce(root_id, 'nothing') AS root, count(session_id) OVER (PARTITION BY session_id) AS of_session FROM system.queries WHERE statement LIKE 'SELECT _ AS origin' ORDER BY statement";
    assert_eq!(raw.lines(origins).await, ["dbt 1.9|nothing|1", "its library|run 7|2", "by hand|run 7|2"]);
    Ok(())
}

async fn rows_are_taken_in_and_read_back() -> Result<(), Failed> {
    let (server, lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let rows = |from: i64, to: i64| {
        let numbers = Int64Array::from_iter_values(from..to);
        let words = StringArray::from_iter((from..to).map(|n| (n % 3 > 0).then(|| format!("w{n}"))));
        RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(numbers) as ArrayRef, true),
            ("word", Arc::new(words) as ArrayRef, true),
        ])
        .expect("a batch")
    };
    let ingest = |if_not_exist: TableNotExistOption, if_exists: TableExistsOption| CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions { if_not_exist: if_not_exist.into(), if_exists: if_exists.into() }),
        table: "taken".to_owned(),
        options: [("location".to_owned(), lake.expand("{lake}/taken/"))].into(),
        ..CommandStatementIngest::default()
    };
    let (create, fail) = (TableNotExistOption::Create, TableNotExistOption::Fail);
    let batches = |batches: Vec<RecordBatch>| stream::iter(batches.into_iter().map(Ok));

    let command = ingest(fail, TableExistsOption::Append);
    let refused = raw.client.sql.execute_ingest(command, batches(vec![rows(0, 5)])).await.expect_err("it is refused");
    assert_eq!(Refused::from(refused).code, Code::NotFound);
    let command = ingest(create, TableExistsOption::Fail);
    let count = raw.client.sql.execute_ingest(command.clone(), batches(vec![rows(0, 600), rows(600, 1000)])).await?;
    assert_eq!(count, 1000);
    let refused = raw.client.sql.execute_ingest(command, batches(vec![rows(0, 5)])).await.expect_err("it is refused");
    assert_eq!(Refused::from(refused).code, Code::AlreadyExists);
    let mut command = ingest(fail, TableExistsOption::Append);
    command.options.clear();
    assert_eq!(raw.client.sql.execute_ingest(command, batches(vec![rows(1000, 1500)])).await?, 500);
    let sql = "SELECT count(*), count(word), min(n), max(n), sum(n) FROM taken";
    assert_eq!(raw.lines(sql).await, ["1500|1000|0|1499|1124250"]);
    Ok(())
}
