//! The journal of a simulated world: plain records that a crash shortens, or the real journal on a
//! disk that fails.

use std::path::Path;

use runbook_model::Record;

use super::controller::{Ending, World};
use super::disk::{SimDisk, Trouble};
use super::fault::Fault;
use crate::journal::{FileJournal, Journal, JournalError};
use crate::rules::Rules;

/// What the journal of a world is written on.
#[derive(Default)]
pub(super) enum Ledger {
    /// Records in memory.
    #[default]
    Memory,
    /// The real journal; it is open while a controller has it.
    Disk(SimDisk, Option<Box<FileJournal>>),
}

impl Ledger {
    /// The same without the program that wrote it.
    pub(super) fn left_behind(&self) -> Self {
        match self {
            Self::Memory => Self::Memory,
            Self::Disk(disk, _) => Self::Disk(disk.clone(), None),
        }
    }
}

/// The journal cannot be written: the controller's part is over.
pub(super) struct Unwritten(pub(super) String);

impl From<JournalError> for Unwritten {
    fn from(error: JournalError) -> Self {
        Self(error.to_string())
    }
}

const FILE: &str = "journal";

impl<R: Rules + Clone> World<R> {
    /// Has the journal written by the real writer, on a disk of its own.
    pub fn on_disk(&mut self) {
        self.ledger = Ledger::Disk(SimDisk::default(), None);
    }

    /// A controller opens the journal. What was acknowledged once must be there.
    pub(super) fn open_journal(&mut self) -> Result<(), Ending> {
        let Ledger::Disk(disk, writer) = &mut self.ledger else {
            return Ok(());
        };
        disk.mend();
        let path = Path::new(FILE);
        if !disk.has_file() {
            let created = FileJournal::create(disk, path);
            *writer = Some(Box::new(
                created.map_err(|e| Ending::Unwritten(e.to_string()))?,
            ));
            return Ok(());
        }
        let (opened, loaded) =
            FileJournal::open_for_append(disk, path).map_err(|error| match error {
                JournalError::Io { .. } => Ending::Unwritten(error.to_string()),
                error => Ending::Damaged(error.to_string()),
            })?;
        let whole = self.journal.get(..self.durable) == loaded.records.get(..self.durable);
        let known = self.journal.get(..loaded.records.len()) == Some(&loaded.records);
        if !whole || !known {
            return Err(Ending::Damaged("an acknowledged record is gone".into()));
        }
        self.journal = loaded.records;
        self.durable = self.journal.len();
        *writer = Some(Box::new(opened));
        Ok(())
    }

    pub(super) fn append(&mut self, record: Record) -> Result<(), Unwritten> {
        let (full, write) = (self.faults.full, self.faults.write);
        if matches!(self.ledger, Ledger::Disk(..)) {
            let full = self.strikes(full, Fault::DiskFull, None);
            if full || self.strikes(write, Fault::WriteFails, None) {
                let room = usize::try_from(self.random.below(2000)).unwrap_or(0);
                let trouble = match full {
                    true => Trouble::Full(room),
                    false => Trouble::Write(room),
                };
                if let Ledger::Disk(disk, _) = &self.ledger {
                    disk.fail(trouble);
                }
            }
        }
        let written = match &mut self.ledger {
            Ledger::Disk(_, Some(writer)) => writer.append(&record).map_err(Unwritten::from),
            Ledger::Disk(_, None) | Ledger::Memory => Ok(()),
        };
        // It may have reached the disk even if this fails.
        self.journal.push(record);
        written
    }

    /// Makes durable what was appended.
    pub(super) fn sync(&mut self) -> Result<(), Unwritten> {
        let sync = self.faults.sync;
        if matches!(self.ledger, Ledger::Disk(..))
            && self.strikes(sync, Fault::SyncFails, None)
            && let Ledger::Disk(disk, _) = &self.ledger
        {
            disk.fail(Trouble::Sync);
        }
        if let Ledger::Disk(_, Some(writer)) = &mut self.ledger {
            writer.sync()?;
        }
        self.durable = self.journal.len();
        Ok(())
    }

    /// The controller is gone: what was not durable is lost, or not.
    pub(super) fn lose_journal(&mut self) {
        let power = self.faults.power;
        let cut = match &mut self.ledger {
            Ledger::Memory => {
                let volatile = self.journal.len() - self.durable;
                let kept = usize::try_from(self.random.below(volatile as u64 + 1)).unwrap_or(0);
                self.journal.truncate(self.durable + kept);
                self.durable = self.journal.len();
                return;
            }
            Ledger::Disk(disk, writer) => {
                *writer = None;
                let cut = self.random.chance(power);
                if cut {
                    disk.lose_power(&mut self.random);
                }
                cut
            }
        };
        if cut {
            self.note(Fault::PowerCut, None);
        }
    }
}
