//! What a run's state means for people: who is served, what still runs, what was never begun.

mod begun;
mod holds;

use std::collections::BTreeSet;

use runbook_model::outage::{End, begun_at, marked, outages};
use runbook_model::plan::Part;
use runbook_model::state::{AttemptState, HostState, NodeState};
use runbook_model::step::{Outage, Step};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{
    AttemptId, Failure, HostName, Millis, NodeIx, NodeKind, Outcome, Plan, RunResult, RunState,
    StepIx,
};

use crate::text::{bounded, count, names, value_text};
use crate::time::{clock, length};
use crate::{Style, Tally};

pub(crate) use begun::{begun, between, last_look, took, unfinished};
pub(crate) use holds::{held, released_by};

/// The longest reason on a line.
pub(crate) const REASON: usize = 300;

/// Who has the run rolled back and why: the rollback that is due, under way, or over.
pub(crate) fn why_back(state: &RunState) -> Option<String> {
    if let Some(due) = &state.due {
        let gate = state.node(due.gate).map_or("?", |n| n.summary.id.as_str());
        let (by, gate) = (bounded(&due.by, 80), printable(gate));
        return Some(match &due.option {
            Some(word) => format!("{by} said `{}` at {gate}", bounded(word, 80)),
            None => format!("nobody had decided at {gate} in time"),
        });
    }
    let over = matches!(state.result, Some(RunResult::RolledBack));
    let of = state.rollback.as_ref();
    let of = of.or(state.rolled_back.as_ref().filter(|_| over))?;
    let (by, reason) = (bounded(&of.by, 80), bounded(&of.reason, REASON));
    Some(match of.reason.is_empty() {
        true => by,
        false => format!("{by}: {reason}"),
    })
}

/// The gate that has decided that the run is rolled back.
pub(crate) fn gate_of_rollback(state: &RunState) -> Option<&str> {
    let of = state.rollback.as_ref().or(state.rolled_back.as_ref())?;
    of.gate.as_deref()
}

/// The id of a node, made printable: a stored plan is a file like any other.
pub(crate) fn node_id(plan: &Plan, node: NodeIx) -> String {
    match plan.nodes.get(node.at()) {
        Some(n) => printable(&n.id).into_owned(),
        None => format!("node {}", node.0),
    }
}

/// What the run did that its runbook does not have any more.
pub(crate) fn gone(state: &RunState) -> Vec<String> {
    let acted = state.gone.iter().filter(|gone| gone.acted);
    let line = |gone: &runbook_model::state::Gone| {
        let why = match gone.changed {
            true => "done with other values before the files were changed",
            false => "done before the files were changed, and not in the runbook any more",
        };
        format!("{}: {why}; it stays as it is", printable(&gone.id))
    };
    acted.map(line).collect()
}

/// How many hosts have an instance, the controller among them.
pub(crate) fn hosts(plan: &Plan) -> usize {
    plan.instances()
        .map(|(_, _, host)| host)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Instances with their states, in plan order.
pub(crate) fn instances<'a>(
    plan: &'a Plan,
    state: &'a RunState,
) -> impl Iterator<Item = (NodeIx, &'a Step, &'a HostName, &'a NodeState)> {
    plan.instances().filter_map(move |(node, step, host)| {
        Some((node, plan.steps.get(step.at())?, host, state.node(node)?))
    })
}

/// Instances that failed, with their failures, in plan order.
pub(crate) fn failures<'a>(
    plan: &'a Plan,
    state: &'a RunState,
) -> impl Iterator<Item = (NodeIx, &'a NodeState, &'a Failure)> {
    plan.nodes.iter().zip(0u32..).filter_map(|(_, at)| {
        let n = state.node(NodeIx(at))?;
        let main = plan.part_of(NodeIx(at)) == Part::Main;
        match &n.outcome {
            Some(Outcome::Failed(failure) | Outcome::Left(failure)) if n.is_done() && main => {
                Some((NodeIx(at), n, failure))
            }
            _ => None,
        }
    })
}

/// Sentences about what went wrong and did not stop the run: failures that only were recorded, hosts
/// that left a phase, what failed on the ending, what is still held.
pub(crate) fn findings(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut out = Vec::new();
    let of = |wanted: fn(&Outcome) -> bool, part: Part| -> Vec<String> {
        let nodes = instances(plan, state).filter(|(node, _, _, n)| {
            plan.part_of(*node) == part && n.outcome.as_ref().is_some_and(wanted)
        });
        nodes.map(|(node, ..)| node_id(plan, node)).collect()
    };
    let recorded = of(|o| matches!(o, Outcome::Recorded(_)), Part::Main);
    if !recorded.is_empty() {
        let what = count(recorded.len(), "recorded failure");
        out.push(format!("{what}: {}", names(&recorded, 8)));
    }
    let left: BTreeSet<&HostName> = instances(plan, state)
        .filter(|(node, _, _, n)| {
            plan.part_of(*node) == Part::Main && matches!(n.outcome, Some(Outcome::Left(_)))
        })
        .map(|(_, _, host, _)| host)
        .collect();
    if !left.is_empty() {
        let hosts: Vec<String> = left.iter().map(ToString::to_string).collect();
        let failed = of(|o| matches!(o, Outcome::Left(_)), Part::Main);
        let text = format!(
            "left behind: {} ({} failed)",
            names(&hosts, 8),
            names(&failed, 8)
        );
        out.push(text);
    }
    let left_out = of(|o| matches!(o, Outcome::LeftOut { .. }), Part::Main);
    if !left_out.is_empty() {
        let what = count(left_out.len(), "instance");
        out.push(format!("{what} left out: {}", names(&left_out, 8)));
    }
    out.extend(of_ending(plan, state));
    out.extend(held(plan, state, state.last_at));
    out
}

/// How many instances failed: of the procedure, and of what follows on every ending.
pub(crate) fn failed(plan: &Plan, state: &RunState) -> (usize, usize) {
    let ending = instances(plan, state).filter(|(node, _, _, n)| {
        let failed = matches!(n.outcome, Some(Outcome::Failed(_) | Outcome::Left(_)));
        n.is_done() && failed && plan.part_of(*node) == Part::Finally
    });
    (failures(plan, state).count(), ending.count())
}

/// Sentences about what failed in what follows on every ending.
pub(crate) fn of_ending(plan: &Plan, state: &RunState) -> Vec<String> {
    instances(plan, state)
        .filter(|(node, ..)| plan.part_of(*node) == Part::Finally)
        .filter_map(|(node, _, _, n)| {
            let failure = n.outcome.as_ref()?.failure()?;
            let text = crate::narrate::failure_text(failure);
            Some(format!(
                "{} failed on the ending: {text}",
                node_id(plan, node)
            ))
        })
        .collect()
}

/// What lets time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// A batch of a phase has ended, and the next one begins later.
    Batch,
    /// A step of the runbook waits.
    Wait,
}

/// Whether a node that pauses only lets time pass.
pub(crate) fn pause_of(plan: &Plan, node: NodeIx) -> Option<Pause> {
    match &plan.nodes.get(node.at())?.kind {
        NodeKind::Barrier { .. } => Some(Pause::Batch),
        NodeKind::Instance { step, .. } => {
            let of = plan.type_of(plan.steps.get(step.at())?)?;
            (of.kind == TypeKind::Wait).then_some(Pause::Wait)
        }
        NodeKind::PhaseBegin { .. } | NodeKind::DoneWhen => None,
    }
}

/// Where the records of the run are, a sentence each.
pub(crate) fn records(plan: &Plan, state: &RunState) -> Vec<String> {
    let file = |(_, step, _, n): (NodeIx, &Step, &HostName, &NodeState)| {
        let is_record = plan.type_of(step)?.kind == TypeKind::Record;
        let path = n
            .outputs
            .get("file")
            .filter(|_| is_record && n.is_success())?;
        Some(format!("the record is in {}", value_text(path)))
    };
    let files: BTreeSet<String> = instances(plan, state).filter_map(file).collect();
    files.into_iter().collect()
}

/// Hosts that cannot be used, and why.
pub(crate) fn unusable(state: &RunState) -> impl Iterator<Item = (&HostName, &str)> {
    state.hosts.iter().filter_map(|(host, h)| match h {
        HostState::Unusable(problem) => Some((host, problem.as_str())),
        HostState::Ready { .. } => None,
    })
}

/// Sentences about whether clients are served at `now`; empty where the runbook marks no outage.
pub(crate) fn serving(plan: &Plan, state: &RunState, now: Millis, style: &Style) -> Vec<String> {
    let id = |step: StepIx| plan.steps.get(step.at()).map_or("?", |s| s.id.as_str());
    let Some(first) = marked(plan, Part::Main, Outage::Begin).next() else {
        return Vec::new();
    };
    let Some(last) = outages(plan, state).pop() else {
        return vec![format!(
            "clients are served: the outage (`{}`) has not begun",
            id(first)
        )];
    };
    vec![match last.end {
        None => format!(
            "clients are cut off since {} (`{}`), for {}",
            clock(last.since, style),
            id(last.begun_by),
            length(last.length(now))
        ),
        Some(End { at, by: None }) => format!(
            "clients are served again since {}: `{}` was taken back",
            clock(at, style),
            id(last.begun_by)
        ),
        Some(End { at, by: Some(by) }) => format!(
            "clients are served again since {} (`{}`); the outage was {}",
            clock(at, style),
            id(by),
            length(last.length(now))
        ),
    }]
}

fn is_main(plan: &Plan, step: &Step) -> bool {
    let phase = plan.phases.get(step.phase as usize);
    phase.is_none_or(|phase| phase.part == Part::Main)
}

/// Sentences about points of no return that were passed, or may have been.
pub(crate) fn no_return(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for (step, at) in plan.steps.iter().zip(0u32..) {
        if let Some(lost) = &step.no_return
            && is_main(plan, step)
            && begun_at(plan, state, StepIx(at)).is_some()
        {
            out.push(format!(
                "no return since `{}`: {}",
                step.id,
                bounded(&lost.text, REASON)
            ));
        }
    }
    out
}

/// Attempts whose end is not known, in the order in which they were intended; of a chain only the one
/// whose turn it is, as far as that is known.
pub(crate) fn open(state: &RunState) -> Vec<(&AttemptId, &AttemptState)> {
    let mut all: Vec<_> = state.open_attempts().collect();
    all.retain(|(id, a)| open_of_unit(state, a).next() == Some(*id));
    all.sort_by_key(|(id, a)| (a.intended_at, a.node, id.as_str()));
    all
}

/// The open attempts of the unit that an attempt belongs to, in their order.
fn open_of_unit<'a>(state: &'a RunState, a: &AttemptState) -> impl Iterator<Item = &'a AttemptId> {
    let ids = state.by_unit.get(&a.unit).into_iter().flatten();
    ids.filter(|id| state.attempts.get(*id).is_some_and(|a| a.end.is_none()))
}

/// A sentence about an attempt whose end is not known.
pub(crate) fn open_text(
    plan: &Plan,
    state: &RunState,
    id: &AttemptId,
    a: &AttemptState,
    style: &Style,
) -> String {
    let since = clock(a.intended_at, style);
    let of_node = state.node(a.node).map(|n| n.stage);
    let stage = match a.undo {
        true => state.undos.get(&a.node).map(|undo| undo.stage),
        false => of_node,
    };
    let in_doubt = matches!(stage, Some(Stage::InDoubt | Stage::Done));
    let how = match (in_doubt, a.over_time, a.launched) {
        (true, _, _) => format!("intended at {since}, its effect is not known"),
        (_, true, _) => {
            format!("since {since}, longer than its limit; it is critical and left running")
        }
        (_, _, true) => format!("since {since}"),
        (_, _, false) => format!("intended at {since}; whether it began is not known"),
    };
    let what = if a.undo { "the undo of " } else { "" };
    let behind = match open_of_unit(state, a).count() {
        0 | 1 => String::new(),
        n => format!(", and {} behind it in a row", n - 1),
    };
    format!(
        "{what}{} on {}, {how} (attempt {id}){behind}",
        node_id(plan, a.node),
        a.host
    )
}

/// Phases with instances that were never begun: how many of how many.
pub(crate) fn never_started(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut per_phase = vec![0usize; plan.phases.len()];
    for (_, step, _, n) in instances(plan, state) {
        let fresh = n.stage == Stage::Waiting && n.started_at.is_none() && n.generation == 1;
        if let Some(count) = per_phase.get_mut(step.phase as usize)
            && fresh
            && is_main(plan, step)
        {
            *count += 1;
        }
    }
    let phases = plan.phases.iter().zip(per_phase).zip(0u32..);
    phases
        .filter(|((_, n), _)| *n > 0)
        .map(|((phase, n), at)| {
            let total = Tally::of(plan, state, Some(at)).total;
            if n == total {
                format!("{} (all {n})", phase.id)
            } else {
                format!("{} ({n} of {total})", phase.id)
            }
        })
        .collect()
}
