//! Counts gRPC calls: how many ended with which code, how long they took until their answer began and until it ended, and how many there
//! are now; [`Calls`] can be waited for. While a call of a known caller runs, its connection counts as in use. A call that its client gives up counts as cancelled. Paths that no service
//! has share one label, so that garbage makes no series.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use metrics::{counter, gauge, histogram};
use tokio::sync::watch;
use tower::{Layer, Service};

use crate::transport;

/// The label of a path: the names of Flight's methods alone, others with their service.
const METHODS: [(&str, &str); 42] = [
    ("/arrow.flight.protocol.FlightService/Handshake", "Handshake"),
    ("/arrow.flight.protocol.FlightService/ListFlights", "ListFlights"),
    ("/arrow.flight.protocol.FlightService/GetFlightInfo", "GetFlightInfo"),
    ("/arrow.flight.protocol.FlightService/PollFlightInfo", "PollFlightInfo"),
    ("/arrow.flight.protocol.FlightService/GetSchema", "GetSchema"),
    ("/arrow.flight.protocol.FlightService/DoGet", "DoGet"),
    ("/arrow.flight.protocol.FlightService/DoPut", "DoPut"),
    ("/arrow.flight.protocol.FlightService/DoExchange", "DoExchange"),
    ("/arrow.flight.protocol.FlightService/DoAction", "DoAction"),
    ("/arrow.flight.protocol.FlightService/ListActions", "ListActions"),
    ("/grpc.health.v1.Health/Check", "Health/Check"),
    ("/grpc.health.v1.Health/Watch", "Health/Watch"),
    ("/grpc.health.v1.Health/List", "Health/List"),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "Reflection"),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "Reflection"),
    ("/glaux.catalog.v1.CatalogService/Hello", "Catalog/Hello"),
    ("/glaux.catalog.v1.CatalogService/ListDatabases", "Catalog/ListDatabases"),
    ("/glaux.catalog.v1.CatalogService/GetDatabase", "Catalog/GetDatabase"),
    ("/glaux.catalog.v1.CatalogService/CreateDatabase", "Catalog/CreateDatabase"),
    ("/glaux.catalog.v1.CatalogService/ReplaceDatabase", "Catalog/ReplaceDatabase"),
    ("/glaux.catalog.v1.CatalogService/DropDatabase", "Catalog/DropDatabase"),
    ("/glaux.catalog.v1.CatalogService/ListTableNames", "Catalog/ListTableNames"),
    ("/glaux.catalog.v1.CatalogService/ListTables", "Catalog/ListTables"),
    ("/glaux.catalog.v1.CatalogService/ListTableVersions", "Catalog/ListTableVersions"),
    ("/glaux.catalog.v1.CatalogService/GetTable", "Catalog/GetTable"),
    ("/glaux.catalog.v1.CatalogService/CreateTable", "Catalog/CreateTable"),
    ("/glaux.catalog.v1.CatalogService/ReplaceTable", "Catalog/ReplaceTable"),
    ("/glaux.catalog.v1.CatalogService/InstallTable", "Catalog/InstallTable"),
    ("/glaux.catalog.v1.CatalogService/DropTable", "Catalog/DropTable"),
    ("/glaux.catalog.v1.CatalogService/GetPartitions", "Catalog/GetPartitions"),
    ("/glaux.catalog.v1.CatalogService/FindPartitions", "Catalog/FindPartitions"),
    ("/glaux.catalog.v1.CatalogService/ChangePartitions", "Catalog/ChangePartitions"),
    ("/glaux.catalog.v1.CatalogService/GetAttachments", "Catalog/GetAttachments"),
    ("/glaux.catalog.v1.CatalogService/SetAttachments", "Catalog/SetAttachments"),
    ("/glaux.catalog.v1.CatalogService/ListGrants", "Catalog/ListGrants"),
    ("/glaux.catalog.v1.CatalogService/SetGrant", "Catalog/SetGrant"),
    ("/glaux.catalog.v1.CatalogService/RemoveGrant", "Catalog/RemoveGrant"),
    ("/glaux.catalog.v1.CatalogService/ListWorkgroups", "Catalog/ListWorkgroups"),
    ("/glaux.catalog.v1.CatalogService/GetWorkgroup", "Catalog/GetWorkgroup"),
    ("/glaux.catalog.v1.CatalogService/PutWorkgroup", "Catalog/PutWorkgroup"),
    ("/glaux.catalog.v1.CatalogService/RemoveWorkgroup", "Catalog/RemoveWorkgroup"),
    ("/glaux.catalog.v1.CatalogService/Watch", "Catalog/Watch"),
];

fn method_of(path: &str) -> &'static str {
    METHODS.iter().find(|(known, _)| path == *known).map_or("other", |(_, method)| method)
}

/// The name of a code, as the header or the trailer `grpc-status` has it.
fn code_of(headers: &HeaderMap) -> Option<&'static str> {
    let code = headers.get("grpc-status")?.to_str().ok()?;
    Some(match code.parse::<i32>().map(tonic::Code::from_i32) {
        Ok(tonic::Code::Ok) => "OK",
        Ok(tonic::Code::Cancelled) => "CANCELLED",
        Ok(tonic::Code::InvalidArgument) => "INVALID_ARGUMENT",
        Ok(tonic::Code::DeadlineExceeded) => "DEADLINE_EXCEEDED",
        Ok(tonic::Code::NotFound) => "NOT_FOUND",
        Ok(tonic::Code::AlreadyExists) => "ALREADY_EXISTS",
        Ok(tonic::Code::PermissionDenied) => "PERMISSION_DENIED",
        Ok(tonic::Code::ResourceExhausted) => "RESOURCE_EXHAUSTED",
        Ok(tonic::Code::FailedPrecondition) => "FAILED_PRECONDITION",
        Ok(tonic::Code::Aborted) => "ABORTED",
        Ok(tonic::Code::OutOfRange) => "OUT_OF_RANGE",
        Ok(tonic::Code::Unimplemented) => "UNIMPLEMENTED",
        Ok(tonic::Code::Internal) => "INTERNAL",
        Ok(tonic::Code::Unavailable) => "UNAVAILABLE",
        Ok(tonic::Code::DataLoss) => "DATA_LOSS",
        Ok(tonic::Code::Unauthenticated) => "UNAUTHENTICATED",
        Ok(tonic::Code::Unknown) | Err(_) => "UNKNOWN",
    })
}

/// How many calls run, from their requests to their answers' ends. Clones count the same.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Arc<watch::Sender<usize>>);

impl Calls {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Ready when there are none.
    pub(crate) async fn ended(&self) {
        // The sender is here, so that it cannot be gone.
        let _ = self.0.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// One call, from its request until this is dropped.
#[derive(Debug)]
struct Call {
    method: &'static str,
    code: Option<&'static str>,
    started: Instant,
    calls: Calls,
    /// Shared with the request: those who identify the caller say there that its connection is in use.
    connection: transport::Call,
}

impl Call {
    fn begin(path: &str, calls: &Calls) -> Self {
        calls.0.send_modify(|running| *running += 1);
        let connection = transport::Call::default();
        let call = Self { method: method_of(path), code: None, started: Instant::now(), calls: calls.clone(), connection };
        gauge!("glaux_rpc_in_flight", "method" => call.method).increment(1.0);
        call
    }

    fn head(&mut self, headers: &HeaderMap) {
        self.code = code_of(headers);
        histogram!("glaux_rpc_head_seconds", "method" => self.method).record(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.0.send_modify(|running| *running -= 1);
        gauge!("glaux_rpc_in_flight", "method" => self.method).decrement(1.0);
        histogram!("glaux_rpc_duration_seconds", "method" => self.method).record(self.started.elapsed().as_secs_f64());
        counter!("glaux_rpc_total", "method" => self.method, "code" => self.code.unwrap_or("CANCELLED")).increment(1);
    }
}

/// Counts the calls of the service below it.
#[derive(Debug, Clone)]
pub(crate) struct RpcMetricsLayer {
    calls: Calls,
}

impl RpcMetricsLayer {
    pub(crate) const fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

impl<S> Layer<S> for RpcMetricsLayer {
    type Service = Counted<S>;

    fn layer(&self, service: S) -> Counted<S> {
        Counted { service, calls: self.calls.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    service: S,
    calls: Calls,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: 'static,
{
    type Response = Response<CountedBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut call = Call::begin(request.uri().path(), &self.calls);
        request.extensions_mut().insert(call.connection.clone());
        let answer = self.service.call(request);
        Box::pin(async move {
            let answered = answer.await;
            match &answered {
                Ok(response) => call.head(response.headers()),
                Err(_) => call.code = Some("UNKNOWN"),
            }
            Ok(answered?.map(|body| CountedBody { body, call }))
        })
    }
}

/// The body of an answer, which carries its call to its end.
#[derive(Debug)]
pub(crate) struct CountedBody<B> {
    body: B,
    call: Call,
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    self.call.code = Some(code);
                }
            }
            // What ends without a code is no answer of gRPC.
            Some(Err(_)) | None => self.call.code = self.call.code.or(Some("UNKNOWN")),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use http_body_util::{BodyExt, Full, StreamBody};
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::telemetry::Metrics;

    fn trailers(code: &'static str) -> Frame<Bytes> {
        Frame::trailers(HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), code.parse().unwrap())]))
    }

    /// Runs calls with metrics of their own, and gives the lines of calls.
    fn counted(calls: impl AsyncFnOnce(&Metrics)) -> String {
        let (metrics, recorder) = Metrics::with_recorder().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(calls(&metrics));
            metrics.render()
        })
    }

    fn request(path: &str) -> Request<()> {
        Request::builder().uri(path).body(()).unwrap()
    }

    #[test]
    fn calls_are_counted_by_method_and_code_until_their_answers_end() {
        let text = counted(async |metrics| {
            let service = RpcMetricsLayer::new(Calls::new()).layer(service_fn(async |_: Request<()>| {
                let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from("x"))), Ok(trailers("0"))];
                Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(frames).boxed())))
            }));
            let call = || service.clone().oneshot(request("/arrow.flight.protocol.FlightService/DoGet"));
            let read = call().await.unwrap();
            let given_up = call().await.unwrap();
            assert!(metrics.render().contains("glaux_rpc_in_flight{method=\"DoGet\"} 2\n"));
            read.into_body().collect().await.unwrap();
            drop(given_up);
        });
        assert!(text.contains("glaux_rpc_in_flight{method=\"DoGet\"} 0\n"), "{text}");
        assert!(text.contains("glaux_rpc_total{method=\"DoGet\",code=\"OK\"} 1\n"), "{text}");
        assert!(text.contains("glaux_rpc_total{method=\"DoGet\",code=\"CANCELLED\"} 1\n"), "{text}");
        assert!(text.contains("glaux_rpc_duration_seconds_count{method=\"DoGet\"} 2\n"), "{text}");
        assert!(text.contains("glaux_rpc_head_seconds_bucket{method=\"DoGet\",le=\"0.001\"}"), "{text}");
    }

    #[test]
    fn garbage_makes_no_series() {
        let text = counted(async |_| {
            let service = RpcMetricsLayer::new(Calls::new()).layer(service_fn(async |_: Request<()>| {
                let response = Response::builder().header("grpc-status", "12").body(Full::<Bytes>::default());
                Ok::<_, Infallible>(response.unwrap())
            }));
            for path in ["/", "/a", "/b/c", "/arrow.flight.protocol.FlightService/Nonsense", "/grpc.health.v1.Health/Check"] {
                let response = service.clone().oneshot(request(path)).await.unwrap();
                response.into_body().collect().await.unwrap();
            }
        });
        let totals: Vec<_> = text.lines().filter(|line| line.starts_with("glaux_rpc_total{")).collect();
        assert_eq!(totals.len(), 2, "{totals:?}");
        assert!(text.contains("glaux_rpc_total{method=\"other\",code=\"UNIMPLEMENTED\"} 4\n"), "{text}");
        assert!(text.contains("glaux_rpc_total{method=\"Health/Check\",code=\"UNIMPLEMENTED\"} 1\n"), "{text}");
    }
}
