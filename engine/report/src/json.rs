//! JSON for programs: events as lines, runs. Node ids and names stand where the engine has
//! positions. Format 1.

use std::io::{self, Write};

use jiff::Timestamp;
use runbook_model::event::{ReleasedBy, StopReason};
use runbook_model::outage::{Outage, outages};
use runbook_model::{
    AttemptId, Event, Millis, NodeIx, NodeKind, Plan, Record, RunState, StepIx, Value, Watcher,
};
use serde_json::{Map, json};

use crate::runs::RunRow;
use crate::{asks, next};

/// The format of all JSON here.
const FORMAT: u32 = 1;

/// Writes each event as one line of JSON. After the first error of the writer it is silent.
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    out: W,
    broken: Option<io::Error>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, broken: None }
    }

    /// The error that made it silent, if there was one.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }
}

impl<W: Write> Watcher for JsonLines<W> {
    fn record(&mut self, record: &Record, plan: &Plan, state: &RunState) {
        if self.broken.is_some() {
            return;
        }
        let line = to_json_text(&event(record, plan, state), false);
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        self.broken = written.err();
    }
}

/// The JSON text of a value, in which no control character and none that reorders text is raw.
#[must_use]
pub fn to_json_text(value: &Value, pretty: bool) -> String {
    let text = if pretty {
        format!("{value:#}")
    } else {
        value.to_string()
    };
    // Outside of strings JSON is plain ASCII, so what is replaced here stands in a string.
    let harmful = |c: char| {
        c != '\n'
            && (c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
    };
    if !text.contains(harmful) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match harmful(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

fn event(record: &Record, plan: &Plan, state: &RunState) -> Value {
    let mut out = Map::new();
    out.insert("format".into(), FORMAT.into());
    out.insert("seq".into(), record.seq.into());
    out.insert("epoch".into(), record.epoch.0.into());
    out.insert("at".into(), time(record.at));
    // An event that does not serialise does not exist: all of them are maps of plain values.
    if let Ok(Value::Object(fields)) = serde_json::to_value(&record.event) {
        out.extend(fields);
    }
    match &record.event {
        Event::Decided { node }
        | Event::Looking { node, .. }
        | Event::Looked { node, .. }
        | Event::Pausing { node, .. }
        | Event::Asked { node, .. }
        | Event::Answered { node, .. }
        | Event::Finished { node, .. }
        | Event::Reopened { node, .. }
        | Event::Held { node, .. }
        | Event::HoldOver { node }
        | Event::Released { node, .. }
        | Event::Undoing { node, .. }
        | Event::UndoLooked { node, .. }
        | Event::Undone { node, .. } => name(&mut out, plan, *node),
        Event::ReleaseAsked { nodes, .. } => {
            let ids: Vec<Value> = nodes.iter().map(|node| id(plan, *node)).collect();
            out.insert("nodes".into(), ids.into());
        }
        Event::Ended { attempt, .. }
        | Event::Began { attempt, .. }
        | Event::Doubted { attempt, .. }
        | Event::OverTime { attempt } => {
            name_attempt(&mut out, plan, state, attempt);
        }
        Event::Launched { unit } => name_attempt(&mut out, plan, state, unit),
        Event::Dispatched { instances, .. } => {
            let listed = out.get_mut("instances").and_then(Value::as_array_mut);
            for (intent, value) in instances.iter().zip(listed.into_iter().flatten()) {
                if let Value::Object(fields) = value {
                    name(fields, plan, intent.node);
                }
            }
        }
        Event::Edited { edit, .. } => {
            let again = edit.again.iter().map(|again| id(plan, again.node));
            let said = json!({
                "number": edit.number,
                "plan": edit.plan,
                "again": again.collect::<Vec<_>>(),
            });
            out.insert("edit".into(), said);
        }
        Event::Stopping {
            reason: StopReason::Failure(node),
        } => {
            out.insert("reason".into(), json!({ "failure": id(plan, *node) }));
        }
        Event::Stopping {
            reason: StopReason::Budget(phase),
        } => {
            let phase = plan.phases.get(*phase as usize).map(|p| p.id.as_str());
            out.insert("reason".into(), json!({ "budget": phase }));
        }
        _ => {}
    }
    if let Event::Released {
        by: ReleasedBy::Step(by),
        ..
    } = &record.event
    {
        out.insert("by".into(), json!({ "step": id(plan, *by) }));
    }
    if let Event::Pausing { until, .. } = record.event {
        out.insert("until".into(), time(until));
    }
    Value::Object(out)
}

fn name_attempt(out: &mut Map<String, Value>, plan: &Plan, state: &RunState, attempt: &AttemptId) {
    let found = state
        .attempts
        .get(attempt)
        .or_else(|| state.attempts.values().find(|a| a.unit == *attempt));
    if let Some(a) = found {
        name(out, plan, a.node);
    }
}

/// Puts the names of a node in place of its position.
fn name(out: &mut Map<String, Value>, plan: &Plan, node: NodeIx) {
    out.insert("node".into(), id(plan, node));
    let phase = match plan.nodes.get(node.at()).map(|n| &n.kind) {
        Some(NodeKind::Instance { step, host, .. }) => {
            let step = plan.steps.get(step.at());
            if let Some(step) = step {
                out.insert("step".into(), step.id.as_str().into());
            }
            out.insert("host".into(), host.as_str().into());
            step.map(|s| s.phase)
        }
        Some(NodeKind::PhaseBegin { phase }) => Some(*phase),
        _ => None,
    };
    if let Some(phase) = phase.and_then(|p| plan.phases.get(p as usize)) {
        out.insert("phase".into(), phase.id.as_str().into());
    }
}

fn id(plan: &Plan, node: NodeIx) -> Value {
    plan.nodes
        .get(node.at())
        .map_or(Value::Null, |n| n.id.as_str().into())
}

fn time(at: Millis) -> Value {
    Timestamp::from_millisecond(at).map_or(Value::Null, |t| t.to_string().into())
}

/// A rollback that is due, under way or over: who wants it, why, and by which gate's decision.
fn rollback(state: &RunState) -> Value {
    if let Some(due) = &state.due {
        let gate = state.node(due.gate).map(|n| n.summary.id.as_str());
        return json!({ "stands": "due", "by": due.by, "gate": gate, "option": due.option });
    }
    let (stands, of) = match (&state.rollback, &state.rolled_back) {
        (Some(of), _) => ("under_way", of),
        (None, Some(of)) => ("over", of),
        (None, None) => return Value::Null,
    };
    json!({ "stands": stands, "by": of.by, "reason": of.reason, "gate": of.gate, "to": of.to })
}

/// How a run stands; answers that expire count as they do at `now`.
#[must_use]
pub fn status_json(plan: &Plan, state: &RunState, running: bool, now: Millis) -> Value {
    let nodes: Vec<Value> = plan
        .instances()
        .filter_map(|(node, _, _)| {
            let n = state.node(node)?;
            let mut out = Map::new();
            name(&mut out, plan, node);
            out.insert("stage".into(), serde_json::to_value(n.stage).ok()?);
            out.insert("generation".into(), n.generation.into());
            out.insert("outcome".into(), serde_json::to_value(&n.outcome).ok()?);
            out.insert("taken_back".into(), n.taken_back.into());
            out.insert("started".into(), n.started_at.map_or(Value::Null, time));
            out.insert("finished".into(), n.finished_at.map_or(Value::Null, time));
            Some(Value::Object(out))
        })
        .collect();
    let open: Vec<Value> = state
        .open_attempts()
        .map(|(attempt, a)| json!({ "attempt": attempt, "node": id(plan, a.node), "host": a.host, "since": time(a.intended_at), "launched": a.launched, "over_time": a.over_time, "undo": a.undo }))
        .collect();
    let holds: Vec<Value> = state
        .held()
        .map(|(node, hold)| json!({ "node": id(plan, node), "since": time(hold.since), "how": hold.how, "over": hold.over, "undo_failed": state.undos.get(&node).and_then(|u| u.failure.as_ref()).map(|f| f.message.as_str()) }))
        .collect();
    let gone: Vec<Value> = state
        .gone
        .iter()
        .map(|gone| json!({ "node": gone.id, "acted": gone.acted, "changed": gone.changed, "finished": gone.finished_at.map_or(Value::Null, time) }))
        .collect();
    json!({
        "format": FORMAT,
        "run": state.run,
        "runbook": state.runbook,
        "digest": state.plan,
        "epoch": state.epoch.0,
        "running": running,
        "detached": state.detached,
        "result": state.result,
        "created": time(state.created_at),
        "last": time(state.last_at),
        "asks": asks::json(plan, state, now.max(state.last_at)),
        "rollback": rollback(state),
        "outages": outages_json(plan, state, now.max(state.last_at)),
        "open_attempts": open,
        "holds": holds,
        "gone": gone,
        "next": next::commands(plan, state, running),
        "instances": nodes,
    })
}

/// The outages: who cut clients off and who let them in again, when, and how long it was or is by now.
fn outages_json(plan: &Plan, state: &RunState, now: Millis) -> Value {
    let id = |step: StepIx| plan.steps.get(step.at()).map(|s| s.id.as_str());
    let one = |of: Outage| {
        let (until, by) = of.end.map_or((None, None), |end| (Some(end.at), end.by));
        json!({
            "begun_by": id(of.begun_by),
            "since": time(of.since),
            "ended_by": by.and_then(id),
            "until": until.map_or(Value::Null, time),
            "seconds": of.length(now).div_euclid(1000),
        })
    };
    outages(plan, state).into_iter().map(one).collect()
}

/// An attempt.
#[must_use]
pub fn attempt_json(plan: &Plan, state: &RunState, attempt: &AttemptId) -> Value {
    let mut out = Map::new();
    out.insert("attempt".into(), attempt.as_str().into());
    if let Some(a) = state.attempts.get(attempt) {
        name(&mut out, plan, a.node);
    } else if let Some(gone) = state.gone.iter().find(|g| g.attempts.contains_key(attempt)) {
        out.insert("node".into(), gone.id.as_str().into());
    }
    if let Some((_, a)) = state.all_attempts().find(|(id, _)| *id == attempt) {
        out.insert("number".into(), a.number.into());
        out.insert("on".into(), a.host.as_str().into());
        out.insert("intended".into(), time(a.intended_at));
        out.insert("launched".into(), a.launched.into());
        out.insert(
            "end".into(),
            serde_json::to_value(&a.end).unwrap_or_default(),
        );
    }
    Value::Object(out)
}

/// The list of runs.
#[must_use]
pub fn runs_json(runs: &[RunRow]) -> Value {
    let all: Vec<Value> = runs
        .iter()
        .map(|r| {
            json!({
                "run": r.run, "runbook": r.runbook, "created": time(r.created), "last": time(r.last),
                "standing": r.standing.word(), "problem": r.standing.problem(), "hosts": r.hosts,
            })
        })
        .collect();
    json!({ "format": FORMAT, "runs": all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn played(tape: &sample::Tape) -> String {
        let mut lines = JsonLines::new(Vec::new());
        tape.play(&mut lines);
        assert!(lines.error().is_none());
        String::from_utf8(lines.out).unwrap()
    }

    #[test]
    fn events_name_what_they_are_about() {
        insta::assert_snapshot!(played(&sample::refused()));
    }

    #[test]
    fn every_line_is_an_event_and_no_position_is_left() {
        let tape = sample::failed();
        let text = played(&tape);
        assert_eq!(text.lines().count(), tape.records.len());
        for (line, record) in text.lines().zip(&tape.records) {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["format"], 1);
            assert_eq!(value["seq"], record.seq);
            assert!(!value["node"].is_number(), "{line}");
            assert!(!value["reason"]["failure"].is_number(), "{line}");
            for intent in value["instances"].as_array().into_iter().flatten() {
                assert!(intent["node"].is_string(), "{line}");
            }
        }
    }

    #[test]
    fn nothing_raw_stands_in_json() {
        let value = json!({ "a": "x\u{9b}31m\u{202e}\u{7f}" });
        let text = to_json_text(&value, false);
        assert_eq!(text, r#"{"a":"x\u009b31m\u202e\u007f"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_status_lists_what_is_asked_and_what_is_taken_back() {
        let of = |tape: sample::Tape| {
            let state = tape.state();
            status_json(&tape.plan, &state, false, state.last_at)
        };
        let asked = of(sample::asked());
        insta::assert_snapshot!(to_json_text(&asked["asks"], true));
        assert_eq!(asked["rollback"], Value::Null);
        let due = of(sample::to_be_taken_back());
        assert_eq!(due["asks"], json!([]));
        assert_eq!(due["rollback"]["stands"], "due");
        assert_eq!(due["rollback"]["option"], "back");
        let over = of(sample::taken_back());
        assert_eq!(over["rollback"]["stands"], "over");
        assert_eq!(over["rollback"]["gate"], "approve@control");
    }

    #[test]
    fn a_status_measures_the_outage() {
        let of = |tape: &sample::Tape, later: Millis| {
            let state = tape.state();
            let value = status_json(&tape.plan, &state, false, state.last_at + later);
            value["outages"].clone()
        };
        assert_eq!(of(&sample::refused(), 0), json!([]));
        let open = of(&sample::failed(), 0);
        assert_eq!(open[0]["until"], Value::Null);
        let seconds = open[0]["seconds"].as_i64().unwrap();
        let later = of(&sample::failed(), 5_000);
        assert_eq!(later[0]["seconds"], seconds + 5);
    }

    #[test]
    fn a_status_lists_what_is_open() {
        let tape = sample::interrupted(true);
        let value = status_json(&tape.plan, &tape.state(), false, 0);
        assert_eq!(value["open_attempts"][0]["node"], "dump@db01");
        assert_eq!(value["detached"], true);
        let attempt = attempt_json(
            &tape.plan,
            &tape.state(),
            &AttemptId::new("dump-db01-1").unwrap(),
        );
        assert_eq!(attempt["node"], "dump@db01");
        assert_eq!(attempt["end"], Value::Null);
    }
}
