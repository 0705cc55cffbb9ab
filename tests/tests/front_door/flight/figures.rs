//! The bill over the wire: one query's figures by every channel, and before it runs the most that it can cost.

use arrow_flight::FlightDescriptor;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::{
    client::{Raw, command, on_s3, text, ticket},
    options, timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![the_estimate_comes_with_the_plan, every_channel_has_the_same_figures, failed_queries_have_their_figures]
}

async fn the_estimate_comes_with_the_plan() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    lake.take_requests();
    let info = raw.info("SELECT sum(n) AS s FROM t WHERE p = 1").await?;
    let requests = lake.take_requests();
    assert!(requests.iter().all(|request| !request.starts_with("GET")), "planning reads no file: {requests:?}");
    let metadata: Value = serde_json::from_slice(&info.app_metadata)?;
    let estimate = &metadata["estimate"];
    assert_eq!(estimate["files"], 1, "{metadata}");
    let schema = info.clone().try_decode_schema()?;
    assert_eq!(schema.metadata().get("glaux:query_id").map(String::as_str), metadata["query_id"].as_str());
    let in_schema: Value = serde_json::from_str(schema.metadata().get("glaux:estimate").ok_or("an estimate")?)?;
    assert_eq!(&in_schema, estimate);
    assert_eq!((info.total_records, info.total_bytes), (-1, -1), "the result's size is not known");
    let read = raw.get(ticket(&info.endpoint[0])).await?;
    assert_eq!(read.lines().await, ["500500"]);
    let scanned = read.figures()["data_scanned_bytes"].as_u64().ok_or("bytes")?;
    assert!(scanned > 0 && estimate["data_scanned_bytes_at_most"].as_u64() >= Some(scanned), "{scanned}: {estimate}");

    // Polling tells the same.
    let request = raw.request(FlightDescriptor::new_cmd(command("SELECT sum(n) AS s FROM t WHERE p = 1")));
    let polled = raw.rpc.poll_flight_info(request).await?.into_inner().info.ok_or("an info")?;
    let polled: Value = serde_json::from_slice(&polled.app_metadata)?;
    assert_eq!(&polled["estimate"], estimate);
    Ok(())
}

async fn every_channel_has_the_same_figures() -> Result<(), Failed> {
    let (server, _lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT sum(n) AS s FROM t").await?;
    let planned: Value = serde_json::from_slice(&info.app_metadata)?;
    let read = raw.get(ticket(&info.endpoint[0])).await?;
    let figures = read.figures();
    let id = figures["query_id"].as_str().ok_or("an id")?.to_owned();
    assert_eq!(planned["query_id"], id.as_str());
    assert_eq!(text(&read.headers, "x-glaux-query-id"), id);

    let trailers = |key: &str| text(&read.trailers, key);
    // A schema and a batch: clients count batches, and one without rows after them would be one too many.
    assert_eq!(read.messages.len(), 2);
    assert_eq!(trailers("x-glaux-query-id"), id);
    assert_eq!(trailers("x-glaux-state"), "SUCCEEDED");
    assert_eq!(trailers("x-glaux-cost-usd"), figures["cost_usd"].as_str().ok_or("a cost")?);
    assert_eq!(trailers("x-glaux-tariff"), figures["tariff"].as_str().ok_or("a tariff")?);
    for (trailer, figure) in
        [("x-glaux-data-scanned-bytes", "data_scanned_bytes"), ("x-glaux-billed-bytes", "billed_bytes"), ("x-glaux-rows", "rows")]
    {
        assert_eq!(trailers(trailer), figures[figure].to_string());
    }
    assert_eq!(figures["state"], "SUCCEEDED");
    assert_eq!(figures["rows"], 1);
    assert_eq!(figures["billed_bytes"], 10_000_000);
    assert_eq!(figures["cost_usd"], "0.00005");
    assert_eq!(figures["cost"], serde_json::json!({ "scan_usd": "0.00005", "requests_usd": "0", "transfer_usd": "0" }));
    assert!(figures["tariff"].as_str().is_some_and(|tariff| tariff.starts_with("athena@")), "{figures}");
    assert!(figures["data_scanned_bytes"].as_u64() > Some(0));

    let options = options::get(&mut raw).await;
    assert_eq!(options["last_query.id"], id.as_str());
    for figure in ["state", "data_scanned_bytes", "metadata_bytes", "fetched_bytes", "billed_bytes", "cost_usd", "rows"] {
        assert_eq!(options[&format!("last_query.{figure}")], figures[figure], "the session's {figure}");
    }
    assert_eq!(options["last_query.requests.get"], figures["requests"]["get"]);
    assert_eq!(options["last_query.partitions.total"], figures["partitions"]["total"]);

    for body in [id.clone(), String::new()] {
        let result = raw.action("GetQueryStats", body.into_bytes()).await?;
        assert_eq!(serde_json::from_slice::<Value>(&result[0])?, figures, "GetQueryStats");
    }
    let sql = format!(
        "SELECT state, data_scanned_bytes, metadata_bytes, fetched_bytes, billed_bytes, cost_usd, \"rows\", \"user\" FROM system.queries \
         WHERE query_id = '{id}'"
    );
    let figure = |name: &str| figures[name].as_str().map_or_else(|| figures[name].to_string(), str::to_owned);
    let row = raw.lines(&sql).await.remove(0);
    let row: Vec<&str> = row.split('|').collect();
    for (at, name) in ["state", "data_scanned_bytes", "metadata_bytes", "fetched_bytes", "billed_bytes"].into_iter().enumerate() {
        assert_eq!(row[at], figure(name), "system.queries' {name}");
    }
    assert!((row[5].parse::<f64>()? - figure("cost_usd").parse::<f64>()?).abs() < 1e-12, "system.queries' cost {}", row[5]);
    assert_eq!(row[6..], ["1", "ada"]);
    Ok(())
}

async fn failed_queries_have_their_figures() -> Result<(), Failed> {
    let (server, _lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    // One that fails as it is planned, and one that fails as it runs.
    for (sql, kind) in [("SELECT nope FROM t", "NOT_FOUND"), ("SELECT 1 / (n - 7) AS x FROM t", "INVALID")] {
        let refused = raw.run(sql).await.expect_err("it is refused");
        assert_eq!(text(refused.metadata(), "x-glaux-error-kind"), kind, "{refused}");
        let id = text(refused.metadata(), "x-glaux-query-id");
        assert_eq!(text(refused.metadata(), "x-glaux-state"), "FAILED");
        assert_eq!(text(refused.metadata(), "x-glaux-billed-bytes"), "0");
        let figures: Value = serde_json::from_str(&text(refused.metadata(), "x-glaux-stats"))?;
        assert_eq!(figures["query_id"], id.as_str());
        let stats = raw.action("GetQueryStats", id.clone().into_bytes()).await?;
        assert_eq!(serde_json::from_slice::<Value>(&stats[0])?, figures, "{sql}");
        let recorded =
            raw.lines(&format!("SELECT state, error_kind, billed_bytes FROM system.queries WHERE query_id = '{id}'")).await;
        assert_eq!(recorded, [format!("FAILED|{kind}|0")], "{sql}");
    }
    let unknown = raw.action("GetQueryStats", "0197a000-0000-7000-8000-000000000000").await.expect_err("it is refused");
    assert_eq!(unknown.code(), tonic::Code::NotFound, "{unknown}");
    let nonsense = raw.action("GetQueryStats", "nonsense").await.expect_err("it is refused");
    assert_eq!(nonsense.code(), tonic::Code::InvalidArgument, "{nonsense}");
    Ok(())
}
