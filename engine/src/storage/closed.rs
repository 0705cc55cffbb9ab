//! Files that no statement can access, whoever runs it: the data directory's own (catalog, history, caches, keys, configuration), and further
//! files that the front end names.
//!
//! Paths are compared with symbolic links resolved, below every listing, read and write of local files.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::error::{Error, ErrorKind};

/// The folders of a data directory that hold tables; `lake.new` is where the demo makes its lake before it takes the old one's place.
const TABLES: [&str; 3] = ["lake", "lake.new", "warehouse"];

/// What is closed to everybody. Empty by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClosedFiles {
    data_dir: Option<PathBuf>,
    /// Single files, and folders with all that is in them.
    others: Vec<PathBuf>,
}

impl ClosedFiles {
    /// Closes a data directory, but for its folders `lake` and `warehouse`, and these files and folders.
    #[must_use]
    pub(crate) fn new(data_dir: &Path, others: &[PathBuf]) -> Self {
        Self { data_dir: Some(real_path(data_dir)), others: others.iter().map(|path| real_path(path)).collect() }
    }

    /// The folders of the data directory that hold tables.
    pub(crate) fn table_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.data_dir.iter().flat_map(|data_dir| TABLES.map(|folder| data_dir.join(folder)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.data_dir.is_none() && self.others.is_empty()
    }

    /// Whether a real path, as of [`real_path`], is closed as a place of data: the data directory itself is.
    pub(crate) fn holds(&self, real: &Path) -> bool {
        self.hides(real) || self.data_dir.as_deref().is_some_and(|data_dir| data_dir == real)
    }

    /// Whether a real path is left out of listings. The data directory itself is not: it may hold tables.
    pub(super) fn hides(&self, real: &Path) -> bool {
        let in_data_dir = self.data_dir.as_deref().and_then(|data_dir| real.strip_prefix(data_dir).ok());
        let own = in_data_dir.and_then(|rest| rest.components().next());
        own.is_some_and(|first| TABLES.iter().all(|folder| first.as_os_str() != *folder))
            || self.others.iter().any(|other| real.starts_with(other))
    }

    /// Whether what is below a real path needs a closer look.
    pub(super) fn concerns(&self, real: &Path) -> bool {
        self.data_dir.iter().chain(&self.others).any(|closed| closed.starts_with(real) || real.starts_with(closed))
    }
}

/// What is said of a location that is closed.
pub(crate) fn refused(location: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("\"{location}\" holds the server's own files, which no statement can access"))
        .with_hint("Keep tables elsewhere: in the data directory, only the folders lake and warehouse can hold tables")
}

/// A path with its links followed. What does not exist yet stays below what does.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing: Vec<OsString> = Vec::new();
    for ancestor in absolute.ancestors() {
        if let Ok(mut real) = ancestor.canonicalize() {
            real.extend(missing.iter().rev());
            return real;
        }
        missing.extend(ancestor.file_name().map(OsString::from));
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_closed_but_for_its_tables() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("lake")).unwrap();
        let key = folder.path().join("tls/key.pem");
        let closed = ClosedFiles::new(&data, std::slice::from_ref(&key));
        let real = real_path(&data);
        for (path, held) in [
            (real.clone(), true),
            (real.join("catalog.sqlite"), true),
            (real.join("cache/x"), true),
            (real.join("lakes"), true),
            (real.join("lake"), false),
            (real.join("warehouse/db/t"), false),
            (real_path(folder.path()), false),
            (real_path(&key), true),
            (real_path(folder.path()).join("tls/other"), false),
        ] {
            assert_eq!(closed.holds(&path), held, "{}", path.display());
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&data, &link).unwrap();
            assert!(closed.holds(&real_path(&link.join("history.sqlite"))));
            assert!(closed.holds(&real_path(&link.join("lake/../run/x"))), "the way up is from where the link leads");
        }
    }
}
