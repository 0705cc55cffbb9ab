//! How a command ends when it fails or is interrupted.

use glaux_engine::Error;

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error that has not been shown yet.
    Error(Error),
    /// Everything has been said already; only the code is left.
    Code(u8),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
