//! Secrets taken out of what scripts say, before it is stored or shown: a tool that prints its own arguments must not
//! put a password into the journal.
//!
//! Found are the values as they are, line by line too, and as JSON writes them. A secret cut in two by the end of a
//! piece of output is found as well: what could be its begin is kept back until the rest has come.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::{Failure, Value};

use crate::dispatcher::{Input, UnitFound};

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";
/// Shorter texts would be found everywhere.
const SHORTEST: usize = 4;

/// The secrets of a run.
pub(crate) struct Veil {
    /// The longest first: one may be a part of another.
    secrets: Vec<String>,
}

impl Veil {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = secrets
            .into_iter()
            .flat_map(forms)
            .filter(|form| form.len() >= SHORTEST)
            .collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self { secrets: all }
    }

    fn text(&self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), HIDDEN);
            }
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn failure(&self, failure: &mut Failure) {
        self.text(&mut failure.message);
        self.text(&mut failure.tail);
    }

    fn end(&self, end: &mut AttemptEnd) {
        match end {
            AttemptEnd::Completed { outputs } => {
                outputs.values_mut().for_each(|value| self.value(value))
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
            Verdict::Differs(reasons) => reasons.iter_mut().for_each(|reason| self.text(reason)),
            Verdict::Skipped(reason) => self.text(reason),
            Verdict::Error(failure) => self.failure(failure),
            Verdict::Satisfied => {}
        }
        outputs.values_mut().for_each(|value| self.value(value));
        before.values_mut().for_each(|text| self.text(text));
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
            } => self.text(text),
            Input::HostUnusable { problem, .. } | Input::HostLost { problem, .. } => {
                self.text(problem)
            }
            _ => {}
        }
        input
    }

    /// Covers secrets in a piece of output with as many stars: offsets in the output stay those of the host. What
    /// could be the begin of a secret stays in `kept` for the next piece, unless this is the last.
    pub(super) fn output(&self, kept: &mut Vec<u8>, piece: &[u8], is_last: bool) -> Vec<u8> {
        kept.extend_from_slice(piece);
        let mut out = Vec::with_capacity(kept.len());
        let mut at = 0;
        while at < kept.len() {
            let rest = &kept[at..];
            if let Some(secret) = self
                .secrets
                .iter()
                .find(|secret| rest.starts_with(secret.as_bytes()))
            {
                out.resize(out.len() + secret.len(), b'*');
                at += secret.len();
            } else if !is_last
                && self
                    .secrets
                    .iter()
                    .any(|secret| secret.as_bytes().starts_with(rest))
            {
                break;
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        kept.drain(..at);
        out
    }
}

/// A secret as it may be printed.
fn forms(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    let mut forms = vec![secret.to_owned(), json.trim_matches('"').to_owned()];
    forms.extend(secret.lines().map(str::to_owned));
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_of_texts() {
        let veil = Veil::new(["hunter2", "hunter22", "a\"bc\nsecond line", "x"]);
        let hidden = |text: &str| {
            let mut text = text.to_owned();
            veil.text(&mut text);
            text
        };
        assert_eq!(hidden("-p hunter2 -q hunter22"), "-p (secret) -q (secret)");
        assert_eq!(hidden("only the second line"), "only the (secret)");
        assert_eq!(
            hidden("{\"p\":\"a\\\"bc\\nsecond line\"}"),
            "{\"p\":\"(secret)\"}"
        );
        assert_eq!(hidden("xx"), "xx", "too short to be told from the rest");
    }

    proptest::proptest! {
        #[test]
        fn pieces_hide_what_the_whole_hides(text in "(hunter2|hunt|er2|h|é|\n){0,12}", size in 1..5usize) {
            let veil = Veil::new(["hunter2"]);
            let (mut kept, mut out) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                out.extend(veil.output(&mut kept, piece, false));
            }
            out.extend(veil.output(&mut kept, &[], true));
            proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), text.replace("hunter2", "*******"));
        }
    }
}
