//! What a run's state means for people: who is served, what still runs, what was never begun.

use std::collections::BTreeSet;

use runbook_model::event::{HeldHow, ReleasedBy, Verdict};
use runbook_model::plan::Part;
use runbook_model::state::{AttemptState, HoldState, HostState, NodeState};
use runbook_model::step::{Outage, Step};
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{
    AttemptId, Failure, HostName, Millis, NodeIx, Outcome, Plan, RunState, StepIx,
};

use crate::text::{bounded, count, names, reasons};
use crate::time::{clock, length};
use crate::{Style, Tally};

/// The longest reason on a line.
pub(crate) const REASON: usize = 300;

/// The id of a node, made printable: a stored plan is a file like any other.
pub(crate) fn node_id(plan: &Plan, node: NodeIx) -> String {
    match plan.nodes.get(node.at()) {
        Some(n) => printable(&n.id).into_owned(),
        None => format!("node {}", node.0),
    }
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
    out.extend(held(plan, state).into_iter().map(|(text, _)| text));
    out
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

/// What releases a hold.
pub(crate) fn released_by(plan: &Plan, node: NodeIx) -> String {
    let hold = plan.instance(node).and_then(|(step, _)| step.hold.as_ref());
    let steps: Vec<String> = hold
        .into_iter()
        .flat_map(|hold| &hold.release)
        .filter_map(|step| plan.step_id(*step))
        .map(|id| format!("`{id}`"))
        .collect();
    match steps.is_empty() {
        true => "the end of the run".to_owned(),
        false => steps.join(" or "),
    }
}

/// Sentences about what is held now, and whether it can be taken back by hand.
pub(crate) fn held(plan: &Plan, state: &RunState) -> Vec<(String, bool)> {
    let one = |node: NodeIx, hold: &HoldState| {
        let mut text = match hold.how {
            HeldHow::Changed => format!("{} is held", node_id(plan, node)),
            HeldHow::Partly => format!("{} may be held, in part", node_id(plan, node)),
            HeldHow::Already => {
                let step = plan.instance(node).and_then(|(step, _)| step.hold.as_ref());
                let ends = match step.is_some_and(|hold| !hold.release.is_empty()) {
                    true => format!("{} ends it", released_by(plan, node)),
                    false => "this run does not end it".to_owned(),
                };
                return (
                    format!("{} was so already; {ends}", node_id(plan, node)),
                    false,
                );
            }
        };
        text.push_str(&format!(" for {}", length(state.last_at - hold.since)));
        if hold.over {
            text.push_str(", longer than it may");
        }
        let undo = state.undos.get(&node);
        match undo.map(|undo| (undo.stage, &undo.failure)) {
            Some((Stage::Done, Some(failure))) => {
                let why = crate::narrate::failure_text(failure);
                text.push_str(&format!("; taking it back failed: {why}"));
            }
            Some((stage, _)) if stage != Stage::Done => {
                text.push_str("; taking it back was begun, and its end is not known");
            }
            _ => text.push_str(&format!("; {} releases it", released_by(plan, node))),
        }
        let of = plan.instance(node).and_then(|(step, _)| plan.type_of(step));
        let able = of.is_some_and(|of| !of.scripts.undo.is_empty());
        (text, able)
    };
    state.held().map(|(node, hold)| one(node, hold)).collect()
}

/// Hosts that cannot be used, and why.
pub(crate) fn unusable(state: &RunState) -> impl Iterator<Item = (&HostName, &str)> {
    state.hosts.iter().filter_map(|(host, h)| match h {
        HostState::Unusable(problem) => Some((host, problem.as_str())),
        HostState::Ready { .. } => None,
    })
}

/// Sentences about whether clients are served; empty where the runbook marks no outage.
pub(crate) fn serving(plan: &Plan, state: &RunState, style: &Style) -> Vec<String> {
    let marked = |mark| {
        plan.steps
            .iter()
            .zip(0u32..)
            .filter(move |(s, _)| s.outage == Some(mark) && is_main(plan, s))
    };
    let Some((first, _)) = marked(Outage::Begin).next() else {
        return Vec::new();
    };
    let begun = marked(Outage::Begin)
        .filter_map(|(step, at)| Some((begun_at(plan, state, StepIx(at))?, step)))
        .min_by_key(|(at, _)| *at);
    let Some((since, by)) = begun else {
        return vec![format!(
            "clients are served: the outage (`{}`) has not begun",
            first.id
        )];
    };
    let marks = marked(Outage::Begin).flat_map(|(_, at)| plan.instances_of(StepIx(at)));
    let undone: Option<Vec<Millis>> = marks
        .filter(|(node, _)| state.node(*node).and_then(ended_at).is_some())
        .map(|(node, _)| match state.holds.get(&node)?.released? {
            (at, ReleasedBy::Undo) => Some(at),
            (_, ReleasedBy::Step(_)) => None,
        })
        .collect();
    if let Some(until) = undone.and_then(|all| all.into_iter().max()) {
        return vec![format!(
            "clients are served again since {}: `{}` was taken back",
            clock(until, style),
            by.id
        )];
    }
    let ends: Vec<_> = marked(Outage::End)
        .flat_map(|(_, at)| plan.instances_of(StepIx(at)))
        .collect();
    let ended: Option<Vec<Millis>> = ends
        .iter()
        .map(|(node, _)| ended_at(state.node(*node)?))
        .collect();
    match ended.and_then(|all| all.into_iter().max()) {
        Some(until) => vec![format!(
            "clients are served again since {} (`{}`); the outage was {}",
            clock(until, style),
            marked(Outage::End)
                .next()
                .map_or("", |(s, _)| s.id.as_str()),
            length(until - since)
        )],
        None => vec![format!(
            "clients are cut off since {} (`{}`), for {} at the last event",
            clock(since, style),
            by.id,
            length(state.last_at - since)
        )],
    }
}

/// When a step had an effect first, or was found in its wanted state.
fn begun_at(plan: &Plan, state: &RunState, step: StepIx) -> Option<Millis> {
    let of = |node: NodeIx| {
        let effect = state
            .attempts_of(node)
            .filter(|(_, a)| !a.undo)
            .map(|(_, a)| a.intended_at)
            .min();
        effect.or_else(|| ended_at(state.node(node)?))
    };
    plan.instances_of(step)
        .filter_map(|(node, _)| of(node))
        .min()
}

fn ended_at(n: &NodeState) -> Option<Millis> {
    match &n.outcome {
        Some(Outcome::Skipped { .. }) | None => None,
        Some(outcome) if outcome.failure().is_some() || !outcome.is_success() => None,
        Some(_) => n.finished_at,
    }
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

/// Attempts whose end is not known, in the order in which they were intended.
pub(crate) fn open(state: &RunState) -> Vec<(&AttemptId, &AttemptState)> {
    let mut all: Vec<_> = state.open_attempts().collect();
    all.sort_by_key(|(id, a)| (a.intended_at, a.node, id.as_str()));
    all
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
    format!(
        "{what}{} on {}, {how} (attempt {id})",
        node_id(plan, a.node),
        a.host
    )
}

/// What the last look of an instance said, where it was not content.
pub(crate) fn last_look(n: &NodeState) -> Option<String> {
    match n.verdict.as_ref()? {
        Verdict::Differs(why) => Some(reasons(why, REASON)),
        Verdict::Error(failure) => Some(bounded(&failure.message, REASON)),
        Verdict::Satisfied | Verdict::Skipped(_) => None,
    }
}

/// Instances that were begun and have not ended, without those that have an open attempt.
pub(crate) fn unfinished<'a>(plan: &'a Plan, state: &'a RunState) -> Vec<(NodeIx, &'a NodeState)> {
    let open: Vec<NodeIx> = state.open_attempts().map(|(_, a)| a.node).collect();
    instances(plan, state)
        .filter(|(node, _, _, n)| !n.is_done() && n.started_at.is_some() && !open.contains(node))
        .map(|(node, _, _, n)| (node, n))
        .collect()
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
