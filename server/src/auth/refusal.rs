//! Distinguishes a caller who is not logged in from one who lacks the permission. Both are `Denied`; the first carries a mark, which the mappings
//! to gRPC and HTTP look for.

use std::{error::Error as _, fmt};

use glaux_engine::{Error, ErrorKind};

/// The mark of an error that says that it is not known who is calling.
#[derive(Debug, Clone, Copy)]
struct Unauthenticated;

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller is not authenticated")
    }
}

impl std::error::Error for Unauthenticated {}

/// An error that says that it is not known who is calling: UNAUTHENTICATED in gRPC, 401 in HTTP.
pub(crate) fn unauthenticated(message: &str) -> Error {
    Error::new(ErrorKind::Denied, message).with_source(Unauthenticated)
}

/// Whether a `Denied` error is [`unauthenticated`]; otherwise it is known who is calling, and they may not.
pub(crate) fn is_unauthenticated(error: &Error) -> bool {
    let mut next = error.source();
    while let Some(source) = next {
        if source.is::<Unauthenticated>() {
            return true;
        }
        next = source.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_from_somebody_who_may_not() {
        assert!(is_unauthenticated(&unauthenticated("log in")));
        assert!(is_unauthenticated(&Error::invalid("outer").with_source(unauthenticated("log in"))));
        assert!(!is_unauthenticated(&Error::new(ErrorKind::Denied, "table \"x\" is not yours")));
        assert_eq!(unauthenticated("log in").kind(), ErrorKind::Denied);
    }
}
