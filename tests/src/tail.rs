//! The journal of a run as it grows, with the names of what its events are about.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use runbook_model::{AttemptId, Event, NodeIx, Record};

/// Follows a journal.
#[derive(Debug, Default)]
pub struct Tail {
    journal: PathBuf,
    at: u64,
    nodes: Vec<String>,
    attempts: BTreeMap<AttemptId, NodeIx>,
}

impl Tail {
    /// The records that have come since the last call, each with the id of the node that it is
    /// about; empty for none. There may be no journal yet.
    pub fn read(&mut self, journal: &Path) -> Vec<(Record, String)> {
        if self.journal != journal {
            *self = Self {
                journal: journal.to_owned(),
                ..Self::default()
            };
        }
        let Ok(mut file) = File::open(journal) else {
            return Vec::new();
        };
        let mut new = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.at))
            .and_then(|_| file.read_to_end(&mut new));
        read.expect("a journal can be read while it is written");
        // Half a line is read again: it is still being written, or was cut short and will be removed.
        let whole = new.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        self.at += whole as u64;
        new[..whole]
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| self.record(line))
            .collect()
    }

    fn record(&mut self, line: &[u8]) -> (Record, String) {
        let record: Record = serde_json::from_slice(line)
            .unwrap_or_else(|e| panic!("not a record: {e}: {}", String::from_utf8_lossy(line)));
        if let Event::RunCreated { nodes, .. } = &record.event {
            self.nodes = nodes.iter().map(|node| node.id.clone()).collect();
        }
        if let Event::Dispatched {
            unit, instances, ..
        } = &record.event
        {
            // What is said of a whole row is said of its first one.
            let first = instances.first().map(|intent| intent.node);
            self.attempts.extend(first.map(|node| (unit.clone(), node)));
            self.attempts.extend(
                instances
                    .iter()
                    .map(|intent| (intent.attempt.clone(), intent.node)),
            );
        }
        let node = node_of(&record.event, &self.attempts);
        let name = node
            .and_then(|node| self.nodes.get(node.at()))
            .cloned()
            .unwrap_or_default();
        (record, name)
    }
}

/// The node that an event is about.
fn node_of(event: &Event, attempts: &BTreeMap<AttemptId, NodeIx>) -> Option<NodeIx> {
    match event {
        Event::Decided { node }
        | Event::Looking { node, .. }
        | Event::Looked { node, .. }
        | Event::Pausing { node, .. }
        | Event::Asked { node, .. }
        | Event::Answered { node, .. }
        | Event::Finished { node, .. }
        | Event::Reopened { node, .. } => Some(*node),
        Event::Dispatched { instances, .. } => instances.first().map(|intent| intent.node),
        Event::Launched { unit: attempt }
        | Event::Began { attempt, .. }
        | Event::Ended { attempt, .. }
        | Event::Doubted { attempt, .. } => attempts.get(attempt).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn half_a_line_waits_for_its_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::default();
        assert!(tail.read(Path::new("/nowhere/journal.jsonl")).is_empty());
        let created = r#"{"v":1,"seq":1,"epoch":1,"at":5,"event":{"kind":"run_created","run":"a","runbook":"r","plan":"p","nodes":[{"id":"x@h"}]}}"#;
        let decided = r#"{"v":1,"seq":2,"epoch":1,"at":6,"event":{"kind":"decided","node":0}}"#;
        let (half, rest) = decided.split_at(20);
        write!(file, "{created}\n{half}").unwrap();
        assert_eq!(tail.read(file.path()).len(), 1);
        writeln!(file, "{rest}").unwrap();
        let records = tail.read(file.path());
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].0.seq, records[0].1.as_str()), (2, "x@h"));
    }
}
