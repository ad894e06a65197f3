//! Writing a journal to a file.
//!
//! What a program reads from a file need not be on the disk. When a sync fails, Linux takes the pages
//! that it could not write for clean: they can be read until memory gets short, and every later sync
//! succeeds without them. Nothing tells whoever opens the file then. So a journal is never gone on
//! with in the file where it was found: what is whole in it is written into a new file, which takes
//! its name once it is durable. The old one stays as it is until then.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use runbook_model::Record;

use super::files::{Disk, Files};
use super::line;
use super::reader::{Loaded, read_from};
use super::{Journal, JournalError, MAX_JOURNAL};

/// The buffer is written to the file when it has this many bytes, synced or not.
const FLUSH_AT: usize = 64 << 10;

/// A journal in a file, of which there is one writer: who holds the run's lock.
pub struct FileJournal {
    path: PathBuf,
    file: Box<dyn Disk>,
    buffer: Vec<u8>,
    /// Bytes of all records, those in the buffer included.
    len: u64,
    /// Number and checksum of the last record.
    last: (u64, u32),
    durable: u64,
    poison: Option<String>,
}

impl FileJournal {
    /// Creates an empty journal and makes the file itself durable.
    ///
    /// # Errors
    /// The file is there already, or the system refuses.
    pub fn create(files: &dyn Files, path: &Path) -> Result<Self, JournalError> {
        let io = |doing| {
            move |source| JournalError::Io {
                path: path.into(),
                doing,
                source,
            }
        };
        let mut file = files.create_new(path).map_err(io("create"))?;
        file.sync_all().map_err(io("sync"))?;
        files
            .sync_dir_of(path)
            .map_err(io("sync the directory of"))?;
        Ok(Self::new(path, file, 0, (0, line::FIRST)))
    }

    /// Reads a journal, leaves out what a crash left unfinished, and goes on behind the last record,
    /// in a new file of the same name. What was read is durable there when this returns: the caller
    /// acts upon it.
    ///
    /// # Errors
    /// The journal cannot be read, is damaged, of another format, holds an event that this engine
    /// does not know, or cannot be made durable. The file is unchanged then, or has been replaced by
    /// one with the same records.
    pub fn open_for_append(files: &dyn Files, path: &Path) -> Result<(Self, Loaded), JournalError> {
        let io = |doing| {
            move |source| JournalError::Io {
                path: path.into(),
                doing,
                source,
            }
        };
        // What is written anew must be what was read: a second look at the file could differ.
        let mut bytes = Vec::new();
        let source = files.open(path).map_err(io("open"))?;
        let mut source = source.take(MAX_JOURNAL + 1);
        source.read_to_end(&mut bytes).map_err(io("read"))?;
        let loaded = read_from(&bytes[..], path)?;
        if let Some(opaque) = loaded.opaque.first() {
            return Err(JournalError::Opaque {
                path: path.into(),
                seq: opaque.seq,
                kind: opaque.kind.clone(),
            });
        }
        let tail = &loaded.tail;
        let whole = usize::try_from(tail.good_bytes).map_or(&bytes[..], |len| &bytes[..len]);
        let file = write_anew(files, path, whole).map_err(|(doing, source)| io(doing)(source))?;
        let journal = Self::new(path, file, tail.good_bytes, (tail.seq, tail.sum));
        Ok((journal, loaded))
    }

    fn new(path: &Path, file: Box<dyn Disk>, len: u64, last: (u64, u32)) -> Self {
        Self {
            path: path.into(),
            file,
            buffer: Vec::new(),
            len,
            last,
            durable: last.0,
            poison: None,
        }
    }

    /// The number of the last record that is known to be durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The number of the last record that was appended.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.0
    }

    /// The directory of the file was renamed.
    pub(crate) fn moved_to(&mut self, path: PathBuf) {
        self.path = path;
    }

    fn usable(&self) -> Result<(), JournalError> {
        match &self.poison {
            Some(because) => Err(JournalError::Poisoned {
                path: self.path.clone(),
                because: because.clone(),
            }),
            None => Ok(()),
        }
    }

    fn failed(&mut self, doing: &'static str, source: io::Error) -> JournalError {
        let error = JournalError::Io {
            path: self.path.clone(),
            doing,
            source,
        };
        self.poison = Some(error.to_string());
        error
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        // A part of the buffer may have been written when this fails: never tried again.
        match self.file.write_all(&self.buffer) {
            Ok(()) => {
                self.buffer.clear();
                Ok(())
            }
            Err(e) => Err(self.failed("write", e)),
        }
    }
}

/// Puts a new file with this content in the place of the one with this name. On an error: what could
/// not be done.
fn write_anew(
    files: &dyn Files,
    path: &Path,
    content: &[u8],
) -> Result<Box<dyn Disk>, (&'static str, io::Error)> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let unborn = path.with_file_name(name);
    match files.remove(&unborn) {
        // A crash left it before it had its name.
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(("make room for a copy of", e)),
    }
    let write = || {
        let mut file = files
            .create_new(&unborn)
            .map_err(|e| ("create a copy of", e))?;
        file.write_all(content)
            .map_err(|e| ("write a copy of", e))?;
        file.sync_all().map_err(|e| ("sync a copy of", e))?;
        files.rename(&unborn, path).map_err(|e| ("replace", e))?;
        Ok(file)
    };
    let file = write().inspect_err(|_| {
        // The space is needed where this failed for want of it.
        let _ = files.remove(&unborn);
    })?;
    files
        .sync_dir_of(path)
        .map_err(|e| ("sync the directory of", e))?;
    Ok(file)
}

impl Journal for FileJournal {
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.usable()?;
        let (after, prev) = self.last;
        if record.seq != after + 1 {
            return Err(JournalError::Order {
                path: self.path.clone(),
                after,
                got: record.seq,
            });
        }
        let start = self.buffer.len();
        let sum = line::encode(&mut self.buffer, record, self.durable, prev)?;
        let len = self.len + (self.buffer.len() - start) as u64;
        if len > MAX_JOURNAL {
            self.buffer.truncate(start);
            return Err(JournalError::Full {
                path: self.path.clone(),
            });
        }
        self.len = len;
        self.last = (record.seq, sum);
        if self.buffer.len() >= FLUSH_AT {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> Result<u64, JournalError> {
        self.usable()?;
        if self.durable < self.last.0 {
            self.flush()?;
            if let Err(e) = self.file.sync_data() {
                return Err(self.failed("sync", e));
            }
            self.durable = self.last.0;
        }
        Ok(self.durable)
    }
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal")
            .field("path", &self.path)
            .field("last", &self.last.0)
            .finish_non_exhaustive()
    }
}
