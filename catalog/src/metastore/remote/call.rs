//! One call to the service: its headers and its deadline, whether it may be made again, and what its failure means.

use std::{fmt, time::Duration};

use glaux_proto::catalog::v1::catalog_service_client::CatalogServiceClient;
use tonic::{
    Code, ConnectError, Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::RemoteOptions;
use crate::{
    error::{Error, ErrorKind, Result},
    wire::{PROTOCOL, PROTOCOL_HEADER, failure},
};

pub(super) type Client = CatalogServiceClient<Channel>;

/// The largest message that is taken in.
const MAX_MESSAGE: usize = 256 << 20;

/// Before these pauses a call that may be made again is made again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// A connection to the service, made when it is needed and made anew when it was lost.
pub(super) struct Line {
    address: String,
    client: Client,
    authorization: Option<MetadataValue<Ascii>>,
    timeout: Duration,
}

/// What a call does over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Change,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The service was not reached, so that nothing has happened.
    Unreached(String),
    /// The service was reached, and then lost.
    Lost(String),
    /// It did not answer in this time.
    Late(Duration),
    /// The service's own answer.
    Answered(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Answered(error)
    }
}

/// Asks something, and asks again if the service was lost.
macro_rules! read {
    ($self:ident.$line:ident.$method:ident($asked:expr)) => {
        $crate::metastore::remote::call::ask!(Read, $self.$line.$method($asked))
    };
}

/// Changes something, once.
macro_rules! change {
    ($self:ident.$line:ident.$method:ident($asked:expr)) => {
        $crate::metastore::remote::call::ask!(Change, $self.$line.$method($asked))
    };
}

macro_rules! ask {
    ($purpose:ident, $self:ident.$line:ident.$method:ident($asked:expr)) => {{
        let (line, asked) = (&$self.$line, $asked);
        line.carried($crate::metastore::remote::call::Purpose::$purpose, || {
            let (mut client, request) = (line.client(), line.request(asked.clone(), line.timeout()));
            async move { line.answer(line.timeout(), client.$method(request)).await }
        })
        .await
    }};
}

pub(super) use ask;
pub(super) use change;
pub(super) use read;

impl Line {
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

    /// A request with the headers that every call has. The service gives up when the caller does.
    pub(super) fn request<T>(&self, message: T, timeout: Duration) -> Request<T> {
        let mut request = self.endless_request(message);
        request.set_timeout(timeout);
        request
    }

    /// The same without a deadline.
    pub(super) fn endless_request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(PROTOCOL_HEADER, PROTOCOL.into());
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    /// An answer, if it comes in time.
    pub(super) async fn answer<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.trouble(&status)),
            Err(_) => Err(Trouble::Late(timeout)),
        }
    }

    /// The next message of a stream, if it comes in time.
    pub(super) async fn next<T>(&self, messages: &mut Streaming<T>) -> Result<Option<T>, Trouble> {
        match tokio::time::timeout(self.timeout, messages.message()).await {
            Ok(message) => message.map_err(|status| self.trouble(&status)),
            Err(_) => Err(Trouble::Late(self.timeout)),
        }
    }

    /// Carries something out, from its beginning to its end; again, if that can do no harm.
    pub(super) async fn carried<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        purpose: Purpose,
        attempt: impl Fn() -> F,
    ) -> Result<T> {
        for pause in PAUSES {
            match attempt().await {
                Err(Trouble::Unreached(_)) => {}
                Err(Trouble::Lost(_)) if purpose == Purpose::Read => {}
                outcome => return outcome.map_err(|trouble| self.error(purpose, trouble)),
            }
            tokio::time::sleep(pause).await;
        }
        attempt().await.map_err(|trouble| self.error(purpose, trouble))
    }

    pub(super) fn trouble(&self, status: &Status) -> Trouble {
        if let Some(error) = failure::error(status) {
            return Trouble::Answered(error);
        }
        let said = said(status);
        let refused =
            |kind: ErrorKind, what: &str| Error::new(kind, format!("catalog service \"{}\" {what}: {said}", self.address));
        match status.code() {
            _ if was_not_reached(status) => Trouble::Unreached(said),
            Code::Unauthenticated => Trouble::Answered(
                refused(ErrorKind::Denied, "does not let you in")
                    .with_hint("Set GLAUX_CATALOG_TOKEN, or user and password in the section [catalog] of the configuration"),
            ),
            Code::PermissionDenied => Trouble::Answered(refused(ErrorKind::Denied, "denies this")),
            Code::Unimplemented => Trouble::Answered(
                refused(ErrorKind::Unsupported, "does not know what it is asked")
                    .with_hint("Is it the address of `glaux serve`, and of the same release?"),
            ),
            Code::InvalidArgument => Trouble::Answered(refused(ErrorKind::Invalid, "refuses what it is asked")),
            Code::ResourceExhausted | Code::OutOfRange => Trouble::Answered(
                refused(ErrorKind::LimitExceeded, "and its client exchange no messages of this size, or not so many calls")
                    .with_hint("Raise flight.max_message_bytes of the server, or ask for less"),
            ),
            Code::DeadlineExceeded => Trouble::Late(self.timeout),
            Code::Cancelled if said.contains("Timeout expired") => Trouble::Late(self.timeout),
            _ => Trouble::Lost(said),
        }
    }

    /// The error for the caller of the metastore.
    pub(super) fn error(&self, purpose: Purpose, trouble: Trouble) -> Error {
        let address = &self.address;
        let (message, cause, hint) = match trouble {
            Trouble::Answered(error) => return error,
            Trouble::Unreached(said) => {
                return Error::new(ErrorKind::Unavailable, format!("catalog service \"{address}\" cannot be reached"))
                    .with_hint("Nothing was changed. Does it run there, with TLS (grpcs://) or without (grpc://)?")
                    .with_source(Said(said));
            }
            Trouble::Lost(said) => (
                format!("catalog service \"{address}\" was lost in the middle of a call"),
                Some(said),
                // What awaits TLS hangs up on anything else.
                "Nothing was changed; try again. Does it speak TLS (grpcs://) or not (grpc://)?",
            ),
            Trouble::Late(time) => (
                format!("catalog service \"{address}\" did not answer within {time:?}"),
                None,
                "Nothing was changed; try again, or raise catalog.timeout",
            ),
        };
        let error = match purpose {
            Purpose::Read => Error::new(ErrorKind::Unavailable, message).with_hint(hint),
            Purpose::Change => {
                Error::new(ErrorKind::Unavailable, format!("{message}; it is not known whether the change was made"))
                    .with_hint("Look whether it was made before you make it again")
            }
        };
        match cause {
            Some(said) => error.with_source(Said(said)),
            None => error,
        }
    }
}

/// Whether there was no connection to send anything on.
fn was_not_reached(status: &Status) -> bool {
    let mut next = std::error::Error::source(status);
    while let Some(source) = next {
        if source.is::<ConnectError>() {
            return true;
        }
        next = source.source();
    }
    false
}

/// What a status and its causes say, each thing once.
fn said(status: &Status) -> String {
    let mut said = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(source) = next {
        let text = source.to_string();
        if !said.contains(&text) {
            said = if said.is_empty() { text } else { format!("{said}: {text}") };
        }
        next = source.source();
    }
    said
}

/// What the transport said.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}
