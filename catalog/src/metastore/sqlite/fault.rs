//! Errors inside a transaction, and the map from SQLite's codes to errors that name the file.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// An error from SQLite, or one of the catalog's own.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Catalog(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Catalog(error)
    }
}

impl Fault {
    /// Whether SQLite found the file damaged, or not to be a database at all.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)))
    }

    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)))
    }

    /// The error for callers, which names the catalog file.
    pub(super) fn at(self, path: &Path) -> Error {
        let file = path.display();
        let error = match self {
            Self::Catalog(error) if error.kind() == ErrorKind::CorruptData => {
                return error.with_context("file", file.to_string());
            }
            Self::Catalog(error) => return error,
            Self::Sql(error) => error,
        };
        let (kind, message, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => {
                (ErrorKind::CorruptData, format!("catalog file \"{file}\" is damaged"), "Restore a backup of the catalog")
            }
            Some(ErrorCode::NotADatabase) => (
                ErrorKind::CorruptData,
                format!("file \"{file}\" is not a glaux catalog"),
                "Name a catalog file, or restore a backup",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ErrorKind::Unavailable,
                format!("catalog file \"{file}\" is locked by another process"),
                "Retry, or stop the program that has locked it",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
                ErrorKind::Denied,
                format!("catalog file \"{file}\" is not writable"),
                "Grant write permission on the file and its folder",
            ),
            Some(ErrorCode::CannotOpen) => (
                ErrorKind::Unavailable,
                format!("catalog file \"{file}\" cannot be opened"),
                "Check that its folder exists and is writable",
            ),
            Some(ErrorCode::DiskFull) => {
                (ErrorKind::Unavailable, format!("the disk of catalog file \"{file}\" is full"), "Free some space and retry")
            }
            Some(ErrorCode::SystemIoFailure) => {
                (ErrorKind::Unavailable, format!("catalog file \"{file}\" cannot be read or written"), "Check the disk")
            }
            _ => return Error::internal(format!("a statement failed on catalog file \"{file}\"")).with_source(error),
        };
        Error::new(kind, message).with_hint(hint).with_source(error)
    }
}
