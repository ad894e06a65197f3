//! A run that comes from elsewhere: new here, or a later state of one that is here.
//!
//! The copy is put beside the runs under a name that no run has, looked at as a whole, and only then
//! takes its place: by one rename of its directory, or, where the run is here already, by one rename
//! of its journal. What is here is replaced only by what continues it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use runbook_model::RunId;
use runbook_model::event::Controller;

use super::archive::{self, ArchiveError};
use super::plan_file::{self, PLAN, SUM};
use super::run::{INBOX, JOURNAL, LOCK, LOGS, UNBORN};
use super::{Home, Lock, Seen, Store, StoreError, disk};
use crate::journal::{self, Condition};

/// Under this name a damaged journal is kept when a whole one takes its place.
const DAMAGED: &str = "journal.damaged";

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The run was not here.
    New,
    /// The run was here, and the copy had more events.
    Later,
    /// The run was here with a damaged journal, which is kept beside that of the copy.
    Repaired,
    /// The run was here in the same state.
    Same,
    /// The run was here in a later state, which stays.
    Earlier,
}

impl Store {
    /// Takes a run out of an archive.
    ///
    /// # Errors
    /// The archive is damaged, or not one of a run; a controller has the run here; the run that is
    /// here is not an earlier or later state of the copy; the system refuses. Nothing has changed then.
    pub fn import(
        &self,
        archive: impl Read,
        controller: &Controller,
    ) -> Result<(RunId, Received), ArchiveError> {
        self.receive(controller, |dir| archive::unpack(archive, dir))
    }

    /// Takes a run from copies of its plan and journal in a directory, as a mirror keeps them.
    ///
    /// # Errors
    /// As for [`Store::import`].
    pub fn import_copy(
        &self,
        id: &RunId,
        copy: &Path,
        controller: &Controller,
    ) -> Result<(RunId, Received), ArchiveError> {
        self.receive(controller, |dir| {
            let known = journal::read(&copy.join(JOURNAL)).ok();
            let state = known.and_then(|journal| journal.state().ok());
            let mut names = plan_file::needed(state.map_or(1, |state| state.plan_number));
            names.push(JOURNAL.to_owned());
            for name in names {
                let (from, to) = (copy.join(&name), dir.join(&name));
                let copied = || {
                    fs::copy(&from, &to)?;
                    File::open(&to)?.sync_all()
                };
                copied().map_err(StoreError::io("copy", &from))?;
            }
            Ok(id.clone())
        })
    }

    fn receive(
        &self,
        controller: &Controller,
        fill: impl FnOnce(&Path) -> Result<RunId, ArchiveError>,
    ) -> Result<(RunId, Received), ArchiveError> {
        disk::create_dirs(&self.runs)?;
        let _alone = self.alone()?;
        self.sweep()?;
        let unborn = self.runs.join(format!("{UNBORN}import"));
        disk::create_dir(&unborn)?;
        let received = disk::create_dir(&unborn.join(LOGS))
            .and_then(|()| disk::create_dir(&unborn.join(INBOX)))
            .map_err(ArchiveError::from)
            .and_then(|()| self.place(&unborn, controller, fill));
        // Gone if it has become the run; what is left otherwise is of no use.
        let _ = fs::remove_dir_all(&unborn);
        received
    }

    fn place(
        &self,
        unborn: &Path,
        controller: &Controller,
        fill: impl FnOnce(&Path) -> Result<RunId, ArchiveError>,
    ) -> Result<(RunId, Received), ArchiveError> {
        let id = fill(unborn)?;
        Lock::create(&unborn.join(LOCK))?;
        let seen = Seen::read(&Home::new(unborn.into()), &id)?;
        let path = unborn.join(JOURNAL);
        let bytes = seen.journal.tail.good_bytes;
        if seen.journal.tail.torn.is_some() {
            cut(&path, bytes).map_err(StoreError::io("cut", &path))?;
        }
        disk::sync_dir(unborn)?;
        let dir = self.runs.join(id.as_str());
        let received = match dir.exists() {
            false => {
                fs::rename(unborn, &dir).map_err(StoreError::io("create", &dir))?;
                disk::sync_dir(&self.runs)?;
                Received::New
            }
            true => merge(&dir, unborn, &id, bytes, controller)?,
        };
        Ok((id, received))
    }
}

fn cut(path: &Path, bytes: u64) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(bytes)?;
    file.sync_all()
}

/// Puts a copy with a journal of so many bytes in the place of a run that is here.
fn merge(
    dir: &Path,
    copy: &Path,
    id: &RunId,
    bytes: u64,
    controller: &Controller,
) -> Result<Received, ArchiveError> {
    let parted = |problem: String| ArchiveError::Parted {
        run: id.clone(),
        problem,
    };
    let lock = dir.join(LOCK);
    let mut lock = Lock::take(&lock, super::lock::LOOKERS)?.map_err(|by| StoreError::Held {
        run: id.clone(),
        by,
    })?;
    lock.sign(controller).map_err(StoreError::io("sign", dir))?;
    let sum = |dir: &Path| {
        let path = dir.join(SUM);
        disk::read(&path, 1 << 10).map_err(StoreError::io("read", &path))
    };
    if sum(dir)? != sum(copy)? {
        return Err(parted("it runs another plan".into()));
    }
    let (ours, theirs) = (dir.join(JOURNAL), copy.join(JOURNAL));
    let here = journal::inspect(&ours).map_err(StoreError::from)?;
    let common = here.bytes.min(bytes);
    let same = same_begin(&ours, &theirs, common).map_err(StoreError::io("compare", &ours))?;
    if let Some(after) = same {
        return Err(parted(format!(
            "its journal and that of the copy part after event {after}: both went on from there"
        )));
    }
    let received = match here.condition {
        Condition::Damaged { offset, .. } | Condition::Format { offset, .. } => {
            let len = fs::metadata(&ours)
                .map_err(StoreError::io("look at", &ours))?
                .len();
            if bytes < len {
                return Err(parted(format!(
                    "its journal is damaged at byte {offset} of {len}, where the copy has only {bytes}: what \
                     came after that would be lost"
                )));
            }
            Received::Repaired
        }
        _ if here.bytes > bytes => return Ok(Received::Earlier),
        _ if here.bytes == bytes => return Ok(Received::Same),
        _ => Received::Later,
    };
    if received == Received::Repaired {
        let kept = dir.join(DAMAGED);
        let link = || match fs::hard_link(&ours, &kept) {
            // The first one says most.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        };
        link().map_err(StoreError::io("keep", &ours))?;
    }
    move_files(copy, dir, false).map_err(StoreError::io("fill", dir))?;
    let logs = dir.join(LOGS);
    move_files(&copy.join(LOGS), &logs, true).map_err(StoreError::io("fill", &logs))?;
    fs::rename(&theirs, &ours).map_err(StoreError::io("replace", &ours))?;
    disk::sync_dir(dir)?;
    Ok(received)
}

/// Moves what comes with a journal; the lock, the plan and the journal itself are no such files. Of
/// two logs the longer one stays: it has all that the other has.
fn move_files(from: &Path, to: &Path, logs: bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let kept = [LOCK, PLAN, SUM, JOURNAL].map(Some);
        if !entry.file_type()?.is_file() || kept.contains(&name.to_str()) {
            continue;
        }
        let there = fs::metadata(to.join(&name)).map_or(0, |found| found.len());
        if !logs || entry.metadata()?.len() > there {
            fs::rename(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// The number of the last event up to which two journals are the same, if they differ in their first
/// bytes, so many.
fn same_begin(one: &Path, other: &Path, bytes: u64) -> io::Result<Option<u64>> {
    let open = |path| io::Result::Ok(BufReader::new(File::open(path)?.take(bytes)));
    let (mut one, mut other) = (open(one)?, open(other)?);
    let mut events = 0;
    let (mut left, mut right) = ([0; 4096], [0; 4096]);
    let mut todo = bytes;
    while todo > 0 {
        let part = usize::try_from(todo.min(4096)).unwrap_or(4096);
        one.read_exact(&mut left[..part])?;
        other.read_exact(&mut right[..part])?;
        let same = left[..part].iter().zip(&right[..part]);
        let same = same.take_while(|(a, b)| a == b).count();
        events += left[..same].iter().filter(|b| **b == b'\n').count() as u64;
        if same < part {
            return Ok(Some(events));
        }
        todo -= part as u64;
    }
    Ok(None)
}
