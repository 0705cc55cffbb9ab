//! The error for statements and clauses that are recognised but not supported.

use crate::error::Error;

/// An `Unsupported` error about a statement or clause.
pub(super) fn unsupported(what: &str, hint: &str) -> Error {
    Error::unsupported(format!("{what} is not supported")).with_hint(hint)
}
