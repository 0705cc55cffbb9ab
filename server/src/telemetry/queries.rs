//! What is reported of every query that ends: its counters, a line in the log, and its span if traces are sent. The statement's text is logged
//! only at the level `debug`, since it may hold what not everybody should read; the history has it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use glaux_engine::query::{QueryObserver, QueryRecord, QueryState};
use metrics::{counter, histogram};
use opentelemetry::{
    KeyValue,
    trace::{Span, SpanBuilder, SpanKind, Status, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;

use super::metrics::{Costs, Metrics};

/// Hears of the ends of an engine's queries.
pub(crate) struct QueryFigures {
    costs: Arc<Costs>,
    tracer: Option<SdkTracer>,
}

impl fmt::Debug for QueryFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryFigures").field("traced", &self.tracer.is_some()).finish_non_exhaustive()
    }
}

impl QueryFigures {
    pub(crate) fn new(metrics: &Metrics, tracer: Option<SdkTracer>) -> Arc<Self> {
        Arc::new(Self { costs: metrics.costs(), tracer })
    }

    fn count(&self, record: &QueryRecord) {
        let (usage, bill) = (&record.usage, &record.bill);
        let workgroup = self.costs.add(&record.workgroup, bill.total());
        let label = || [("workgroup", Arc::clone(&workgroup))];
        counter!("glaux_queries_total", "state" => record.state.as_str(), "workgroup" => Arc::clone(&workgroup)).increment(1);
        if let Some(kind) = record.error_kind {
            counter!("glaux_query_errors_total", "kind" => kind.as_str()).increment(1);
        }
        counter!("glaux_query_data_scanned_bytes_total", &label()).increment(usage.data_scanned_bytes);
        counter!("glaux_query_billed_bytes_total", &label()).increment(bill.billed_bytes);
        counter!("glaux_query_fetched_bytes_total", &label()).increment(usage.fetched_bytes);
        let requests = &usage.requests;
        let kinds = [
            ("get", requests.get),
            ("head", requests.head),
            ("list", requests.list),
            ("put", requests.put),
            ("delete", requests.delete),
        ];
        for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
            counter!("glaux_query_requests_total", "kind" => kind).increment(count);
        }
        histogram!("glaux_query_duration_seconds").record(Duration::from_millis(record.timings.total).as_secs_f64());
    }

    /// The query as a span, from when it came in to when it ended.
    fn trace(&self, record: &QueryRecord) {
        let Some(tracer) = &self.tracer else { return };
        let (usage, bill) = (&record.usage, &record.bill);
        let number = |name: &'static str, value: u64| KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX));
        let mut attributes = vec![
            KeyValue::new("query_id", record.query_id.to_string()),
            KeyValue::new("state", record.state.as_str()),
            KeyValue::new("user", record.user.clone()),
            KeyValue::new("workgroup", record.workgroup.clone()),
            KeyValue::new("database", record.database.clone()),
            KeyValue::new("cost_usd", bill.cost_usd()),
            number("data_scanned_bytes", usage.data_scanned_bytes),
            number("billed_bytes", bill.billed_bytes),
            number("fetched_bytes", usage.fetched_bytes),
            number("requests", usage.requests.total()),
            number("files", usage.files.scanned),
            number("rows", usage.rows),
            number("queued_ms", record.timings.queued),
            number("planning_ms", record.timings.planning),
            number("execution_ms", record.timings.execution),
        ];
        attributes.extend(record.error_kind.map(|kind| KeyValue::new("error_kind", kind.to_string())));
        let builder = SpanBuilder::from_name("query")
            .with_kind(SpanKind::Internal)
            .with_start_time(SystemTime::from(record.submitted_at))
            .with_attributes(attributes);
        let mut span = tracer.build(builder);
        if record.state == QueryState::Failed {
            span.set_status(Status::error(record.error_message.clone().unwrap_or_default()));
        }
        match record.ended_at {
            Some(ended_at) => span.end_with_timestamp(ended_at.into()),
            None => span.end(),
        }
    }
}

/// The line of the log.
fn log(record: &QueryRecord) {
    let (query_id, user, workgroup, state) = (record.query_id, &record.user, &record.workgroup, record.state);
    let (data_scanned_bytes, billed_bytes) = (record.usage.data_scanned_bytes, record.bill.billed_bytes);
    let (cost_usd, rows, duration_ms) = (record.bill.cost_usd(), record.usage.rows, record.timings.total);
    let error_kind = record.error_kind.map(tracing::field::display);
    let error = record.error_message.as_deref();
    tracing::info!(
        %query_id, user, workgroup, %state, error_kind, error, data_scanned_bytes, billed_bytes, cost_usd, rows, duration_ms,
        "query ended"
    );
    tracing::debug!(%query_id, statement = record.statement, "statement of the query");
}

impl QueryObserver for QueryFigures {
    fn ended(&self, record: &QueryRecord) {
        self.count(record);
        self.trace(record);
        log(record);
    }
}

#[cfg(test)]
mod tests {
    use glaux_engine::{
        Engine, EngineOptions, Parts, Session, SessionOptions,
        query::{History, Parameters, QueryFilter},
    };
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn every_end_of_a_query_is_counted_by_state_and_workgroup() {
        let folder = TempDir::new().unwrap();
        let (metrics, recorder) = Metrics::with_recorder().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let options = EngineOptions { data_dir: folder.path().to_owned(), ..EngineOptions::default() };
                let parts = Parts { history: Some(Arc::new(History::in_memory().unwrap())), ..Parts::default() };
                let engine = Engine::open_with(options, parts).await.unwrap();
                engine.queries().observe(QueryFigures::new(&metrics, None)).unwrap();
                metrics.ask_engine(engine.clone());
                let session = Session::new(SessionOptions { workgroup: "bi".to_owned(), ..SessionOptions::default() });
                engine.submit(&Session::new(SessionOptions::default()), "CREATE WORKGROUP bi").await.unwrap();
                engine.submit(&session, "SELECT").await.unwrap_err();
                let waiting = engine.plan(&session, "SELECT 1", &Parameters::default()).await.unwrap();
                let text = metrics.render();
                assert!(text.contains("glaux_queries_total{state=\"FAILED\",workgroup=\"bi\"} 1\n"), "{text}");
                assert!(text.contains("\nglaux_queries_queued 1\n") && text.contains("\nglaux_queries_running 0\n"), "{text}");
                drop(waiting);
                let text = metrics.render();
                assert!(text.contains("glaux_queries_total{state=\"CANCELLED\",workgroup=\"bi\"} 1\n"), "{text}");
                assert!(text.contains("glaux_query_duration_seconds_count 3\n"), "{text}");
                assert!(text.contains("glaux_query_cost_usd_total{workgroup=\"bi\"} 0\n"), "{text}");
                assert_eq!(engine.history().list(QueryFilter::default()).await.unwrap().len(), 3);
            });
        });
    }
}
