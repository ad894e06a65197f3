//! Whether bytes are the beginning of one certain record. A write that a crash cut short leaves such
//! a beginning and nothing else; other bytes in its place were put there by something else, and
//! may be what became of a record that was once acknowledged.

use serde::de::IgnoredAny;

use super::FORMAT;
use super::line::SUM;

/// How far bytes follow what a record's line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// To their end, and the record goes on behind them.
    Part,
    /// The record is whole in this many bytes, its newline not counted.
    Whole(usize),
    /// Not to their end: no record begins like this.
    Other,
}

/// Compares bytes with the record of this number, which follows one with this checksum.
pub(super) fn beginning(bytes: &[u8], seq: u64, prev: u32) -> Beginning {
    // A character that is cut in two is fine, one that is wrong is not.
    if std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_some()) {
        return Beginning::Other;
    }
    let mut rest = Rest { bytes, at: 0 };
    match rest.record(seq, prev) {
        Ok(()) => Beginning::Whole(rest.at),
        Err(Stop::Over) => Beginning::Part,
        Err(Stop::Wrong) => Beginning::Other,
    }
}

enum Stop {
    /// The bytes are over, and were right so far.
    Over,
    Wrong,
}

struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Rest<'_> {
    fn record(&mut self, seq: u64, prev: u32) -> Result<(), Stop> {
        self.text(format!(r#"{{"v":{FORMAT},"seq":{seq},"epoch":"#).as_bytes())?;
        self.digits()?;
        self.text(br#","at":"#)?;
        if self.left().first() == Some(&b'-') {
            self.at += 1;
        }
        self.digits()?;
        self.text(br#","upto":"#)?;
        self.digits()?;
        self.text(format!(r#","prev":"{prev:08x}","event":"#).as_bytes())?;
        self.object()?;
        let sum = crc32fast::hash(&self.bytes[..self.at]);
        self.text(SUM)?;
        self.text(format!("{sum:08x}\"}}").as_bytes())
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn text(&mut self, wanted: &[u8]) -> Result<(), Stop> {
        let left = self.left();
        if left.starts_with(wanted) {
            self.at += wanted.len();
            return Ok(());
        }
        Err(match wanted.starts_with(left) {
            true => Stop::Over,
            false => Stop::Wrong,
        })
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let count = self.left().iter().take_while(|b| b.is_ascii_digit());
        let count = count.count();
        self.at += count;
        match (self.left().is_empty(), count) {
            (true, _) => Err(Stop::Over),
            (false, 0) => Err(Stop::Wrong),
            (false, _) => Ok(()),
        }
    }

    fn object(&mut self) -> Result<(), Stop> {
        match self.left().first() {
            None => return Err(Stop::Over),
            Some(b'{') => {}
            Some(_) => return Err(Stop::Wrong),
        }
        let left = self.left();
        match json(left) {
            Ok(len) => {
                self.at += len;
                Ok(())
            }
            Err(e) if e.is_eof() => Err(Stop::Over),
            // A number that is cut behind its sign, point or exponent is no end of input to the
            // reader of JSON; with a digit more it is.
            Err(_) if left.ends_with(b"-") || left.ends_with(b".") => self.with_a_digit(),
            Err(_) if left.ends_with(b"e") || left.ends_with(b"+") => self.with_a_digit(),
            Err(_) => Err(Stop::Wrong),
        }
    }

    fn with_a_digit(&self) -> Result<(), Stop> {
        let longer = [self.left(), b"0"].concat();
        Err(match json(&longer) {
            Err(e) if e.is_eof() => Stop::Over,
            _ => Stop::Wrong,
        })
    }
}

/// The length of the value at the start of the bytes.
fn json(bytes: &[u8]) -> Result<usize, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(value) => value.map(|_| values.byte_offset()),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::line::encode;
    use runbook_model::{Epoch, Event, Record};

    fn line() -> Vec<u8> {
        let value = serde_json::json!({
            "numbers": [-1.5e-7, 1e300, -0.25, 12],
            "text": "ü\n\u{1f600}\\\"",
            "words": [true, false, null],
            "sum": {"a": 1, "sum": "00000000"},
        });
        let record = Record {
            seq: 12,
            epoch: Epoch(3),
            at: -5,
            event: Event::VarTaken {
                name: "v".into(),
                value,
            },
        };
        let mut out = Vec::new();
        encode(&mut out, &record, 7, 0xabc).unwrap();
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    #[test]
    fn every_part_of_a_record_begins_it() {
        let line = line();
        for len in 0..line.len() {
            assert_eq!(
                beginning(&line[..len], 12, 0xabc),
                Beginning::Part,
                "{}",
                String::from_utf8_lossy(&line[..len])
            );
        }
        assert_eq!(beginning(&line, 12, 0xabc), Beginning::Whole(line.len()));
        let more = [&line[..], b"x"].concat();
        assert_eq!(beginning(&more, 12, 0xabc), Beginning::Whole(line.len()));
    }

    #[test]
    fn another_record_does_not_begin_so() {
        let line = line();
        assert_eq!(beginning(&line, 13, 0xabc), Beginning::Other);
        assert_eq!(beginning(&line, 12, 0xabd), Beginning::Other);
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut wrong = line.clone();
                wrong[at] ^= 1 << bit;
                let found = beginning(&wrong, 12, 0xabc);
                assert_eq!(found, Beginning::Other, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn what_no_json_goes_on_from_begins_nothing() {
        let line = line();
        let event = line.windows(9).position(|w| w == br#"{"kind":""#).unwrap();
        for wrong in [
            "[",
            "{\"a\":--",
            "{\"a\":1..",
            "{\"a\":tre",
            "{a",
            "{\"a\":\"\u{1}",
            "7",
        ] {
            let bytes = [&line[..event], wrong.as_bytes()].concat();
            assert_eq!(beginning(&bytes, 12, 0xabc), Beginning::Other, "{wrong}");
        }
        let bytes = [&line[..event], b"{\"a\":\"\xff\""].concat();
        assert_eq!(beginning(&bytes, 12, 0xabc), Beginning::Other);
    }
}
