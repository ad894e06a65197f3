//! Two things at once: what crashes leave of blocks, and damage on top of damage.

use proptest::prelude::*;
use runbook_model::{Event, NodeIx};

use crate::sample::{Found, Sample, lines, read};

/// What a file system writes at once.
const PAGE: usize = 4096;

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
        |at, _| at == 2,
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

/// Only some blocks above what is durable were written, in any order. A block that had durable bytes
/// in it has at least those; what was never written is zeros, or is not there if it is the last.
#[test]
fn blocks_written_out_of_order_lose_nothing_acknowledged() {
    for block in [512, PAGE] {
        let sample = Sample::long();
        let (durable, acknowledged) = sample.last_sync();
        let first = durable / block;
        let blocks = (sample.bytes.len().div_ceil(block) - first).min(10);
        assert!(blocks >= 3, "{blocks}");
        let (mut cut, mut refused) = (0, 0);
        for written in 0..1u32 << blocks {
            let mut bytes = sample.bytes.clone();
            bytes.truncate((first + blocks) * block);
            for at in (0..blocks).filter(|at| written >> at & 1 == 0) {
                let from = ((first + at) * block).max(durable).min(bytes.len());
                let to = ((first + at + 1) * block).min(bytes.len());
                bytes[from..to].fill(0);
            }
            // The length of the file was written, or only that of what is in it.
            let last = 32 - written.leading_zeros() as usize;
            let end = ((first + last) * block).max(durable).min(bytes.len());
            for len in [bytes.len(), end] {
                match sample.judge(&bytes[..len], acknowledged) {
                    Found::Loads => assert_eq!(bytes[..len], sample.bytes[..len]),
                    Found::Cut(_) => cut += 1,
                    Found::Refused(offset) => {
                        assert!(offset >= durable, "what was durable is whole");
                        refused += 1;
                    }
                }
            }
        }
        assert!(cut > 0 && refused > 0, "{cut} {refused}");
    }
}

/// Any blocks in a row are zeros. Where they hide what was acknowledged, a whole record behind them
/// proves it. Where none is behind them, the file is as one that ended there, and nobody can tell.
#[test]
fn blocks_of_zeros_are_cut_above_what_is_acknowledged_and_refused_below() {
    let sample = Sample::long();
    let (durable, acknowledged) = sample.last_sync();
    let starts = sample.starts();
    let (mut cut, mut refused) = (0, 0);
    for block in [512, PAGE] {
        let blocks = sample.bytes.len().div_ceil(block);
        for from in 0..blocks {
            for to in from + 1..=blocks {
                let (from, to) = (from * block, (to * block).min(sample.bytes.len()));
                let mut bytes = sample.bytes.clone();
                bytes[from..to].fill(0);
                // The first line that begins behind them, and ends.
                let proof = starts[..starts.len() - 1].iter().any(|start| *start >= to);
                let known = match proof || from >= durable {
                    true => acknowledged,
                    false => 0,
                };
                match sample.judge(&bytes, known) {
                    Found::Refused(_) => refused += 1,
                    Found::Cut(_) if !proof => cut += 1,
                    other => panic!("zeros from {from} to {to}: {other:?}"),
                }
            }
        }
    }
    assert!(cut > 10 && refused > 100, "{cut} {refused}");
}

/// Zeros take the newline in front of a whole record: it stands right behind them.
#[test]
fn a_whole_record_right_behind_zeros_proves_what_was_before_it() {
    let sample = Sample::story();
    let starts = sample.starts();
    let lines = starts.len() - 1;
    for from in 0..lines {
        for to in from + 1..lines {
            let mut bytes = sample.bytes.clone();
            bytes[starts[from]..starts[to]].fill(0);
            for end in [bytes.len(), starts[to + 1]] {
                let found = sample.judge(&bytes[..end], sample.acknowledged(starts[to]));
                assert_eq!(found, Found::Refused(starts[from]), "lines {from} to {to}");
            }
        }
    }
}

#[test]
fn garbage_behind_a_cut_is_refused_or_cut_with_it() {
    let sample = Sample::story();
    let stale = &sample.bytes[700..1_200];
    let long_zeros = [0; 600];
    let tails: [&[u8]; 12] = [
        b"\0",
        b"\n",
        b"\0\0\0\n",
        b"x",
        b"\xff\xfe\xfd",
        b"}",
        b"\"}\n",
        b"{\"v\":1,\"seq\":",
        b"\x7fELF\x02\x01\x01\0\0\0",
        &long_zeros,
        stale,
        &sample.bytes,
    ];
    let (mut cut, mut refused) = (0, 0);
    let some = (0..sample.bytes.len()).step_by(3);
    for len in some.chain(sample.starts()) {
        for tail in tails {
            let bytes = [&sample.bytes[..len], tail].concat();
            if sample.bytes.starts_with(&bytes) {
                continue;
            }
            match sample.judge(&bytes, sample.acknowledged(len)) {
                Found::Loads => panic!("{len} bytes and then {tail:?}"),
                Found::Cut(offset) => {
                    assert!(offset <= len);
                    cut += 1;
                }
                Found::Refused(_) => refused += 1,
            }
        }
    }
    assert!(cut > 1_000 && refused > 10_000, "{cut} {refused}");
}

/// Without its newline a last line could be one that a crash cut short. It is not taken for one.
#[test]
fn a_finished_last_line_without_its_newline_is_not_one_that_was_cut() {
    let sample = Sample::story();
    let (durable, acknowledged) = sample.last_sync();
    let whole = &sample.bytes[..durable];
    let start = durable - lines(whole)[acknowledged - 1].len();
    let mut bytes = whole.to_vec();
    for newline in 0..8 {
        bytes[durable - 1] ^= 1 << newline;
        for at in start..durable - 1 {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let found = sample.judge(&bytes, acknowledged);
                assert_eq!(found, Found::Refused(start), "bit {bit} of byte {at}");
                bytes[at] ^= 1 << bit;
            }
        }
        bytes[durable - 1] ^= 1 << newline;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn two_flipped_bits_are_refused(one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let sample = Sample::story();
        let bits = sample.bytes.len() * 8;
        let (one, other) = (one.index(bits), other.index(bits));
        prop_assume!(one != other);
        let mut bytes = sample.bytes.clone();
        for bit in [one, other] {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let found = sample.judge(&bytes, sample.last_sync().1);
        prop_assert!(matches!(found, Found::Refused(offset) if offset <= one.min(other) / 8), "{:?}", found);
    }

    /// A bit flips, and power is lost on top of it.
    #[test]
    fn a_flipped_bit_and_blocks_that_were_not_written_lose_nothing_acknowledged(
        bit in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        blocks in 1..8usize,
    ) {
        let sample = Sample::long();
        let (durable, acknowledged) = sample.last_sync();
        let mut bytes = sample.bytes.clone();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let from = (durable + from.index(bytes.len() - durable)).next_multiple_of(512).min(bytes.len());
        let to = (from + blocks * 512).min(bytes.len());
        bytes[from..to].fill(0);
        sample.judge(&bytes, acknowledged);
    }
}
