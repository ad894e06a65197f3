//! Writing a journal to a file.

use std::fmt;
use std::io;
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
        if let Some(dir) = path.parent() {
            files.sync_dir(dir).map_err(io("sync the directory of"))?;
        }
        Ok(Self::new(path, file, 0, (0, line::FIRST)))
    }

    /// Reads a journal, cuts what a crash left unfinished, and goes on behind the last record.
    /// What was read is durable when this returns: a record may have reached the file and not yet
    /// the disk when its writer was killed, and the caller acts upon it.
    ///
    /// # Errors
    /// The journal cannot be read, is damaged, of another format, holds an event that this engine
    /// does not know, or cannot be made durable. It is unchanged then, save by a failing disk.
    pub fn open_for_append(files: &dyn Files, path: &Path) -> Result<(Self, Loaded), JournalError> {
        let io = |doing| {
            move |source| JournalError::Io {
                path: path.into(),
                doing,
                source,
            }
        };
        let mut file = files.open(path).map_err(io("open"))?;
        let loaded = read_from(&mut file, path)?;
        if let Some(opaque) = loaded.opaque.first() {
            return Err(JournalError::Opaque {
                path: path.into(),
                seq: opaque.seq,
                kind: opaque.kind.clone(),
            });
        }
        let tail = &loaded.tail;
        if tail.torn.is_some() {
            file.cut(tail.good_bytes).map_err(io("cut"))?;
        }
        file.sync_all().map_err(io("sync"))?;
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
