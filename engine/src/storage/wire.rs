//! The HTTP layer below the stores. It counts every attempt by kind, and the body bytes of GETs as they stream, in the meter of the query that
//! made the request.
//!
//! A request finds its meter in its own extensions ([`MeterTag`]), or, where `object_store` passes none on (parts of uploads, copies, deletes),
//! in the task that polls it. A request with neither, such as one for credentials, belongs to no query. `object_store` retries, except in two
//! hopeless cases: a host that keeps refusing connections, and a missing metadata service for credentials. An answer to a read or a listing that
//! stalls, before its first byte or between two, fails as a time-out, which `object_store` retries. A redirect to another host fails: `client`
//! does not follow it.

mod client;

use std::{
    collections::HashMap,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode, Uri, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService},
};
use reqwest::Certificate;
use tokio::time::{Instant, Sleep};

use super::{
    http_error::{KeepsRefusing, NoMetadataService, NoTokenService, Redirected},
    list::EarlyPage,
    meter_tag::{MeterTag, current_tag},
};
use crate::accounting::{RequestKind, StoreMeter};

/// Attempts of one operation that may fail to connect before it is given up.
const CONNECT_ATTEMPTS: u32 = 5;

/// Makes metered clients, and shares their connections among all stores with the same client settings.
#[derive(Clone)]
pub(super) struct WireConnector {
    clients: Arc<Mutex<HashMap<String, HttpClient>>>,
    /// What distinguishes the settings beyond those that `ClientOptions` tells: the file of certificates, and what is in it.
    certificate_file: String,
    certificates: Vec<Certificate>,
    /// Whether the store sends nothing but requests for data, so that each is counted.
    plain: bool,
    /// How long an answer may stall.
    stall: Duration,
}

impl Default for WireConnector {
    fn default() -> Self {
        let (certificate_file, certificates) = Default::default();
        Self { clients: Arc::default(), certificate_file, certificates, plain: false, stall: Duration::MAX }
    }
}

impl WireConnector {
    /// A connector that shares this one's clients, for a store that trusts these certificates too.
    pub(super) fn for_store(&self, certificates: (String, Vec<Certificate>), plain: bool, stall: Duration) -> Self {
        let (certificate_file, certificates) = certificates;
        Self { clients: Arc::clone(&self.clients), certificate_file, certificates, plain, stall }
    }
}

impl fmt::Debug for WireConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireConnector").field("plain", &self.plain).finish_non_exhaustive()
    }
}

impl HttpConnector for WireConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let settings: Vec<_> = client::SETTINGS.iter().map(|key| options.get_config_value(key)).collect();
        let key = format!("{settings:?} {}", self.certificate_file);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match clients.get(&key) {
            Some(client) => client.clone(),
            None => {
                let client = client::build(options, &self.certificates)?;
                clients.insert(key, client.clone());
                client
            }
        };
        Ok(HttpClient::new(WireService { client, plain: self.plain, stall: self.stall }))
    }
}

#[derive(Debug)]
struct WireService {
    client: HttpClient,
    plain: bool,
    stall: Duration,
}

impl WireService {
    /// Sends a request. Only reads and listings may not stall: the answer to a write comes after its body, however long that takes, and
    /// what it did is not known without the answer.
    async fn execute(&self, request: HttpRequest, kind: RequestKind) -> Result<HttpResponse, HttpError> {
        match kind {
            RequestKind::Get | RequestKind::Head | RequestKind::List => {
                let answer = tokio::time::timeout(self.stall, self.client.execute(request)).await;
                let response = answer.unwrap_or_else(|_| Err(stalled(self.stall)))?;
                let stall = self.stall;
                Ok(response.map(|body| HttpResponseBody::new(WatchedBody { body, stall, patience: None, is_waiting: false })))
            }
            RequestKind::Put | RequestKind::Delete => self.client.execute(request).await,
        }
    }
}

#[async_trait]
impl HttpService for WireService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let kind = classify(request.method(), request.uri());
        let tag = match request.extensions().get::<MeterTag>() {
            Some(tag) => Some(tag.clone()),
            None => current_tag().filter(|_| self.plain || is_for_data(&request)),
        };
        let early = request.extensions().get::<EarlyPage>().cloned();
        // What is nobody's is for credentials.
        let for_metadata = tag.is_none() && is_metadata_request(request.uri());
        let service = request.uri().authority().filter(|_| tag.is_none() && !self.plain).map(ToString::to_string);
        if let Some(tag) = &tag {
            tag.meter().add_request(kind);
        }
        let response = match self.execute(request, kind).await {
            // It answers, and knows of no credentials.
            Ok(response) if for_metadata && response.status() == StatusCode::NOT_FOUND => {
                let answer = HttpError::new(HttpErrorKind::Unknown, io::Error::from(io::ErrorKind::NotFound));
                return Err(HttpError::new(HttpErrorKind::Unknown, NoMetadataService(answer)));
            }
            Ok(response) => response,
            Err(error) if for_metadata => {
                return Err(HttpError::new(HttpErrorKind::Unknown, NoMetadataService(error)));
            }
            Err(source) => {
                if let Some(service) = service {
                    return Err(HttpError::new(source.kind(), NoTokenService { service, source }));
                }
                let is_refused = source.kind() == HttpErrorKind::Connect;
                let hopeless = is_refused && tag.is_some_and(|tag| tag.failed_to_connect() >= CONNECT_ATTEMPTS);
                return Err(if hopeless { HttpError::new(HttpErrorKind::Unknown, KeepsRefusing(source)) } else { source });
            }
        };
        if let Some(redirected) = Redirected::by(&response) {
            return Err(HttpError::new(HttpErrorKind::Unknown, redirected));
        }
        if let Some(early) = early.filter(|_| response.status().is_success()) {
            let (mut head, body) = response.into_parts();
            head.headers.remove(CONTENT_LENGTH);
            let (status, body) =
                early.read(body.bytes().await?).map_err(|other| HttpError::new(HttpErrorKind::Unknown, other))?;
            head.status = status;
            return Ok(HttpResponse::from_parts(head, body.into()));
        }
        Ok(match tag {
            Some(tag) if kind == RequestKind::Get && response.status().is_success() => {
                response.map(|body| HttpResponseBody::new(CountedBody { body, meter: Arc::clone(tag.meter()) }))
            }
            _ => response,
        })
    }
}

/// What kind of request this is on the bill of a store. Listings are `GET ?list-type=2` for S3 and Google's XML interface,
/// `GET ?comp=list` for Azure, and `PROPFIND` for WebDAV; multi-object deletions are `POST ?delete` and Azure's `POST ?comp=batch`.
fn classify(method: &Method, uri: &Uri) -> RequestKind {
    match method.as_str() {
        "HEAD" => RequestKind::Head,
        "DELETE" => RequestKind::Delete,
        "PROPFIND" => RequestKind::List,
        "GET" if has_query(uri, "list-type", None) || has_query(uri, "comp", Some("list")) => RequestKind::List,
        "GET" => RequestKind::Get,
        "POST" if has_query(uri, "delete", None) || has_query(uri, "comp", Some("batch")) => RequestKind::Delete,
        _ => RequestKind::Put,
    }
}

fn has_query(uri: &Uri, name: &str, value: Option<&str>) -> bool {
    uri.query().unwrap_or_default().split('&').any(|pair| {
        let (key, given) = pair.split_once('=').unwrap_or((pair, ""));
        key == name && value.is_none_or(|value| value == given)
    })
}

/// Whether a request without a tag of its own is about an object, and not about credentials, which are fetched in the same task.
fn is_for_data(request: &HttpRequest) -> bool {
    const QUERIES: [&str; 7] = ["uploads", "uploadId", "partNumber", "delete", "comp", "list-type", "blockid"];
    const COPIES: [&str; 3] = ["x-amz-copy-source", "x-goog-copy-source", "x-ms-copy-source"];
    request.method() == Method::DELETE
        || QUERIES.iter().any(|name| has_query(request.uri(), name, None))
        || COPIES.iter().any(|name| request.headers().contains_key(*name))
}

/// Whether this asks the service that hands out a machine's credentials, of AWS or Google. Where there is none, there is nothing to
/// wait for.
fn is_metadata_request(uri: &Uri) -> bool {
    const PATHS: [&str; 3] = ["/latest/api/token", "/latest/meta-data/", "/computeMetadata/"];
    uri.host().is_some_and(|host| host.starts_with("169.254.") || host == "metadata.google.internal" || host == "metadata")
        || PATHS.iter().any(|path| uri.path().starts_with(path))
}

/// No byte of an answer came for so long.
#[derive(Debug)]
struct Stalled(Duration);

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no data received for {:?}", self.0)
    }
}

impl std::error::Error for Stalled {}

fn stalled(stall: Duration) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Stalled(stall))
}

/// A response's body that fails when nothing of it comes for too long. The time runs only while somebody waits for it.
struct WatchedBody {
    body: HttpResponseBody,
    stall: Duration,
    patience: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.is_waiting = false;
            return Poll::Ready(frame);
        }
        let Some(until) = Instant::now().checked_add(this.stall) else { return Poll::Pending };
        let patience = this.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !std::mem::replace(&mut this.is_waiting, true) {
            patience.as_mut().reset(until);
        }
        patience.as_mut().poll(cx).map(|()| Some(Err(stalled(this.stall))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body that counts what of it arrives.
struct CountedBody {
    body: HttpResponseBody,
    meter: Arc<StoreMeter>,
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.meter.add_fetched(data.len() as u64);
        }
        polled
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
    use super::*;

    #[test]
    fn requests_are_classified_as_stores_bill_them() {
        for (method, uri, kind) in [
            ("GET", "http://h/b/k?versionId=1", RequestKind::Get),
            ("GET", "http://h/b/comp=list", RequestKind::Get),
            ("GET", "http://h/b?delimiter=%2F&list-type=2&prefix=a", RequestKind::List),
            ("GET", "http://h/c?restype=container&comp=list", RequestKind::List),
            ("PROPFIND", "http://h/c", RequestKind::List),
            ("HEAD", "http://h/b/k", RequestKind::Head),
            ("PUT", "http://h/b/k?partNumber=1&uploadId=x", RequestKind::Put),
            ("POST", "http://h/b/k?uploads=", RequestKind::Put),
            ("POST", "http://h/b?delete", RequestKind::Delete),
            ("POST", "http://h/c?restype=container&comp=batch", RequestKind::Delete),
            ("DELETE", "http://h/b/k", RequestKind::Delete),
        ] {
            assert_eq!(classify(&method.parse().unwrap(), &uri.parse().unwrap()), kind, "{method} {uri}");
        }
    }
}
