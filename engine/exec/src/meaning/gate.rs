//! What a gate takes as an answer, from what its step says.

use std::collections::BTreeMap;

use runbook_lang::steptype::{GATE_CONFIRM, GATE_WAIT, MANUAL_TASK};
use runbook_lang::value::{Date, parse_duration};
use runbook_model::gate::{Approve, Evidence, Follow, Terms};
use runbook_model::{Failure, FailureKind, Millis, NodeIx, RunState, Step, Value};

use super::{Meaning, no_value};

impl Meaning {
    /// The terms of a gate.
    ///
    /// # Errors
    /// A text in them has no value, or not the one that it should have.
    pub(super) fn terms(
        &self,
        node: NodeIx,
        step: &Step,
        state: &RunState,
    ) -> Result<Terms, Failure> {
        let context = self.evaluator.context(node);
        let text = |name: &str| -> Result<Option<Value>, Failure> {
            let value = step.with.get(name).map(|value| {
                let what = format!("with: {name}");
                self.evaluator
                    .render_all(&what, value, context, state)
                    .map_err(no_value)
            });
            value.transpose()
        };
        Ok(match step.uses.as_str() {
            GATE_CONFIRM => match text("type_word")? {
                Some(Value::String(word)) if !word.trim().is_empty() => {
                    Terms::Confirm(word.trim().to_owned())
                }
                Some(Value::Number(word)) => Terms::Confirm(word.to_string()),
                _ => return Err(wrong("the word that is typed is empty")),
            },
            MANUAL_TASK => Terms::Task(evidence(step.with.get("evidence"))),
            // The dispatcher knows since when it waits.
            GATE_WAIT => Terms::Wait(0),
            _ => Terms::Approve(self.approve(node, step, text, state)?),
        })
    }

    fn approve(
        &self,
        node: NodeIx,
        step: &Step,
        text: impl Fn(&str) -> Result<Option<Value>, Failure>,
        state: &RunState,
    ) -> Result<Approve, Failure> {
        let approvers = match text("approvers")? {
            None => 1,
            Some(value) => whole(&value)
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| (1..=100).contains(n))
                .ok_or_else(|| wrong("`approvers` is a number of people, from 1 to 100"))?,
        };
        let expires = match text("expires")? {
            Some(Value::String(text)) => Some(
                parse_duration(&text)
                    .map(|ms| Millis::try_from(ms).unwrap_or(Millis::MAX))
                    .map_err(|why| wrong(&format!("`expires` is {why}")))?,
            ),
            _ => None,
        };
        let deadline = match step.with.get("deadline").and_then(Value::as_str) {
            None => None,
            Some(expression) => {
                let context = self.evaluator.context(node);
                let value = self
                    .evaluator
                    .value("with: deadline", expression, context, state)
                    .map_err(no_value)?;
                let date = value.as_str().map(Date::parse);
                match date {
                    Some(Ok(date)) => Some(date.at().as_millisecond()),
                    _ => return Err(wrong("`deadline` is not a date")),
                }
            }
        };
        let options = step.with.get("options").and_then(Value::as_object);
        let follow = |word: &Value| match word.as_str() {
            Some("continue") => Follow::Continue,
            _ => Follow::Stop,
        };
        Ok(Approve {
            approvers,
            not_runner: matches!(text("not_runner")?, Some(Value::Bool(true))),
            expires,
            deadline,
            options: options
                .into_iter()
                .flatten()
                .map(|(name, word)| (name.clone(), follow(word)))
                .collect(),
        })
    }
}

fn evidence(asked: Option<&Value>) -> BTreeMap<String, Evidence> {
    let asked = asked.and_then(Value::as_object).into_iter().flatten();
    let kind = |of: &Value| match of.get("type").and_then(Value::as_str) {
        Some("int") => Evidence::Int,
        Some("bool") => Evidence::Bool,
        Some("duration") => Evidence::Duration,
        Some("date") => Evidence::Date,
        _ => Evidence::String,
    };
    asked.map(|(name, of)| (name.clone(), kind(of))).collect()
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(FailureKind::Value, why)
}
