//! How much of a request is taken in before it is known who sends it. gRPC's server reads a whole message, and makes room for as many bytes
//! as its head promises, before a method sees it: here the head is read first. Calls that say who calls before their first message (DoPut)
//! have the server's own limit.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tonic::{Status, body::Body as GrpcBody};
use tower::{Layer, Service};

use super::FLIGHT;
use crate::flight::status;

/// Bytes of a request of Flight's, which holds a statement, a ticket or a pattern.
const FLIGHT_REQUEST: usize = 2 << 20;

/// Of an action, which may hold a FlightInfo with its schema.
const ACTION: usize = 16 << 20;

/// Of all requests that are not there as a whole.
const UNFINISHED: usize = 256 << 20;

/// Bytes before each message: whether it is compressed, and how long it is.
const HEAD: usize = 5;

/// What a request to `path` may have; `None` if it is not limited here.
fn limit_of(path: &str, max_message: usize) -> Option<usize> {
    let Some(method) = path.strip_prefix('/').and_then(|path| path.strip_prefix(FLIGHT)) else { return Some(max_message) };
    match method {
        "/DoPut" | "/DoExchange" => None,
        "/DoAction" => Some(ACTION.min(max_message)),
        _ => Some(FLIGHT_REQUEST.min(max_message)),
    }
}

/// Limits the requests of the service below it.
#[derive(Debug, Clone)]
pub(crate) struct IntakeLayer {
    max_message: usize,
    unfinished: Arc<Budget>,
}

impl IntakeLayer {
    /// No message has more than `max_message` bytes.
    pub(crate) fn new(max_message: usize) -> Self {
        Self { max_message, unfinished: Arc::new(Budget { taken: AtomicUsize::new(0), limit: UNFINISHED }) }
    }
}

/// Bytes that are shared by all.
#[derive(Debug)]
struct Budget {
    taken: AtomicUsize,
    limit: usize,
}

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.taken.fetch_add(bytes, Relaxed);
        taken.saturating_add(bytes) <= self.limit
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Relaxed);
    }
}

impl<S> Layer<S> for IntakeLayer {
    type Service = Intake<S>;

    fn layer(&self, service: S) -> Intake<S> {
        Intake { service, limits: self.clone() }
    }
}

/// A service whose requests are limited.
#[derive(Debug, Clone)]
pub(crate) struct Intake<S> {
    service: S,
    limits: IntakeLayer,
}

impl<S> Service<Request<GrpcBody>> for Intake<S>
where
    S: Service<Request<GrpcBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<GrpcBody>) -> S::Future {
        let IntakeLayer { max_message, unfinished } = &self.limits;
        let request = match limit_of(request.uri().path(), *max_message) {
            None => request,
            Some(limit) => request.map(|body| {
                let budget = Arc::clone(unfinished);
                GrpcBody::new(LimitedBody { body, limit, head: Vec::new(), taken: 0, budget })
            }),
        };
        self.service.call(request)
    }
}

/// The body of a request, which fails when it is too long, or promises to be.
struct LimitedBody {
    body: GrpcBody,
    limit: usize,
    /// The first bytes, until there are enough of them.
    head: Vec<u8>,
    taken: usize,
    budget: Arc<Budget>,
}

impl LimitedBody {
    fn check(&mut self, data: &Bytes) -> Result<(), Status> {
        // Given back when this is dropped, taken in or not.
        self.taken += data.len();
        let within_budget = self.budget.take(data.len());
        if let Some(missing) = HEAD.checked_sub(self.head.len()).filter(|missing| *missing > 0) {
            self.head.extend(data.iter().take(missing));
        }
        let promised = match self.head.as_slice() {
            [_, a, b, c, d] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
            _ => 0,
        };
        if promised > self.limit || self.taken > self.limit.saturating_add(HEAD) {
            return Err(status::request_too_long(self.limit));
        }
        if within_budget { Ok(()) } else { Err(status::too_many_requests()) }
    }
}

impl Drop for LimitedBody {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref())
            && let Err(refused) = self.check(&data.clone())
        {
            return Poll::Ready(Some(Err(refused)));
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

    use http_body_util::{BodyExt, StreamBody};
    use tonic::Code;
    use tower::{ServiceExt, service_fn};

    use super::*;

    const LIMITS: usize = 64 << 20;

    /// Sends a body in pieces; gives how many bytes arrived.
    async fn send(layer: &IntakeLayer, path: &str, pieces: &[&[u8]]) -> Result<usize, Status> {
        let service = layer.layer(service_fn(async |request: Request<GrpcBody>| {
            Ok::<_, Infallible>(request.into_body().collect().await.map(|body| body.to_bytes().len()))
        }));
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let body = GrpcBody::new(StreamBody::new(futures::stream::iter(pieces)));
        let request = Request::builder().uri(path).body(body).unwrap();
        service.oneshot(request).await.unwrap()
    }

    fn promising(bytes: u32) -> Vec<u8> {
        [&[0][..], &bytes.to_be_bytes()].concat()
    }

    #[tokio::test]
    async fn what_promises_to_be_too_long_is_refused_at_its_head() {
        let layer = IntakeLayer::new(LIMITS);
        let info = "/arrow.flight.protocol.FlightService/GetFlightInfo";
        let head = promising(2 << 20);
        assert_eq!(send(&layer, info, &[&head, b"xyz"]).await.unwrap(), 8);
        let head = promising((2 << 20) + 1);
        assert_eq!(send(&layer, info, &[&head]).await.unwrap_err().code(), Code::ResourceExhausted);
        // In whatever pieces it comes.
        let (start, end) = head.split_at(3);
        assert_eq!(send(&layer, info, &[start, end]).await.unwrap_err().code(), Code::ResourceExhausted);
        // Who is known by then may send more, and the catalog's changes are long.
        for path in ["/arrow.flight.protocol.FlightService/DoPut", "/glaux.catalog.v1.CatalogService/ChangePartitions"] {
            assert_eq!(send(&layer, path, &[&head]).await.unwrap(), 5, "{path}");
        }
        assert_eq!(layer.unfinished.taken.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_longer_than_it_promised_and_what_all_send_together_is_refused() {
        let layer = IntakeLayer::new(10);
        let path = "/arrow.flight.protocol.FlightService/DoAction";
        assert_eq!(send(&layer, path, &[&promising(10), &[7; 10]]).await.unwrap(), 15);
        assert_eq!(send(&layer, path, &[&promising(10), &[7; 11]]).await.unwrap_err().code(), Code::ResourceExhausted);
        layer.unfinished.take(UNFINISHED - 10);
        assert_eq!(send(&layer, path, &[&promising(5), &[7; 5]]).await.unwrap(), 10);
        let refused = send(&layer, path, &[&promising(5), &[7; 6]]).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(layer.unfinished.taken.load(Relaxed), UNFINISHED - 10);
    }
}
