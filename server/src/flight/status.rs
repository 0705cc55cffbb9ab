//! Errors as Flight's statuses, with codes by the catalog's map from kinds: the only place that builds a `Status` here.
//!
//! A status travels in headers, which clients limit to 8 KiB: its text is cut before that.

use std::{error::Error as _, fmt::Write as _};

use glaux_catalog::grpc::{KIND_HEADER as KIND, code};
use glaux_engine::{Error, ErrorKind, query::Failure};
use tonic::{Code, Status, metadata::MetadataMap};

use super::stats;
use crate::{
    auth::is_unauthenticated,
    setting::{self, Door},
    statements::Refusal,
};

/// Bytes of text that a status has at most.
const MAX_TEXT: usize = 2_000;

/// The status of an error.
pub(crate) fn of(error: &Error) -> Status {
    if is_unauthenticated(error) {
        // What marks such an error is nothing to show.
        let hint = hint(error);
        return Status::with_metadata(Code::Unauthenticated, format!("{error}{hint}"), kind(error));
    }
    Status::with_metadata(code(error.kind()), text(error), kind(error))
}

/// The status of an error of CreatePreparedStatement: that of the statement, but never the code that says that there is no such call.
///
/// Clients take that code for a server that prepares nothing, and go on without: ADBC's driver manager for Python binds the values all the same
/// and the driver takes them for rows to ingest. The kind in the metadata stays.
pub(super) fn of_preparing(error: &Error) -> Status {
    let status = of(error);
    match status.code() {
        Code::Unimplemented => Status::with_metadata(Code::InvalidArgument, status.message(), status.metadata().clone()),
        _ => status,
    }
}

/// The status of a query that failed, with its id and figures as trailers.
pub(crate) fn of_failure(failure: &Failure) -> Status {
    let mut metadata = kind(&failure.error);
    stats::write_trailers(&failure.report, &mut metadata);
    Status::with_metadata(code(failure.error.kind()), text(&failure.error), metadata)
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(failure) => of_failure(&failure),
            Refusal::Error(error) => of(&error),
        }
    }
}

/// A request has, or promises, more bytes than are read.
pub(crate) fn request_too_long(limit: usize) -> Status {
    let error = Error::new(ErrorKind::LimitExceeded, format!("the request is longer than {limit} bytes"));
    of(&error.with_hint("Send rows with DoPut, in batches, and make large changes of the catalog in several steps"))
}

/// What is sent and not complete is too much, and this request had to make room for others.
pub(crate) fn too_many_requests() -> Status {
    let error = Error::new(ErrorKind::LimitExceeded, "too many requests are being received at once");
    of(&error.with_hint("Try again in a moment, and send less at a time"))
}

/// A request has not arrived in the time that it may take.
pub(crate) fn request_stalled() -> Status {
    let error = Error::new(ErrorKind::TimedOut, "the request did not arrive in time");
    of(&error.with_hint("Send a request without long pauses").with_setting("flight.request_timeout"))
}

/// The time that the client gave is over.
pub(crate) fn deadline_exceeded() -> Status {
    Status::new(Code::DeadlineExceeded, "the query took longer than its client's deadline")
}

fn kind(error: &Error) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    if let Ok(kind) = error.kind().to_string().parse() {
        metadata.insert(KIND, kind);
    }
    metadata
}

fn hint(error: &Error) -> String {
    setting::hint(error, Door::Network).map(|hint| format!(" (hint: {hint})")).unwrap_or_default()
}

/// Message, causes and hint, on one line.
fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let message = source.to_string();
        // Libraries often repeat the text of what they wrap; once is enough.
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        next = source.source();
    }
    let hint = hint(error);
    let room = MAX_TEXT.saturating_sub(hint.len());
    if text.len() > room {
        text.truncate(text.floor_char_boundary(room));
        text.push_str("...");
    }
    text.push_str(&hint);
    text.truncate(text.floor_char_boundary(2 * MAX_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_code_the_causes_and_the_hint() {
        let error = Error::not_found("table \"x\" does not exist")
            .with_hint("SHOW TABLES lists them")
            .with_source(Error::invalid("underneath"));
        let status = of(&error);
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "table \"x\" does not exist: underneath (hint: SHOW TABLES lists them)");
    }

    #[test]
    fn a_statement_that_is_not_supported_is_no_call_that_is_not_there() {
        let error = Error::unsupported("INSERT is not supported").with_hint("ingest");
        assert_eq!(of(&error).code(), Code::Unimplemented);
        let status = of_preparing(&error);
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "INSERT is not supported (hint: ingest)"));
        assert_eq!(
            status.metadata().get(KIND).map(|kind| kind.as_bytes()),
            of(&error).metadata().get(KIND).map(|kind| kind.as_bytes())
        );
        assert_eq!(of_preparing(&Error::not_found("x")).code(), Code::NotFound);
    }

    #[test]
    fn long_texts_are_cut_and_keep_their_hint() {
        let status = of(&Error::invalid("\u{e9}".repeat(10_000)).with_hint("shorten it"));
        assert!(status.message().len() < 2 * MAX_TEXT);
        assert!(status.message().ends_with("... (hint: shorten it)"));
    }
}
