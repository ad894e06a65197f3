//! What attempts printed: raw bytes, bounded, one file for each stream.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use runbook_model::AttemptId;

use super::disk;

/// The most that is kept of one stream, in bytes.
pub const MAX_LOG: u64 = 16 << 20;
/// What stands at the end of a stream that went on; beyond [`MAX_LOG`].
const NOTE: &[u8] = b"\n[runbook keeps 16 MiB of a stream; the rest is left out]\n";

/// Which stream of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The log of one attempt.
#[derive(Debug)]
pub struct AttemptLog {
    out: PathBuf,
    err: PathBuf,
    open: [Option<File>; 2],
}

impl AttemptLog {
    pub(super) fn new(dir: &Path, attempt: &AttemptId) -> Self {
        let path = |suffix| dir.join(format!("{attempt}.{suffix}"));
        Self {
            out: path("out"),
            err: path("err"),
            open: [None, None],
        }
    }

    /// Adds bytes to a stream. Behind the limit they are left out, and a note says so.
    ///
    /// # Errors
    /// What the system says; a part may have been written.
    pub fn append(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let file = self.file(stream)?;
        let len = file.metadata()?.len();
        let room = usize::try_from(MAX_LOG.saturating_sub(len)).unwrap_or(usize::MAX);
        match bytes.split_at_checked(room) {
            None => file.write_all(bytes),
            Some((_, [])) => file.write_all(bytes),
            Some(_) if len > MAX_LOG => Ok(()),
            Some((kept, _)) => {
                file.write_all(kept)?;
                file.write_all(NOTE)
            }
        }
    }

    /// Bytes of a stream that are kept: where an interrupted copy goes on. [`MAX_LOG`] means that
    /// nothing more is wanted.
    ///
    /// # Errors
    /// What the system says.
    pub fn size(&self, stream: Stream) -> io::Result<u64> {
        match std::fs::metadata(self.path(stream)) {
            Ok(found) => Ok(found.len().min(MAX_LOG)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Makes what was added durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        self.open.iter().flatten().try_for_each(File::sync_data)
    }

    /// What is kept of a stream, with the note if there is one; nothing if nothing was printed.
    /// Raw: not yet made printable.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, stream: Stream) -> io::Result<Vec<u8>> {
        match disk::read(self.path(stream), MAX_LOG + NOTE.len() as u64) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the log is longer than any that is kept",
            )),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// What is kept of a stream from this byte on.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_from(&self, stream: Stream, at: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match File::open(self.path(stream)) {
            Ok(mut file) => {
                file.seek(io::SeekFrom::Start(at))?;
                let most = (MAX_LOG + NOTE.len() as u64).saturating_sub(at);
                file.take(most).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(bytes),
            Err(e) => Err(e),
        }
    }

    fn path(&self, stream: Stream) -> &Path {
        match stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        }
    }

    fn file(&mut self, stream: Stream) -> io::Result<&mut File> {
        let (slot, path) = match stream {
            Stream::Out => (&mut self.open[0], &self.out),
            Stream::Err => (&mut self.open[1], &self.err),
        };
        match slot {
            Some(file) => Ok(file),
            None => Ok(slot.insert(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path)?,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &Path) -> AttemptLog {
        AttemptLog::new(dir, &AttemptId::new("a1").unwrap())
    }

    #[test]
    fn streams_are_kept_apart_and_go_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(log(dir.path()).read(Stream::Out).unwrap(), b"");
        assert_eq!(log(dir.path()).size(Stream::Out).unwrap(), 0);
        log(dir.path()).append(Stream::Out, b"one ").unwrap();
        let mut second = log(dir.path());
        second.append(Stream::Out, b"two").unwrap();
        second.append(Stream::Err, b"\xff\0").unwrap();
        second.sync().unwrap();
        assert_eq!(second.read(Stream::Out).unwrap(), b"one two");
        assert_eq!(second.read(Stream::Err).unwrap(), b"\xff\0");
        assert_eq!(second.size(Stream::Out).unwrap(), 7);
        assert_eq!(second.read_from(Stream::Out, 4).unwrap(), b"two");
        assert_eq!(second.read_from(Stream::Out, 70).unwrap(), b"");
    }

    #[test]
    fn a_stream_that_goes_on_is_cut_with_one_note() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path());
        let most = vec![b'x'; usize::try_from(MAX_LOG).unwrap()];
        log.append(Stream::Out, &most).unwrap();
        assert_eq!(
            log.read(Stream::Out).unwrap().len(),
            most.len(),
            "the limit itself is not over it"
        );
        for _ in 0..3 {
            log.append(Stream::Out, b"more").unwrap();
        }
        let kept = log.read(Stream::Out).unwrap();
        assert_eq!(&kept[most.len()..], NOTE);
        assert_eq!(log.size(Stream::Out).unwrap(), MAX_LOG);
    }
}
