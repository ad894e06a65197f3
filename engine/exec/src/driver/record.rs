//! The record of a run: what a person files after the change, as one JSON file in the run's
//! directory.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_model::event::{AttemptEnd, ReleasedBy};
use runbook_model::gate::OPTION;
use runbook_model::outage::{Outage, outages};
use runbook_model::state::HoldState;
use runbook_model::{Failure, FailureKind, NodeIx, Plan, RunState, StepIx, Value};
use serde_json::{Map, json};

use crate::meaning::outputs_by_host;

/// The file's name.
const NAME: &str = "record.json";

/// Everything that goes into the record: taken from the state when it is written.
pub(super) fn content(plan: &Plan, state: &RunState, node: NodeIx) -> Value {
    let include = plan
        .instance(node)
        .and_then(|(step, _)| step.with.get("include")?.as_array().cloned());
    let mut steps = Map::new();
    for id in include.unwrap_or_default() {
        if let Some((id, (step, _))) = id.as_str().and_then(|id| Some((id, plan.step(id)?))) {
            steps.insert(id.to_owned(), outputs_by_host(plan, step, state));
        }
    }
    let inputs = plan
        .inputs
        .iter()
        .filter_map(|(name, input)| Some((name.clone(), input.value.clone()?)));
    let nodes = state
        .nodes
        .iter()
        .filter(|n| n.summary.host.is_some() && n.outcome.is_some())
        .map(|n| {
            json!({
                "instance": n.summary.id,
                "outcome": n.outcome.as_ref().map(runbook_model::Outcome::word),
                "taken_back": n.taken_back,
                "started": n.started_at.map(time),
                "finished": n.finished_at.map(time),
            })
        });
    json!({
        "format": 1,
        "run": state.run.as_ref().map(runbook_model::RunId::as_str),
        "runbook": plan.runbook,
        "version": plan.version,
        "plan": plan.digest,
        "created": time(state.created_at),
        "controller": state.controller,
        "epoch": state.epoch.0,
        "inputs": inputs.collect::<Map<_, _>>(),
        "answers": answers(state),
        "rollback": state.rollback.as_ref().map(|of| json!({ "by": of.by, "reason": of.reason, "gate": of.gate, "to": of.to })),
        "outages": outages(plan, state).into_iter().map(|of| outage(plan, state, of)).collect::<Vec<_>>(),
        "steps": steps,
        "holds": holds(state),
        "instances": nodes.collect::<Vec<_>>(),
    })
}

fn outage(plan: &Plan, state: &RunState, of: Outage) -> Value {
    let id = |step: StepIx| plan.steps.get(step.at()).map(|s| s.id.as_str());
    json!({
        "begun_by": id(of.begun_by),
        "since": time(of.since),
        "ended_by": of.end.and_then(|end| end.by).and_then(id),
        "until": of.end.map(|end| time(end.at)),
        "seconds": of.length(state.last_at).div_euclid(1000),
    })
}

fn holds(state: &RunState) -> Vec<Value> {
    let id = |node: NodeIx| state.node(node).map(|n| n.summary.id.clone());
    let one = |(node, hold): (&NodeIx, &HoldState)| {
        let (until, by) = match hold.released {
            Some((at, ReleasedBy::Step(by))) => (Some(time(at)), id(by)),
            Some((at, ReleasedBy::Undo)) => (Some(time(at)), Some("undo".to_owned())),
            Some((at, ReleasedBy::Past)) => (Some(time(at)), None),
            None => (None, None),
        };
        json!({
            "instance": id(*node),
            "how": hold.how,
            "since": time(hold.since),
            "until": until,
            "released_by": by,
        })
    };
    state.holds.iter().map(one).collect()
}

fn answers(state: &RunState) -> Vec<Value> {
    let gates = state
        .nodes
        .iter()
        .filter_map(|n| Some((n, n.answer.as_ref()?)));
    gates
        .map(|(n, answer)| json!({ "gate": n.summary.id, "approved": answer.approved, "by": answer.by, "verified": false, "option": n.outputs.get(OPTION), "rollback": answer.rollback }))
        .collect()
}

fn time(at: runbook_model::Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Writes the record: whole, or not at all.
pub(super) fn write(dir: &Path, content: &Value) -> AttemptEnd {
    let path = dir.join(NAME);
    let temporary = dir.join(format!(".{NAME}"));
    let text = format!("{content:#}\n");
    let written =
        write_file(&temporary, text.as_bytes()).and_then(|()| std::fs::rename(&temporary, &path));
    match written {
        Ok(()) => {
            let outputs =
                BTreeMap::from([("file".to_owned(), Value::from(path.to_string_lossy()))]);
            AttemptEnd::Completed { outputs }
        }
        Err(error) => {
            let message = format!("{} cannot be written: {error}", path.display());
            AttemptEnd::Failed(Failure::new(FailureKind::Apply, message))
        }
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
