//! The seam between the journal and the file system, so that tests can let a disk fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The calls that the journal makes on an open file. Reading starts at the beginning, writing
/// always goes to the end.
pub trait Disk: Read + Write + Send {
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

    /// Cuts the file to this length, in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

/// The calls that the journal makes to get an open file.
pub trait Files {
    /// Creates a file that is not there yet, readable by its owner alone.
    ///
    /// # Errors
    /// It is there already, or what the system says.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>>;

    /// Opens a file that is there, to read it and to append.
    ///
    /// # Errors
    /// It is not there, or what the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Disk>>;

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        Ok(Box::new(
            OpenOptions::new().read(true).append(true).open(path)?,
        ))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl Disk for File {
    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}
