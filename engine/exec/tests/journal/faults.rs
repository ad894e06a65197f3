//! A disk that fails ends the journal for good.

use std::io::Write as _;
use std::path::Path;

use runbook_exec::journal::{
    FileJournal, Files, Journal, JournalError, RealFiles, read, read_from,
};
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
        disk.state().fault = None;
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
    let syncs = disk.state().syncs;
    let error = journal.sync().unwrap_err().to_string();
    assert!(error.starts_with("cannot sync journal: "), "{error}");
    poisoned(&mut journal);
    assert_eq!(
        disk.state().syncs,
        syncs + 1,
        "the second sync would have succeeded, and proved nothing"
    );
    assert!(disk.durable().len() < disk.content().len());
}

/// What the reader acts upon is on the disk then, whatever was read from memory.
fn opened(disk: &FakeDisk) -> FileJournal {
    let (journal, loaded) = FileJournal::open_for_append(disk, Path::new("journal")).unwrap();
    let durable = read_from(&disk.durable()[..], Path::new("journal")).unwrap();
    assert_eq!(durable.records, loaded.records);
    assert_eq!(journal.durable(), loaded.records.len() as u64);
    journal
}

#[test]
fn what_is_read_after_a_failed_sync_is_written_anew() {
    let (disk, mut journal) = after_three(Fault::Sync);
    journal.sync().unwrap_err();
    drop(journal);
    // The fourth can be read, and is not on the disk; no sync of this file will put it there.
    assert_eq!(
        read_from(&disk.content()[..], Path::new("journal"))
            .unwrap()
            .records
            .len(),
        4
    );
    let crashed = disk.copy();
    crashed.lose_power();
    assert_eq!(
        read_from(&crashed.content()[..], Path::new("journal"))
            .unwrap()
            .records
            .len(),
        3
    );
    let mut journal = opened(&disk);
    journal.append(&record(5)).unwrap();
    assert_eq!(journal.sync().unwrap(), 5);
    disk.lose_power();
    let whole = read_from(&disk.content()[..], Path::new("journal")).unwrap();
    assert_eq!((whole.records.len(), whole.tail.torn), (5, None));
}

/// An engine that leaves out a sync when it opens a journal is seen through.
#[test]
fn each_sync_of_opening_is_needed() {
    for deaf in [(true, false), (false, true)] {
        let (disk, mut journal) = after_three(Fault::Sync);
        journal.sync().unwrap_err();
        drop(journal);
        disk.state().deaf = deaf;
        let (_, loaded) = FileJournal::open_for_append(&disk, Path::new("journal")).unwrap();
        disk.lose_power();
        let left = read_from(&disk.content()[..], Path::new("journal")).unwrap();
        assert!(left.records.len() < loaded.records.len(), "{deaf:?}");
    }
}

/// Each call of opening fails in turn, then power is lost or not, and the next one opens it.
#[test]
fn opening_may_fail_anywhere_and_loses_nothing() {
    let torn = &b"{\"v\":1,\"seq\":5"[..];
    for left_over in [false, true] {
        let mut failures = 0;
        for call in 0.. {
            let (disk, mut journal) = after_three(Fault::Call(usize::MAX));
            assert_eq!(journal.sync().unwrap(), 4);
            drop(journal);
            let disk = FakeDisk::with(&[&disk.content()[..], torn].concat());
            if left_over {
                let mut file = disk.create_new(Path::new(".journal")).unwrap();
                file.write_all(b"what a crash left of a copy").unwrap();
            }
            disk.fail(Fault::Call(call));
            let failed = FileJournal::open_for_append(&disk, Path::new("journal"));
            let Err(error) = failed else { break };
            assert!(matches!(error, JournalError::Io { .. }), "{error}");
            failures += 1;
            for power in [true, false] {
                let disk = disk.copy();
                if power {
                    disk.lose_power();
                }
                let mut journal = opened(&disk);
                assert_eq!(journal.last(), 4, "call {call}");
                journal.append(&record(5)).unwrap();
                journal.sync().unwrap();
                disk.lose_power();
                assert_eq!(opened(&disk).last(), 5, "call {call}");
                assert_eq!(disk.names(), ["journal"]);
            }
        }
        assert_eq!(
            failures,
            5 + usize::from(left_over),
            "create, write, sync, rename, sync"
        );
    }
}

#[test]
fn a_full_disk_refuses_the_run_and_keeps_its_journal() {
    let (disk, mut journal) = after_three(Fault::Call(usize::MAX));
    journal.sync().unwrap();
    drop(journal);
    let before = disk.content();
    disk.fail(Fault::NoSpace(100));
    let error = FileJournal::open_for_append(&disk, Path::new("journal"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot write a copy of journal: "),
        "{error}"
    );
    assert_eq!(
        (disk.content(), disk.names()),
        (before, vec!["journal".to_owned()])
    );
}

#[test]
fn records_are_written_in_groups_and_synced_only_when_asked() {
    let disk = FakeDisk::default();
    let mut journal = journal(&disk);
    let syncs = disk.state().syncs;
    (1..=1_000).for_each(|seq| journal.append(&record(seq)).unwrap());
    assert!(
        (1..10).contains(&disk.state().writes),
        "a large buffer does not wait"
    );
    assert_eq!(disk.state().syncs, syncs);
    assert_eq!(journal.sync().unwrap(), 1_000);
    assert_eq!(journal.sync().unwrap(), 1_000);
    assert_eq!(disk.state().syncs, syncs + 1, "there was nothing to sync");
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
        "line 2: it ends after 14 bytes"
    );
    journal.append(&record(2)).unwrap();
    journal.sync().unwrap();
    assert_eq!(read(&path).unwrap().records, [record(1), record(2)]);
}
