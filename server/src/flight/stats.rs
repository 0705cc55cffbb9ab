//! A query's figures over the wire, by the same names as everywhere: at its end as JSON in `app_metadata` and as `x-glaux-*` trailers; what is
//! known before, its id and the estimate, in the plan's `app_metadata`, the schema's metadata and a header.

use std::collections::HashMap;

use glaux_engine::query::{Estimate, QueryId, QueryReport};
use serde_json::{Value, json};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The query's id: header of DoGet, trailer, and key of the schema's metadata.
pub(super) const QUERY_ID: &str = "x-glaux-query-id";

/// The metadata keys of a planned result's schema.
const SCHEMA_QUERY_ID: &str = "glaux:query_id";
const SCHEMA_ESTIMATE: &str = "glaux:estimate";

/// What is known of a query before it runs: its id and the most it can cost.
pub(super) fn planned(id: QueryId, estimate: Option<&Estimate>) -> Value {
    match estimate {
        Some(estimate) => json!({ "query_id": id.to_string(), "estimate": estimate }),
        None => json!({ "query_id": id.to_string() }),
    }
}

/// The same as metadata of the result's schema, which some clients keep where they drop everything else.
pub(super) fn schema_metadata(id: QueryId, estimate: Option<&Estimate>) -> HashMap<String, String> {
    let mut metadata = HashMap::from([(SCHEMA_QUERY_ID.to_owned(), id.to_string())]);
    if let Some(estimate) = estimate {
        metadata.insert(SCHEMA_ESTIMATE.to_owned(), json!(estimate).to_string());
    }
    metadata
}

/// A report as the contract's object. The command line's `--stats json` adds to it how the scans got their files and bytes.
pub(super) fn json(report: &QueryReport) -> Value {
    json!(report)
}

/// The final figures as trailers: each that people look for by itself, and all of them as JSON.
pub(super) fn write_trailers(report: &QueryReport, trailers: &mut MetadataMap) {
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = MetadataValue::<Ascii>::try_from(value) {
            trailers.insert(name, value);
        }
    };
    put(QUERY_ID, report.query_id.to_string());
    put("x-glaux-state", report.state.to_string());
    put("x-glaux-data-scanned-bytes", report.usage.data_scanned_bytes.to_string());
    put("x-glaux-billed-bytes", report.bill.billed_bytes.to_string());
    put("x-glaux-cost-usd", report.bill.cost_usd());
    put("x-glaux-rows", report.usage.rows.to_string());
    put("x-glaux-total-ms", report.timings.total.to_string());
    put("x-glaux-stats", json(report).to_string());
    if let Some(tariff) = &report.tariff {
        put("x-glaux-tariff", tariff.clone());
    }
}
