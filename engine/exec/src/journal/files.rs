//! The seam between the journal and the file system, so that tests can let a disk fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The calls that the journal makes on the file that it writes. Writing always goes to the end.
pub trait Disk: Write + Send {
    /// Makes the content durable, and the length where it matters.
    ///
    /// # Errors
    /// What the system says; see [`super::Journal::sync`] for what that means.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Makes content and all metadata durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_all(&mut self) -> io::Result<()>;
}

/// The calls that the journal makes to get at files.
pub trait Files {
    /// Creates a file that is not there yet, readable by its owner alone.
    ///
    /// # Errors
    /// It is there already, or what the system says.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>>;

    /// Opens a file that is there, to read it from its beginning.
    ///
    /// # Errors
    /// It is not there, or what the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>>;

    /// Gives a file the name of another one of the same directory, which loses it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// It is not there, or what the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of the directory durable that has this file.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir_of(&self, file: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir_of(&self, file: &Path) -> io::Result<()> {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Disk for File {
    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }
}
