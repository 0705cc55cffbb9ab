//! Which processes are alive: each holds the lock of a file `run/<instance>.lock` in the data directory for as long as it lives.
//!
//! The lock goes with the process, however it ends: if it can be taken, the process is dead. A file gets its final name only after it has
//! been locked; whoever finds one unlocked may remove it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

/// This process's own presence in a data directory. Dropping it removes its file.
#[derive(Debug)]
pub(super) struct Instance {
    id: String,
    /// Absent for a history in memory, which is not shared.
    lock: Option<(PathBuf, File)>,
}

impl Instance {
    pub(super) fn in_memory() -> Self {
        Self { id: Uuid::now_v7().to_string(), lock: None }
    }

    /// Registers this process, and removes the files of dead ones.
    pub(super) fn enter(folder: &Path) -> Result<Self> {
        let id = Uuid::now_v7().to_string();
        let failed = |e: std::io::Error| {
            let kind = if e.kind() == std::io::ErrorKind::PermissionDenied { ErrorKind::Denied } else { ErrorKind::Unavailable };
            Error::new(kind, format!("\"{}\" cannot be written to", folder.display()))
                .with_hint("Give this user write access to the data directory, on a file system with locks")
                .with_source(e)
        };
        glaux_catalog::private::create_folder(folder).map_err(failed)?;
        sweep(folder);
        let (new, path) = (folder.join(format!("{id}.new")), path_of(folder, &id));
        let file = OpenOptions::new().write(true).create_new(true).open(&new).map_err(failed)?;
        file.lock().and_then(|()| fs::rename(&new, &path)).map_err(failed)?;
        Ok(Self { id, lock: Some((path, file)) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.lock {
            _ = fs::remove_file(path);
        }
    }
}

/// Proof that an instance is dead; while it is held nobody else finds the same. Dropping it removes the dead one's file.
pub(super) struct Dead(Option<(PathBuf, File)>);

impl Dead {
    /// `None` for an instance that is alive, or may be.
    pub(super) fn find(folder: &Path, id: &str) -> Option<Self> {
        Uuid::parse_str(id).ok()?;
        let path = path_of(folder, id);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(Self(None)),
            Err(_) => return None,
        };
        match file.try_lock() {
            Ok(()) => Some(Self(Some((path, file)))),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0 {
            _ = fs::remove_file(path);
        }
    }
}

fn path_of(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.lock"))
}

fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".lock")) {
            drop(Dead::find(folder, id));
        }
    }
}
