//! Quotes: an upper bound of what a query scans, equal to it where nothing that is found on the way spares it data; made from metadata, which are read
//! once; free, recorded, and refused to whoever may not read the tables. Random queries are quoted where they are asked (`scan/random`).

mod io;

use std::time::Duration;

use arrow::array::{Array, AsArray};
use glaux_engine::{
    ErrorKind, Role, Session, SessionOptions,
    accounting::RequestKind,
    query::{Basis, Failure, Parameters, QueryReport, QueryState, Quote, Reason},
};
use glaux_tests::{
    instance::{Instance, Outcome},
    lake::{BUCKET, Lake},
    s3_endpoint::{Fault, Request},
};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::scan::{BIG, BIG_OPTIONS, endpoint, logged, put};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time![
        "quote";
        quotes_bound_what_queries_take,
        quotes_read_metadata_once,
        what_cannot_be_bounded_is_not,
        reasons_say_why_it_is_not_less,
        explain_shows_the_quote,
        quotes_are_recorded_and_free,
        quotes_obey_grants_limits_and_kill,
        a_planned_query_is_quoted_and_run,
    ];
    trials.extend(io::trials());
    trials
}

/// What a statement takes at most.
pub(crate) async fn quoted(instance: &Instance, sql: &str, basis: Basis) -> Result<Quote, Failure> {
    let sql = instance.lake.expand(sql);
    instance.engine.quote(&instance.session, &sql, &Parameters::default(), basis).await
}

/// Whether quotes of a query bound what a run of it took, and equal that where they say so.
pub(crate) async fn holds(instance: &Instance, sql: &str, report: &QueryReport) -> Result<(), String> {
    for basis in [Basis::Known, Basis::Footers] {
        let quote =
            quoted(instance, sql, basis).await.map_err(|failure| format!("{sql}\n  is not quoted: {:?}", failure.error))?;
        bounds(&quote, report).map_err(|why| format!("{sql}\n  {basis:?}: {why}"))?;
    }
    Ok(())
}

fn bounds(quote: &Quote, report: &QueryReport) -> Result<(), String> {
    let (most, took) = (&quote.usage.total, &report.usage);
    let Some(bytes) = quote.data_scanned_bytes() else { return Ok(()) };
    let has_groups = most.row_groups.total.is_none() || most.row_groups.scanned >= took.row_groups.scanned;
    let is_bound = bytes >= took.data_scanned_bytes
        && quote.bill.billed_bytes >= report.bill.billed_bytes
        && most.files.scanned >= took.files.scanned
        && has_groups;
    if !is_bound {
        return Err(format!("{most:?} does not bound {took:?}"));
    }
    if most.partitions != took.partitions || most.files.total != took.files.total {
        return Err(format!("of other files: {most:?}, {took:?}"));
    }
    if quote.is_exact && bytes != took.data_scanned_bytes {
        return Err(format!("exactly {bytes} bytes, and {} were scanned", took.data_scanned_bytes));
    }
    Ok(())
}

/// Rows in a file of `small`, and its files, one a partition.
const SMALL: i64 = 500;
const SMALL_FILES: i64 = 6;

async fn instance() -> Instance {
    let lake = Lake::on_s3().await;
    for file in 0..2 {
        put(&lake, &format!("big/{file}.parquet"), file * BIG..(file + 1) * BIG, BIG_OPTIONS);
    }
    for file in 0..SMALL_FILES {
        put(&lake, &format!("small/p={file}/a.parquet"), file * SMALL..(file + 1) * SMALL, "group=200 page=50");
        put(&lake, &format!("plain/p={file}/a.parquet"), file * SMALL..(file + 1) * SMALL, "group=100 statistics=none");
        let lines: String = (file * SMALL..(file + 1) * SMALL).map(|row| format!("{row},word {row}\n")).collect();
        lake.put(&format!("text/p={file}/a.csv"), lines.into_bytes());
    }
    let instance = Instance::start(lake).await;
    let columns = "id BIGINT, word STRING, x DOUBLE, n BIGINT";
    instance.run(&format!("CREATE EXTERNAL TABLE big ({columns}) STORED AS PARQUET LOCATION '{{lake}}/big/'")).await;
    for table in ["small", "plain"] {
        let partitioned = "PARTITIONED BY (p INT) STORED AS PARQUET";
        instance.run(&format!("CREATE EXTERNAL TABLE {table} ({columns}) {partitioned} LOCATION '{{lake}}/{table}/'")).await;
        instance.run(&format!("MSCK REPAIR TABLE {table}")).await;
    }
    instance
        .run(
            "CREATE EXTERNAL TABLE lines (id BIGINT, word STRING) PARTITIONED BY (p INT) \
             ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION '{lake}/text/'",
        )
        .await;
    instance.run("MSCK REPAIR TABLE lines").await;
    drop(endpoint(&instance).take_log());
    instance
}

/// Queries that nothing spares any data: whole scans, columns, partitions, row groups and pages that metadata leave out, counts from footers.
const EXACT: [&str; 18] = [
    "SELECT * FROM big",
    "SELECT sum(x) FROM big",
    "SELECT n, count(*), sum(x) FROM big GROUP BY n",
    "SELECT id FROM big ORDER BY x",
    "SELECT n, sum(x) AS s FROM big GROUP BY n ORDER BY s DESC LIMIT 3",
    "SELECT sum(x) FROM big WHERE id BETWEEN 10000 AND 14999",
    "SELECT id FROM big WHERE id < 0",
    "SELECT count(*), min(id), max(id), count(word) FROM big",
    "SELECT count(*) FROM big",
    "SELECT sum(x) FROM small",
    "SELECT * FROM small WHERE p = 2",
    "SELECT * FROM small WHERE p = 2 AND id < 1100",
    "SELECT word FROM small WHERE word = '00'",
    "SELECT p, count(*) FROM small GROUP BY p",
    "SELECT id FROM small WHERE p = 1 UNION ALL SELECT n FROM plain WHERE p IN (2, 3)",
    "SELECT word FROM plain WHERE n < 10 OR x > 12000",
    "SELECT sum(id) FROM lines",
    "SELECT count(*) FROM lines WHERE p < 3",
];

/// Queries that may be spared some.
const BOUNDED: [&str; 9] = [
    "SELECT * FROM big LIMIT 3",
    "SELECT * FROM big ORDER BY x DESC, id LIMIT 10",
    "SELECT word FROM small LIMIT 700",
    "SELECT id, word FROM small ORDER BY n, id LIMIT 5",
    "SELECT count(*), sum(b.x) FROM small a JOIN big b ON a.id = b.id WHERE a.n < 20",
    "SELECT count(*) FROM big a JOIN big b ON a.id = b.n WHERE b.id < 100",
    "SELECT count(*) FROM small a, plain b WHERE a.id > b.id + 2990",
    "SELECT id FROM big WHERE id IN (SELECT id FROM lines WHERE p = 1)",
    "SELECT word FROM lines LIMIT 2",
];

/// Queries that are spared some if what their files are like makes it worth while.
const EITHER: [&str; 5] = [
    "SELECT id, word, x FROM big WHERE n = 77",
    "SELECT * FROM big WHERE id = 40321",
    "SELECT id, word FROM big WHERE word LIKE 'ab%'",
    "SELECT max(x) FROM big",
    "SELECT min(id), count(word) FROM plain",
];

async fn quotes_bound_what_queries_take() -> Result<(), Failed> {
    let mut instance = instance().await;
    let mut wrong = Vec::new();
    let exact = EXACT.iter().map(|sql| (*sql, Some(true)));
    let bounded = BOUNDED.iter().map(|sql| (*sql, Some(false)));
    let either = EITHER.iter().map(|sql| (*sql, None));
    for (sql, exact) in exact.chain(bounded).chain(either) {
        // Quoted, and run, where nothing is known.
        instance = instance.restart_with(|options| options.footer_disk_bytes = 0).await;
        let estimate = quoted(&instance, sql, Basis::Known).await?;
        let quote = quoted(&instance, sql, Basis::Footers).await?;
        instance = instance.restart_with(|options| options.footer_disk_bytes = 0).await;
        let report = instance.run(sql).await.report;
        for quote in [&estimate, &quote] {
            if let Err(why) = bounds(quote, &report) {
                wrong.push(format!("{sql}: {why}"));
            }
        }
        if exact.is_some_and(|exact| exact != quote.is_exact) {
            wrong.push(format!("{sql}: exact: {}", quote.is_exact));
        }
        let (most, took) = (&quote.usage.total, &report.usage);
        let is_bound = most.requests.get >= took.requests.get
            && most.requests.list >= took.requests.list
            && most.fetched_bytes >= took.fetched_bytes
            && most.metadata_bytes >= took.metadata_bytes;
        if !is_bound {
            wrong.push(format!("{sql}: requests and bytes of {most:?} do not bound {took:?}"));
        }
        // Once all is known, what is known tells as much.
        if let Err(why) = holds(&instance, sql, &report).await {
            wrong.push(why);
        }
        let known = quoted(&instance, sql, Basis::Known).await?;
        if exact == Some(true) && !known.is_exact {
            wrong.push(format!("{sql}: what is known does not tell exactly"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Where the column chunks of a file end: behind that are its indexes and its footer.
fn data_end(instance: &Instance, key: &str) -> Option<u64> {
    let file = endpoint(instance).get(BUCKET, key)?;
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file).ok()?;
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    chunks.map(|chunk| chunk.byte_range()).map(|(start, length)| start + length).max()
}

/// Whether a request is for a file's metadata: from behind its data, or the first read of its end.
fn is_of_metadata(instance: &Instance, request: &Request) -> bool {
    let range = request.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((start, end)) = range.and_then(|(start, end)| Some((start.parse::<u64>().ok()?, end.parse::<u64>().ok()?))) else {
        return false;
    };
    let size = endpoint(instance).get(BUCKET, &request.key).map_or(0, |file| file.len() as u64);
    let is_first_read = end + 1 == size && end - start < 64 << 10;
    is_first_read || data_end(instance, &request.key).is_some_and(|data| start >= data)
}

async fn quotes_read_metadata_once() -> Result<(), Failed> {
    let mut instance = instance().await;
    for sql in EXACT.into_iter().chain(BOUNDED).chain(EITHER) {
        instance = instance.restart_with(|options| options.footer_disk_bytes = 0).await;
        drop(endpoint(&instance).take_log());
        quoted(&instance, sql, Basis::Known).await?;
        let log = endpoint(&instance).take_log();
        if let Some(request) = log.iter().find(|request| request.kind != RequestKind::List) {
            return Err(format!("{sql}: an estimate asks for {request:?}").into());
        }
        quoted(&instance, sql, Basis::Footers).await?;
        let log = endpoint(&instance).take_log();
        let gets: Vec<&Request> = log.iter().filter(|request| request.kind == RequestKind::Get).collect();
        if let Some(request) = gets.iter().find(|request| !is_of_metadata(&instance, request)) {
            return Err(format!("{sql}: a quote asks for {request:?}").into());
        }
        if sql.contains("lines") && !sql.contains("big") && !gets.is_empty() {
            return Err(format!("{sql}: text has no metadata").into());
        }
        // Its own figures are those of the log.
        let last = "SELECT requests_get, requests_list, fetched_bytes, data_scanned_bytes FROM system.queries \
                    WHERE statement LIKE 'EXPLAIN (TYPE COST)%' ORDER BY submitted_at DESC, query_id DESC LIMIT 1";
        let (bytes, requests) = logged(&log);
        assert_eq!(instance.run(last).await.lines(), [format!("{}|{}|{bytes}|0", requests.get, requests.list)], "{sql}");
        drop(endpoint(&instance).take_log());
        quoted(&instance, sql, Basis::Footers).await?;
        let again = endpoint(&instance).take_log();
        if let Some(request) = again.iter().find(|request| request.kind == RequestKind::Get) {
            return Err(format!("{sql}: quoted again, it asks for {request:?}").into());
        }
    }
    Ok(())
}

async fn what_cannot_be_bounded_is_not() -> Result<(), Failed> {
    let instance = instance().await;
    let recursive = "WITH RECURSIVE r (id) AS (SELECT id FROM small WHERE p = 0 UNION ALL \
                     SELECT s.id + 0 FROM r JOIN small s ON r.id + 500 = s.id) SELECT count(*) FROM r";
    let quote = quoted(&instance, recursive, Basis::Footers).await?;
    assert_eq!((quote.is_bounded, quote.is_exact, quote.data_scanned_bytes()), (false, false, None));
    assert!(quote.tables[0].reasons.contains(&Reason::Recursion), "{:?}", quote.tables);
    let document = serde_json::to_value(&quote)?;
    for figure in ["data_scanned_bytes", "billed_bytes", "cost_usd", "requests"] {
        assert_eq!(document[figure], Value::Null, "{document}");
    }
    // A recursion over no table scans nothing.
    let counting = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT sum(n) FROM r";
    assert_eq!(quoted(&instance, counting, Basis::Footers).await?.data_scanned_bytes(), Some(0));
    let planned = instance.engine.plan(&instance.session, recursive, &Parameters::default()).await?;
    let estimate = serde_json::to_value(planned.estimate().ok_or("an estimate")?)?;
    assert_eq!((&estimate["data_scanned_bytes_at_most"], &estimate["files"]), (&Value::Null, &Value::from(SMALL_FILES + 1)));
    Ok(())
}

/// Reasons of a table, without what depends on how files are written.
fn kinds(quote: &Quote) -> Vec<&'static str> {
    let kind = |reason: &Reason| match reason {
        Reason::NoPartitionFilter { .. } => "no partition filter",
        Reason::FilterCannotPrune { .. } => "cannot prune",
        Reason::AllColumns { .. } => "all columns",
        Reason::NoStatistics { .. } => "no statistics",
        Reason::UnsortedColumn { .. } => "unsorted",
        Reason::SmallFiles { .. } => "small files",
        Reason::TextFormat => "text",
        Reason::Recursion => "recursion",
        Reason::Minimum { .. } => "minimum",
    };
    quote.tables.iter().flat_map(|table| &table.reasons).chain(&quote.reasons).map(kind).collect()
}

async fn reasons_say_why_it_is_not_less() -> Result<(), Failed> {
    let instance = instance().await;
    for (sql, expected) in [
        ("SELECT sum(x) FROM small WHERE p = 2", vec!["minimum"]),
        ("SELECT sum(x) FROM small", vec!["no partition filter", "minimum"]),
        ("SELECT * FROM small WHERE p = 1", vec!["all columns", "minimum"]),
        ("SELECT sum(x) FROM small WHERE p + id = 7", vec!["cannot prune", "minimum"]),
        ("SELECT sum(x) FROM small WHERE p = 2 OR id = 7", vec!["cannot prune", "minimum"]),
        ("SELECT sum(x) FROM small WHERE p = 2 AND n > 500", vec!["unsorted", "minimum"]),
        ("SELECT sum(x) FROM small WHERE p = 2 AND id = 1003", vec!["minimum"]),
        ("SELECT sum(x) FROM plain WHERE p = 2 AND id = 1003", vec!["no statistics", "minimum"]),
        ("SELECT sum(id) FROM lines WHERE p = 2", vec!["text", "minimum"]),
        ("SELECT count(*) FROM small", vec![]),
        ("SELECT sum(x) FROM small WHERE p = 77", vec![]),
        ("SELECT 1", vec![]),
    ] {
        let quote = quoted(&instance, sql, Basis::Footers).await?;
        assert_eq!(kinds(&quote), expected, "{sql}\n{quote}");
    }
    let quote = quoted(&instance, "SELECT sum(x) FROM small WHERE p = 2 OR id = 7", Basis::Footers).await?;
    let told = quote.tables[0].reasons[0].to_string();
    assert!(told.contains("\"p = 2 OR id = 7\""), "{told}");
    let quote = quoted(&instance, "SELECT * FROM small", Basis::Footers).await?;
    let Some(Reason::AllColumns { columns: 4, widest }) = quote.tables[0].reasons.get(1) else {
        return Err(format!("{:?}", quote.tables[0].reasons).into());
    };
    assert_eq!((widest[0].column.as_str(), widest.len()), ("word", 3), "{widest:?}");
    assert_eq!(widest.first(), quote.tables[0].columns.widest.first());
    // Many small files: the same partition of two rows, over and over.
    for file in 0..12 {
        put(&instance.lake, &format!("many/{file}.parquet"), 2 * file..2 * file + 2, "");
    }
    let columns = "id BIGINT, word STRING, x DOUBLE, n BIGINT";
    instance.run(&format!("CREATE EXTERNAL TABLE many ({columns}) STORED AS PARQUET LOCATION '{{lake}}/many/'")).await;
    let quote = quoted(&instance, "SELECT sum(x) FROM many", Basis::Footers).await?;
    assert_eq!(kinds(&quote), ["small files", "minimum"], "{quote}");
    Ok(())
}

/// The one value of an answer, which is JSON.
fn document(answer: &Outcome) -> Result<Value, Failed> {
    let [batch] = answer.batches.as_slice() else { return Err("not one batch".into()) };
    let texts = batch.column(0).as_string_opt::<i32>().filter(|texts| texts.len() == 1).ok_or("not one text")?;
    Ok(serde_json::from_str(texts.value(0))?)
}

async fn explain_shows_the_quote() -> Result<(), Failed> {
    let instance = instance().await;
    let sql = "SELECT sum(x) FROM small WHERE p < 2";
    let quote = quoted(&instance, sql, Basis::Footers).await?;
    let lines = instance.run(&format!("EXPLAIN (TYPE COST) {sql}")).await.lines();
    assert_eq!(lines, quote.to_string().lines().collect::<Vec<_>>());
    let document = document(&instance.run(&format!("EXPLAIN (TYPE COST, FORMAT JSON) {sql}")).await)?;
    assert_eq!(document, serde_json::to_value(&quote)?);
    let usage = instance.run(sql).await.report;
    let figures = serde_json::to_value(&usage)?;
    for figure in ["data_scanned_bytes", "billed_bytes", "cost_usd", "cost", "tariff", "partitions", "files", "row_groups"] {
        assert_eq!(document[figure], figures[figure], "{figure}");
    }
    assert_eq!(document["tables"][0]["table"], "default.small");
    // A statement that pays nothing has nothing to quote; one that runs a query pays for it.
    for (sql, bytes) in [("SHOW TABLES", 0), ("EXPLAIN SELECT * FROM big", 0), ("DROP TABLE big", 0)] {
        assert_eq!(quoted(&instance, sql, Basis::Footers).await?.data_scanned_bytes(), Some(bytes), "{sql}");
    }
    let analyzed = quoted(&instance, "EXPLAIN ANALYZE SELECT * FROM big", Basis::Footers).await?;
    assert_eq!(analyzed.data_scanned_bytes(), quoted(&instance, "SELECT * FROM big", Basis::Footers).await?.data_scanned_bytes());
    assert!(instance.run("SHOW TABLES").await.lines().contains(&"big".to_owned()), "nothing is carried out");
    Ok(())
}

async fn quotes_are_recorded_and_free() -> Result<(), Failed> {
    let instance = instance().await;
    quoted(&instance, "SELECT * FROM big", Basis::Footers).await?;
    let recorded = instance
        .run(
            "SELECT state, statement_type, statement, billed_bytes, data_scanned_bytes, \"user\" FROM system.queries \
             WHERE statement LIKE 'EXPLAIN (TYPE COST)%' AND state <> 'RUNNING'",
        )
        .await;
    assert_eq!(recorded.lines(), ["SUCCEEDED|UTILITY|EXPLAIN (TYPE COST) SELECT * FROM big|0|0|tester"]);
    let failure = quoted(&instance, "SELECT nope FROM big", Basis::Footers).await.err().ok_or("it cannot be quoted")?;
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::NotFound, QueryState::Failed));
    let bound = instance.engine.query("SELECT * FROM small WHERE p = ?").session(&instance.session).bind(3);
    let literal = quoted(&instance, "SELECT * FROM small WHERE p = 3", Basis::Footers).await?;
    assert_eq!(bound.quote().await?.data_scanned_bytes(), literal.data_scanned_bytes());
    Ok(())
}

async fn quotes_obey_grants_limits_and_kill() -> Result<(), Failed> {
    let instance = instance().await;
    let ada = SessionOptions { user: "ada".to_owned(), role: Role::User, ..SessionOptions::default() };
    instance.run("DENY ALL PRIVILEGES ON TABLE big TO USER ada").await;
    let none = Parameters::default();
    let denied = instance.engine.quote(&Session::new(ada.clone()), "SELECT * FROM big", &none, Basis::Known).await;
    assert_eq!(denied.err().map(|failure| failure.error.kind()), Some(ErrorKind::Denied));

    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("big/0").always());
    let timeout = Some(Duration::from_millis(300));
    let hasty = SessionOptions { user: "tester".to_owned(), timeout, ..SessionOptions::default() };
    let late = instance.engine.quote(&Session::new(hasty), "SELECT * FROM big", &none, Basis::Footers).await;
    assert_eq!(late.err().map(|failure| failure.error.kind()), Some(ErrorKind::TimedOut));

    let (engine, session) = (instance.engine.clone(), instance.session.clone());
    let quoting =
        tokio::spawn(async move { engine.quote(&session, "SELECT * FROM big", &Parameters::default(), Basis::Footers).await });
    let running = loop {
        let running = instance.engine.queries().list_running();
        if let Some(found) = running.into_iter().find(|query| query.statement.contains("TYPE COST")) {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    instance.engine.queries().kill(running.query_id, "admin").await?;
    let killed = quoting.await?.err().ok_or("it was killed")?;
    assert_eq!((killed.error.kind(), killed.report.state), (ErrorKind::Aborted, QueryState::Cancelled));
    gate.release();
    Ok(())
}

async fn a_planned_query_is_quoted_and_run() -> Result<(), Failed> {
    let instance = instance().await;
    let planned = instance.engine.plan(&instance.session, "SELECT sum(id) FROM big", &Parameters::default()).await?;
    let estimate = planned.estimate().ok_or("an estimate")?;
    let quote = planned.quote(Basis::Footers).await?;
    let most = quote.data_scanned_bytes().ok_or("a bound")?;
    assert!(most < estimate.bytes, "one column of four: {most} of {}", estimate.bytes);
    let again = planned.quote(Basis::Footers).await?;
    assert_eq!(again.usage, quote.usage, "what it has read itself does not count twice");
    let query = planned.run().await?;
    let (_, report) = query.collect_with_report().await?;
    assert_eq!((quote.is_exact, most), (true, report.usage.data_scanned_bytes));
    Ok(())
}
