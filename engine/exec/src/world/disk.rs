//! A disk for the journal, in memory: it fails when told to, and a power cut leaves of what was not
//! synced what real disks leave.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::random::Random;
use crate::journal::{Disk, Files};

/// Devices write this many bytes at once.
const BLOCK: usize = 512;

/// What goes wrong at the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The next write takes so many bytes, and then says that the device is broken.
    Write(usize),
    /// The next write takes so many bytes; there is no space for more until somebody makes some.
    Full(usize),
    /// The next sync fails.
    Sync,
}

#[derive(Debug, Clone, Default)]
struct State {
    there: bool,
    /// What programs read.
    content: Vec<u8>,
    /// Bytes of it that a loss of power leaves, from the start.
    durable: usize,
    trouble: Option<Trouble>,
}

/// A disk with one file.
#[derive(Debug, Default)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

impl Clone for SimDisk {
    /// A disk of its own, with the same on it.
    fn clone(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file was created.
    pub(super) fn has_file(&self) -> bool {
        self.state().there
    }

    pub(super) fn fail(&self, trouble: Trouble) {
        self.state().trouble = Some(trouble);
    }

    /// Somebody makes space, or changes the cable.
    pub(super) fn mend(&self) {
        self.state().trouble = None;
    }

    /// Power is lost. Of what was not synced any number of bytes is there; the last blocks of them
    /// may never have been written.
    pub(super) fn lose_power(&self, random: &mut Random) {
        let mut state = self.state();
        let (durable, len) = (state.durable, state.content.len());
        let below = |random: &mut Random, end: usize| {
            usize::try_from(random.below(end as u64 + 1)).unwrap_or(0)
        };
        let kept = durable + below(random, len - durable);
        state.content.truncate(kept);
        let first = durable.next_multiple_of(BLOCK);
        if kept > first && random.chance(300) {
            let blocks = (kept - first).div_ceil(BLOCK);
            let from = first + BLOCK * below(random, blocks - 1);
            state.content[from..kept].fill(0);
        }
        state.durable = state.content.len();
        state.trouble = None;
    }
}

struct Handle {
    disk: Arc<Mutex<State>>,
    at: usize,
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        {
            let mut state = self.state();
            if state.there {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if let Some(Trouble::Full(_)) = state.trouble {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.there = true;
        }
        self.open(path)
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn Disk>> {
        if !self.state().there {
            return Err(io::ErrorKind::NotFound.into());
        }
        let disk = Arc::clone(&self.0);
        Ok(Box::new(Handle { disk, at: 0 }))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Handle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let got = state.content.get(self.at..).unwrap_or_default().read(out)?;
        self.at += got;
        Ok(got)
    }
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let room = match state.trouble {
            Some(Trouble::Write(0)) => {
                state.trouble = None;
                return Err(io::Error::other("the device does not answer"));
            }
            Some(Trouble::Full(0)) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Trouble::Write(room) | Trouble::Full(room)) => room,
            Some(Trouble::Sync) | None => bytes.len(),
        };
        let taken = room.min(bytes.len());
        match &mut state.trouble {
            Some(Trouble::Write(left) | Trouble::Full(left)) => *left -= taken,
            Some(Trouble::Sync) | None => {}
        }
        state.content.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Handle {
    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.state();
        if state.trouble == Some(Trouble::Sync) {
            state.trouble = None;
            return Err(io::Error::other("the device does not answer"));
        }
        state.durable = state.content.len();
        Ok(())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        state.content.truncate(len);
        state.durable = state.durable.min(len);
        Ok(())
    }
}
