//! The connection to the service, and how calls are made: their headers and deadlines, whether they are retried, and what their failures mean.

use std::{fmt, time::Duration};

use futures::{Stream, stream};
use glaux_proto::catalog::v1::catalog_service_client::CatalogServiceClient;
use tonic::{
    Code, ConnectError, Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::options::RemoteOptions;
use crate::{
    error::{Error, ErrorKind, Result},
    grpc::{
        protocol::{PROTOCOL, PROTOCOL_HEADER},
        status::error_of,
    },
};

pub(super) type Client = CatalogServiceClient<Channel>;

/// The largest message that is accepted.
const MAX_MESSAGE: usize = 256 << 20;

/// The pauses before retries.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// A connection to the service, opened when it is needed and reopened when it was lost.
pub(super) struct Connection {
    address: String,
    client: Client,
    authorization: Option<MetadataValue<Ascii>>,
    timeout: Duration,
}

/// What a call does at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Change,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// There was no connection, so nothing was sent.
    Unreachable(String),
    /// The connection was lost before the answer.
    Lost(String),
    /// There was no answer within this time.
    TimedOut(Duration),
    /// The service answered with an error.
    Answered(Error),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Answered(error)
    }
}

/// A call that only reads. It is retried if the connection was lost.
macro_rules! read {
    ($self:ident.$connection:ident.$method:ident($asked:expr)) => {
        $crate::grpc::client::connection::call!(Read, $self.$connection.$method($asked))
    };
}

/// A call that changes something. It is sent once.
macro_rules! change {
    ($self:ident.$connection:ident.$method:ident($asked:expr)) => {
        $crate::grpc::client::connection::call!(Change, $self.$connection.$method($asked))
    };
}

macro_rules! call {
    ($purpose:ident, $self:ident.$connection:ident.$method:ident($asked:expr)) => {{
        let (connection, asked) = (&$self.$connection, $asked);
        connection
            .call($crate::grpc::client::connection::Purpose::$purpose, || {
                let (mut client, request) = (connection.client(), connection.request(asked.clone(), connection.timeout()));
                async move { connection.answer(connection.timeout(), client.$method(request)).await }
            })
            .await
    }};
}

pub(super) use call;
pub(super) use change;
pub(super) use read;

impl Connection {
    pub(super) fn new(options: &RemoteOptions) -> Result<Self> {
        let client = CatalogServiceClient::new(options.endpoint()?.connect_lazy()).max_decoding_message_size(MAX_MESSAGE);
        Ok(Self { address: options.url.clone(), client, authorization: options.authorization()?, timeout: options.timeout })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// How long an answer may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A request with the headers of every call, and a deadline after which the service cancels the call.
    pub(super) fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = self.request_without_deadline(message);
        request.set_timeout(timeout);
        request
    }

    /// The same without a deadline.
    pub(super) fn request_without_deadline<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(PROTOCOL_HEADER, PROTOCOL.into());
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    /// The answer, if it comes in time.
    pub(super) async fn answer<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.call_error(&status)),
            Err(_) => Err(CallError::TimedOut(timeout)),
        }
    }

    /// The next message of a stream, if it comes in time.
    pub(super) async fn next<T>(&self, messages: &mut Streaming<T>) -> Result<Option<T>, CallError> {
        match tokio::time::timeout(self.timeout, messages.message()).await {
            Ok(message) => message.map_err(|status| self.call_error(&status)),
            Err(_) => Err(CallError::TimedOut(self.timeout)),
        }
    }

    /// Makes a call, and retries it if that is safe.
    pub(super) async fn call<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        purpose: Purpose,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        for pause in PAUSES {
            match attempt().await {
                Err(CallError::Unreachable(_)) => {}
                Err(CallError::Lost(_)) if purpose == Purpose::Read => {}
                outcome => return outcome.map_err(|error| self.error(purpose, error)),
            }
            tokio::time::sleep(pause).await;
        }
        attempt().await.map_err(|error| self.error(purpose, error))
    }

    pub(super) fn call_error(&self, status: &Status) -> CallError {
        if let Some(error) = error_of(status) {
            return CallError::Answered(error);
        }
        let text = text_of(status);
        let rejected =
            |kind: ErrorKind, what: &str| Error::new(kind, format!("catalog service \"{}\" {what}: {text}", self.address));
        match status.code() {
            _ if was_not_connected(status) => CallError::Unreachable(text),
            Code::Unauthenticated => CallError::Answered(
                rejected(ErrorKind::Denied, "requires valid credentials")
                    .with_hint("Set GLAUX_CATALOG_TOKEN, or user and password in the section [catalog] of the configuration"),
            ),
            Code::PermissionDenied => CallError::Answered(rejected(ErrorKind::Denied, "denied access")),
            Code::Unimplemented => CallError::Answered(
                rejected(ErrorKind::Unsupported, "does not support this call")
                    .with_hint("Check that this is the address of `glaux serve`, of the same release"),
            ),
            Code::InvalidArgument => CallError::Answered(rejected(ErrorKind::Invalid, "rejected the request")),
            Code::ResourceExhausted | Code::OutOfRange => CallError::Answered(
                rejected(ErrorKind::LimitExceeded, "rejected a message that is too large, or too many calls")
                    .with_hint("Raise flight.max_message_bytes on the server, or request less"),
            ),
            Code::DeadlineExceeded => CallError::TimedOut(self.timeout),
            Code::Cancelled if text.contains("Timeout expired") => CallError::TimedOut(self.timeout),
            _ => CallError::Lost(text),
        }
    }

    /// The error for the caller of the metastore.
    pub(super) fn error(&self, purpose: Purpose, error: CallError) -> Error {
        let address = &self.address;
        let (message, cause, hint) = match error {
            CallError::Answered(error) => return error,
            CallError::Unreachable(text) => {
                return Error::new(ErrorKind::Unavailable, format!("catalog service \"{address}\" cannot be reached"))
                    .with_hint("Nothing was changed. Check that it runs there, and whether with TLS (grpcs://) or not (grpc://)")
                    .with_source(TransportError(text));
            }
            CallError::Lost(text) => (
                format!("the connection to catalog service \"{address}\" was lost during a call"),
                Some(text),
                // A server with TLS closes connections without it.
                "Nothing was changed: retry. Check whether it uses TLS (grpcs://) or not (grpc://)",
            ),
            CallError::TimedOut(time) => (
                format!("catalog service \"{address}\" did not answer within {time:?}"),
                None,
                "Nothing was changed: retry, or raise catalog.timeout",
            ),
        };
        let error = match purpose {
            Purpose::Read => Error::new(ErrorKind::Unavailable, message).with_hint(hint),
            Purpose::Change => {
                Error::new(ErrorKind::Unavailable, format!("{message}; it is not known whether the change was made"))
                    .with_hint("Check whether it was made before you retry")
            }
        };
        match cause {
            Some(text) => error.with_source(TransportError(text)),
            None => error,
        }
    }
}

/// Whether the call failed because no connection could be opened.
fn was_not_connected(status: &Status) -> bool {
    let mut next = std::error::Error::source(status);
    while let Some(source) = next {
        if source.is::<ConnectError>() {
            return true;
        }
        next = source.source();
    }
    false
}

/// The texts of a status and its causes, without repetitions.
fn text_of(status: &Status) -> String {
    let mut whole = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(source) = next {
        let text = source.to_string();
        if !whole.contains(&text) {
            whole = if whole.is_empty() { text } else { format!("{whole}: {text}") };
        }
        next = source.source();
    }
    whole
}

/// An error of the transport.
#[derive(Debug)]
struct TransportError(String);

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TransportError {}

/// A stream of messages to send. It owns them, as it may outlive the call that sends it; copies share the large parts.
pub(super) fn messages_of<P, M>(parts: &[P], message: impl Fn(P) -> M + Send + 'static) -> impl Stream<Item = M> + Send + 'static
where
    P: Clone + Send + 'static,
    M: Send + 'static,
{
    let own: Vec<P> = parts.to_vec();
    stream::iter(own.into_iter().map(message))
}

/// How much longer a change of this many partitions may take.
pub(super) fn extra_time(partitions: u64) -> Duration {
    Duration::from_micros(partitions * 100)
}
