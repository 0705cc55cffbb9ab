//! Files and folders that only their owner may read: catalogs and histories say what lies in a lake and what people asked of it.
//!
//! Files that are there already lose what the world may do with them; what a group was given stays. On systems without Unix's permissions the
//! folder's own rights hold.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
};

/// Makes a folder, with those above it. Those that are there stay as they are.
///
/// # Errors
/// As the file system says.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes an empty file if there is none, and takes what SQLite keeps beside it from the world too.
///
/// # Errors
/// As the file system says, for a file that cannot be made. One that is another user's is left as it is.
pub fn create_database(path: &Path) -> io::Result<()> {
    create_file(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        close_to_the_world(Path::new(&file));
    }
    Ok(())
}

/// Makes an empty file if there is none.
///
/// # Errors
/// As the file system says.
pub fn create_file(path: &Path) -> io::Result<()> {
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
fn close_to_the_world(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_file() && mode & 0o007 != 0 {
        // Only its owner may, and nobody else needs to.
        _ = std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700));
    }
}

#[cfg(not(unix))]
fn close_to_the_world(_: &Path) {}

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
