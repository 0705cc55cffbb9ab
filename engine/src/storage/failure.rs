//! What a store's failure means to the user: the one place that turns `object_store`'s errors into ours, with the store, the object
//! and what to try.
//!
//! Stores tell their reasons in an XML document (`<Code>NoSuchBucket</Code>`), in a status, or not at all, when the connection failed.

use std::{error::Error as StdError, io, sync::Arc};

use object_store::client::{HttpError, HttpErrorKind};

use super::{
    url::{Scheme, StoreKey},
    wire::{KeepsRefusing, NoMetadataService},
};
use crate::error::{Error, ErrorKind};

/// Where something failed: a store, and perhaps a key in it.
#[derive(Debug, Clone, Default)]
pub struct Place {
    store: Option<StoreKey>,
    key: Option<String>,
    /// The service's URL where it is not the provider's usual one.
    endpoint: Option<String>,
    /// What to say of credentials that were not found.
    credentials_hint: Option<Arc<str>>,
}

impl Place {
    pub(super) fn new(store: StoreKey, endpoint: Option<String>, credentials_hint: Option<String>) -> Self {
        Self { store: Some(store), key: None, endpoint, credentials_hint: credentials_hint.map(Arc::from) }
    }

    /// The same store, at a key.
    #[must_use]
    pub fn at(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The URL of a key of this store.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        match &self.store {
            Some(store) if store.authority.is_empty() => format!("/{key}"),
            Some(store) => format!("{store}/{key}"),
            None => key.to_owned(),
        }
    }

    /// The URL of this place, or what the store calls it.
    fn name(&self, path: Option<&str>) -> String {
        match path.or(self.key.as_deref()) {
            // A path that is absolute already, as local errors have it.
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(key) => self.key(key),
            None => self.store.as_ref().map_or_else(|| "the store".to_owned(), ToString::to_string),
        }
    }

    /// Whether the store's keys are listed in their order, and from any key on.
    pub(super) fn lists_in_order(&self) -> bool {
        self.scheme().is_some_and(|scheme| scheme != Scheme::Azure) && !self.bucket().ends_with("--x-s3")
    }

    fn bucket(&self) -> &str {
        self.store.as_ref().map_or("", StoreKey::bucket)
    }

    fn scheme(&self) -> Option<Scheme> {
        self.store.as_ref().map(|store| store.scheme)
    }

    /// Who does not answer: the endpoint, or the provider's for this bucket.
    fn service(&self) -> String {
        self.endpoint.clone().or_else(|| self.store.as_ref().map(ToString::to_string)).unwrap_or_else(|| "the store".to_owned())
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
                    other => other,
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

/// What a store's error means, told with the place where it happened.
#[must_use]
pub fn error(failed: &object_store::Error, place: &Place) -> Error {
    if let Some(ours) = find::<Error>(failed) {
        return ours.clone();
    }
    let told = by_code(failed, place).or_else(|| by_connection(failed, place)).or_else(|| by_status(failed, place));
    told.or_else(|| by_io(failed, place)).unwrap_or_else(|| by_variant(failed, place))
}

/// By the code in the document that S3, Google and Azure answer with.
fn by_code(failed: &object_store::Error, place: &Place) -> Option<Error> {
    let text = failed.to_string();
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let (object, bucket) = (place.name(path_of(failed)), place.bucket());
    Some(match code {
        "NoSuchBucket" | "ContainerNotFound" => Error::not_found(format!("the bucket \"{bucket}\" does not exist"))
            .with_hint("Check the bucket's name and the endpoint"),
        "NoSuchKey" | "BlobNotFound" => Error::not_found(format!("\"{object}\" does not exist")),
        "InvalidAccessKeyId" | "InvalidClientTokenId" => {
            denied(format!("the access key for \"{object}\" is not known to the store"))
                .with_hint("Check AWS_ACCESS_KEY_ID, or the access_key_id of the bucket's settings")
        }
        "SignatureDoesNotMatch" | "AuthenticationFailed" => denied(format!("the secret key for \"{object}\" is wrong"))
            .with_hint("Check AWS_SECRET_ACCESS_KEY, or the bucket's settings; it must belong to the access key"),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            denied(format!("the session token for \"{object}\" has expired")).with_hint("Obtain new temporary credentials")
        }
        "RequestTimeTooSkewed" => {
            denied(format!("the store of \"{object}\" finds this machine's clock wrong")).with_hint("Set the clock")
        }
        "AccessDenied" | "AllAccessDisabled" | "AuthorizationFailure" | "AuthorizationPermissionMismatch" | "AccountProblem" => {
            access_denied(&object)
        }
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
            wrong_region(bucket)
        }
        "SlowDown"
        | "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "ServerBusy"
        | "ServiceUnavailable" => throttled(&object),
        "InvalidRange" => Error::corrupt(format!("\"{object}\" is shorter than was expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        _ => return None,
    })
}

/// By how the connection failed.
fn by_connection(failed: &object_store::Error, place: &Place) -> Option<Error> {
    let service = place.service();
    if find::<NoMetadataService>(failed).is_some() {
        let hint = match &place.credentials_hint {
            Some(hint) => hint.to_string(),
            None => credentials_hint(place.scheme()).to_owned(),
        };
        return Some(denied(format!("no credentials for \"{}\" were found", place.name(None))).with_hint(hint));
    }
    let http = innermost_http(failed)?;
    let chain = chain(http);
    let unavailable = |message: String| Error::new(ErrorKind::Unavailable, message);
    Some(match http.kind() {
        HttpErrorKind::Connect if chain.contains("dns error") || chain.contains("failed to lookup address") => {
            unavailable(format!("the host of \"{service}\" is not known"))
                .with_hint("Check the endpoint, the region and the bucket's name, and that names are resolved here")
        }
        HttpErrorKind::Connect if chain.contains("certificate") => {
            unavailable(format!("the certificate of \"{service}\" is not trusted"))
                .with_hint("Name its authority's PEM file as ca_certificate_file in the bucket's settings")
        }
        HttpErrorKind::Connect => unavailable(format!("\"{service}\" refuses the connection"))
            .with_hint("Check the endpoint and its port, and that the service is running"),
        HttpErrorKind::Timeout => unavailable(format!("\"{service}\" does not answer in time"))
            .with_hint("Check the endpoint and the network, or retry later"),
        _ if chain.contains("scheme is not allowed") => Error::invalid(format!("\"{service}\" is a plain HTTP endpoint"))
            .with_hint("Set AWS_ALLOW_HTTP=true, or allow_http in the bucket's settings, to use it without encryption"),
        _ => unavailable(format!("the connection to \"{service}\" broke off")).with_hint("Retry later"),
    })
}

/// By the status, where there was no document, as after a HEAD.
fn by_status(failed: &object_store::Error, place: &Place) -> Option<Error> {
    let text = failed.to_string();
    let object = place.name(path_of(failed));
    if text.contains("redirect without LOCATION") {
        return Some(wrong_region(place.bucket()));
    }
    let status = text.split_once("status code: ").map(|(_, rest)| rest.get(..3).unwrap_or_default());
    Some(match status? {
        "429" | "503" => throttled(&object),
        "401" | "403" => access_denied(&object),
        "301" | "307" => wrong_region(place.bucket()),
        "416" => Error::corrupt(format!("\"{object}\" is shorter than was expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        "500" | "502" | "504" | "408" => {
            Error::new(ErrorKind::Unavailable, format!("\"{}\" fails to answer", place.service())).with_hint("Retry later")
        }
        _ => return None,
    })
}

/// By the operating system's reason, for local files.
fn by_io(failed: &object_store::Error, place: &Place) -> Option<Error> {
    let io = find::<io::Error>(failed)?;
    let object = place.name(path_of(failed));
    Some(match io.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::not_found(format!("\"{object}\" does not exist")),
        io::ErrorKind::AlreadyExists => Error::already_exists(format!("\"{object}\" exists already")),
        io::ErrorKind::PermissionDenied => {
            denied(format!("access to \"{object}\" is denied")).with_hint("Check the file's owner and permissions")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(ErrorKind::LimitExceeded, format!("there is no space left for \"{object}\"")).with_hint("Free some space")
        }
        io::ErrorKind::UnexpectedEof => Error::corrupt(format!("\"{object}\" is shorter than was expected"))
            .with_hint("It may have been replaced while it was read: run the query again"),
        _ => return None,
    })
}

/// By what `object_store` made of it.
fn by_variant(failed: &object_store::Error, place: &Place) -> Error {
    use object_store::Error as Store;
    let object = place.name(path_of(failed));
    match failed {
        Store::NotFound { .. } => Error::not_found(format!("\"{object}\" does not exist")),
        Store::AlreadyExists { .. } => Error::already_exists(format!("\"{object}\" exists already")),
        Store::Precondition { .. } | Store::NotModified { .. } => {
            Error::conflict(format!("\"{object}\" was changed meanwhile")).with_hint("Run the statement again")
        }
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => access_denied(&object),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            Error::unsupported(format!("the store of \"{object}\" cannot do this")).with_context("reason", failed.to_string())
        }
        Store::InvalidPath { .. } => Error::invalid(format!("\"{object}\" holds a key that cannot be read"))
            .with_hint("Keys with double slashes, segments . and .., or control characters must be renamed"),
        Store::UnknownConfigurationKey { key, .. } => Error::invalid(format!("the setting \"{key}\" of a store is not known")),
        _ => {
            Error::new(ErrorKind::Unavailable, format!("reading \"{object}\" failed")).with_context("reason", failed.to_string())
        }
    }
}

fn denied(message: String) -> Error {
    Error::new(ErrorKind::Denied, message)
}

fn access_denied(object: &str) -> Error {
    denied(format!("access to \"{object}\" is denied"))
        .with_hint("Check the credentials and the bucket's policy; a public bucket may need anonymous = true in its settings")
}

fn throttled(object: &str) -> Error {
    Error::new(ErrorKind::Throttled, format!("the store of \"{object}\" asks for a slower pace")).with_hint("Retry later")
}

fn wrong_region(bucket: &str) -> Error {
    Error::invalid(format!("the bucket \"{bucket}\" is in another region"))
        .with_hint("Set AWS_REGION, or region in the bucket's settings, to the bucket's region")
}

/// What to set so that a store finds credentials.
fn credentials_hint(scheme: Option<Scheme>) -> &'static str {
    match scheme {
        Some(Scheme::Google) => {
            "Set GOOGLE_APPLICATION_CREDENTIALS, or service_account_file or anonymous = true in the bucket's settings"
        }
        Some(Scheme::Azure) => {
            "Set AZURE_STORAGE_ACCOUNT_KEY, or account_key, sas_token or anonymous = true in the container's settings"
        }
        _ => "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or access_key_id or anonymous = true in the bucket's settings",
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

fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
