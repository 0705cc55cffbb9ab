//! Turns errors of `object_store` into ours, with the store, the object and what to try. The only place that does.
//!
//! Stores give their reason in an XML document (`<Code>NoSuchBucket</Code>`), in a status, or, when the connection failed, not at all.

use std::{error::Error as StdError, future::poll_fn, io, pin::pin, task::Poll};

use glaux_catalog::contained::contained;
use object_store::client::{HttpError, HttpErrorKind};

use super::{
    excerpt::excerpt,
    http_error::{BUSY, KeepsRefusing, NoListing, NoMetadataService, NoTokenService, Redirected},
    place::StorePlace,
    scheme::Scheme,
};
use crate::error::{Error, ErrorKind};

/// What to try where a service answers, and not as a store does.
const CHECK_ENDPOINT: &str = "Check the endpoint: something else may answer there, such as a console, a login page or a proxy";

impl StorePlace {
    /// A listing that says that it goes on, and not from where.
    pub(super) fn endless_listing(&self) -> Error {
        let message = format!("the listing of \"{}\" by \"{}\" does not end", self.name(None), self.service());
        Error::new(ErrorKind::Unavailable, message)
            .with_context("reason", "the store reports a next page without a new token for it")
            .with_hint(CHECK_ENDPOINT)
    }

    /// Makes a request. A client panics over some values that no request can carry: then the request fails, not the process.
    pub(super) async fn contained<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send,
    ) -> object_store::Result<T> {
        let mut request = pin!(request);
        poll_fn(|cx| contained(|| request.as_mut().poll(cx)).unwrap_or_else(|panic| Poll::Ready(Err(self.gave_up(&panic))))).await
    }

    fn gave_up(&self, panic: &str) -> object_store::Error {
        let error = Error::internal(format!("the client of \"{}\" failed", self.name(None)))
            .with_context("reason", excerpt(panic, 200))
            .with_hint("Check its endpoint, region and credentials for characters that are not allowed in a URL or a header");
        object_store::Error::Generic { store: "storage", source: Box::new(self.advised(error)) }
    }

    /// Whatever is wrong, credentials that are passed over may be why.
    fn advised(&self, error: Error) -> Error {
        match (&self.no_credentials, error.hint()) {
            (Some(why), Some(hint)) if hint != why => {
                let hint = format!("{hint}. {why}");
                error.with_hint(hint)
            }
            (Some(why), None) => error.with_hint(why),
            _ => error,
        }
    }

    /// Puts our error inside a store's, whose kind stays as it was, so that both who asks the store and who reads the chain is served.
    pub(super) fn annotate(&self, failed: object_store::Error) -> object_store::Error {
        use object_store::Error as Store;
        if find::<Error>(&failed).is_some() {
            return failed;
        }
        let ours = error(&failed, self);
        macro_rules! rewrap {
            ($($variant:ident),*) => {
                match failed {
                    $(Store::$variant { path, source } => {
                        let source = Box::new(ours.with_source(source));
                        Store::$variant { path, source }
                    })*
                    Store::Generic { store, source } => Store::Generic { store, source: Box::new(ours.with_source(source)) },
                    Store::NotSupported { source } => Store::NotSupported { source: Box::new(ours.with_source(source)) },
                    other @ Store::NotImplemented { .. } => Store::NotSupported { source: Box::new(ours.with_source(other)) },
                    other => Store::Generic { store: "storage", source: Box::new(ours.with_source(other)) },
                }
            };
        }
        rewrap!(NotFound, AlreadyExists, Precondition, NotModified, PermissionDenied, Unauthenticated)
    }
}

/// Puts one of our errors into a store's, for interfaces that demand one.
pub(super) fn to_store(error: Error, key: &str) -> object_store::Error {
    match error.kind() {
        ErrorKind::NotFound => object_store::Error::NotFound { path: key.to_owned(), source: Box::new(error) },
        ErrorKind::Denied => object_store::Error::PermissionDenied { path: key.to_owned(), source: Box::new(error) },
        ErrorKind::Unsupported => object_store::Error::NotSupported { source: Box::new(error) },
        _ => object_store::Error::Generic { store: "storage", source: Box::new(error) },
    }
}

/// What a store's error means. Stores of this module have put into it where it happened.
#[must_use]
pub fn from_store(failed: &object_store::Error) -> Error {
    error(failed, &StorePlace::default())
}

/// What a store's error means, with the place where it happened.
#[must_use]
pub(super) fn error(failed: &object_store::Error, place: &StorePlace) -> Error {
    if let Some(ours) = find::<Error>(failed) {
        return ours.clone();
    }
    let error = by_credentials(failed, place).or_else(|| by_code(failed, place)).or_else(|| by_connection(failed, place));
    let error = error.or_else(|| by_status(failed, place)).or_else(|| by_io(failed, place));
    let error = error.unwrap_or_else(|| by_variant(failed, place));
    if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable) { place.advised(error) } else { error }
}

/// By what became of the request for credentials.
fn by_credentials(failed: &object_store::Error, place: &StorePlace) -> Option<Error> {
    const UNREADABLE: [&str; 3] =
        ["Error reading federated token file", "Failed to read token file", "Failed to read EKS token file"];
    let object = place.name(None);
    if find::<NoMetadataService>(failed).is_some() {
        let usual = || place.scheme().unwrap_or(Scheme::S3).credentials_hint().to_owned();
        let hint = place.no_credentials.clone().unwrap_or_else(usual);
        return Some(denied(format!("no credentials for \"{object}\" were found")).with_hint(hint));
    }
    if let Some(NoTokenService { service, .. }) = find::<NoTokenService>(failed) {
        let message = format!("\"{service}\", which provides the credentials for \"{object}\", does not answer");
        let error = Error::new(ErrorKind::Unavailable, message).with_context("reason", excerpt(&innermost(failed), 200));
        return Some(error.with_hint(place.check_credentials()));
    }
    let text = failed.to_string();
    let with_reason = |error: Error| Some(error.with_context("reason", excerpt(&innermost(failed), 1000)));
    if UNREADABLE.iter().any(|part| text.contains(*part)) {
        let error = Error::invalid(format!("the token file for \"{object}\" cannot be read"));
        return with_reason(error.with_hint(place.check_credentials()));
    }
    if text.contains("Error performing token request") {
        let error = denied(format!("could not obtain a token for \"{object}\" with its credentials"));
        return with_reason(error.with_hint(place.check_credentials()));
    }
    if text.contains("'az account get-access-token' command failed") || text.contains("Failed to parse azure cli response") {
        let error = denied(format!("Azure's command line returned no token for \"{object}\""));
        return with_reason(error.with_hint("AZURE_USE_AZURE_CLI is set: install `az`, and log in with `az login`"));
    }
    None
}

/// By the code in the document that S3, Google and Azure answer with.
fn by_code(failed: &object_store::Error, place: &StorePlace) -> Option<Error> {
    let text = failed.to_string();
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let (object, bucket, noun) = (place.name(path_of(failed)), place.bucket(), place.noun());
    Some(match code {
        "NoSuchBucket" | "ContainerNotFound" | "ResourceNotFound" => no_bucket(place),
        "NoSuchKey" | "BlobNotFound" => Error::not_found(format!("\"{object}\" does not exist")),
        "InvalidBucketName" | "InvalidResourceName" | "OutOfRangeInput" => {
            Error::invalid(format!("\"{bucket}\" is not a valid {noun} name")).with_hint(format!("Check the {noun}'s name"))
        }
        "InvalidAccessKeyId" | "InvalidClientTokenId" => {
            denied(format!("unknown access key for \"{object}\"")).with_hint(place.check_credentials())
        }
        "SignatureDoesNotMatch" => denied(format!("the secret key for \"{object}\" is wrong"))
            .with_hint(format!("{}; the secret must belong to the access key", place.check_credentials())),
        "AuthenticationFailed" | "InvalidAuthenticationInfo" | "InvalidSecurity" => {
            denied(format!("the credentials for \"{object}\" are wrong")).with_hint(place.check_credentials())
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            denied(format!("the session token for \"{object}\" has expired"))
                .with_hint(format!("Obtain new temporary credentials. {}", place.check_credentials()))
        }
        "RequestTimeTooSkewed" => {
            denied(format!("the store of \"{object}\" rejects the time of this machine's clock")).with_hint("Correct the clock")
        }
        "AccessDenied"
        | "AllAccessDisabled"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions"
        | "NoAuthenticationInformation"
        | "AuthenticationRequired"
        | "PublicAccessNotPermitted"
        | "AccountIsDisabled"
        | "UserProjectAccountProblem"
        | "AccountProblem" => access_denied(&object, place),
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
            wrong_region(place)
        }
        code if BUSY.contains(&code) => throttled(&object),
        "InvalidRange" => Error::corrupt(format!("\"{object}\" is shorter than expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        _ => return None,
    })
}

/// By how the connection failed.
fn by_connection(failed: &object_store::Error, place: &StorePlace) -> Option<Error> {
    let service = place.service();
    let unavailable = |message: String| Error::new(ErrorKind::Unavailable, message);
    if let Some(other) = find::<NoListing>(failed) {
        let error = unavailable(format!("\"{service}\" did not answer with a listing of \"{}\"", place.name(None)));
        return Some(error.with_context("answer", other.answer()).with_hint(CHECK_ENDPOINT));
    }
    if let Some(Redirected { to }) = find(failed) {
        let object = place.name(path_of(failed));
        return Some(
            Error::invalid(format!("\"{object}\" redirects to \"{to}\", and redirects to other hosts are not followed"))
                .with_hint(match place.scheme() {
                    Some(Scheme::Http | Scheme::Https) => "To read it, define the table over that URL".to_owned(),
                    _ => format!("Set the {}'s endpoint or region to the one that has it", place.noun()),
                }),
        );
    }
    let http = innermost_http(failed)?;
    let chain = chain(http);
    Some(match http.kind() {
        HttpErrorKind::Connect if chain.contains("dns error") || chain.contains("failed to lookup address") => {
            unavailable(format!("the host of \"{service}\" cannot be resolved")).with_hint(match place.scheme() {
                Some(Scheme::Azure) => "Check the account's name and the endpoint, and that DNS works on this machine",
                Some(Scheme::Google) => "Check the endpoint, and that DNS works on this machine",
                _ => "Check the endpoint, the region and the bucket's name, and that DNS works on this machine",
            })
        }
        HttpErrorKind::Connect if chain.contains("certificate") => {
            unavailable(format!("the certificate of \"{service}\" is not trusted"))
                .with_hint(format!("Set ca_certificate_file in the {}'s settings to the PEM file of its authority", place.noun()))
        }
        HttpErrorKind::Connect if chain.contains("refused") => unavailable(format!("\"{service}\" refuses the connection"))
            .with_hint("Check the endpoint and its port, and that the service is running"),
        HttpErrorKind::Connect if ["corrupt message", "handshake", "tls"].iter().any(|part| chain.contains(*part)) => {
            unavailable(format!("the TLS handshake with \"{service}\" failed"))
                .with_context("reason", excerpt(&innermost(http), 200))
                .with_hint("Check the endpoint and its port; the endpoint of a service without TLS begins with http://")
        }
        HttpErrorKind::Connect => unavailable(format!("cannot connect to \"{service}\""))
            .with_context("reason", excerpt(&innermost(http), 200))
            .with_hint("Check the endpoint and its port, and the network"),
        HttpErrorKind::Timeout => unavailable(format!("\"{service}\" does not answer in time"))
            .with_hint("Check the endpoint and the network, or retry later"),
        _ if chain.contains("scheme is not allowed") => Error::invalid(format!("\"{service}\" is a plain HTTP endpoint"))
            .with_hint(format!(
                "Set {}=true, or allow_http in the {}'s settings, to use it without encryption",
                place.scheme().unwrap_or(Scheme::S3).allow_http_variable(),
                place.noun()
            )),
        _ => unavailable(format!("the connection to \"{service}\" was lost")).with_hint("Retry later"),
    })
}

/// By the status, where there was no document, as after a HEAD.
fn by_status(failed: &object_store::Error, place: &StorePlace) -> Option<Error> {
    let text = failed.to_string();
    let object = place.name(path_of(failed));
    if text.contains("redirect without LOCATION") {
        return Some(wrong_region(place));
    }
    let status = text.split_once("status code: ").map(|(_, rest)| rest.get(..3).unwrap_or_default());
    Some(match status? {
        "429" | "503" => throttled(&object),
        "401" | "403" => access_denied(&object, place),
        "301" | "307" => wrong_region(place),
        "416" => Error::corrupt(format!("\"{object}\" is shorter than expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        "500" | "502" | "504" | "408" => {
            Error::new(ErrorKind::Unavailable, format!("\"{}\" answers with an error", place.service())).with_hint("Retry later")
        }
        _ => return None,
    })
}

/// By the operating system's reason, for local files.
fn by_io(failed: &object_store::Error, place: &StorePlace) -> Option<Error> {
    let io = find::<io::Error>(failed)?;
    let object = place.name(path_of(failed));
    Some(match io.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::not_found(format!("\"{object}\" does not exist")),
        io::ErrorKind::AlreadyExists => Error::already_exists(format!("\"{object}\" already exists")),
        io::ErrorKind::PermissionDenied => {
            denied(format!("access to \"{object}\" is denied")).with_hint("Check the file's owner and permissions")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorKind::LimitExceeded, format!("no space left for \"{object}\"")).with_hint("Free some disk space")
        }
        io::ErrorKind::UnexpectedEof => Error::corrupt(format!("\"{object}\" is shorter than expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        _ => return None,
    })
}

/// By what `object_store` made of it.
fn by_variant(failed: &object_store::Error, place: &StorePlace) -> Error {
    use object_store::Error as Store;
    let object = place.name(path_of(failed));
    match failed {
        Store::NotFound { .. } => Error::not_found(format!("\"{object}\" does not exist")),
        Store::AlreadyExists { .. } => Error::already_exists(format!("\"{object}\" already exists")),
        Store::Precondition { .. } | Store::NotModified { .. } => {
            Error::conflict(format!("\"{object}\" was changed in the meantime")).with_hint("Run the statement again")
        }
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => access_denied(&object, place),
        Store::NotSupported { .. } if failed.to_string().contains("Range request not supported") => {
            Error::unsupported(format!("the server of \"{object}\" serves whole files only, not ranges of them"))
                .with_hint("Use a server that supports range requests, or copy the file to an object store")
        }
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            Error::unsupported(format!("operation not supported by the store of \"{object}\""))
                .with_context("reason", excerpt(&failed.to_string(), 1000))
        }
        Store::InvalidPath { .. } => Error::invalid(format!("\"{object}\" has a key that cannot be read"))
            .with_hint("Rename keys that have double slashes, segments . or .., or control characters"),
        Store::UnknownConfigurationKey { key, .. } => Error::invalid(format!("unknown store setting \"{key}\"")),
        _ => Error::new(ErrorKind::Unavailable, format!("reading \"{object}\" failed"))
            .with_context("reason", excerpt(&failed.to_string(), 1000)),
    }
}

fn denied(message: String) -> Error {
    Error::new(ErrorKind::Denied, message)
}

fn access_denied(object: &str, place: &StorePlace) -> Error {
    let noun = place.noun();
    let credentials = match &place.credentials {
        Some(origin) => format!("the credentials, which come from {origin},"),
        None => "the credentials".to_owned(),
    };
    denied(format!("access to \"{object}\" is denied")).with_hint(format!(
        "Check {credentials} and the {noun}'s policy; a public {noun} may need anonymous = true in its settings"
    ))
}

fn no_bucket(place: &StorePlace) -> Error {
    let noun = place.noun();
    let (whose, endpoint) = match (place.scheme(), &place.endpoint) {
        (Some(Scheme::Azure), Some(_)) => {
            (", the account", "; Azurite's ends with the account, as in http://127.0.0.1:10000/devstoreaccount1")
        }
        (Some(Scheme::Azure), None) => (", the account", ""),
        _ => ("", ""),
    };
    Error::not_found(format!("the {noun} \"{}\" does not exist", place.bucket()))
        .with_hint(format!("Check the {noun}'s name{whose} and the endpoint{endpoint}"))
}

fn throttled(object: &str) -> Error {
    Error::new(ErrorKind::Throttled, format!("the store of \"{object}\" is throttling requests")).with_hint("Retry later")
}

fn wrong_region(place: &StorePlace) -> Error {
    let error = Error::invalid(format!("the {} \"{}\" is in another region", place.noun(), place.bucket()));
    match place.scheme() {
        Some(Scheme::S3) | None => error.with_hint("Set AWS_REGION, or region in the bucket's settings, to the bucket's region"),
        _ => error.with_hint("Check the endpoint"),
    }
}

/// The path that the error tells.
fn path_of(failed: &object_store::Error) -> Option<&str> {
    use object_store::Error as Store;
    match failed {
        Store::NotFound { path, .. }
        | Store::AlreadyExists { path, .. }
        | Store::Precondition { path, .. }
        | Store::NotModified { path, .. }
        | Store::PermissionDenied { path, .. }
        | Store::Unauthenticated { path, .. } => Some(path),
        _ => None,
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    fn below<'a>(error: &&'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    }
    std::iter::successors(Some(error), below)
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The failure of the connection itself, below our own notes on it.
fn innermost_http<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a HttpError> {
    match find::<KeepsRefusing>(error) {
        Some(refusing) => refusing.source().and_then(find::<HttpError>),
        None => find::<HttpError>(error),
    }
}

/// What the error at the bottom of a chain says: the reason itself.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
