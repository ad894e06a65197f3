//! Whatever happens to the bytes, an acknowledged record is either there or missed aloud.

use std::path::Path;

use proptest::prelude::*;
use runbook_exec::journal::{FileJournal, Journal, JournalError, MAX_LINE, read_from};
use runbook_model::{Epoch, Event, NodeIx, Record};

use crate::disk::FakeDisk;
use crate::events::event;
use crate::sample::{Found, Sample, lines, read};

#[test]
fn the_sample_has_intents_of_every_kind_and_something_behind_them() {
    let sample = Sample::story();
    let (bytes, records) = sample.last_sync();
    assert!(matches!(
        sample.records[records - 1].event,
        Event::Undoing { .. }
    ));
    assert!(sample.bytes.len() > 3_000, "{}", sample.bytes.len());
    assert!(
        sample.bytes.len() > bytes + 300,
        "records nobody was told of"
    );
    let chains = sample
        .records
        .iter()
        .filter(|r| matches!(&r.event, Event::Dispatched { instances, .. } if instances.len() > 1));
    assert_eq!(chains.count(), 1);
}

/// The file at any moment, and what its writer had been told by then.
#[test]
fn every_prefix_loads_or_is_cut_and_has_what_was_acknowledged() {
    let sample = Sample::story();
    let starts = sample.starts();
    for len in 0..=sample.bytes.len() {
        let found = sample.judge(&sample.bytes[..len], sample.acknowledged(len));
        let begun = starts.iter().rev().find(|start| **start <= len).unwrap();
        let expected = match *begun == len {
            true => Found::Loads,
            false => Found::Cut(*begun),
        };
        assert_eq!(found, expected, "{len} bytes");
    }
}

/// In lines that were acknowledged and in those that were only finished.
#[test]
fn every_flipped_bit_is_refused_in_its_place() {
    let sample = Sample::story();
    let starts = sample.starts();
    let (_, acknowledged) = sample.last_sync();
    let mut bytes = sample.bytes.clone();
    for at in 0..bytes.len() {
        let line = starts.iter().rev().find(|start| **start <= at).unwrap();
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let found = sample.judge(&bytes, acknowledged);
            assert_eq!(found, Found::Refused(*line), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
}

/// A crash cuts a line anywhere, and a bit flips in it or in the line before it.
#[test]
fn a_flipped_bit_where_a_journal_was_cut_short_loses_nothing_acknowledged() {
    let sample = Sample::story();
    let (mut cut, mut refused) = (0, 0);
    for (number, lines) in sample.starts().windows(3).enumerate() {
        let [before, start, next] = *lines else {
            continue;
        };
        // Everywhere in the one or the other.
        for len in [start + 1 + 37 * number % (next - start - 1), next - 1] {
            let mut bytes = sample.bytes[..len].to_vec();
            for at in before..len {
                let bit = 1 << (at % 8);
                bytes[at] ^= bit;
                match sample.judge(&bytes, sample.acknowledged(len)) {
                    Found::Cut(offset) if at >= start => {
                        assert_eq!(offset, start);
                        cut += 1;
                    }
                    Found::Refused(offset) => {
                        assert!(offset <= at, "byte {at} of {len}");
                        refused += 1;
                    }
                    other => panic!("byte {at} of {len}: {other:?}"),
                }
                bytes[at] ^= bit;
            }
        }
    }
    assert!(cut > 300 && refused > 3_000, "{cut} {refused}");
}

#[test]
fn damage_is_named_by_its_place() {
    let sample = Sample::story();
    let second = lines(&sample.bytes)[0].len();
    let mut bytes = sample.bytes.clone();
    bytes[second + 20] ^= 1;
    let message = read(&bytes).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!(
            "journal is damaged at byte {second}: line 2: the checksum says "
        )),
        "{message}"
    );
}

#[test]
fn lines_that_moved_are_refused() {
    let sample = Sample::story();
    let lines = lines(&sample.bytes);
    for at in 0..lines.len() - 1 {
        let mut missing = lines.clone();
        missing.remove(at);
        assert!(
            matches!(read(&missing.concat()), Err(JournalError::Damaged { .. })),
            "{at} is missing"
        );
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert!(
            matches!(read(&twice.concat()), Err(JournalError::Damaged { .. })),
            "{at} is there twice"
        );
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        assert!(
            matches!(read(&swapped.concat()), Err(JournalError::Damaged { .. })),
            "{at} is swapped"
        );
    }
}

#[test]
fn a_line_of_another_journal_is_refused() {
    let (one, other) = (
        Sample::story(),
        Sample::write(vec![Event::Decided { node: NodeIx(7) }; 7], |_, _| true),
    );
    let (mut mixed, others) = (lines(&one.bytes), lines(&other.bytes));
    mixed[3] = others[3];
    let message = read(&mixed.concat()).unwrap_err().to_string();
    assert!(
        message.contains("record 4 follows one with checksum"),
        "{message}"
    );
}

#[test]
fn garbage_is_refused_and_bounded() {
    assert!(read(b"\n").is_err());
    assert!(read(b"{}\n").is_err());
    assert!(read(&[0xff; 100_000]).is_err(), "no record begins so");
    let zeros = read(&[0; 100_000]).unwrap();
    assert!(zeros.records.is_empty() && zeros.tail.torn.is_some());
    let endless = std::io::Read::take(std::io::repeat(b'x'), 3 * MAX_LINE as u64);
    let message = read_from(endless, Path::new("journal"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("longer than"), "{message}");
}

#[test]
fn another_format_is_refused_by_name() {
    let message = read(b"{\"v\":2,\"something\":\"else\"}\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "journal has journal format 2 at byte 0; this engine knows format 1"
    );
}

/// Lines whose checksums are right, whatever they say.
fn forged(bodies: &[&str]) -> Vec<u8> {
    let (mut bytes, mut prev) = (Vec::new(), 0);
    for body in bodies {
        let line = body.replace("PREV", &format!("{prev:08x}"));
        prev = crc32fast::hash(line.as_bytes());
        bytes.extend_from_slice(format!("{line},\"sum\":\"{prev:08x}\"}}\n").as_bytes());
    }
    bytes
}

const KNOWN: &str =
    r#"{"v":1,"seq":1,"epoch":1,"at":0,"upto":0,"prev":"PREV","event":{"kind":"decided","node":0}"#;
const NEWER: &str = r#"{"v":1,"seq":2,"epoch":1,"at":0,"upto":1,"prev":"PREV","event":{"kind":"handed_over","to":1}"#;
const AFTER: &str =
    r#"{"v":1,"seq":3,"epoch":1,"at":0,"upto":1,"prev":"PREV","event":{"kind":"decided","node":0}"#;

#[test]
fn an_unknown_event_is_shown_and_not_appended_to() {
    let bytes = forged(&[KNOWN, NEWER, AFTER]);
    let loaded = read(&bytes).unwrap();
    assert_eq!(
        loaded
            .opaque
            .iter()
            .map(|o| (o.seq, o.kind.as_str()))
            .collect::<Vec<_>>(),
        [(2, "handed_over")]
    );
    assert_eq!(
        loaded.records.iter().map(|r| r.seq).collect::<Vec<_>>(),
        [1, 3]
    );
    let disk = FakeDisk::with(&[&bytes[..], b"{\"v\":1,\"se"].concat());
    let error = FileJournal::open_for_append(&disk, Path::new("journal")).unwrap_err();
    assert!(matches!(error, JournalError::Opaque { seq: 2, .. }));
    assert_eq!(disk.content().len(), bytes.len() + 10, "nothing was cut");
}

#[test]
fn a_known_event_with_unknown_content_is_opaque_too() {
    let newer = NEWER.replace(r#""handed_over""#, r#""closed","result":"postponed""#);
    let loaded = read(&forged(&[KNOWN, &newer])).unwrap();
    assert_eq!(loaded.opaque[0].kind, "closed");
    let nameless = NEWER.replace(r#"{"kind":"handed_over","to":1}"#, "[]");
    assert_eq!(
        read(&forged(&[KNOWN, &nameless])).unwrap().opaque[0].kind,
        "nameless"
    );
}

#[test]
fn a_line_that_claims_what_it_cannot_know_is_refused() {
    for (from, to) in [
        (r#""upto":1"#, r#""upto":2"#),
        (r#""seq":2"#, r#""seq":9"#),
        (r#""epoch":1"#, r#""epoch":-1"#),
    ] {
        assert!(NEWER.contains(from));
        assert!(matches!(
            read(&forged(&[KNOWN, &NEWER.replace(from, to)])),
            Err(JournalError::Damaged { .. })
        ));
    }
}

#[test]
fn folding_ends_before_the_first_opaque_event() {
    let created = r#"{"v":1,"seq":1,"epoch":1,"at":0,"upto":0,"prev":"PREV","event":{"kind":"run_created","run":"r1","runbook":"x","plan":"","nodes":[]}"#;
    let loaded = read(&forged(&[created, NEWER, AFTER])).unwrap();
    let state = loaded.state().unwrap();
    assert_eq!((state.seq, state.runbook.as_str()), (1, "x"));
}

proptest! {
    #[test]
    fn a_crash_loses_nothing_acknowledged_and_the_journal_goes_on(
        events in proptest::collection::vec(event(), 1..12),
        syncs in any::<u16>(),
        cut in any::<prop::sample::Index>(),
        zeros in any::<bool>(),
    ) {
        let sample = Sample::write(events, |at, _| syncs >> at & 1 == 1);
        let durable = sample.syncs.last().unwrap().0;
        // Power is lost: what is behind the last sync may be there in part, the rest never written.
        let all = sample.bytes.len();
        let len = durable + cut.index(all - durable + 1);
        let left = if zeros {
            let mut left = sample.bytes[..len.next_multiple_of(512).min(all)].to_vec();
            left.resize(all, 0);
            left
        } else {
            sample.bytes[..len].to_vec()
        };
        let kept = sample.hold(&left, sample.acknowledged(durable)).expect("a crash is not damage").records.len();
        let disk = FakeDisk::with(&left);
        let (mut journal, loaded) = FileJournal::open_for_append(&disk, Path::new("journal")).unwrap();
        prop_assert_eq!(disk.content(), &sample.bytes[..usize::try_from(loaded.tail.good_bytes).unwrap()]);
        prop_assert_eq!(journal.durable(), kept as u64);
        let next = Record { seq: kept as u64 + 1, epoch: Epoch(2), at: 0, event: Event::Decided { node: NodeIx(3) } };
        journal.append(&next).unwrap();
        journal.sync().unwrap();
        let again = read(&disk.content()).unwrap();
        prop_assert_eq!(again.records.last(), Some(&next));
        prop_assert_eq!(again.records.len(), kept + 1);
        prop_assert_eq!(again.tail.durable_upto, kept as u64);
    }

    #[test]
    fn a_wrong_byte_loses_nothing_acknowledged(
        events in proptest::collection::vec(event(), 1..8),
        syncs in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        wrong in 1..=255u8,
    ) {
        let sample = Sample::write(events, |at, _| syncs >> at & 1 == 1);
        let len = 1 + cut.index(sample.bytes.len());
        let mut bytes = sample.bytes[..len].to_vec();
        bytes[place.index(len)] ^= wrong;
        sample.hold(&bytes, sample.acknowledged(len));
    }
}
