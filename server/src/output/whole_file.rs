//! A file of results that replaces an existing file only when it is complete. Until then it is a hidden file in the same folder, and the existing
//! file is unchanged.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use glaux_engine::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use crate::diagnostic;

/// The hidden files of this process, for those who end it.
static HIDDEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what is not whole yet: before the process ends in any other way than from `main`.
pub(crate) fn discard_unfinished() {
    for file in HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_file(file);
    }
}

/// A file that is being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(super) struct WholeFile {
    target: PathBuf,
    written: Written,
}

#[derive(Debug)]
enum Written {
    Beside(NamedTempFile),
    /// What is no file has no content that could stay: a pipe, a device.
    Itself(File),
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of its folder; `Denied` if it exists and must not be written.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let failed = |error| diagnostic::io_error("write the results to", path, error);
        // Behind a symbolic link, which stays.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let existing = match fs::metadata(&target) {
            Ok(found) if found.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(&target).map_err(failed)?;
                return Ok(Self { target, written: Written::Itself(file) });
            }
            Ok(found) => Some(found.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if existing.as_ref().is_some_and(fs::Permissions::readonly) {
            return Err(Error::new(ErrorKind::Denied, format!("the file \"{}\" is read-only", path.display()))
                .with_hint("Name another file, or make it writable"));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let prefix = format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy());
        let open = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let hidden = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").make_in(folder, open).map_err(failed)?;
        HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).push(hidden.path().to_owned());
        let this = Self { target, written: Written::Beside(hidden) };
        if let (Some(permissions), Written::Beside(hidden)) = (existing, &this.written) {
            hidden.as_file().set_permissions(permissions).map_err(failed)?;
        }
        Ok(this)
    }

    /// A handle that writes after what has been written.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn handle(&self) -> io::Result<File> {
        match &self.written {
            Written::Beside(hidden) => hidden.as_file().try_clone(),
            Written::Itself(file) => file.try_clone(),
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// Those of the file system; nothing is left behind then.
    pub(super) fn commit(self) -> Result<()> {
        let Self { target, written } = self;
        let failed = |error| diagnostic::io_error("write the results to", &target, error);
        let Written::Beside(hidden) = written else { return Ok(()) };
        hidden.as_file().sync_all().map_err(failed)?;
        hidden.persist(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_when_all_of_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        fs::write(&path, "old").unwrap();
        let file = WholeFile::create(&path).unwrap();
        file.handle().unwrap().write_all(b"ne").unwrap();
        file.handle().unwrap().write_all(b"w").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        let file = WholeFile::create(&path).unwrap();
        file.handle().unwrap().write_all(b"half").unwrap();
        drop(file);
        assert_eq!(entries(folder.path()), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        let file = WholeFile::create(&link).unwrap();
        file.handle().unwrap().write_all(b"new").unwrap();
        file.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        fs::set_permissions(&real, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(WholeFile::create(&link).unwrap_err().kind(), ErrorKind::Denied);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let file = WholeFile::create(Path::new("/dev/null")).unwrap();
        file.handle().unwrap().write_all(b"x").unwrap();
        file.commit().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
