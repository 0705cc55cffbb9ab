//! The section `[telemetry]` and the export of traces over OTLP (gRPC): off unless an endpoint is named. Spans leave in batches in the
//! background; an endpoint that does not answer costs spans, never a query, and is logged once.

use std::{
    env, fmt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use glaux_engine::{Error, Result};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use serde::{Deserialize, Serialize};

/// How long the endpoint may take for one batch.
const EXPORT: Duration = Duration::from_secs(3);
/// How long the last batch may hold up the end of the process.
const FLUSH: Duration = Duration::from_secs(4);
/// Spans that wait for their batch; more are dropped.
const WAITING: usize = 8_192;

/// The section `[telemetry]` of the configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetryOptions {
    /// Where traces go: `http://127.0.0.1:4317`. If it is not set, `OTEL_EXPORTER_OTLP_ENDPOINT`; if neither is, nowhere.
    pub(crate) otlp_endpoint: Option<String>,
    /// The name that traces are sent under. If it is not set, `OTEL_SERVICE_NAME`, or `glaux`.
    pub(crate) service_name: Option<String>,
}

impl TelemetryOptions {
    /// Where traces go, if anywhere; `variable` reads the environment.
    fn endpoint(&self, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let standard = || {
            let named = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
            named.filter(|_| !disabled)
        };
        self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty()).or_else(standard)
    }

    fn service_name(&self, variable: impl Fn(&str) -> Option<String>) -> String {
        self.service_name.clone().or_else(|| variable("OTEL_SERVICE_NAME")).unwrap_or_else(|| "glaux".to_owned())
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The export of traces while the process lives.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    endpoint: String,
}

impl Traces {
    /// Begins to export, if the options or the environment name an endpoint. Call it in a runtime, on which connections are then made.
    ///
    /// # Errors
    /// `Invalid` for an endpoint that is no address, `Unsupported` for one with TLS.
    pub(crate) fn begin(options: &TelemetryOptions) -> Result<Option<Self>> {
        options.endpoint(variable).map(|endpoint| Self::to(endpoint, options.service_name(variable))).transpose()
    }

    fn to(endpoint: String, service_name: String) -> Result<Self> {
        if endpoint.starts_with("https:") {
            let message = format!("traces cannot be sent to \"{endpoint}\": OTLP over TLS is not supported");
            return Err(Error::unsupported(message).with_hint("Send them to a collector on this machine: http://127.0.0.1:4317"));
        }
        let exporter = OtlpExporter::builder().with_tonic().with_endpoint(&endpoint).with_timeout(EXPORT).build();
        let exporter = exporter.map_err(|error| {
            Error::invalid(format!("traces cannot be sent to \"{endpoint}\""))
                .with_hint("Write the endpoint as http://host:4317")
                .with_source(error)
        })?;
        let exporter = Watched { exporter, endpoint: endpoint.clone(), failing: AtomicBool::new(false) };
        let batches = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
        let resource = Resource::builder()
            .with_service_name(service_name)
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_resource(resource)
            .build();
        Ok(Self { provider, endpoint })
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("glaux")
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends what waits, and ends; gives up after [`FLUSH`].
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FLUSH)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// An exporter that logs once that its endpoint does not answer, and once that it does again.
struct Watched<E> {
    exporter: E,
    endpoint: String,
    failing: AtomicBool,
}

impl<E> fmt::Debug for Watched<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("endpoint", &self.endpoint).field("failing", &self.failing).finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        let endpoint = &self.endpoint;
        match &exported {
            Err(error) if !self.failing.swap(true, Relaxed) => {
                tracing::warn!(endpoint, spans, %error, "traces cannot be sent and are dropped until they can");
            }
            Ok(()) if self.failing.swap(false, Relaxed) => tracing::info!(endpoint, "traces are sent again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
