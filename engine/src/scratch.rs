//! A folder below the system's temporary one that is removed when it is dropped: the data directory of an engine in memory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::error::{Error, Result};

/// A folder of this process, which only its owner can read.
#[derive(Debug)]
pub(crate) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// # Errors
    /// `Invalid` if the folder could not be created.
    pub(crate) fn create() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("glaux-{}", Uuid::now_v7()));
        glaux_catalog::private::create_folder(&folder).map_err(|error| {
            Error::invalid(format!("directory \"{}\" could not be created", folder.display()))
                .with_hint("Set TMPDIR to a directory that is writable, or open an engine over a data directory")
                .with_source(error)
        })?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a temporary folder could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_goes_with_its_owner() {
        let scratch = ScratchFolder::create().unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("spilled"), "rows").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
