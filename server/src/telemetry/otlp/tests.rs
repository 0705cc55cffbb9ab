//! Off by default; what is sent arrives; what cannot be sent disturbs nobody.

use std::{convert::Infallible, net::SocketAddr, time::Instant};

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::trace::{Span, Tracer};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{body::Body, server::NamedService, transport::Server};

use super::*;

fn options(endpoint: Option<&str>) -> TelemetryOptions {
    TelemetryOptions { otlp_endpoint: endpoint.map(str::to_owned), ..TelemetryOptions::default() }
}

/// An environment.
fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |wanted| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
}

#[test]
fn nothing_is_sent_unless_an_endpoint_is_named() {
    let options = options(None);
    assert_eq!(options.endpoint(environment(&[])), None);
    assert_eq!(options.service_name(environment(&[])), "glaux");
    let standard = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"), ("OTEL_SERVICE_NAME", "lake")];
    assert_eq!(options.endpoint(environment(&standard)).as_deref(), Some("http://a:4317"));
    assert_eq!(options.service_name(environment(&standard)), "lake");
    let disabled = [standard[0], ("OTEL_SDK_DISABLED", "TRUE")];
    assert_eq!(options.endpoint(environment(&disabled)), None);
    let named = TelemetryOptions { otlp_endpoint: Some("http://b:4317".to_owned()), service_name: Some("owl".to_owned()) };
    assert_eq!(named.endpoint(environment(&standard)).as_deref(), Some("http://b:4317"));
    assert_eq!(named.service_name(environment(&standard)), "owl");
}

#[tokio::test]
async fn endpoints_that_cannot_be_are_refused() {
    let refused = |endpoint: &str| Traces::begin(&options(Some(endpoint))).unwrap_err();
    let error = refused("https://collector:4317");
    assert_eq!(error.kind(), glaux_engine::ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("4317"));
    let error = refused("not an address");
    assert_eq!(error.kind(), glaux_engine::ErrorKind::Invalid);
    assert!(error.message().contains("\"not an address\""), "{error}");
}

/// A collector that keeps what it is sent.
#[derive(Clone)]
struct Collector(mpsc::UnboundedSender<Bytes>);

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl tower::Service<http::Request<Body>> for Collector {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let sent = self.0.clone();
        Box::pin(async move {
            let _ = sent.send(request.into_body().collect().await.unwrap().to_bytes());
            let ok = http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), "0".parse().unwrap())]);
            let empty = Frame::data(Bytes::from_static(&[0; 5]));
            let frames = stream::iter([Ok::<_, Infallible>(empty), Ok(Frame::trailers(ok))]);
            let response = http::Response::builder().header("content-type", "application/grpc");
            Ok(response.body(Body::new(StreamBody::new(frames))).unwrap())
        })
    }
}

async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<Bytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(Collector(sender));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, receiver)
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_arrive_with_their_name_attributes_and_service() {
    let (address, mut sent) = collector().await;
    let named = TelemetryOptions { service_name: Some("the-lake".to_owned()), ..options(Some(&format!("http://{address}"))) };
    let traces = Traces::begin(&named).unwrap().unwrap();
    let mut span = traces.tracer().start("a-query");
    span.set_attribute(opentelemetry::KeyValue::new("query_id", "0192-abcd"));
    span.end();
    traces.end().await;
    let batch = sent.recv().await.unwrap();
    for text in ["the-lake", "a-query", "query_id", "0192-abcd"] {
        assert!(has(&batch, text), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_does_not_answer_holds_nobody_up() {
    // Listens, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let traces = Traces::begin(&options(Some(&format!("http://{address}")))).unwrap().unwrap();
    let tracer = traces.tracer();
    let begun = Instant::now();
    for _ in 0..3 * WAITING {
        tracer.start("lost").end();
    }
    traces.end().await;
    // Far less than without a limit, and far more than a slow machine adds.
    assert!(begun.elapsed() < FLUSH + Duration::from_secs(300), "{:?}", begun.elapsed());
}
