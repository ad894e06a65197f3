//! What a test expects against what came.

use runbook_lang::testfile::{Said, TypeTest, Words, value_at};
use runbook_model::Value;
use runbook_model::event::Verdict;
use std::collections::BTreeMap;

use super::Mismatch;
use super::standin::Call;

/// What a check said, in a word.
pub(super) fn said(verdict: &Verdict) -> Said {
    match verdict {
        Verdict::Satisfied => Said::Satisfied,
        Verdict::Differs(_) => Said::Differs,
        Verdict::Skipped(_) => Said::Skipped,
        Verdict::Error(_) => Said::Error,
    }
}

/// What a check said, with its reasons.
pub(super) fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Satisfied => "satisfied".to_owned(),
        Verdict::Differs(reasons) => format!("differs: {}", reasons.join("; ")),
        Verdict::Skipped(reason) => format!("skipped: {reason}"),
        Verdict::Error(failure) => format!("error: {}", told(&failure.message, &failure.tail)),
    }
}

/// A message, and what was printed besides.
pub(super) fn told(message: &str, tail: &str) -> String {
    match tail.trim() {
        "" => message.to_owned(),
        tail if message.contains(tail) => message.to_owned(),
        tail => format!("{message}\n{tail}"),
    }
}

/// The verdict of a check.
pub(super) fn verdict(what: &str, expected: Said, found: &Verdict) -> Option<Mismatch> {
    (said(found) != expected).then(|| Mismatch::new(what, expected.word(), shown(found)))
}

/// The reasons of a check: as many, in order, each a part of what it said.
pub(super) fn reasons(test: &TypeTest, found: &Verdict, scratch: &str) -> Option<Mismatch> {
    let expected: Vec<String> = test
        .reasons
        .as_ref()?
        .iter()
        .map(|reason| reason.replace(runbook_lang::testfile::SCRATCH, scratch))
        .collect();
    let found: Vec<&str> = match found {
        Verdict::Differs(reasons) => reasons.iter().map(String::as_str).collect(),
        Verdict::Skipped(reason) => vec![reason],
        Verdict::Satisfied | Verdict::Error(_) => Vec::new(),
    };
    let fits = expected.len() == found.len()
        && expected
            .iter()
            .zip(&found)
            .all(|(part, whole)| whole.contains(part.as_str()));
    (!fits).then(|| Mismatch::new("reasons", listed(expected.iter()), listed(found.iter())))
}

/// A part of an error.
pub(super) fn fails(test: &TypeTest, found: Option<&str>, scratch: &str) -> Option<Mismatch> {
    let expected = test
        .fails
        .as_ref()?
        .replace(runbook_lang::testfile::SCRATCH, scratch);
    match found {
        Some(found) if found.contains(&expected) => None,
        Some(found) => Some(Mismatch::new("fails", expected, found)),
        None => Some(Mismatch::new("fails", expected, "no error")),
    }
}

/// The outputs that a test looks at.
pub(super) fn outputs(
    expected: &BTreeMap<String, Value>,
    found: &BTreeMap<String, Value>,
    scratch: &str,
) -> Vec<Mismatch> {
    let wrong = expected.iter().filter_map(|(name, value)| {
        let value = value_at(value, scratch);
        let there = found.get(name);
        let missing = || "it is not there".to_owned();
        (there != Some(&value)).then(|| {
            Mismatch::new(
                format!("outputs: {name}"),
                value.to_string(),
                there.map_or_else(missing, Value::to_string),
            )
        })
    });
    wrong.collect()
}

/// The commands with an effect, in order. One whose answer changes nothing may be left out.
pub(super) fn commands(
    what: &str,
    test: &TypeTest,
    expected: &[Words],
    calls: &[Call],
    scratch: &str,
) -> Option<Mismatch> {
    let mut left: Vec<Words> = expected.iter().map(|words| words.at(scratch)).collect();
    left.reverse();
    let mut fits = true;
    for call in calls {
        match left.last() {
            Some(next) if next.fits(&call.words, &call.stdin) => _ = left.pop(),
            _ => fits &= !changes(test, call),
        }
    }
    let shown = |words: &Words| {
        let input = words.input.iter().flat_map(|input| ["<<<", &input.0]);
        let words: Vec<&str> = words
            .words
            .iter()
            .map(|word| word.0.as_str())
            .chain(input)
            .collect();
        words.join(" ")
    };
    (!fits || !left.is_empty()).then(|| {
        Mismatch::new(
            what,
            listed(expected.iter().map(shown)),
            listed(calls.iter().map(Call::shown)),
        )
    })
}

/// Whether the answer to a call changes something.
pub(super) fn changes(test: &TypeTest, call: &Call) -> bool {
    call.answer
        .and_then(|number| test.answers.get(number))
        .is_some_and(runbook_lang::testfile::Answer::changes)
}

fn listed<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    match items.is_empty() {
        true => "nothing".to_owned(),
        false => items.join("\n"),
    }
}
