//! How much of a request is taken in before it is there as a whole, and for how long. gRPC's server reads a whole message, and makes room for as
//! many bytes as its head promises, before a method sees it: here the head is read first.
//!
//! What is held of unfinished requests has its shares (`held`), those of strangers and those of callers who are known apart, so that no
//! stranger's request ends a caller's. Callers are known before their first message is read where messages may be many (DoPut, changes of
//! the catalog); otherwise whoever sends is a stranger until all of it is there.

mod held;

use std::{
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use glaux_catalog::grpc::NAME as CATALOG;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::{Status, body::Body as GrpcBody};
use tower::{Layer, Service};

use self::held::{Held, Place, Sender, Shares};
use super::FLIGHT;
use crate::{
    flight::status,
    transport::{Call, Peer, network},
};

/// Bytes of a request of Flight's, which holds a statement, a ticket or a pattern.
const FLIGHT_REQUEST: usize = 2 << 20;

/// Of an action, which may hold a FlightInfo with its schema.
const ACTION: usize = 16 << 20;

/// How many of the largest messages a connection of a known caller may have under way, and how many the parts of one change of the catalog may
/// make, which are kept until the last has come.
const CALLERS_MESSAGES: usize = 4;

/// Bytes before each message: whether it is compressed, and how long it is.
const HEAD: usize = 5;

/// The least that a request gains in a millisecond, beyond the time that every one has.
const LEAST_RATE: usize = 16;

/// Limits the requests of the service below it.
#[derive(Debug, Clone)]
pub(crate) struct IntakeLayer {
    max_message: usize,
    patience: Duration,
    strangers: Arc<Held>,
    callers: Arc<Held>,
}

impl IntakeLayer {
    /// No message has more than `max_message` bytes, and none keeps the server waiting for longer than `patience`.
    pub(crate) fn new(max_message: usize, patience: Duration) -> Self {
        let largest = max_message.saturating_add(HEAD);
        Self {
            max_message,
            patience,
            strangers: Held::new(Shares::of_connection(largest)),
            callers: Held::new(Shares::of_connection(largest.saturating_mul(CALLERS_MESSAGES))),
        }
    }

    /// What a request to `path` may have.
    fn measure(&self, path: &str) -> Measure {
        let max = self.max_message;
        let (service, method) = path.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or_default();
        match (service, method) {
            // The server's own limit, with its own error, is that of a message.
            (FLIGHT, "DoPut" | "DoExchange") => Measure::of_messages(usize::MAX),
            (FLIGHT, "DoAction") => Measure::of_whole(ACTION.min(max)),
            (FLIGHT, _) => Measure::of_whole(FLIGHT_REQUEST.min(max)),
            (CATALOG, "ChangePartitions" | "InstallTable" | "SetAttachments") => {
                Measure::of_whole(max.saturating_mul(CALLERS_MESSAGES))
            }
            // A conversation, which may rest.
            (_, "ServerReflectionInfo") => Measure::of_messages(max),
            _ => Measure::of_whole(max),
        }
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
        let peer = request.extensions().get::<Peer>();
        let connection = peer.and_then(|peer| peer.connection.as_ref()).map_or(0, |connection| connection.id());
        let network = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| network(peer.address.ip()));
        let origin = Origin { call: request.extensions().get().cloned(), connection, network };
        let measure = self.limits.measure(request.uri().path());
        let limits = self.limits.clone();
        let pace = Pace::new(limits.patience);
        self.service.call(request.map(|body| GrpcBody::new(LimitedBody { body, limits, origin, measure, pace, place: None })))
    }
}

/// Where a request comes from.
struct Origin {
    /// Knows the caller once the service does.
    call: Option<Call>,
    connection: u64,
    network: IpAddr,
}

/// How much there is of a request.
struct Measure {
    limit: usize,
    /// Whether all of it is kept until its end; otherwise each message is dealt with as it comes.
    is_whole: bool,
    /// The first bytes of a message, until there are enough of them.
    head: Vec<u8>,
    /// Of the message, behind its head.
    missing: usize,
    /// What has come and is not dealt with.
    held: usize,
}

impl Measure {
    fn of_messages(limit: usize) -> Self {
        Self { limit, is_whole: false, head: Vec::new(), missing: 0, held: 0 }
    }

    fn of_whole(limit: usize) -> Self {
        Self { is_whole: true, ..Self::of_messages(limit) }
    }

    /// # Errors
    /// It is too long, or promises to be.
    fn add(&mut self, mut data: &[u8]) -> Result<(), Status> {
        while !data.is_empty() {
            let wanted = if self.head.len() < HEAD { HEAD - self.head.len() } else { self.missing };
            let (next, rest) = data.split_at(wanted.min(data.len()));
            data = rest;
            self.held += next.len();
            if self.head.len() < HEAD {
                self.head.extend(next);
                if let [_, a, b, c, d] = self.head[..] {
                    self.missing = u32::from_be_bytes([a, b, c, d]) as usize;
                }
            } else {
                self.missing -= next.len();
            }
            if self.missing > self.limit || self.held > self.limit.saturating_add(HEAD) {
                return Err(status::request_too_long(self.limit));
            }
            if self.head.len() == HEAD && self.missing == 0 {
                self.head.clear();
                if !self.is_whole {
                    self.held = 0;
                }
            }
        }
        Ok(())
    }

    /// Whether there is more to come that cannot be waited for at leisure.
    const fn is_unfinished(&self) -> bool {
        self.is_whole || self.held > 0
    }
}

/// How long the other side has kept the server waiting. While the server itself takes its time, nothing counts.
struct Pace {
    /// For one pause; all of them together may take twice as long, and longer the more has come.
    patience: Duration,
    waited: Duration,
    /// Since when it waits, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self { patience, waited: Duration::ZERO, waiting: None }
    }

    fn arrived(&mut self) {
        if let Some((since, _)) = self.waiting.take() {
            // What came in time may have waited for a server that was busy.
            self.waited += since.elapsed().min(self.patience);
        }
    }

    /// Ready once nothing has come for too long, or all that is `held` took too long to come.
    fn poll_over(&mut self, held: usize, context: &mut Context<'_>) -> Poll<()> {
        let (_, timer) = self.waiting.get_or_insert_with(|| {
            let earned = Duration::from_millis((held / LEAST_RATE) as u64);
            let left = self.patience.saturating_mul(2).saturating_add(earned).saturating_sub(self.waited);
            (Instant::now(), Box::pin(tokio::time::sleep(left.min(self.patience))))
        });
        timer.as_mut().poll(context)
    }
}

/// The body of a request, which fails when it is too long, or promises to be, when it does not come, and when it has to make room for others.
struct LimitedBody {
    body: GrpcBody,
    limits: IntakeLayer,
    origin: Origin,
    measure: Measure,
    pace: Pace,
    /// Once something is held.
    place: Option<Place>,
}

impl LimitedBody {
    fn add(&mut self, data: &Bytes) -> Result<(), Status> {
        self.measure.add(data)?;
        let held = self.measure.held;
        if held == 0 {
            // The next message has its own time.
            self.pace = Pace::new(self.limits.patience);
        }
        if held > 0 || self.place.is_some() {
            self.place.get_or_insert_with(|| self.origin.place(&self.limits)).hold(held);
        }
        Ok(())
    }

    fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.place.as_ref().map_or(Poll::Pending, |place| place.poll_end(context))
    }
}

impl Origin {
    fn place(&self, limits: &IntakeLayer) -> Place {
        match self.call.as_ref().and_then(Call::user) {
            Some(user) => limits.callers.place(Sender::User(Arc::clone(user)), self.connection),
            None => limits.strangers.place(Sender::Network(self.network), self.connection),
        }
    }
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.body).poll_frame(context);
        match &frame {
            Poll::Ready(frame) => {
                this.pace.arrived();
                if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref())
                    && let Err(refused) = this.add(data)
                {
                    return Poll::Ready(Some(Err(refused)));
                }
            }
            Poll::Pending if this.measure.is_unfinished() => {
                if this.pace.poll_over(this.measure.held, context).is_ready() {
                    return Poll::Ready(Some(Err(status::request_stalled())));
                }
            }
            Poll::Pending => {}
        }
        if this.poll_end(context).is_ready() {
            return Poll::Ready(Some(Err(status::too_many_requests())));
        }
        frame
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

    use futures::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tonic::Code;
    use tower::{ServiceExt, service_fn};

    use super::*;

    const LIMITS: usize = 64 << 20;
    const PATIENCE: Duration = Duration::from_secs(3600);
    const INFO: &str = "/arrow.flight.protocol.FlightService/GetFlightInfo";
    const PUT: &str = "/arrow.flight.protocol.FlightService/DoPut";

    /// Sends a body in pieces, and then nothing more if it is `half`; gives how many bytes arrived.
    async fn send_all(
        layer: &IntakeLayer,
        user: Option<&str>,
        path: &str,
        pieces: &[&[u8]],
        half: bool,
    ) -> Result<usize, Status> {
        let service = layer.layer(service_fn(async |request: Request<GrpcBody>| {
            Ok::<_, Infallible>(request.into_body().collect().await.map(|body| body.to_bytes().len()))
        }));
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let rest = if half { stream::pending().boxed() } else { stream::empty().boxed() };
        let body = GrpcBody::new(StreamBody::new(stream::iter(pieces).chain(rest)));
        let mut request = Request::builder().uri(path).body(body).unwrap();
        request.extensions_mut().insert(user.map_or_else(Call::default, Call::of));
        service.oneshot(request).await.unwrap()
    }

    async fn send(layer: &IntakeLayer, path: &str, pieces: &[&[u8]]) -> Result<usize, Status> {
        send_all(layer, None, path, pieces, false).await
    }

    fn promising(bytes: u32) -> Vec<u8> {
        [&[0][..], &bytes.to_be_bytes()].concat()
    }

    #[tokio::test]
    async fn what_promises_to_be_too_long_is_refused_at_its_head() {
        let layer = IntakeLayer::new(LIMITS, PATIENCE);
        let head = promising(2 << 20);
        assert_eq!(send(&layer, INFO, &[&head, b"xyz"]).await.unwrap(), 8);
        let head = promising((2 << 20) + 1);
        assert_eq!(send(&layer, INFO, &[&head]).await.unwrap_err().code(), Code::ResourceExhausted);
        // In whatever pieces it comes.
        let (start, end) = head.split_at(3);
        assert_eq!(send(&layer, INFO, &[start, end]).await.unwrap_err().code(), Code::ResourceExhausted);
        // Who is known by then may send more, and the catalog's changes are long.
        for path in [PUT, "/glaux.catalog.v1.CatalogService/ChangePartitions"] {
            assert_eq!(send(&layer, path, &[&head]).await.unwrap(), 5, "{path}");
        }
        assert_eq!((layer.strangers.bytes(), layer.callers.bytes()), (0, 0));
    }

    #[tokio::test]
    async fn what_is_longer_than_it_promised_is_refused() {
        let layer = IntakeLayer::new(10, PATIENCE);
        let path = "/arrow.flight.protocol.FlightService/DoAction";
        assert_eq!(send(&layer, path, &[&promising(10), &[7; 10]]).await.unwrap(), 15);
        assert_eq!(send(&layer, path, &[&promising(10), &[7; 11]]).await.unwrap_err().code(), Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn changes_may_come_in_many_messages_and_only_what_is_kept_counts() {
        let layer = IntakeLayer::new(10, PATIENCE);
        let message = [&promising(10)[..], &[7; 10]].concat();
        let message = message.as_slice();
        let change = "/glaux.catalog.v1.CatalogService/SetAttachments";
        assert_eq!(send_all(&layer, Some("ada"), change, &[message; 2], false).await.unwrap(), 30);
        let refused = send_all(&layer, Some("ada"), change, &[message; 4], false).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        // A stream of rows is as long as it likes.
        assert_eq!(send_all(&layer, Some("ada"), PUT, &[message; 100], false).await.unwrap(), 1_500);
        let mut measure = Measure::of_messages(10);
        let pieces = [&message[..3], &message[3..8], &message[8..], &message[..0], message, &message[..1]];
        let held = pieces.map(|piece| {
            measure.add(piece).unwrap();
            (measure.held, measure.is_unfinished())
        });
        assert_eq!(held, [(3, true), (8, true), (0, false), (0, false), (0, false), (1, true)]);
        assert!(Measure::of_whole(10).is_unfinished());
    }

    #[tokio::test]
    async fn who_sends_little_finds_room_beside_who_sends_much() {
        let layer = IntakeLayer::new(100, PATIENCE);
        let half = [&promising(90)[..], &[7; 60]].concat();
        let pieces = [half.as_slice()];
        let mut flood: Vec<_> = (0..2).map(|_| Box::pin(send_all(&layer, None, INFO, &pieces, true))).collect();
        for call in &mut flood {
            assert!(futures::poll!(call).is_pending());
        }
        // Of one connection, and over its share: the first has to go.
        let refused = flood.remove(0).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        assert_eq!(send(&layer, INFO, &[&promising(3), b"abc"]).await.unwrap(), 8);
        // Callers who are known have room of their own.
        let mut known: Vec<_> = (0..5).map(|_| Box::pin(send_all(&layer, Some("ada"), PUT, &pieces, true))).collect();
        for call in &mut known {
            assert!(futures::poll!(call).is_pending());
        }
        assert_eq!((layer.strangers.bytes(), layer.callers.bytes()), (65, 325));
        drop((flood, known));
        assert_eq!((layer.strangers.bytes(), layer.callers.bytes()), (0, 0));
    }

    #[tokio::test]
    async fn what_does_not_come_is_not_waited_for() {
        let layer = IntakeLayer::new(100, Duration::ZERO);
        let (half, whole) = (promising(90), promising(0));
        // One message that is whole, and no end, is half a request all the same.
        for (path, pieces) in [(INFO, vec![]), (INFO, vec![&half[..]]), (INFO, vec![&whole[..]]), (PUT, vec![&half[..]])] {
            let refused = send_all(&layer, None, path, &pieces, true).await.unwrap_err();
            assert_eq!(refused.code(), Code::DeadlineExceeded, "{path}: {refused}");
        }
        assert_eq!(layer.strangers.bytes(), 0);
    }

    #[tokio::test]
    async fn what_drips_is_not_waited_for_either() {
        let mut pace = Pace { waited: 2 * PATIENCE, ..Pace::new(PATIENCE) };
        std::future::poll_fn(|context| pace.poll_over(LEAST_RATE, context)).await;
        // What has come fast enough earns time.
        pace.waiting = None;
        let much = LEAST_RATE * 3_600_000 * 2;
        assert!(futures::poll!(std::future::poll_fn(|context| pace.poll_over(much, context))).is_pending());
    }
}
