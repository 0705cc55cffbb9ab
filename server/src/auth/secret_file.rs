//! Files that hold secrets: written completely or not at all, readable only by their owner. Their content is defined elsewhere.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use glaux_engine::Result;

use crate::diagnostic::io_error;

/// Replaces a file, or creates it: after a crash at any moment, the old content is there or the new one is.
///
/// # Errors
/// As the file system says.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = write_beside(path, content)?;
    fs::rename(&temporary, path).map_err(|error| failed(&temporary, path, error))?;
    sync_folder(path)
}

/// Creates a file if there is none. If somebody else was faster, theirs stays, and the answer is `false`.
///
/// # Errors
/// As the file system says.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<bool> {
    let temporary = write_beside(path, content)?;
    // A link, other than a rename, never replaces what is there.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io_error("write", path, error)),
    }
}

/// Waits until no other process holds the lock of the file, and holds it until the answer is dropped.
///
/// # Errors
/// As the file system says.
pub(super) fn lock(path: &Path) -> Result<File> {
    let path = beside(path, "lock");
    create_folder(&path)?;
    let file = private().truncate(false).open(&path).map_err(|error| io_error("open the lock", &path, error))?;
    file.lock().map_err(|error| io_error("lock", &path, error))?;
    Ok(file)
}

/// Warns if others than the owner can read the file.
pub(super) fn warn_if_readable_by_others(path: &Path, metadata: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let mode = format!("{mode:o}");
            tracing::warn!(file = %path.display(), mode, "a file of secrets can be read by others than its owner; chmod 600");
        }
    }
    #[cfg(not(unix))]
    let _ = (path, metadata);
}

/// Random bytes of the operating system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn write_beside(path: &Path, content: &[u8]) -> Result<PathBuf> {
    create_folder(path)?;
    let unique = u64::from_le_bytes(random());
    let temporary = beside(path, &format!("{unique:016x}.tmp"));
    let written = private().create_new(true).open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => Err(failed(&temporary, path, error)),
    }
}

fn failed(temporary: &Path, path: &Path, error: io::Error) -> glaux_engine::Error {
    let _ = fs::remove_file(temporary);
    io_error("write", path, error)
}

fn create_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::create_dir_all(folder).map_err(|error| io_error("create the directory", folder, error))
        }
        _ => Ok(()),
    }
}

/// A new name in the same directory: the file's, with something behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes a rename or a link last.
fn sync_folder(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io_error("write the directory", folder, error))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
