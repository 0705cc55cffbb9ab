//! How a query ended: the state that is recorded, and whether what it scanned is billed.
//!
//! The error's kind names an ending on the wire; this file is about state and money. Every kind is named, so that a new one does not compile
//! until it is decided here.

use super::report::QueryState;
use crate::error::ErrorKind;

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Succeeded,
    /// Its user cancelled it, or its client disconnected.
    Cancelled,
    /// It was killed, or its server shut down.
    Aborted,
    /// It reached the time limit of its session or workgroup.
    TimedOut,
    /// It reached the limit of the bytes that it may scan.
    CutOff,
    /// An error of the statement, of its data, of a store; memory, disk or a queue that is full.
    Failed,
    /// Its process ended before it did. Whoever opens the history next records it.
    Interrupted,
}

impl Ending {
    pub const ALL: [Self; 7] =
        [Self::Succeeded, Self::Cancelled, Self::Aborted, Self::TimedOut, Self::CutOff, Self::Failed, Self::Interrupted];

    /// As the history has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Aborted => "aborted",
            Self::TimedOut => "timed_out",
            Self::CutOff => "cut_off",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The ending of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == name)
    }

    /// The ending that an error of this kind makes; a success without one. `cut_off` distinguishes the limit of the bytes that a query may scan
    /// from all other limits.
    #[must_use]
    pub const fn of(error: Option<ErrorKind>, cut_off: bool) -> Self {
        let Some(kind) = error else { return Self::Succeeded };
        match kind {
            ErrorKind::Cancelled => Self::Cancelled,
            ErrorKind::Aborted => Self::Aborted,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::LimitExceeded => {
                if cut_off {
                    Self::CutOff
                } else {
                    Self::Failed
                }
            }
            ErrorKind::Syntax
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::Denied
            | ErrorKind::Throttled
            | ErrorKind::Unavailable
            | ErrorKind::CorruptData
            | ErrorKind::Internal => Self::Failed,
        }
    }

    /// Athena's state of it.
    #[must_use]
    pub const fn state(self) -> QueryState {
        match self {
            Self::Succeeded => QueryState::Succeeded,
            Self::Cancelled | Self::Aborted | Self::CutOff => QueryState::Cancelled,
            Self::TimedOut | Self::Failed | Self::Interrupted => QueryState::Failed,
        }
    }

    /// Whether what was scanned until then is paid for, if the statement is one that pays at all.
    #[must_use]
    pub const fn pays(self) -> bool {
        match self {
            Self::Succeeded | Self::Cancelled | Self::Aborted | Self::TimedOut | Self::CutOff => true,
            Self::Failed | Self::Interrupted => false,
        }
    }

    /// Whether its requests in flight are aborted, since nobody waits for the result. A query that succeeds or fails by itself counts them, as
    /// the store does.
    #[must_use]
    pub(super) const fn aborts_requests(self) -> bool {
        match self {
            Self::Cancelled | Self::Aborted | Self::TimedOut => true,
            Self::Succeeded | Self::CutOff | Self::Failed | Self::Interrupted => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for ending in Ending::ALL {
            assert_eq!(Ending::parse(ending.as_str()), Some(ending));
        }
        assert_eq!(Ending::parse("SUCCEEDED"), None);
    }

    /// The contract's table.
    #[test]
    fn every_kind_has_its_state_and_its_payer() {
        let (failed, cancelled) = (QueryState::Failed, QueryState::Cancelled);
        let expected = |kind| match kind {
            ErrorKind::Cancelled | ErrorKind::Aborted => (cancelled, true),
            ErrorKind::TimedOut => (failed, true),
            _ => (failed, false),
        };
        for kind in ErrorKind::ALL {
            let ending = Ending::of(Some(kind), false);
            assert_eq!((ending.state(), ending.pays()), expected(kind), "{kind}");
        }
        let cut_off = Ending::of(Some(ErrorKind::LimitExceeded), true);
        assert_eq!((cut_off.state(), cut_off.pays()), (cancelled, true));
        // A query over its limit may still end otherwise.
        assert_eq!(Ending::of(Some(ErrorKind::CorruptData), true), Ending::Failed);
        assert_eq!((Ending::of(None, true).state(), Ending::of(None, false).pays()), (QueryState::Succeeded, true));
    }
}
