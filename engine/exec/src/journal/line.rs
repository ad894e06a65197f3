//! One line of the journal: how a record becomes bytes, and what bytes say of themselves.

use std::io::Write;

use runbook_model::{Epoch, Event, Millis, Record};
use serde::Deserialize;

use super::{FORMAT, JournalError, MAX_LINE, MAX_NESTING};

/// Checksum of a line; the line before the first one has this.
pub(super) const FIRST: u32 = 0;

/// Devices write this many bytes at once, or a multiple, at a multiple of it.
pub(super) const BLOCK: usize = 512;

/// What stands between the summed bytes and their sum.
pub(super) const SUM: &[u8] = br#","sum":""#;
/// Bytes of a line from [`SUM`] to its last, the newline left out.
const TRAILER: usize = SUM.len() + 8 + 2;
/// What every line begins with.
const HEAD: &[u8] = br#"{"v":"#;

/// What a line says.
pub(super) enum Decoded {
    /// A whole record.
    Whole(Box<Whole>),
    /// Whole, but of another format.
    Format(u64),
    /// Not whole, and why.
    Bad(String),
}

/// A line whose checksum is right.
pub(super) struct Whole {
    pub(super) seq: u64,
    pub(super) upto: u64,
    pub(super) prev: u32,
    pub(super) sum: u32,
    pub(super) body: Body,
}

/// What a whole line holds.
pub(super) enum Body {
    /// A record.
    Known(Record),
    /// An event that this engine cannot read; its kind.
    Opaque(String),
}

/// Appends the record to `out` as one line with its newline and gives the line's checksum. On an
/// error `out` is as it was.
pub(super) fn encode(
    out: &mut Vec<u8>,
    record: &Record,
    upto: u64,
    prev: u32,
) -> Result<u32, JournalError> {
    let start = out.len();
    let sum = write(out, start, record, upto, prev);
    if sum.is_err() {
        out.truncate(start);
    }
    sum
}

fn write(
    out: &mut Vec<u8>,
    start: usize,
    record: &Record,
    upto: u64,
    prev: u32,
) -> Result<u32, JournalError> {
    let Record {
        seq,
        epoch,
        at,
        event,
    } = record;
    let seq = *seq;
    let unwritable = |problem: String| JournalError::Unwritable { seq, problem };
    let head = format!(
        r#"{{"v":{FORMAT},"seq":{seq},"epoch":{epoch},"at":{at},"upto":{upto},"prev":"{prev:08x}","event":"#
    );
    out.extend_from_slice(head.as_bytes());
    serde_json::to_writer(&mut *out, event).map_err(|e| unwritable(e.to_string()))?;
    let depth = nesting(&out[start..]);
    if depth > MAX_NESTING {
        return Err(JournalError::TooDeep { seq, depth });
    }
    let sum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(SUM);
    writeln!(out, "{sum:08x}\"}}").map_err(|e| unwritable(e.to_string()))?;
    let len = out.len() - start;
    if len > MAX_LINE {
        return Err(JournalError::TooLong { seq, len });
    }
    Ok(sum)
}

/// How deep arrays and objects nest in this JSON text, which is well formed as far as it goes.
pub(crate) fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads a line, given without its newline.
pub(super) fn decode(line: &[u8]) -> Decoded {
    let Some((summed, said)) = split(line) else {
        // A format with another trailer still says its number first.
        return match version(line) {
            Some(found) if found != u64::from(FORMAT) && line.ends_with(b"}") => {
                Decoded::Format(found)
            }
            _ => Decoded::Bad("this is not a record".into()),
        };
    };
    let sum = crc32fast::hash(summed);
    if sum != said {
        return Decoded::Bad(format!(
            "the checksum says {said:08x}, the bytes give {sum:08x}"
        ));
    }
    match version(line) {
        Some(found) if found == u64::from(FORMAT) => {}
        Some(found) => return Decoded::Format(found),
        None => return Decoded::Bad("the record does not name its format".into()),
    }
    parse(line, sum)
}

/// Whether the bytes, which stand at `offset` of the file, begin with a whole record and go on with
/// something else than its newline. No crash leaves that behind, unless a block that was never
/// written begins right there.
pub(super) fn whole_and_more(bytes: &[u8], offset: u64) -> bool {
    let mut hasher = crc32fast::Hasher::new();
    let mut hashed = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(SUM.len()).position(|w| w == SUM) {
        at += found;
        hasher.update(&bytes[hashed..at]);
        hashed = at;
        if let Some((_, said)) = bytes.get(..at + TRAILER).and_then(split)
            && hasher.clone().finalize() == said
        {
            let next = at + TRAILER;
            let unwritten =
                (offset + next as u64).is_multiple_of(BLOCK as u64) && bytes.get(next) == Some(&0);
            return next < bytes.len() && !unwritten;
        }
        at += SUM.len();
    }
    false
}

/// The bytes that are summed, and the sum that the line says.
fn split(line: &[u8]) -> Option<(&[u8], u32)> {
    let (summed, trailer) = line.split_at_checked(line.len().checked_sub(TRAILER)?)?;
    let hex = trailer.strip_prefix(SUM)?.strip_suffix(b"\"}")?;
    Some((summed, hexadecimal(hex)?))
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    // Lower case only, so that a sum has one spelling.
    let fine = text.len() == 8 && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !fine {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

fn version(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(HEAD)?;
    let end = rest.iter().position(|b| !b.is_ascii_digit())?;
    if rest[end] != b',' {
        return None;
    }
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

#[derive(Deserialize)]
struct Frame<E> {
    seq: u64,
    epoch: Epoch,
    at: Millis,
    upto: u64,
    prev: String,
    event: E,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

fn parse(line: &[u8], sum: u32) -> Decoded {
    // Frame first: an event that this engine cannot read must not hide where it stands.
    let frame: Frame<serde::de::IgnoredAny> = match serde_json::from_slice(line) {
        Ok(frame) => frame,
        Err(e) => {
            return Decoded::Bad(format!(
                "the checksum is right, but this is not a record: {e}"
            ));
        }
    };
    let Some(prev) = hexadecimal(frame.prev.as_bytes()) else {
        return Decoded::Bad("the checksum of the record before is not one".into());
    };
    if frame.upto >= frame.seq {
        return Decoded::Bad(format!(
            "record {} says that {} is durable",
            frame.seq, frame.upto
        ));
    }
    let body = match serde_json::from_slice::<Frame<Event>>(line) {
        Ok(Frame {
            seq,
            epoch,
            at,
            event,
            ..
        }) => Body::Known(Record {
            seq,
            epoch,
            at,
            event,
        }),
        Err(_) => Body::Opaque(
            serde_json::from_slice::<Frame<Kind>>(line)
                .map_or_else(|_| "nameless".into(), |f| f.event.kind),
        ),
    };
    Decoded::Whole(Box::new(Whole {
        seq: frame.seq,
        upto: frame.upto,
        prev,
        sum,
        body,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::RunResult;

    fn record(seq: u64) -> Record {
        Record {
            seq,
            epoch: Epoch(2),
            at: 1_700_000_000_000,
            event: Event::Closed {
                result: RunResult::Succeeded,
            },
        }
    }

    fn line(seq: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, &record(seq), 0, FIRST).unwrap();
        out
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let line = line(1);
        let Decoded::Whole(whole) = decode(line.strip_suffix(b"\n").unwrap()) else {
            panic!("not whole")
        };
        assert_eq!((whole.seq, whole.upto, whole.prev), (1, 0, FIRST));
        assert!(matches!(whole.body, Body::Known(r) if r == record(1)));
    }

    #[test]
    fn nesting_counts_outside_of_texts() {
        assert_eq!(nesting(br#"{"a":[1,{"b":"[[[{{\"[["}]}"#), 3);
        assert_eq!(nesting(b"7"), 0);
    }

    #[test]
    fn a_record_that_could_not_be_read_again_is_refused_and_leaves_nothing() {
        let mut value = serde_json::Value::Null;
        for _ in 0..MAX_NESTING {
            value = serde_json::Value::Array(vec![value]);
        }
        let deep = Record {
            event: Event::VarTaken {
                name: "v".into(),
                value,
            },
            ..record(1)
        };
        let mut out = b"before".to_vec();
        assert!(matches!(
            encode(&mut out, &deep, 0, FIRST),
            Err(JournalError::TooDeep { seq: 1, .. })
        ));
        let value = "x".repeat(MAX_LINE).into();
        let long = Record {
            event: Event::VarTaken {
                name: "v".into(),
                value,
            },
            ..record(1)
        };
        assert!(matches!(
            encode(&mut out, &long, 0, FIRST),
            Err(JournalError::TooLong { seq: 1, .. })
        ));
        assert_eq!(out, b"before");
    }

    #[test]
    fn the_deepest_record_reads_again() {
        let mut value = serde_json::Value::Null;
        for _ in 0..MAX_NESTING - 2 {
            value = serde_json::Value::Array(vec![value]);
        }
        let deep = Record {
            event: Event::VarTaken {
                name: "v".into(),
                value,
            },
            ..record(1)
        };
        let mut out = Vec::new();
        encode(&mut out, &deep, 0, FIRST).unwrap();
        let Decoded::Whole(whole) = decode(out.strip_suffix(b"\n").unwrap()) else {
            panic!("not whole")
        };
        assert!(matches!(whole.body, Body::Known(r) if r == deep));
    }

    #[test]
    fn a_whole_record_is_found_in_front_of_something_else() {
        let mut bytes = line(1);
        bytes.pop();
        let len = bytes.len();
        let block = (BLOCK - len) as u64;
        assert!(!whole_and_more(&bytes, 0), "nothing follows");
        bytes.push(0x0b);
        assert!(whole_and_more(&bytes, 0));
        assert!(whole_and_more(&bytes, block));
        bytes[len] = 0;
        assert!(
            !whole_and_more(&bytes, block),
            "a block that was never written"
        );
        assert!(
            whole_and_more(&bytes, block + 1),
            "blocks do not begin there"
        );
        assert!(!whole_and_more(&bytes[..len - 2], 0));
        assert!(!whole_and_more(b"", 0));
    }

    #[test]
    fn another_format_is_named() {
        let summed = br#"{"v":2,"anything":true"#;
        let line = format!(
            "{}{}{:08x}\"}}",
            r#"{"v":2,"anything":true"#,
            r#","sum":""#,
            crc32fast::hash(summed)
        );
        assert!(matches!(decode(line.as_bytes()), Decoded::Format(2)));
        assert!(matches!(
            decode(br#"{"v":31,"other":"trailer"}"#),
            Decoded::Format(31)
        ));
        assert!(matches!(
            decode(br#"{"v":1,"other":"trailer"}"#),
            Decoded::Bad(_)
        ));
    }
}
