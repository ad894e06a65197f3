//! Whatever happens to the bytes, an acknowledged record is either there or missed aloud.

use std::path::Path;

use proptest::prelude::*;
use runbook_exec::journal::{FileJournal, Journal, JournalError, Loaded, MAX_LINE, read_from};
use runbook_model::{Epoch, Event, NodeIx, Record};

use crate::disk::FakeDisk;
use crate::events::{event, records};

/// A journal with the truth about it.
struct Sample {
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// After each sync: length of the file, and number of the last durable record.
    syncs: Vec<(usize, usize)>,
}

impl Sample {
    /// Syncs after every record for which `sync` is true.
    fn write(events: Vec<Event>, sync: impl Fn(usize) -> bool) -> Self {
        let records = records(events);
        let disk = FakeDisk::default();
        let mut journal = FileJournal::create(&disk, Path::new("journal")).unwrap();
        let mut syncs = vec![(0, 0)];
        for (at, record) in records.iter().enumerate() {
            journal.append(record).unwrap();
            if sync(at) {
                assert_eq!(journal.sync().unwrap(), record.seq);
                syncs.push((disk.content().len(), at + 1));
            }
        }
        let last = syncs.last().copied().unwrap();
        // What is still in the buffer may have reached the file and not been acknowledged.
        journal.sync().unwrap();
        assert!(last.0 <= disk.content().len());
        Self {
            bytes: disk.content(),
            records,
            syncs,
        }
    }

    fn small() -> Self {
        let node = NodeIx(0);
        let reopened = |reason: &str| Event::Reopened {
            node,
            reason: reason.into(),
        };
        let events = vec![
            reopened("a text, with \"quotes\" and \n"),
            Event::Decided { node },
            reopened(r#"","sum":"00000000"}"#),
            Event::Decided { node },
            reopened(" @ `"),
            Event::Decided { node },
            Event::Decided { node },
        ];
        Self::write(events, |at| matches!(at, 0 | 2 | 4))
    }

    /// Records that were acknowledged before the file was this long.
    fn acknowledged(&self, len: usize) -> usize {
        self.syncs
            .iter()
            .filter(|(at, _)| *at <= len)
            .map(|(_, count)| *count)
            .max()
            .unwrap()
    }

    /// Refused, or a prefix that has everything acknowledged.
    fn hold(&self, bytes: &[u8], acknowledged: usize) -> Option<Loaded> {
        let loaded = read(bytes).ok()?;
        assert_eq!(
            loaded.records,
            self.records[..loaded.records.len()],
            "not what was written"
        );
        assert!(
            loaded.records.len() >= acknowledged,
            "an acknowledged record is lost"
        );
        Some(loaded)
    }
}

fn read(bytes: &[u8]) -> Result<Loaded, JournalError> {
    read_from(bytes, Path::new("journal"))
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|b| *b == b'\n').collect()
}

#[test]
fn every_prefix_loads_with_what_was_acknowledged() {
    let sample = Sample::small();
    for len in 0..=sample.bytes.len() {
        let loaded = sample
            .hold(&sample.bytes[..len], sample.acknowledged(len))
            .expect("a prefix is never damage");
        let whole = loaded.tail.good_bytes;
        assert_eq!(
            loaded.tail.torn.map(|t| t.offset),
            (whole < len as u64).then_some(whole)
        );
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let sample = Sample::small();
    for at in 0..sample.bytes.len() {
        for bit in 0..8 {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(
                sample.hold(&bytes, sample.records.len()).is_none(),
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn damage_is_named_by_its_place() {
    let sample = Sample::small();
    let second = lines(&sample.bytes)[0].len();
    let mut bytes = sample.bytes.clone();
    bytes[second + 20] ^= 1;
    let message = read(&bytes).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!(
            "journal is damaged at byte {second}: the checksum says "
        )),
        "{message}"
    );
}

#[test]
fn lines_that_moved_are_refused() {
    let sample = Sample::small();
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
        Sample::small(),
        Sample::write(vec![Event::Decided { node: NodeIx(7) }; 7], |_| true),
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
fn blocks_that_were_never_written_are_cut_at_the_end_and_refused_elsewhere() {
    let sample = Sample::write(
        vec![
            Event::Reopened {
                node: NodeIx(0),
                reason: "x".repeat(600)
            };
            6
        ],
        |at| at == 2,
    );
    let third = lines(&sample.bytes)[..3].concat().len();
    let sixth = lines(&sample.bytes)[..5].concat().len();
    let zeroed = |from: usize, to: usize| {
        let mut bytes = sample.bytes.clone();
        bytes[from..to].fill(0);
        read(&bytes)
    };
    // The last record, from its beginning to its end, and with its newline kept.
    for end in [sample.bytes.len(), sample.bytes.len() - 1] {
        let loaded = zeroed(sixth, end).unwrap();
        assert_eq!(
            (loaded.records.len(), loaded.tail.good_bytes),
            (5, sixth as u64)
        );
        assert_eq!(loaded.tail.torn.unwrap().offset, sixth as u64);
    }
    // The last two, each with its newline kept: what is torn begins at the first.
    let fifth = lines(&sample.bytes)[..4].concat().len();
    let mut bytes = sample.bytes.clone();
    bytes[fifth..sixth - 1].fill(0);
    let end = bytes.len() - 1;
    bytes[sixth..end].fill(0);
    assert_eq!(
        read(&bytes).unwrap().tail.torn.unwrap().offset,
        fifth as u64
    );
    // The fourth was not acknowledged either, but the fifth proves that it was there.
    let message = zeroed(third, third + 700).unwrap_err().to_string();
    assert!(
        message.contains("the whole record 5 behind it proves that it was there"),
        "{message}"
    );
    // The second was acknowledged, and the records behind it know.
    let second = lines(&sample.bytes)[0].len();
    let message = zeroed(second, second + 700).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("journal is damaged at byte {second}: ")),
        "{message}"
    );
    // Fewer zeros than a device writes at once are no unwritten block.
    assert!(zeroed(sixth + 20, sixth + 500).is_err());
}

#[test]
fn garbage_is_refused_and_bounded() {
    assert!(read(b"\n").is_err());
    assert!(read(b"{}\n").is_err());
    assert!(
        read(&[0xff; 100_000]).unwrap().records.is_empty(),
        "no line ever ended: nothing was recorded"
    );
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
        let sample = Sample::write(events, |at| syncs >> at & 1 == 1);
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
        let sample = Sample::write(events, |at| syncs >> at & 1 == 1);
        let len = 1 + cut.index(sample.bytes.len());
        let mut bytes = sample.bytes[..len].to_vec();
        bytes[place.index(len)] ^= wrong;
        sample.hold(&bytes, sample.acknowledged(len));
    }
}
