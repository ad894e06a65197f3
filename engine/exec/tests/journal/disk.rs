//! A disk in memory that fails when told to, and forgets what was not synced: all of it, which is the
//! worst that a real one does.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

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
    /// After so many calls that do something, one fails and does nothing; a failing sync as above.
    Call(usize),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// What programs read.
    content: Vec<u8>,
    /// What a loss of power leaves.
    durable: Vec<u8>,
    /// From here on the next sync writes. What is before it counts as written, also if it is not.
    clean: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    dirty_names: bool,
    /// Syncs of files, or of names, do nothing: as for an engine that leaves them out.
    pub(crate) deaf: (bool, bool),
    pub(crate) fault: Option<Fault>,
    pub(crate) writes: usize,
    pub(crate) syncs: usize,
}

impl State {
    /// Whether this call fails.
    fn strikes(&mut self) -> bool {
        match self.fault {
            Some(Fault::Call(0)) => {
                self.fault = None;
                true
            }
            Some(Fault::Call(left)) => {
                self.fault = Some(Fault::Call(left - 1));
                false
            }
            _ => false,
        }
    }

    fn sync_strikes(&mut self) -> bool {
        self.syncs += 1;
        if self.fault == Some(Fault::Sync) {
            self.fault = None;
            return true;
        }
        self.strikes()
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let found = self.names.get(path).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn journal(&self) -> &Inode {
        let mut named = self.names.iter();
        let (_, inode) = named
            .find(|(name, _)| !name.to_string_lossy().starts_with('.'))
            .unwrap();
        &self.inodes[*inode]
    }
}

fn broken() -> io::Error {
    io::Error::from_raw_os_error(5)
}

/// A disk with one directory.
#[derive(Clone, Default)]
pub(crate) struct FakeDisk(Arc<Mutex<State>>);

impl FakeDisk {
    /// With a journal of this content, all of it durable.
    pub(crate) fn with(content: &[u8]) -> Self {
        let names = BTreeMap::from([("journal".into(), 0)]);
        let inode = Inode {
            content: content.to_vec(),
            durable: content.to_vec(),
            clean: content.len(),
        };
        Self(Arc::new(Mutex::new(State {
            inodes: vec![inode],
            durable_names: names.clone(),
            names,
            ..State::default()
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Another disk with the same on it.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    pub(crate) fn lose_power(&self) {
        let mut state = self.state();
        state.names = state.durable_names.clone();
        (state.dirty_names, state.fault) = (false, None);
        for inode in &mut state.inodes {
            inode.content.clone_from(&inode.durable);
            inode.clean = inode.content.len();
        }
    }

    /// What programs read of the journal.
    pub(crate) fn content(&self) -> Vec<u8> {
        self.state().journal().content.clone()
    }

    /// What a loss of power leaves of it.
    pub(crate) fn durable(&self) -> Vec<u8> {
        self.state().journal().durable.clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.state();
        let names = state.names.keys();
        names.map(|name| name.display().to_string()).collect()
    }
}

struct Handle {
    disk: FakeDisk,
    inode: usize,
    at: usize,
    /// A write found no space.
    full: bool,
}

impl FakeDisk {
    fn handle(&self, inode: usize) -> Handle {
        Handle {
            disk: self.clone(),
            inode,
            at: 0,
            full: false,
        }
    }
}

impl Files for FakeDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        let mut state = self.state();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if state.strikes() {
            return Err(broken());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.names.insert(path.into(), inode);
        state.dirty_names = true;
        Ok(Box::new(self.handle(inode)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        let inode = self.state().find(path)?;
        Ok(Box::new(self.handle(inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(from)?;
        if state.strikes() {
            return Err(broken());
        }
        state.names.remove(from);
        state.names.insert(to.into(), inode);
        state.dirty_names = true;
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.find(path)?;
        if state.strikes() {
            return Err(broken());
        }
        state.names.remove(path);
        state.dirty_names = true;
        Ok(())
    }

    fn sync_dir_of(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fails = state.sync_strikes();
        if state.deaf.1 {
            return Ok(());
        }
        if state.dirty_names && !fails {
            state.durable_names = state.names.clone();
        }
        state.dirty_names = false;
        if fails { Err(broken()) } else { Ok(()) }
    }
}

impl Read for Handle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let got = (&state.inodes[self.inode].content[self.at..]).read(out)?;
        self.at += got;
        Ok(got)
    }
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.disk.state();
        state.writes += 1;
        if state.strikes() {
            return Err(broken());
        }
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
        let inode = &mut state.inodes[self.inode];
        inode.content.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Handle {
    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        // As Linux does it: the pages are clean now, and the next sync succeeds without them.
        let fails = state.sync_strikes();
        if state.deaf.0 {
            return Ok(());
        }
        let Inode {
            content,
            durable,
            clean,
        } = &mut state.inodes[self.inode];
        if !fails && *clean < content.len() {
            durable.resize(content.len(), 0);
            durable[*clean..].copy_from_slice(&content[*clean..]);
        }
        *clean = content.len();
        if fails { Err(broken()) } else { Ok(()) }
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
