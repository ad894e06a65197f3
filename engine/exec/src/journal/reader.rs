//! Reading a journal: which records are whole, and whether what is not may be cut off.
//!
//! What a crash can leave behind the last durable record is known: the beginning of the next record,
//! or zero bytes where a block of the file was never written. That is *torn* and may be cut.
//! Everything else that is not whole was once whole, and is refused: a wrong byte within a finished
//! line, a line that is not whole in front of one that is, a line out of its place, bytes at the end
//! that no record begins with.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use runbook_model::state::FoldError;
use runbook_model::{Record, RunState};

use super::beginning::{Beginning, beginning};
use super::line::{self, BLOCK, Body, Decoded, Whole};
use super::{JournalError, MAX_JOURNAL, MAX_LINE};

/// What a whole journal says, or the whole part of a torn one.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The records in order, without the opaque ones.
    pub records: Vec<Record>,
    /// Events that this engine does not know, in order.
    pub opaque: Vec<Opaque>,
    /// Where the whole part ends, how it ends, and what is behind it.
    pub tail: Tail,
}

/// The end of a journal's whole part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// Its length, in bytes.
    pub good_bytes: u64,
    /// Number of its last record, 0 without one.
    pub seq: u64,
    /// Checksum of its last record.
    pub(super) sum: u32,
    /// The highest number that a record says was durable when it was written.
    pub durable_upto: u64,
    /// What is behind it, if anything.
    pub torn: Option<Torn>,
}

/// A write that a crash cut short. Nothing was done on its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where it begins, in bytes from 0.
    pub offset: u64,
    /// What is wrong there, for people.
    pub reason: String,
}

/// An event that this engine does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Its number.
    pub seq: u64,
    /// What it calls itself; not yet made printable.
    pub kind: String,
}

/// What [`scan`] meets.
#[derive(Debug)]
pub enum Entry {
    /// A record.
    Record(Record),
    /// A whole record whose event is not known.
    Opaque(Opaque),
}

impl Loaded {
    /// What the records add up to, as far as they are known: folding ends before the first opaque.
    ///
    /// # Errors
    /// A record cannot follow those before it.
    pub fn state(&self) -> Result<RunState, FoldError> {
        let end = self.opaque.first().map_or(u64::MAX, |o| o.seq);
        let mut state = RunState::default();
        self.records
            .iter()
            .take_while(|r| r.seq < end)
            .try_for_each(|r| state.apply(r))?;
        Ok(state)
    }
}

/// Reads a journal. Never writes.
///
/// # Errors
/// It cannot be read, is damaged, or is of another format.
pub fn read(path: &Path) -> Result<Loaded, JournalError> {
    let file = File::open(path).map_err(|source| JournalError::Io {
        path: path.into(),
        doing: "open",
        source,
    })?;
    read_from(file, path)
}

/// Reads a journal from bytes; `path` only names it in errors.
///
/// # Errors
/// As [`read`].
pub fn read_from(source: impl Read, path: &Path) -> Result<Loaded, JournalError> {
    let mut loaded = Loaded::default();
    loaded.tail = scan(source, path, |entry| match entry {
        Entry::Record(record) => loaded.records.push(record),
        Entry::Opaque(opaque) => loaded.opaque.push(opaque),
    })?;
    Ok(loaded)
}

/// Reads a journal record by record without keeping them. What was visited counts only if the whole
/// scan succeeds.
///
/// # Errors
/// As [`read`].
pub fn scan(
    source: impl Read,
    path: &Path,
    mut visit: impl FnMut(Entry),
) -> Result<Tail, JournalError> {
    let io = |source| JournalError::Io {
        path: path.into(),
        doing: "read",
        source,
    };
    let damaged = |offset, what| JournalError::Damaged {
        path: path.into(),
        offset,
        what,
    };
    let mut source = BufReader::with_capacity(64 << 10, source);
    let mut tail = Tail {
        sum: line::FIRST,
        ..Tail::default()
    };
    let mut found = Line::default();
    while found.read(&mut source).map_err(io)? {
        let at = found.at;
        let end = at + found.len;
        if end > MAX_JOURNAL {
            return Err(JournalError::Full { path: path.into() });
        }
        let whole = match found.decode() {
            Decoded::Whole(whole) => *whole,
            Decoded::Format(found) => {
                return Err(JournalError::Format {
                    path: path.into(),
                    offset: at,
                    found,
                });
            }
            Decoded::Bad(reason) => {
                let line = tail.seq + 1;
                let first = |offset| tail.torn.as_ref().map_or(offset, |torn| torn.offset);
                let reason = found
                    .torn(&tail, reason)
                    .map_err(|what| damaged(first(at), format!("line {line}: {what}")))?;
                tail.torn.get_or_insert_with(|| Torn {
                    offset: at,
                    reason: format!("line {line}: {reason}"),
                });
                match found.behind_a_gap() {
                    Some(whole) => whole,
                    None => continue,
                }
            }
        };
        if let Some(torn) = tail.torn {
            let proof = if whole.upto > tail.seq {
                "was durable"
            } else {
                "was there"
            };
            let what = format!(
                "{}, and the whole record {} behind it proves that it {proof}",
                torn.reason, whole.seq
            );
            return Err(damaged(torn.offset, what));
        }
        if let Some(what) = out_of_place(&tail, &whole) {
            return Err(damaged(at, format!("line {}: {what}", tail.seq + 1)));
        }
        tail.good_bytes = end;
        tail.seq = whole.seq;
        tail.sum = whole.sum;
        tail.durable_upto = tail.durable_upto.max(whole.upto);
        visit(match whole.body {
            Body::Known(record) => Entry::Record(record),
            Body::Opaque(kind) => Entry::Opaque(Opaque {
                seq: whole.seq,
                kind,
            }),
        });
    }
    Ok(tail)
}

/// Why a whole record cannot stand here.
fn out_of_place(tail: &Tail, whole: &Whole) -> Option<String> {
    if whole.seq != tail.seq + 1 {
        return Some(format!(
            "record {} stands where {} must be",
            whole.seq,
            tail.seq + 1
        ));
    }
    (whole.prev != tail.sum).then(|| {
        format!(
            "record {} follows one with checksum {:08x}, not this one with {:08x}",
            whole.seq, whole.prev, tail.sum
        )
    })
}

/// A line as it stands in the file.
#[derive(Default)]
struct Line {
    /// Where it begins, in bytes from 0.
    at: u64,
    /// Its bytes without the newline; of a line that is too long the first [`MAX_LINE`] at most.
    bytes: Vec<u8>,
    /// Its length in the file, in bytes, the newline included.
    len: u64,
    /// It ends in a newline.
    ended: bool,
    /// It is longer than a line may be.
    too_long: bool,
    /// Zero bytes seen in the part that was passed over.
    zeros: Zeros,
}

impl Line {
    /// Reads the next line; false at the end of the file.
    fn read(&mut self, source: &mut impl BufRead) -> io::Result<bool> {
        *self = Self {
            at: self.at + self.len,
            bytes: std::mem::take(&mut self.bytes),
            ..Self::default()
        };
        self.len = self.part(source)?;
        if self.len == 0 {
            return Ok(false);
        }
        self.too_long = !self.ended && self.bytes.len() >= MAX_LINE;
        while self.too_long && !self.ended {
            self.zeros.feed(&self.bytes);
            let more = self.part(source)?;
            self.len += more;
            if more == 0 || self.len > MAX_JOURNAL {
                break;
            }
        }
        Ok(true)
    }

    fn part(&mut self, source: &mut impl BufRead) -> io::Result<u64> {
        self.bytes.clear();
        let len = source
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut self.bytes)?;
        self.ended = self.bytes.last() == Some(&b'\n');
        if self.ended {
            self.bytes.pop();
        }
        Ok(len as u64)
    }

    fn decode(&self) -> Decoded {
        match (self.too_long, self.ended) {
            (true, _) => Decoded::Bad(format!("it is longer than {MAX_LINE} bytes")),
            (false, true) => line::decode(&self.bytes),
            (false, false) => Decoded::Bad(format!("it ends after {} bytes", self.bytes.len())),
        }
    }

    /// Whether a crash can have left this line, which is not whole for this reason: the reason, or
    /// as an error what shows that it was none. What is before it ends in this tail.
    fn torn(&self, tail: &Tail, reason: String) -> Result<String, String> {
        let mut zeros = self.zeros;
        zeros.feed(&self.bytes);
        let gap = zeros.longest >= BLOCK;
        if self.too_long {
            return if gap { Ok(reason) } else { Err(reason) };
        }
        if tail.torn.is_some() {
            return match gap || !self.ended {
                true if !gap && line::whole_and_more(&self.bytes, self.at) => {
                    Err(NO_NEWLINE.into())
                }
                true => Ok(reason),
                false => Err(reason),
            };
        }
        let text = self.bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
        let cut_off = !self.ended && self.bytes[text.len()..].iter().all(|byte| *byte == 0);
        if !gap && !cut_off {
            return Err(reason);
        }
        let end = text.len();
        match beginning(text, tail.seq + 1, tail.sum) {
            Beginning::Whole(len) if len < end => Err(NO_NEWLINE.into()),
            Beginning::Other => Err(format!(
                "no record that could follow here begins with its {end} bytes"
            )),
            // Zeros begin where a write began, which is where a line does, or where a block does.
            Beginning::Part | Beginning::Whole(_) => {
                let edge = end == 0 || (self.at + end as u64).is_multiple_of(BLOCK as u64);
                let zeros = self.bytes.len() - end;
                match (zeros, edge) {
                    (0, _) => Ok(reason),
                    (_, true) if cut_off => {
                        Ok(format!("it has {zeros} zero bytes where it goes on"))
                    }
                    (_, true) => Ok(reason),
                    (_, false) => Err(format!(
                        "zero bytes stand in it where no block of the file begins, {end} bytes on"
                    )),
                }
            }
        }
    }

    /// A record that begins right behind zero bytes, which have taken the newline before it.
    fn behind_a_gap(&self) -> Option<Whole> {
        let gap = self.bytes.iter().rposition(|byte| *byte == 0)?;
        match line::decode(&self.bytes[gap + 1..]) {
            Decoded::Whole(whole) => Some(*whole),
            Decoded::Format(_) | Decoded::Bad(_) => None,
        }
    }
}

/// Why a line is not whole that has a whole record in it.
const NO_NEWLINE: &str = "the record is whole, but what ends it is not a newline";

/// The longest run of zero bytes.
#[derive(Clone, Copy, Default)]
struct Zeros {
    run: usize,
    longest: usize,
}

impl Zeros {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.run = if *byte == 0 { self.run + 1 } else { 0 };
            self.longest = self.longest.max(self.run);
        }
    }
}
