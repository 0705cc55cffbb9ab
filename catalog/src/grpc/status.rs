//! Errors as gRPC statuses and back: the only map from kinds to codes. The details of a status hold the whole error, as far as it fits
//! into headers; its message is for clients that do not read the details.

use std::{error::Error as _, fmt};

use glaux_proto::catalog::v1 as proto;
use prost::Message;
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};

use crate::error::{Error, ErrorKind};

/// The metadata key with the error's kind, which is finer than the code.
pub const KIND_HEADER: &str = "x-glaux-error-kind";

/// Bytes of a text in the details; clients limit headers to 16 KiB.
const MAX_MESSAGE: usize = 3_000;
const MAX_DETAIL: usize = 500;
const MAX_CAUSES: usize = 4;

/// Bytes of the status's message.
const MAX_TEXT: usize = 1_000;

/// The keys of an error's context that are kept; on the other side, others become part of the message.
const CONTEXT: [&str; 8] = ["table", "key", "file", "path", "line", "reason", "files", "partition"];

/// The code of a kind.
#[must_use]
pub const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Syntax | ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Conflict | ErrorKind::Aborted => Code::Aborted,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::LimitExceeded | ErrorKind::Throttled => Code::ResourceExhausted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::CorruptData => Code::DataLoss,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::TimedOut => Code::DeadlineExceeded,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The status of an error, with the whole error in its details.
#[must_use]
pub fn status_of(error: &Error) -> Status {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| causes.len() < MAX_CAUSES) {
        causes.push(cut(&cause.to_string(), MAX_DETAIL));
        next = cause.source();
    }
    let detail = |(key, value): &(&str, String)| proto::failure::Detail { key: (*key).to_owned(), value: cut(value, MAX_DETAIL) };
    let failure = proto::Failure {
        kind: error.kind().as_str().to_owned(),
        message: cut(error.message(), MAX_MESSAGE),
        hint: error.hint().map(|hint| cut(hint, MAX_DETAIL)),
        context: error.context().iter().take(CONTEXT.len()).map(detail).collect(),
        causes,
    };
    let hint = failure.hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
    let text = format!("{}{hint}", cut(&error.to_string(), MAX_TEXT));
    let mut metadata = MetadataMap::new();
    metadata.insert(KIND_HEADER, MetadataValue::from_static(error.kind().as_str()));
    Status::with_details_and_metadata(code(error.kind()), text, failure.encode_to_vec().into(), metadata)
}

/// The error in a status; `None` if the status is not from a catalog service.
pub(super) fn error_of(status: &Status) -> Option<Error> {
    let failure = proto::Failure::decode(status.details()).ok()?;
    let kind = ErrorKind::parse(&failure.kind)?;
    let mut message = failure.message;
    let mut context = Vec::new();
    for proto::failure::Detail { key, value } in failure.context {
        match CONTEXT.iter().find(|known| **known == key) {
            Some(known) => context.push((*known, value)),
            None => message = format!("{message}, {key} \"{value}\""),
        }
    }
    let mut error = Error::new(kind, message);
    for (key, value) in context {
        error = error.with_context(key, value);
    }
    if let Some(hint) = failure.hint {
        error = error.with_hint(hint);
    }
    let causes = failure.causes.into_iter().rev().fold(None, |next, text| Some(Box::new(Cause { text, next })));
    Some(match causes {
        Some(cause) => error.with_source(*cause),
        None => error,
    })
}

/// The cause of an error on the other side.
#[derive(Debug)]
struct Cause {
    text: String,
    next: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.len() <= most {
        true => text.to_owned(),
        false => format!("{}...", &text[..text.floor_char_boundary(most)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_kind_come_back_whole() {
        for kind in ErrorKind::ALL {
            let given = Error::new(kind, "table \"é\" does not exist")
                .with_hint("SHOW TABLES lists the tables")
                .with_context("table", "default.t")
                .with_source(Error::invalid("underneath").with_source(Error::invalid("at the bottom")));
            let status = status_of(&given);
            assert_eq!(status.code(), code(kind));
            let found = error_of(&status).unwrap();
            assert_eq!((found.kind(), found.message(), found.hint()), (kind, given.message(), given.hint()));
            assert_eq!(found.context(), given.context());
            let cause = found.source().unwrap();
            assert_eq!(
                (cause.to_string().as_str(), cause.source().unwrap().to_string().as_str()),
                ("underneath", "at the bottom")
            );
        }
    }

    #[test]
    fn long_texts_are_cut_and_foreign_statuses_have_no_error() {
        let long = Error::invalid("\u{e9}".repeat(100_000))
            .with_hint("h".repeat(10_000))
            .with_source(Error::invalid("c".repeat(10_000)));
        let status = status_of(&long);
        assert!(status.details().len() + status.message().len() < 8_000);
        assert!(error_of(&status).unwrap().message().ends_with("..."));
        assert!(error_of(&Status::unavailable("tcp connect error")).is_none());
        let unknown = Error::invalid("m").with_context("elsewhere", "x");
        assert_eq!(error_of(&status_of(&unknown)).unwrap().to_string(), "m, elsewhere \"x\"");
    }
}
