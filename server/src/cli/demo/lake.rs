//! The demo's directory: who made it, which lake it contains, and how a new lake replaces an old one. Only files that a demo made are ever
//! removed.
//!
//! ```text
//!  D/.glaux-demo      says that the directory is a demo's; locked while one runs
//!  D/lake/            the tables' files, and demo.json, written last: the parameters and every file
//!  D/lake.new/        a lake that is being generated
//! ```

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use glaux_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::diagnostic::io_error;

const CLAIM: &str = ".glaux-demo";
const MARKER: &str = "demo.json";

/// Raised when the generated files change, so that lakes of earlier versions are made anew.
const LAYOUT: u32 = 1;

/// What a lake was generated from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parameters {
    pub(super) scale: f64,
    layout: u32,
    generator: String,
}

impl Parameters {
    pub(super) fn new(scale: f64) -> Self {
        Self { scale, layout: LAYOUT, generator: "tpchgen 3".to_owned() }
    }
}

/// What is in a lake.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    parameters: Parameters,
    /// Every file, below the lake.
    files: Vec<PathBuf>,
}

/// A demo's directory, locked for this process.
#[derive(Debug)]
pub(super) struct Lake {
    dir: PathBuf,
    _lock: File,
}

impl Lake {
    /// Makes a directory the demo's own, or finds it so.
    ///
    /// # Errors
    /// `AlreadyExists` if it holds anything and is not a demo's; `Conflict` if another demo runs in it.
    pub(super) fn claim(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| io_error("create the directory", dir, error))?;
        let claim = dir.join(CLAIM);
        if !claim.exists() && fs::read_dir(dir).map_err(|error| io_error("read the directory", dir, error))?.next().is_some() {
            return Err(Error::already_exists(format!("the directory \"{}\" is not empty, and not a demo's", dir.display()))
                .with_hint("Choose a new or empty directory with --dir"));
        }
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&claim)
            .map_err(|error| io_error("write to the directory", dir, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::conflict(format!("another demo is running in \"{}\"", dir.display()))),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &claim, error)),
        }
    }

    /// Where the tables' files are.
    pub(super) fn root(&self) -> PathBuf {
        self.dir.join("lake")
    }

    /// Where a new lake is generated.
    pub(super) fn new_root(&self) -> PathBuf {
        self.dir.join("lake.new")
    }

    /// Whether the lake that is there, if any, was generated whole from these parameters and still has its files.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a lake that no demo made.
    pub(super) fn holds(&self, parameters: &Parameters) -> Result<bool> {
        let root = self.root();
        if !root.exists() {
            return Ok(false);
        }
        let marker = read_marker(&root)?;
        Ok(marker.parameters == *parameters && marker.files.iter().all(|file| root.join(file).is_file()))
    }

    /// Prepares an empty folder for a new lake; what an interrupted demo left there is removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn begin(&self) -> Result<PathBuf> {
        let new = self.new_root();
        // The folder is made by demos only, in a directory that is a demo's: nothing of anyone else's is in it.
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &new, error)),
            _ => {}
        }
        fs::create_dir(&new).map_err(|error| io_error("create", &new, error))?;
        Ok(new)
    }

    /// Puts the new lake in the place of the old one. Files in the old one that no demo made are kept aside.
    ///
    /// # Errors
    /// Those of the file system; then one of the two lakes is in its place whole, or the next demo generates one.
    pub(super) fn replace(&self, parameters: &Parameters) -> Result<()> {
        let (root, new) = (self.root(), self.new_root());
        let mut files = Vec::new();
        collect_files(&new, Path::new(""), &mut files)?;
        let marker = Marker { parameters: parameters.clone(), files };
        let text = serde_json::to_string_pretty(&marker)
            .map_err(|error| Error::internal("cannot write the demo's marker").with_source(error))?;
        let path = new.join(MARKER);
        fs::write(&path, text).map_err(|error| io_error("write", &path, error))?;
        if !root.exists() {
            return fs::rename(&new, &root).map_err(|error| io_error("rename", &new, error));
        }
        let old = self.free_name();
        let marker = read_marker(&root)?;
        fs::rename(&root, &old).map_err(|error| io_error("rename", &root, error))?;
        fs::rename(&new, &root).map_err(|error| io_error("rename", &new, error))?;
        remove_made(&old, &marker)
    }

    /// A name for the old lake that nothing has.
    fn free_name(&self) -> PathBuf {
        let mut number = 0;
        loop {
            let name = self.dir.join(format!("lake.old-{number}"));
            if !name.exists() {
                return name;
            }
            number += 1;
        }
    }
}

fn read_marker(root: &Path) -> Result<Marker> {
    let path = root.join(MARKER);
    let text = fs::read_to_string(&path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Error::already_exists(format!("\"{}\" exists, but was not made by a demo", root.display()))
                .with_hint("Move it away, or choose another directory with --dir")
        } else {
            io_error("read", &path, error)
        }
    })?;
    serde_json::from_str(&text)
        .map_err(|error| Error::corrupt(format!("\"{}\" was not written by a demo", path.display())).with_source(error))
}

fn collect_files(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).map_err(|error| io_error("read", &dir, error))? {
        let entry = entry.map_err(|error| io_error("read", &dir, error))?;
        let path = below.join(entry.file_name());
        if entry.file_type().map_err(|error| io_error("read", &dir, error))?.is_dir() {
            collect_files(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

/// Removes the files that a marker names, and the folders that are empty then.
fn remove_made(old: &Path, marker: &Marker) -> Result<()> {
    // Joining an absolute path or one with `..` would lead out of the lake; a demo never writes such.
    let inside = |file: &&PathBuf| file.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    for file in marker.files.iter().filter(inside) {
        let path = old.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &path, error)),
            _ => {}
        }
    }
    let marker = old.join(MARKER);
    fs::remove_file(&marker).map_err(|error| io_error("remove", &marker, error))?;
    remove_empty_dirs(old).map_err(|error| io_error("remove", old, error))?;
    if old.exists() {
        eprintln!("note: \"{}\" keeps files of the former lake that the demo did not make", old.display());
    }
    Ok(())
}

fn remove_empty_dirs(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_dirs(&entry.path())?;
        }
    }
    if fs::read_dir(dir)?.next().is_none() {
        fs::remove_dir(dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use glaux_engine::ErrorKind;
    use tempfile::TempDir;

    use super::*;

    fn generate(lake: &Lake, scale: f64, file: &str) {
        let new = lake.begin().unwrap();
        fs::create_dir_all(new.join("t")).unwrap();
        fs::write(new.join("t").join(file), "rows").unwrap();
        lake.replace(&Parameters::new(scale)).unwrap();
    }

    #[test]
    fn directories_of_others_are_refused() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("mine"), "").unwrap();
        assert_eq!(Lake::claim(dir.path()).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");
    }

    #[test]
    fn one_demo_runs_at_a_time() {
        let dir = TempDir::new().unwrap();
        let lake = Lake::claim(dir.path()).unwrap();
        assert_eq!(Lake::claim(dir.path()).unwrap_err().kind(), ErrorKind::Conflict);
        drop(lake);
        Lake::claim(dir.path()).unwrap();
    }

    #[test]
    fn a_lake_is_used_again_only_if_it_is_whole_and_the_same() {
        let dir = TempDir::new().unwrap();
        let lake = Lake::claim(dir.path()).unwrap();
        assert!(!lake.holds(&Parameters::new(1.0)).unwrap());
        fs::write(lake.begin().unwrap().join("half"), "").unwrap();
        assert!(!lake.holds(&Parameters::new(1.0)).unwrap(), "an interrupted demo leaves no lake");
        generate(&lake, 1.0, "a");
        assert!(lake.holds(&Parameters::new(1.0)).unwrap());
        assert!(!lake.root().join("half").exists());
        assert!(!lake.holds(&Parameters::new(2.0)).unwrap());
        fs::remove_file(lake.root().join("t/a")).unwrap();
        assert!(!lake.holds(&Parameters::new(1.0)).unwrap());
    }

    #[test]
    fn a_new_lake_replaces_the_old_one_and_spares_what_is_not_its_own() {
        let dir = TempDir::new().unwrap();
        let lake = Lake::claim(dir.path()).unwrap();
        generate(&lake, 1.0, "a");
        generate(&lake, 2.0, "b");
        assert!(lake.root().join("t/b").exists() && !lake.root().join("t/a").exists());
        assert!(!dir.path().join("lake.old-0").exists());
        fs::write(lake.root().join("t/notes.txt"), "mine").unwrap();
        generate(&lake, 3.0, "c");
        assert_eq!(fs::read_to_string(dir.path().join("lake.old-0/t/notes.txt")).unwrap(), "mine");
        assert!(!dir.path().join("lake.old-0/t/b").exists());
    }

    #[test]
    fn a_folder_that_no_demo_made_is_not_replaced() {
        let dir = TempDir::new().unwrap();
        let lake = Lake::claim(dir.path()).unwrap();
        fs::create_dir(lake.root()).unwrap();
        assert_eq!(lake.holds(&Parameters::new(1.0)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
