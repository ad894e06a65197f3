//! What a gate takes as an answer, from what its step says.

use std::collections::BTreeMap;

use runbook_lang::steptype::{GATE_CONFIRM, GATE_WAIT, MANUAL_TASK};
use runbook_lang::value::{Date, parse_duration};
use runbook_model::gate::{Approve, Evidence, Follow, NO, Terms};
use runbook_model::plan::Part;
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
                Some(Value::String(word)) if word.trim() == NO => {
                    return Err(wrong("the word `no` refuses: choose another one"));
                }
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
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(
                parse_duration(&text)
                    .map(|ms| Millis::try_from(ms).unwrap_or(Millis::MAX))
                    .map_err(|why| wrong(&format!("`expires` is {why}")))?,
            ),
            Some(_) => return Err(wrong("`expires` is a duration, like 30m")),
        };
        if expires == Some(0) {
            return Err(wrong("with `expires: 0s` no answer would ever count"));
        }
        let not_runner = match text("not_runner")? {
            None | Some(Value::Null) => false,
            Some(Value::Bool(truth)) => truth,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(_) => return Err(wrong("`not_runner` is true or false")),
        };
        let deadline = match step.with.get("deadline") {
            None | Some(Value::Null) => None,
            Some(expression) => {
                let expression = expression
                    .as_str()
                    .ok_or_else(|| wrong("`deadline` is an expression, a text"))?;
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
        let options = match step.with.get("options") {
            None | Some(Value::Null) => None,
            Some(Value::Object(options)) => Some(options),
            Some(_) => return Err(wrong("`options` is a map of answers")),
        };
        // What follows on an ending, or takes back, is not taken back by a word.
        let may_go_back = self.plan.part_of(node) == Part::Main;
        let follow = |word: &Value| match word.as_str() {
            Some("continue") => Follow::Continue,
            Some("rollback") if may_go_back => Follow::Rollback,
            _ => Follow::Stop,
        };
        let on_deadline = step.with.get("on_deadline").map_or(Follow::Stop, follow);
        Ok(Approve {
            approvers,
            not_runner,
            expires,
            deadline,
            on_deadline,
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
