//! A disk that fails ends the journal for good.

use std::path::Path;

use runbook_exec::journal::{FileJournal, Journal, JournalError, RealFiles, read, read_from};
use runbook_model::{Epoch, Event, NodeIx, Record};

use crate::disk::{FakeDisk, Fault};

fn record(seq: u64) -> Record {
    Record {
        seq,
        epoch: Epoch(1),
        at: 0,
        event: Event::Reopened {
            node: NodeIx(0),
            reason: "again".repeat(40),
        },
    }
}

fn journal(disk: &FakeDisk) -> FileJournal {
    FileJournal::create(disk, Path::new("journal")).unwrap()
}

/// Three records are durable, and the fault meets the fourth.
fn after_three(fault: Fault) -> (FakeDisk, FileJournal) {
    let disk = FakeDisk::default();
    let mut journal = journal(&disk);
    (1..=3).for_each(|seq| journal.append(&record(seq)).unwrap());
    assert_eq!(journal.sync().unwrap(), 3);
    disk.fail(fault);
    journal.append(&record(4)).unwrap();
    (disk, journal)
}

fn poisoned(journal: &mut FileJournal) {
    for _ in 0..2 {
        assert!(matches!(journal.sync(), Err(JournalError::Poisoned { .. })));
        assert!(matches!(
            journal.append(&record(5)),
            Err(JournalError::Poisoned { .. })
        ));
    }
    assert_eq!(journal.durable(), 3);
}

#[test]
fn no_space_ends_the_journal_and_leaves_what_was_durable() {
    for room in 0..300 {
        let (disk, mut journal) = after_three(Fault::NoSpace(room));
        let error = journal.sync().unwrap_err();
        assert!(
            matches!(error, JournalError::Io { doing: "write", .. }),
            "{error}"
        );
        poisoned(&mut journal);
        disk.0.lock().unwrap().fault = None;
        let (mut next, loaded) = FileJournal::open_for_append(&disk, Path::new("journal")).unwrap();
        assert_eq!(loaded.records.len(), 3);
        next.append(&record(4)).unwrap();
        assert_eq!(next.sync().unwrap(), 4);
    }
}

#[test]
fn a_short_write_goes_on() {
    let (disk, mut journal) = after_three(Fault::Short(17));
    assert_eq!(journal.sync().unwrap(), 4);
    assert_eq!(
        read_from(&disk.content()[..], Path::new("journal"))
            .unwrap()
            .records
            .len(),
        4
    );
}

#[test]
fn a_write_of_nothing_ends_the_journal() {
    let (_disk, mut journal) = after_three(Fault::Short(0));
    assert!(matches!(
        journal.sync(),
        Err(JournalError::Io { doing: "write", .. })
    ));
    poisoned(&mut journal);
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let (disk, mut journal) = after_three(Fault::Sync);
    let syncs = disk.syncs();
    let error = journal.sync().unwrap_err().to_string();
    assert!(error.starts_with("cannot sync journal: "), "{error}");
    poisoned(&mut journal);
    assert_eq!(
        disk.syncs(),
        syncs + 1,
        "the second sync would have succeeded, and proved nothing"
    );
    assert!(disk.durable() < disk.content().len());
}

#[test]
fn what_is_read_is_durable_before_it_is_acted_upon() {
    let disk = FakeDisk::default();
    let mut journal = journal(&disk);
    journal.append(&record(1)).unwrap();
    journal.sync().unwrap();
    disk.0.lock().unwrap().durable = 0;
    FileJournal::open_for_append(&disk, Path::new("journal")).unwrap();
    assert_eq!(disk.durable(), disk.content().len());
    disk.fail(Fault::Sync);
    assert!(FileJournal::open_for_append(&disk, Path::new("journal")).is_err());
}

#[test]
fn records_are_written_in_groups_and_synced_only_when_asked() {
    let disk = FakeDisk::default();
    let mut journal = journal(&disk);
    let syncs = disk.syncs();
    (1..=1_000).for_each(|seq| journal.append(&record(seq)).unwrap());
    assert!(
        (1..10).contains(&disk.0.lock().unwrap().writes),
        "a large buffer does not wait"
    );
    assert_eq!(disk.syncs(), syncs);
    assert_eq!(journal.sync().unwrap(), 1_000);
    assert_eq!(journal.sync().unwrap(), 1_000);
    assert_eq!(disk.syncs(), syncs + 1, "there was nothing to sync");
}

#[test]
fn a_record_out_of_order_is_refused_and_nothing_is_lost() {
    let disk = FakeDisk::default();
    let mut journal = journal(&disk);
    assert!(matches!(
        journal.append(&record(2)),
        Err(JournalError::Order {
            after: 0,
            got: 2,
            ..
        })
    ));
    journal.append(&record(1)).unwrap();
    assert!(matches!(
        journal.append(&record(1)),
        Err(JournalError::Order {
            after: 1,
            got: 1,
            ..
        })
    ));
    assert_eq!(journal.sync().unwrap(), 1);
}

#[test]
fn a_reader_never_writes_and_a_writer_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = FileJournal::create(&RealFiles, &path).unwrap();
    assert!(FileJournal::create(&RealFiles, &path).is_err());
    journal.append(&record(1)).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":2");
    std::fs::write(&path, &bytes).unwrap();
    assert!(read(&path).unwrap().tail.torn.is_some());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let (mut journal, loaded) = FileJournal::open_for_append(&RealFiles, &path).unwrap();
    assert_eq!(
        loaded.tail.torn.unwrap().reason,
        "the line ends after 14 bytes"
    );
    journal.append(&record(2)).unwrap();
    journal.sync().unwrap();
    assert_eq!(read(&path).unwrap().records, [record(1), record(2)]);
}
