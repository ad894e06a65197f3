//! Secrets taken out of what hosts say, before it is stored or shown: a tool that prints its own arguments must not
//! put a password into the journal.
//!
//! Found are secrets as they are, line by line, and in the encodings that tools use, see [`form`]; in pieces of output
//! too, wherever these are cut. Where a text was shortened, a part of a secret beside the cut is taken out as well,
//! down to four bytes. Secrets of less than four bytes are not looked for: they would be found everywhere.

mod form;
mod scan;

use std::cell::RefCell;
use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::{Failure, Value};
use serde_json::Map;

use crate::dispatcher::{Begun, Input, MemberEnd, UnitFound};
use scan::{Scan, Scanner};

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";

/// The secrets of a run.
pub(crate) struct Veil {
    scanner: RefCell<Scanner>,
}

/// Output that comes in pieces: what could be a part of a secret waits for the next one.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    scan: Scan,
}

impl Veil {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scanner = Scanner::new();
        for secret in secrets {
            scanner.add(secret);
        }
        Self {
            scanner: RefCell::new(scanner),
        }
    }

    /// From now on this is a secret too: every text in a value of any type.
    pub(crate) fn add(&self, secret: &Value) {
        match secret {
            Value::String(text) => self.scanner.borrow_mut().add(text),
            Value::Number(number) => self.scanner.borrow_mut().add(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(map) => map.values().for_each(|item| self.add(item)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// A text for people, which may have been shortened.
    pub(crate) fn prose(&self, text: &mut String) {
        self.replace(text, |scanner, scan, text| scanner.read_cut(scan, text));
    }

    /// A text for programs: what only looks like the begin of a secret stays.
    fn exact(&self, text: &mut String) {
        self.replace(text, |scanner, scan, text| {
            scanner.read(scan, text.as_bytes());
        });
    }

    fn replace(&self, text: &mut String, read: impl Fn(&Scanner, &mut Scan, &str)) {
        let scanner = self.scanner.borrow();
        if scanner.is_empty() {
            return;
        }
        let mut scan = Scan::default();
        read(&scanner, &mut scan, text);
        let found = scan.take();
        if found.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for range in found {
            let (start, end) = (place(range.start), place(range.end));
            out.extend_from_slice(&bytes[done..start]);
            out.extend_from_slice(HIDDEN.as_bytes());
            done = end;
        }
        out.extend_from_slice(&bytes[done..]);
        *text = String::from_utf8_lossy(&out).into_owned();
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.exact(text),
            Value::Number(number) => {
                let mut text = number.to_string();
                self.exact(&mut text);
                if text == HIDDEN {
                    *value = Value::String(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => {
                let items = std::mem::take(map).into_iter().map(|(name, mut item)| {
                    self.value(&mut item);
                    (self.name(name), item)
                });
                *map = items.collect::<Map<_, _>>();
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn name(&self, mut name: String) -> String {
        self.exact(&mut name);
        name
    }

    fn values(&self, values: &mut BTreeMap<String, Value>) {
        let all = std::mem::take(values).into_iter().map(|(name, mut value)| {
            self.value(&mut value);
            (self.name(name), value)
        });
        *values = all.collect();
    }

    fn failure(&self, failure: &mut Failure) {
        self.prose(&mut failure.message);
        self.prose(&mut failure.tail);
    }

    fn end(&self, end: &mut AttemptEnd) {
        match end {
            AttemptEnd::Completed { outputs } | AttemptEnd::Converged { outputs } => {
                self.values(outputs);
            }
            AttemptEnd::Looked { verdict, outputs } => {
                self.looked(verdict, outputs, &mut BTreeMap::new());
            }
            AttemptEnd::Failed(failure) => self.failure(failure),
            AttemptEnd::NeverBegan | AttemptEnd::Lost => {}
        }
    }

    /// Takes secrets out of what a check found.
    pub(crate) fn looked(
        &self,
        verdict: &mut Verdict,
        outputs: &mut BTreeMap<String, Value>,
        before: &mut BTreeMap<String, String>,
    ) {
        match verdict {
            Verdict::Differs(reasons) => reasons.iter_mut().for_each(|reason| self.prose(reason)),
            Verdict::Skipped(reason) => self.prose(reason),
            Verdict::Error(failure) => self.failure(failure),
            Verdict::Satisfied => {}
        }
        self.values(outputs);
        let all = std::mem::take(before)
            .into_iter()
            .map(|(name, text)| (self.name(name), self.name(text)));
        *before = all.collect();
    }

    fn member(&self, how: &mut MemberEnd) {
        let began = match how {
            MemberEnd::Acts(begun) => Some(begun),
            MemberEnd::Ended { end, began } => {
                self.end(end);
                began.as_mut()
            }
            MemberEnd::Lost { found, began } => {
                self.prose(found);
                began.as_mut()
            }
        };
        if let Some(Begun { reasons, before }) = began {
            let mut verdict = Verdict::Differs(std::mem::take(reasons));
            self.looked(&mut verdict, &mut BTreeMap::new(), before);
            if let Verdict::Differs(shown) = verdict {
                *reasons = shown;
            }
        }
    }

    /// Takes secrets out of what a task brings back.
    pub(super) fn input(&self, mut input: Input) -> Input {
        match &mut input {
            Input::Looked {
                verdict,
                outputs,
                before,
                ..
            } => self.looked(verdict, outputs, before),
            Input::Ended { end, .. }
            | Input::Performed { end, .. }
            | Input::UnitState {
                found: UnitFound::Ended(end),
                ..
            } => self.end(end),
            Input::UnitState {
                found: UnitFound::Lost(text),
                ..
            } => self.prose(text),
            Input::Members { ended, .. } => {
                for (_, how) in ended {
                    self.member(how);
                }
            }
            Input::HostUnusable { problem, .. } | Input::HostLost { problem, .. } => {
                self.prose(problem)
            }
            _ => {}
        }
        input
    }

    /// Covers secrets in a piece of output with as many stars: offsets in the output stay those of the host. What
    /// could be the begin of a secret is held for the next piece, unless this is the last.
    pub(super) fn output(&self, held: &mut Held, piece: &[u8], is_last: bool) -> Vec<u8> {
        let scanner = self.scanner.borrow();
        let Held { bytes, scan } = held;
        bytes.extend_from_slice(piece);
        scanner.read(scan, piece);
        if is_last {
            scanner.cut_after(scan);
        }
        let base = scan.at() - bytes.len() as u64;
        for range in scan.take() {
            bytes[place(range.start - base)..place(range.end - base)].fill(b'*');
        }
        let settled = if is_last { scan.at() } else { scan.settled() };
        bytes.drain(..place(settled - base)).collect()
    }
}

/// A place in a text that is in memory.
fn place(at: u64) -> usize {
    usize::try_from(at).expect("what is in memory has an address")
}

#[cfg(test)]
mod tests;
