//! The format stays: what was written once reads for ever, and is written the same again.

use std::path::Path;

use proptest::prelude::*;
use runbook_exec::journal::{FileJournal, Journal, read_from};

use crate::disk::FakeDisk;
use crate::events::{event, every_kind, records};

/// Written by the first version of the format. Never to be changed.
const GOLDEN: &str = include_str!("golden.jsonl");

#[test]
fn the_golden_journal_reads_as_ever() {
    let loaded = read_from(GOLDEN.as_bytes(), Path::new("golden")).unwrap();
    assert_eq!(loaded.records, every_kind());
    assert_eq!(loaded.tail.torn, None);
    assert_eq!(loaded.tail.durable_upto, 20);
}

#[test]
fn the_golden_journal_is_written_as_ever() {
    let disk = FakeDisk::default();
    let mut journal = FileJournal::create(&disk, Path::new("golden")).unwrap();
    for record in every_kind() {
        journal.append(&record).unwrap();
        if record.seq % 5 == 0 {
            journal.sync().unwrap();
        }
    }
    journal.sync().unwrap();
    assert_eq!(String::from_utf8(disk.content()).unwrap(), GOLDEN);
}

#[test]
fn every_line_is_one_json_object() {
    for line in GOLDEN.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut keys: Vec<_> = line
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["at", "epoch", "event", "prev", "seq", "sum", "upto", "v"]
        );
    }
}

proptest! {
    #[test]
    fn any_event_reads_as_it_was_written(events in proptest::collection::vec(event(), 1..6)) {
        let records = records(events);
        let disk = FakeDisk::default();
        let mut journal = FileJournal::create(&disk, Path::new("journal")).unwrap();
        records.iter().for_each(|record| journal.append(record).unwrap());
        journal.sync().unwrap();
        let content = disk.content();
        prop_assert_eq!(content.iter().filter(|b| **b == b'\n').count(), records.len());
        prop_assert_eq!(read_from(&content[..], Path::new("journal")).unwrap().records, records);
    }
}
