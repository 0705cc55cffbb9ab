//! Errors that our HTTP layer adds. They travel inside `object_store`'s errors, and `failure` finds them there.

use std::{error::Error as StdError, fmt};

use http::header::LOCATION;
use object_store::client::{HttpError, HttpResponse};
use url::Url;

use super::excerpt::excerpt;

/// Codes of stores that ask for a slower pace.
pub(super) const BUSY: [&str; 7] = [
    "SlowDown",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "ServerBusy",
    "ServiceUnavailable",
];

/// No metadata service answers: this machine has no credentials of its own.
#[derive(Debug)]
pub(super) struct NoMetadataService(pub(super) HttpError);

/// A service that hands out credentials does not answer.
#[derive(Debug)]
pub(super) struct NoTokenService {
    pub(super) service: String,
    pub(super) source: HttpError,
}

/// A host has refused connections several times.
#[derive(Debug)]
pub(super) struct KeepsRefusing(pub(super) HttpError);

impl fmt::Display for NoMetadataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no metadata service answers")
    }
}

impl fmt::Display for NoTokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" does not answer", self.service)
    }
}

impl fmt::Display for KeepsRefusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")
    }
}

impl StdError for NoMetadataService {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl StdError for NoTokenService {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

impl StdError for KeepsRefusing {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// An answer that redirects to another place.
#[derive(Debug)]
pub(super) struct Redirected {
    /// The URL, without what may be a secret.
    pub(super) to: String,
}

impl Redirected {
    /// What an answer says of another place, if it does. Without a `Location` header the store itself decides what it means.
    pub(super) fn by(response: &HttpResponse) -> Option<Self> {
        let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
        let to = location
            .to_str()
            .ok()
            .and_then(|to| Url::parse(to).ok())
            .map_or_else(|| "another place".to_owned(), |url| format!("{}{}", url.origin().ascii_serialization(), url.path()));
        Some(Self { to })
    }
}

impl fmt::Display for Redirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redirected to {}", self.to)
    }
}

impl StdError for Redirected {}

/// A request for a listing was answered with something else: the page of a console or a proxy, say.
#[derive(Debug)]
pub(super) struct NoListing(String);

impl NoListing {
    pub(super) fn of(body: &[u8]) -> Self {
        Self(excerpt(&String::from_utf8_lossy(body), 200))
    }

    /// How the answer begins.
    pub(super) fn answer(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NoListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is not a listing")
    }
}

impl StdError for NoListing {}
