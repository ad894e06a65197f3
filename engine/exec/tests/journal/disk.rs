//! A disk in memory that fails when told to, and forgets what was not synced.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use runbook_exec::journal::{Disk, Files};

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write takes only this many bytes and then there is no space.
    NoSpace(usize),
    /// A write takes only this many bytes and says so; the next one goes on.
    Short(usize),
    /// A sync fails, and nothing of what it was to write is on the disk.
    Sync,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) content: Vec<u8>,
    /// Bytes that a loss of power leaves.
    pub(crate) durable: usize,
    pub(crate) fault: Option<Fault>,
    pub(crate) writes: usize,
    pub(crate) syncs: usize,
}

/// One file on that disk.
#[derive(Clone, Default)]
pub(crate) struct FakeDisk(pub(crate) Arc<Mutex<State>>);

impl FakeDisk {
    pub(crate) fn with(content: &[u8]) -> Self {
        let state = State {
            content: content.to_vec(),
            durable: content.len(),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.0.lock().unwrap().fault = Some(fault);
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap().content.clone()
    }

    pub(crate) fn durable(&self) -> usize {
        self.0.lock().unwrap().durable
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }
}

struct Handle {
    disk: FakeDisk,
    at: usize,
    /// What the last short write left over was announced.
    full: bool,
}

impl Files for FakeDisk {
    fn create_new(&self, _: &Path) -> io::Result<Box<dyn Disk>> {
        self.open(Path::new(""))
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn Disk>> {
        Ok(Box::new(Handle {
            disk: self.clone(),
            at: 0,
            full: false,
        }))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Handle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.0.lock().unwrap();
        let got = (&state.content[self.at..]).read(out)?;
        self.at += got;
        Ok(got)
    }
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.disk.0.lock().unwrap();
        state.writes += 1;
        let taken = match state.fault {
            Some(Fault::NoSpace(room)) => {
                self.full = true;
                room
            }
            Some(Fault::Short(room)) => {
                state.fault = None;
                room
            }
            _ => bytes.len(),
        };
        let taken = taken.min(bytes.len());
        state.content.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Handle {
    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        state.syncs += 1;
        if state.fault == Some(Fault::Sync) {
            // As Linux does it: the pages are clean now, and the next sync succeeds.
            state.fault = None;
            return Err(io::Error::from_raw_os_error(5));
        }
        state.durable = state.content.len();
        Ok(())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        state.content.truncate(usize::try_from(len).unwrap());
        Ok(())
    }
}
