//! What the process reports of itself: `log` lines, traces by `otlp`, and `metrics` of calls (`rpc`), `queries` and the `process`.
//!
//! Commands log warnings as text unless `GLAUX_LOG` asks for more; `glaux serve` follows `[log]` and `[telemetry]`. Who may see the metrics
//! and where they are served is `http`'s business.

mod json;
mod log;
mod metrics;
mod otlp;
mod process;
mod queries;
mod rpc;

use std::io::{self, IsTerminal};

use glaux_engine::{Error, Result};
use opentelemetry_sdk::trace::SdkTracer;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub(crate) use self::{
    log::LogOptions,
    metrics::Metrics,
    otlp::{TelemetryOptions, Traces},
    queries::QueryFigures,
    rpc::{Calls, RpcMetricsLayer},
};

#[cfg(test)]
pub(crate) use self::log::LogFormat;

/// The log of a command: on standard error, warnings and worse unless `GLAUX_LOG` asks for more (`GLAUX_LOG=glaux_engine=debug`).
pub(crate) fn init() {
    let filter = log::asked_for().unwrap_or_else(|| EnvFilter::new("warn"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // A second initialisation cannot happen in a process of one main function; if it did, the first one stays.
    let _ = subscriber.try_init();
}

/// The telemetry of a server, until [`Telemetry::end`].
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: Option<Traces>,
}

impl Telemetry {
    /// Begins to log and, if an endpoint is named, to trace. Call it once in a process, in its runtime, instead of [`init`].
    ///
    /// # Errors
    /// `Invalid` and `Unsupported` for options that do not fit, naming them.
    pub(crate) fn begin(log: &LogOptions, options: &TelemetryOptions) -> Result<Self> {
        let traces = Traces::begin(options)?;
        let spans = traces.as_ref().map(|traces| {
            // The exporter's own calls must not be traced: they would never end.
            let of_glaux = Targets::new().with_target("glaux", LevelFilter::INFO);
            tracing_opentelemetry::layer()
                .with_tracer(traces.tracer())
                .with_location(false)
                .with_threads(false)
                .with_filter(of_glaux)
        });
        tracing_subscriber::registry()
            .with(log::layer(log)?)
            .with(spans)
            .try_init()
            .map_err(|error| Error::internal("the log is already set up").with_source(error))?;
        if let Some(traces) = &traces {
            tracing::info!(endpoint = traces.endpoint(), "traces are sent");
        }
        Ok(Self { traces })
    }

    /// What makes spans, if they are sent anywhere.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        self.traces.as_ref().map(Traces::tracer)
    }

    /// Sends what waits, within seconds. Call it last.
    pub(crate) async fn end(self) {
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}
