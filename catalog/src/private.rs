//! Files and folders that only their owner can access: catalogs and histories show what is in a lake and who queries it.
//!
//! Existing files lose the permissions of others; those of the group stay. On systems without Unix permissions, those of the folder apply.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
};

/// Creates a folder and its parents. Existing folders are not changed.
///
/// # Errors
/// Those of the file system.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates an empty file if it does not exist, and removes the permissions of others from it and from the files that SQLite keeps next to it.
///
/// # Errors
/// Those of the file system, if the file could not be created. The permissions of another user's file are not changed.
pub fn create_database(path: &Path) -> io::Result<()> {
    create_file(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        remove_permissions_of_others(Path::new(&file));
    }
    Ok(())
}

/// Creates an empty file if it does not exist.
///
/// # Errors
/// Those of the file system.
pub(crate) fn create_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn remove_permissions_of_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o007 != 0 {
        // Only the owner can do that. The file of another user stays as it is.
        _ = std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700));
    }
}

#[cfg(not(unix))]
fn remove_permissions_of_others(_: &Path) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        create_folder(&inner).unwrap();
        assert_eq!((mode(&inner), mode(inner.parent().unwrap())), (0o700, 0o700));
        let file = inner.join("x.sqlite");
        create_database(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        for (before, after) in [(0o644, 0o600), (0o666, 0o600), (0o660, 0o660), (0o400, 0o400)] {
            let beside = inner.join("x.sqlite-wal");
            std::fs::write(&beside, "").unwrap();
            for path in [&file, &beside] {
                std::fs::set_permissions(path, PermissionsExt::from_mode(before)).unwrap();
            }
            create_database(&file).unwrap();
            assert_eq!((mode(&file), mode(&beside)), (after, after), "{before:o}");
        }
    }
}
