//! Directories and files of the store: private, durable, bounded.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::StoreError;

/// Creates a directory for its owner alone, with those above it, each durable. One that is there
/// already is closed to others; those above it are left as they are.
pub(crate) fn create_dirs(path: &Path) -> Result<(), StoreError> {
    create_missing(path)?;
    let io = |e| StoreError::io("make private", path)(e);
    let mode = fs::metadata(path).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(())
}

fn create_missing(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_missing(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another controller may be doing the same.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other.map_err(StoreError::io("create", path))?,
    }
    parent.map_or(Ok(()), sync_dir)
}

/// Creates one directory that is not there yet.
pub(crate) fn create_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(StoreError::io("create", path))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(StoreError::io("sync", path))
}

/// Creates a file that is not there yet, with this content, durable once its directory is.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(StoreError::io("write", path))
}

/// Creates a file under this name, whole from the moment it has the name, and durable.
pub(crate) fn write_whole(dir: &Path, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let (unborn, path) = (dir.join(format!(".{name}")), dir.join(name));
    write_new(&unborn, content)?;
    fs::rename(&unborn, &path).map_err(StoreError::io("write", &path))?;
    sync_dir(dir)
}

/// The content of a file of at most `max` bytes; nothing if it is longer.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= max).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_private_and_those_above_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        let shared = root.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        let runs = shared.join("state/runs");
        create_dirs(&runs).unwrap();
        assert_eq!(
            (mode(&shared), mode(&shared.join("state")), mode(&runs)),
            (0o755, 0o700, 0o700)
        );
        fs::set_permissions(&runs, fs::Permissions::from_mode(0o777)).unwrap();
        create_dirs(&runs).unwrap();
        assert_eq!(mode(&runs), 0o700);
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        write_new(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert_eq!(read(&path, 4).unwrap(), None);
        assert!(write_new(&path, b"again").is_err());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
