//! A journal in memory, which forgets what is not durable when asked to.

use runbook_model::Record;

use super::{Journal, JournalError};

/// Records in memory, for tests and rehearsals.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    records: Vec<Record>,
    durable: usize,
}

impl MemoryJournal {
    /// All records, durable or not.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records that a crash would leave.
    #[must_use]
    pub fn durable(&self) -> &[Record] {
        &self.records[..self.durable]
    }

    /// Loses what is not durable, save the first `more` of it.
    pub fn crash(&mut self, more: usize) {
        self.records.truncate(self.durable.saturating_add(more));
        self.durable = self.records.len();
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let after = self.records.last().map_or(0, |r| r.seq);
        if record.seq != after + 1 {
            return Err(JournalError::Order {
                path: "memory".into(),
                after,
                got: record.seq,
            });
        }
        self.records.push(record.clone());
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, JournalError> {
        self.durable = self.records.len();
        Ok(self.records.last().map_or(0, |r| r.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::{Epoch, Event, RunResult};

    #[test]
    fn a_crash_loses_only_what_was_not_synced() {
        let mut journal = MemoryJournal::default();
        let record = |seq| Record {
            seq,
            epoch: Epoch(1),
            at: 0,
            event: Event::Closed {
                result: RunResult::Failed,
            },
        };
        journal.append(&record(1)).unwrap();
        assert_eq!(journal.sync().unwrap(), 1);
        for seq in 2..5 {
            journal.append(&record(seq)).unwrap();
        }
        assert!(journal.append(&record(7)).is_err());
        journal.crash(1);
        assert_eq!(journal.durable().last().unwrap().seq, 2);
        assert_eq!(journal.records().len(), 2);
    }
}
