//! What is said of a journal to people who ask.

use std::fs;

use runbook_exec::journal::{Condition, inspect, lines};
use runbook_model::{Event, RunResult};

use crate::runs::{append, begun, close, file, store};

fn sample() -> (tempfile::TempDir, Vec<u8>) {
    let (dir, store) = store();
    let mut run = begun(&store, "upgrade", &["quay01"], 5_000);
    let name = "v".to_owned();
    append(
        &mut run,
        5_100,
        Event::VarTaken {
            name,
            value: "x".into(),
        },
    );
    close(&mut run, 5_200, RunResult::Failed);
    let bytes = fs::read(file(&store, &run.id, "journal.jsonl")).unwrap();
    (dir, bytes)
}

#[test]
fn a_whole_journal_is_described() {
    let (dir, bytes) = sample();
    let path = dir.path().join("j");
    fs::write(&path, &bytes).unwrap();
    let found = inspect(&path).unwrap();
    assert!(matches!(found.condition, Condition::Whole));
    assert_eq!(
        (found.records, found.bytes, found.epoch.0, found.last),
        (4, bytes.len() as u64, 1, 5_200)
    );
    let mut read = Vec::new();
    let visit = |line: &[u8]| {
        read.extend_from_slice(line);
        read.push(b'\n');
        Ok(())
    };
    lines(&path, found.bytes, visit).unwrap();
    assert_eq!(read, bytes);
}

#[test]
fn every_beginning_is_whole_or_cut_short() {
    let (dir, bytes) = sample();
    let path = dir.path().join("j");
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let found = inspect(&path).unwrap();
        let ends = len == 0 || bytes[len - 1] == b'\n';
        let whole = bytes[..len].iter().filter(|b| **b == b'\n').count() as u64;
        assert_eq!(matches!(found.condition, Condition::Whole), ends, "{len}");
        assert_eq!(
            matches!(found.condition, Condition::Torn(_)),
            !ends,
            "{len}"
        );
        assert!(found.condition.can_go_on());
        assert_eq!(found.records, whole, "{len}");
    }
}

#[test]
fn a_flipped_bit_of_any_byte_is_told() {
    let (dir, mut bytes) = sample();
    let path = dir.path().join("j");
    for at in 0..bytes.len() {
        let bit = at % 8;
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let found = inspect(&path).unwrap();
        assert!(
            !matches!(found.condition, Condition::Whole),
            "bit {bit} of byte {at}"
        );
        // What is said to be whole is.
        let offset = usize::try_from(found.bytes).unwrap();
        assert!(offset <= at, "bit {bit} of byte {at}: whole up to {offset}");
        // Each record was synced: the one before the damage says that those before it are durable.
        let durable = found.records.saturating_sub(1);
        assert_eq!(found.durable_upto, durable, "bit {bit} of byte {at}");
        bytes[at] ^= 1 << bit;
    }
}

#[test]
fn records_that_make_no_sense_are_told() {
    let (dir, _) = sample();
    let path = dir.path().join("golden");
    // One event of each kind, in no order that a run could have.
    fs::write(&path, include_str!("golden.jsonl")).unwrap();
    let found = inspect(&path).unwrap();
    assert!(
        matches!(found.condition, Condition::Senseless(_)),
        "{:?}",
        found.condition
    );
    assert!(!found.condition.can_go_on());
    assert!(inspect(dir.path()).is_err(), "a directory is no journal");
}
