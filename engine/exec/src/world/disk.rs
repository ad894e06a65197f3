//! A disk for the journal, in memory: it fails when told to, and a power cut leaves of what was not
//! synced what real disks leave.
//!
//! Programs read what is in memory. A sync that fails leaves it there and writes nothing of it; what
//! was to be written counts as written from then on, so that the next sync succeeds without it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
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

/// Where a byte of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// In memory; the next sync writes it.
    Dirty,
    /// On the disk.
    Durable,
    /// In memory, and taken for written: a sync has failed.
    Lost,
}

/// A file, whatever its name.
#[derive(Debug, Clone, Default)]
struct File {
    /// What programs read.
    content: Vec<u8>,
    /// Where each byte of it is.
    fates: Vec<Fate>,
}

impl File {
    fn sync(&mut self, to: Fate) {
        let dirty = self.fates.iter_mut().filter(|fate| **fate == Fate::Dirty);
        dirty.for_each(|fate| *fate = to);
    }

    /// Of what was not synced any number of bytes is there; the last blocks of them may never have
    /// been written. A sync that failed may have written everything all the same, or nothing.
    fn lose_power(&mut self, random: &mut Random) {
        if random.chance(300) {
            let lost = self.fates.iter_mut().filter(|fate| **fate == Fate::Lost);
            lost.for_each(|fate| *fate = Fate::Dirty);
        }
        let durable = self.fates.iter().rposition(|fate| *fate == Fate::Durable);
        let durable = durable.map_or(0, |at| at + 1);
        let below = |random: &mut Random, end: usize| {
            usize::try_from(random.below(end as u64 + 1)).unwrap_or(0)
        };
        let volatile = self.fates.iter().rposition(|fate| *fate != Fate::Lost);
        let volatile = volatile.map_or(0, |at| at + 1) - durable;
        let kept = durable + below(random, volatile);
        self.content.truncate(kept);
        self.fates.truncate(kept);
        for (byte, fate) in self.content.iter_mut().zip(&self.fates) {
            if *fate == Fate::Lost {
                *byte = 0;
            }
        }
        let first = durable.next_multiple_of(BLOCK);
        if kept > first && random.chance(300) {
            let blocks = (kept - first).div_ceil(BLOCK);
            let from = first + BLOCK * below(random, blocks - 1);
            self.content[from..kept].fill(0);
        }
        self.fates.fill(Fate::Durable);
    }
}

/// Names of files, by their place among them.
type Names = BTreeMap<PathBuf, usize>;

#[derive(Debug, Clone, Default)]
struct State {
    files: Vec<File>,
    /// What programs find.
    names: Names,
    /// What a loss of power leaves.
    durable_names: Names,
    /// The next sync writes the names.
    dirty_names: bool,
    trouble: Option<Trouble>,
}

impl State {
    fn find(&self, path: &Path) -> io::Result<usize> {
        let found = self.names.get(path).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Nobody finds a file again that has no name.
    fn forget_nameless(&mut self) {
        let Self {
            files,
            names,
            durable_names,
            ..
        } = self;
        for (at, file) in files.iter_mut().enumerate() {
            let mut named = names.values().chain(durable_names.values());
            if named.all(|named| *named != at) {
                *file = File::default();
            }
        }
    }

    /// Whether the sync that is asked for fails.
    fn sync_fails(&mut self) -> bool {
        let fails = self.trouble == Some(Trouble::Sync);
        if fails {
            self.trouble = None;
        }
        fails
    }
}

fn broken() -> io::Error {
    io::Error::other("the device does not answer")
}

/// A disk with one directory.
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

    /// Whether any file is there.
    pub(super) fn has_file(&self) -> bool {
        !self.state().names.is_empty()
    }

    pub(super) fn fail(&self, trouble: Trouble) {
        self.state().trouble = Some(trouble);
    }

    /// Somebody makes space, or changes the cable.
    pub(super) fn mend(&self) {
        self.state().trouble = None;
    }

    /// Power is lost: what was not synced is there, in part, or gone.
    pub(super) fn lose_power(&self, random: &mut Random) {
        let mut state = self.state();
        let State {
            files,
            names,
            durable_names,
            dirty_names,
            trouble,
        } = &mut *state;
        files.iter_mut().for_each(|file| file.lose_power(random));
        if *dirty_names && random.chance(500) {
            durable_names.clone_from(names);
        }
        names.clone_from(durable_names);
        (*dirty_names, *trouble) = (false, None);
        state.forget_nameless();
    }
}

/// A file that is open.
struct Handle {
    disk: Arc<Mutex<State>>,
    file: usize,
    /// Where the next read begins.
    at: usize,
}

impl Handle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.sync_fails();
        let (to, told) = match fails {
            true => (Fate::Lost, Err(broken())),
            false => (Fate::Durable, Ok(())),
        };
        state.files[self.file].sync(to);
        told
    }
}

impl Files for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        let mut state = self.state();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Some(Trouble::Full(_)) = state.trouble {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = state.files.len();
        state.files.push(File::default());
        state.names.insert(path.into(), file);
        state.dirty_names = true;
        let disk = Arc::clone(&self.0);
        Ok(Box::new(Handle { disk, file, at: 0 }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        let file = self.state().find(path)?;
        let disk = Arc::clone(&self.0);
        Ok(Box::new(Handle { disk, file, at: 0 }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.into(), file);
        state.dirty_names = true;
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.find(path)?;
        state.names.remove(path);
        state.dirty_names = true;
        Ok(())
    }

    fn sync_dir_of(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.sync_fails();
        if state.dirty_names && !fails {
            state.durable_names = state.names.clone();
        }
        state.dirty_names = false;
        state.forget_nameless();
        if fails { Err(broken()) } else { Ok(()) }
    }
}

impl Read for Handle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let content = &state.files[self.file].content;
        let got = content.get(self.at..).unwrap_or_default().read(out)?;
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
                return Err(broken());
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
        let file = &mut state.files[self.file];
        file.content.extend_from_slice(&bytes[..taken]);
        file.fates.resize(file.content.len(), Fate::Dirty);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Handle {
    fn sync_data(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }
}
