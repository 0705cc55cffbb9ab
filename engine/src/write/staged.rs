//! Unfinished files of an ingest on a disk, which readers ignore. They are recorded so that a later process can remove them if this one is
//! killed.
//!
//! `run/<ingest>.staged` in the data directory has a line for each file, written before the file is. It is locked for as long as the ingest lives,
//! and goes when the ingest has ended. One that is there and not locked is of a process that died: its files are removed, and nothing else.
//! (Object stores show nothing of an upload that did not complete; a rule of the bucket's life cycle removes the parts.)

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

const SUFFIX: &str = ".staged";

/// The note of one ingest. Dropped without [`Staged::done`], it stays.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    file: File,
}

impl Staged {
    /// Begins a note, and removes what dead processes left.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn begin(folder: &Path, ingest: &str) -> io::Result<Self> {
        glaux_catalog::private::create_folder(folder)?;
        sweep(folder);
        let path = folder.join(format!("{ingest}{SUFFIX}"));
        let new = folder.join(format!("{ingest}.new"));
        let file = OpenOptions::new().append(true).create_new(true).open(&new)?;
        // It appears under its name only when it is locked.
        file.lock().and_then(|()| fs::rename(&new, &path))?;
        Ok(Self { path, file })
    }

    /// Notes a file that is about to be written.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn note(&self, file: &Path) -> io::Result<()> {
        writeln!(&self.file, "{}", file.display())
    }

    /// None of the files is there any more under the name noted.
    pub(crate) fn done(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "a note of files under way could not be removed");
        }
    }
}

/// Removes the files that ingests of dead processes left.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(ingest) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
        let note = entry.path();
        let Ok(file) = File::open(&note) else { continue };
        if file.try_lock().is_ok() {
            let kept =
                fs::read_to_string(&note).unwrap_or_default().lines().filter(|line| !remove(Path::new(line), ingest)).count();
            if kept == 0 {
                _ = fs::remove_file(&note);
            }
        }
    }
}

/// Removes a staged file and what the store wrote on the way to it; whether nothing of it is left. Only names that an ingest stages are touched.
fn remove(staged: &Path, ingest: &str) -> bool {
    let (Some(folder), Some(name)) = (staged.parent(), staged.file_name().and_then(|name| name.to_str())) else { return true };
    if ingest.is_empty() || !name.starts_with(&format!(".{ingest}-")) {
        return true;
    }
    let is_part = |other: &str| {
        let number = other.strip_prefix(name).and_then(|rest| rest.strip_prefix('#'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut is_gone = true;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|other| other == name || is_part(other)) {
            match fs::remove_file(entry.path()) {
                Ok(()) => tracing::info!(file = %entry.path().display(), "removed a file of an ingest whose process was killed"),
                Err(error) => {
                    is_gone = false;
                    tracing::warn!(file = %entry.path().display(), %error, "a file of a killed ingest could not be removed");
                }
            }
        }
    }
    is_gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_ingest_staged_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (run, table) = (folder.path().join("run"), folder.path().join("t"));
        fs::create_dir(&table).unwrap();
        let files = [
            ".q1-00000.parquet",
            ".q1-00001.parquet#2",
            "q1-00000.parquet",
            ".q2-00000.parquet",
            ".q1-00001.parquet#x",
            ".other",
        ];
        for name in files {
            fs::write(table.join(name), "x").unwrap();
        }
        let there = || files.map(|name| table.join(name).exists());
        let (dead, alive) = (Staged::begin(&run, "q1").unwrap(), Staged::begin(&run, "q2").unwrap());
        for name in [".q1-00000.parquet", ".q1-00001.parquet", "q1-00000.parquet", ".other"] {
            dead.note(&table.join(name)).unwrap();
        }
        alive.note(&table.join(".q2-00000.parquet")).unwrap();
        sweep(&run);
        assert_eq!(there(), [true; 6], "both live");
        drop(dead);
        let third = Staged::begin(&run, "q3").unwrap();
        assert_eq!(there(), [false, false, true, true, true, true]);
        third.done();
        alive.done();
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
    }
}
