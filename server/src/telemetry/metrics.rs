//! The metrics of a server in Prometheus' text format. Counters and histograms are written to where things happen, by the macros of `metrics`;
//! gauges of what there is now are asked for when somebody looks. Nothing here listens.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use glaux_engine::{Engine, Error, Result, accounting::Usd, query::QueryState};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::process;

/// Upper bounds of the histograms of times, in seconds: from a call that only looks something up to a report of the night.
const SECONDS: [f64; 16] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
/// How often histograms are put together that nobody looks at.
const UPKEEP: Duration = Duration::from_secs(5);
/// Different values of one label; further ones are counted together.
const LABELS: usize = 100;

type Source = Box<dyn Fn() + Send + Sync>;

/// All metrics of the process.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    costs: Arc<Costs>,
    sources: Mutex<Vec<Source>>,
    started: Instant,
    /// Whose tasks are counted: those who look may be on another one.
    runtime: Option<tokio::runtime::Handle>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("costs", &self.costs).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Takes in what the whole process counts. Call it once, in the runtime, which then keeps the histograms small.
    ///
    /// # Errors
    /// `Internal` if it was called before.
    pub(crate) fn install() -> Result<Arc<Self>> {
        let (metrics, recorder) = Self::with_recorder()?;
        metrics::set_global_recorder(recorder)
            .map_err(|error| Error::internal("metrics are already counted").with_source(error))?;
        describe();
        let handle = metrics.handle.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                handle.run_upkeep();
            }
        });
        Ok(metrics)
    }

    /// The metrics and what counts them.
    pub(crate) fn with_recorder() -> Result<(Arc<Self>, PrometheusRecorder)> {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
        let recorder =
            builder.map_err(|error| Error::internal("the histograms have no buckets").with_source(error))?.build_recorder();
        let metrics = Self {
            handle: recorder.handle(),
            costs: Arc::default(),
            sources: Mutex::default(),
            started: Instant::now(),
            runtime: tokio::runtime::Handle::try_current().ok(),
        };
        Ok((Arc::new(metrics), recorder))
    }

    /// What queries cost.
    pub(super) fn costs(&self) -> Arc<Costs> {
        Arc::clone(&self.costs)
    }

    /// Asks `counts` for gauges whenever somebody looks: `sessions` becomes `glaux_sessions`.
    pub(crate) fn ask<const N: usize>(&self, counts: impl Fn() -> [(&'static str, usize); N] + Send + Sync + 'static) {
        self.source(move || {
            for (name, count) in counts() {
                gauge!(format!("glaux_{name}")).set(count as f64);
            }
        });
    }

    /// Shows how many of the engine's queries run, and how many wait.
    pub(crate) fn ask_engine(&self, engine: Engine) {
        self.source(move || {
            let queries = engine.queries().list_running();
            let running = queries.iter().filter(|query| query.state == QueryState::Running).count();
            gauge!("glaux_queries_running").set(running as f64);
            gauge!("glaux_queries_queued").set((queries.len() - running) as f64);
        });
    }

    fn source(&self, source: impl Fn() + Send + Sync + 'static) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }

    /// Everything, now, in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        for source in self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            source();
        }
        process::gauges(self.started.elapsed(), self.runtime.as_ref());
        let mut text = self.handle.render();
        self.costs.render(&mut text);
        text
    }
}

/// What queries have cost by workgroup, exact: counters of the library are whole numbers.
#[derive(Debug, Default)]
pub(super) struct Costs(Mutex<BTreeMap<Arc<str>, Usd>>);

impl Costs {
    /// Adds a cost, and gives the label that the workgroup is counted under: `other` once there are too many of them, since a client may
    /// make names up.
    pub(super) fn add(&self, workgroup: &str, cost: Usd) -> Arc<str> {
        let mut costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key: Arc<str> = match costs.get_key_value(workgroup) {
            Some((known, _)) => Arc::clone(known),
            None if costs.len() < LABELS => workgroup.into(),
            None => "other".into(),
        };
        *costs.entry(Arc::clone(&key)).or_default() += cost;
        key
    }

    fn render(&self, text: &mut String) {
        let costs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if costs.is_empty() {
            return;
        }
        text.push_str(
            "# HELP glaux_query_cost_usd_total What ended queries cost, in USD.\n# TYPE glaux_query_cost_usd_total counter\n",
        );
        for (workgroup, cost) in costs.iter() {
            let workgroup = workgroup.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(text, "glaux_query_cost_usd_total{{workgroup=\"{workgroup}\"}} {cost}");
        }
        text.push('\n');
    }
}

/// Says what each metric is. `transport` counts the connections.
fn describe() {
    describe_counter!("glaux_rpc_total", "gRPC calls that ended, by method and code.");
    describe_histogram!("glaux_rpc_duration_seconds", Unit::Seconds, "gRPC calls from the request to the end of the answer.");
    describe_histogram!("glaux_rpc_head_seconds", Unit::Seconds, "gRPC calls from the request to the beginning of the answer.");
    describe_gauge!("glaux_rpc_in_flight", "gRPC calls that have not ended.");
    describe_counter!("glaux_connections_total", "Connections that were accepted.");
    describe_counter!("glaux_connections_refused_total", "Connections that were refused: there were too many, all in use.");
    describe_counter!("glaux_connections_displaced_total", "Idle connections that were closed because there were too many.");
    describe_counter!("glaux_displaced_total", "What was kept for clients and gave way to newer, by what it was.");
    describe_counter!("glaux_connections_failed_total", "Connections that did not begin as they should: no TLS, or too late.");
    describe_gauge!("glaux_connections_open", "Connections that are open.");
    describe_counter!("glaux_queries_total", "Queries that ended, by state and workgroup.");
    describe_counter!("glaux_query_errors_total", "Queries that did not end well, by the kind of their error.");
    describe_histogram!("glaux_query_duration_seconds", Unit::Seconds, "Ended queries from submission to end.");
    describe_counter!("glaux_query_data_scanned_bytes_total", Unit::Bytes, "Table data that ended queries scanned.");
    describe_counter!("glaux_query_billed_bytes_total", Unit::Bytes, "What the tariff billed for.");
    describe_counter!("glaux_query_fetched_bytes_total", Unit::Bytes, "What ended queries fetched from stores.");
    describe_counter!("glaux_query_requests_total", "Requests of ended queries to stores, by kind.");
    describe_gauge!("glaux_queries_running", "Queries that run now.");
    describe_gauge!("glaux_queries_queued", "Queries that are planned or wait for a place now.");
    describe_gauge!("glaux_sessions", "Sessions of clients.");
    describe_gauge!("glaux_prepared_statements", "Prepared statements of all sessions.");
    describe_gauge!("glaux_held_statements", "Planned results that wait to be fetched or are being fetched.");
    process::describe();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_exact_and_their_labels_bounded() {
        let costs = Costs::default();
        for _ in 0..3 {
            assert_eq!(&*costs.add("a\"b", Usd::from_atto(50_000_000_000_000)), "a\"b");
        }
        for number in 0..200 {
            costs.add(&format!("made-up-{number}"), Usd::from_atto(1));
        }
        assert_eq!(&*costs.add("another", Usd::ZERO), "other");
        assert_eq!(&*costs.add("a\"b", Usd::ZERO), "a\"b");
        let mut text = String::new();
        costs.render(&mut text);
        assert!(text.contains("glaux_query_cost_usd_total{workgroup=\"a\\\"b\"} 0.00015\n"), "{text}");
        assert!(text.contains("{workgroup=\"other\"} 0.000000000000000101\n"), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(), LABELS + 1);
    }

    #[test]
    fn gauges_are_asked_for_when_somebody_looks() {
        let (metrics, recorder) = Metrics::with_recorder().unwrap();
        let now = Arc::new(std::sync::atomic::AtomicUsize::new(3));
        let asked = Arc::clone(&now);
        metrics.ask(move || [("sessions", asked.load(std::sync::atomic::Ordering::Relaxed))]);
        metrics::with_local_recorder(&recorder, || {
            assert!(metrics.render().contains("\nglaux_sessions 3\n"));
            now.store(5, std::sync::atomic::Ordering::Relaxed);
            assert!(metrics.render().contains("\nglaux_sessions 5\n"));
        });
    }
}
