//! The endpoints of the HTTP port: health, readiness and metrics. `port` listens.

mod port;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

pub(crate) use self::port::{Port, PortLimits};
use crate::telemetry::Metrics;

/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `/` says.
const INDEX: &str = concat!(
    "glaux ",
    env!("CARGO_PKG_VERSION"),
    "\n\n",
    "/metrics   metrics in the text format of Prometheus\n",
    "/healthz   200 while the process lives\n",
    "/readyz    200 when ready; 503 while it shuts down, or cannot write its history\n\n",
    "SQL is served on the Flight SQL port.\n",
);

/// What the answers stand on.
#[derive(Clone)]
struct AppState {
    metrics: Arc<Metrics>,
    /// One collection at a time, however many ask.
    collecting: Arc<tokio::sync::Mutex<()>>,
    readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// Whether new work is taken, and if not, why.
pub(crate) type Readiness = Result<(), String>;

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

/// Everything that the HTTP port answers; `ask` is called for every `/readyz`, and must not wait for anything.
pub(crate) fn router(metrics: Arc<Metrics>, ask: impl Fn() -> Readiness + Send + Sync + 'static) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(rendered))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .fallback(unknown)
        .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, "this is read-only: use GET\n"))
        .with_state(AppState { metrics, collecting: Arc::default(), readiness: Arc::new(ask) })
}

/// The metrics, collected on a thread of its own: their sources may be locked for a moment, and health must answer all the same.
async fn rendered(State(state): State<AppState>) -> Response {
    let _turn = state.collecting.lock().await;
    let metrics = Arc::clone(&state.metrics);
    match tokio::task::spawn_blocking(move || metrics.render()).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be collected\n").into_response(),
    }
}

async fn ready(State(state): State<AppState>) -> Response {
    match (state.readiness)() {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn unknown(uri: Uri) -> impl IntoResponse {
    let path: String = uri.path().chars().take(100).collect();
    (StatusCode::NOT_FOUND, format!("nothing is at \"{path}\"; see / for the endpoints\n"))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(router: &Router, method: &str, path: &str) -> (u16, String, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    fn metrics() -> Arc<Metrics> {
        Metrics::with_recorder().unwrap().0
    }

    #[tokio::test]
    async fn every_path_answers() {
        let router = router(metrics(), || Ok(()));
        let (status, _, text) = ask(&router, "GET", "/").await;
        assert!(status == 200 && text.contains("/metrics") && text.contains("/readyz"), "{text}");
        assert_eq!(ask(&router, "GET", "/healthz").await.0, 200);
        assert_eq!(ask(&router, "GET", "/readyz").await.0, 200);
        let (status, kind, _) = ask(&router, "GET", "/metrics").await;
        assert_eq!((status, kind.as_str()), (200, METRICS));
        let (status, _, text) = ask(&router, "GET", "/nonsense?x=1").await;
        assert_eq!((status, text.as_str()), (404, "nothing is at \"/nonsense\"; see / for the endpoints\n"));
        assert_eq!(ask(&router, "POST", "/metrics").await.0, 405);
        assert_eq!(ask(&router, "HEAD", "/healthz").await.0, 200);
    }

    #[tokio::test]
    async fn a_server_that_shuts_down_is_alive_but_not_ready() {
        let router = router(metrics(), || Err("shutting down: no new work is accepted".to_owned()));
        assert_eq!(ask(&router, "GET", "/healthz").await.0, 200);
        let (status, _, text) = ask(&router, "GET", "/readyz").await;
        assert_eq!((status, text.as_str()), (503, "shutting down: no new work is accepted\n"));
    }
}
