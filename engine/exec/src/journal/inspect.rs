//! What a journal is worth: whole, cut short by a crash, or not to be trusted from some byte on. For
//! people who ask; a controller finds out by itself when it takes the run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use runbook_model::state::FoldError;
use runbook_model::{Epoch, Millis, RunId, RunState};

use super::reader::{Entry, Opaque, Torn, scan};
use super::{JournalError, MAX_LINE};

/// What can be said of a journal.
#[derive(Debug)]
pub struct Inspection {
    /// The run, as its first record names it.
    pub run: Option<RunId>,
    /// Whole records.
    pub records: u64,
    /// Bytes that they take, from the beginning of the file.
    pub bytes: u64,
    /// The highest number that a whole record says was durable.
    pub durable_upto: u64,
    /// Epoch of the last record that is known.
    pub epoch: Epoch,
    /// When the last record that is known was made.
    pub last: Millis,
    /// The worst that was found.
    pub condition: Condition,
}

/// The condition of a journal, from good to bad.
#[derive(Debug)]
pub enum Condition {
    /// Every byte of it is a whole record in its place.
    Whole,
    /// The last write was cut short; nothing was done on its account, and resume cuts it.
    Torn(Torn),
    /// It is whole, and has an event that this engine does not know: resume refuses.
    Unknown(Opaque),
    /// Every record is whole, and one does not follow from those before it: resume refuses.
    Senseless(FoldError),
    /// What was once recorded is not there as it was: resume refuses.
    Damaged {
        /// Where, in bytes from 0.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Another version of the engine wrote it: resume refuses.
    Format {
        /// Where, in bytes from 0.
        offset: u64,
        /// The format that it names.
        found: u64,
    },
}

impl Condition {
    /// Whether a run can go on from it.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        matches!(self, Self::Whole | Self::Torn(_))
    }

    /// A stable name for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Torn(_) => "torn",
            Self::Unknown(_) => "unknown_event",
            Self::Senseless(_) => "senseless",
            Self::Damaged { .. } => "damaged",
            Self::Format { .. } => "other_format",
        }
    }
}

/// Reads a journal and says what it is worth. Never writes.
///
/// # Errors
/// It cannot be read at all, or is longer than any journal.
pub fn inspect(path: &Path) -> Result<Inspection, JournalError> {
    let mut seen = Seen::default();
    let scanned = scan(open(path)?, path, |entry| seen.take(entry));
    let mut inspection = Inspection {
        run: seen.state.run,
        records: seen.records,
        bytes: 0,
        durable_upto: 0,
        epoch: seen.epoch,
        last: seen.last,
        condition: Condition::Whole,
    };
    match scanned {
        Ok(tail) => {
            inspection.bytes = tail.good_bytes;
            inspection.durable_upto = tail.durable_upto;
            let torn = || tail.torn.map_or(Condition::Whole, Condition::Torn);
            inspection.condition = match (seen.senseless, seen.unknown) {
                (Some(error), _) => Condition::Senseless(error),
                (None, Some(opaque)) => Condition::Unknown(opaque),
                (None, None) => torn(),
            };
        }
        Err(JournalError::Damaged { offset, what, .. }) => {
            (inspection.bytes, inspection.durable_upto) = whole_part(path, offset)?;
            inspection.condition = Condition::Damaged { offset, what };
        }
        Err(JournalError::Format { offset, found, .. }) => {
            (inspection.bytes, inspection.durable_upto) = whole_part(path, offset)?;
            inspection.condition = Condition::Format { offset, found };
        }
        Err(error) => return Err(error),
    }
    Ok(inspection)
}

/// What is in front of damage at this place, of which it is known that it is whole: its bytes, and
/// the highest number that it says was durable.
fn whole_part(path: &Path, offset: u64) -> Result<(u64, u64), JournalError> {
    let tail = scan(open(path)?.take(offset), path, |_| ())?;
    Ok((tail.good_bytes, tail.durable_upto))
}

/// Visits the lines of the whole part of a journal as they stand in the file, without their
/// newlines; `bytes` is what [`inspect`] said.
///
/// # Errors
/// It cannot be read any more.
pub fn lines(
    path: &Path,
    bytes: u64,
    mut visit: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), JournalError> {
    let io = |source| JournalError::Io {
        path: path.into(),
        doing: "read",
        source,
    };
    let mut source = BufReader::new(open(path)?.take(bytes));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut source)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut line)
            .map_err(io)?;
        if read == 0 {
            return Ok(());
        }
        visit(line.strip_suffix(b"\n").unwrap_or(&line)).map_err(io)?;
    }
}

/// What would block or never end is not opened.
fn open(path: &Path) -> Result<File, JournalError> {
    let opened = || {
        let file = File::open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    };
    opened().map_err(|source| JournalError::Io {
        path: path.into(),
        doing: "open",
        source,
    })
}

#[derive(Default)]
struct Seen {
    state: RunState,
    records: u64,
    epoch: Epoch,
    last: Millis,
    senseless: Option<FoldError>,
    unknown: Option<Opaque>,
}

impl Seen {
    fn take(&mut self, entry: Entry) {
        self.records += 1;
        match entry {
            Entry::Record(record) => {
                (self.epoch, self.last) = (record.epoch, record.at);
                // What follows on an event that is not known cannot be judged.
                if self.senseless.is_none() && self.unknown.is_none() {
                    self.senseless = self.state.apply(&record).err();
                }
            }
            Entry::Opaque(opaque) => {
                self.unknown.get_or_insert(opaque);
            }
        }
    }
}
