//! Why a statement has no result.

use glaux_engine::{Error, query::Failure};

/// A statement's own error with its figures, or an error before there was a query.
#[derive(Debug)]
pub(crate) enum Refusal {
    Failed(Box<Failure>),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}
