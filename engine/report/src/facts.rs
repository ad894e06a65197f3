//! What a run's state means for people: who is served, what still runs, what was never begun.

use std::collections::BTreeSet;

use runbook_model::event::Verdict;
use runbook_model::state::{AttemptState, HostState, NodeState};
use runbook_model::step::{Outage, Step};
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{
    AttemptId, Failure, HostName, Millis, NodeIx, Outcome, Plan, RunState, StepIx,
};

use crate::text::{bounded, reasons};
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
        match &n.outcome {
            Some(Outcome::Failed(failure)) if n.is_done() => Some((NodeIx(at), n, failure)),
            _ => None,
        }
    })
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
            .filter(move |(s, _)| s.outage == Some(mark))
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
            .attempts
            .values()
            .filter(|a| a.node == node)
            .map(|a| a.intended_at)
            .min();
        effect.or_else(|| ended_at(state.node(node)?))
    };
    plan.instances_of(step)
        .filter_map(|(node, _)| of(node))
        .min()
}

fn ended_at(n: &NodeState) -> Option<Millis> {
    match &n.outcome {
        Some(Outcome::Skipped { .. } | Outcome::Failed(_)) | None => None,
        Some(_) => n.finished_at,
    }
}

/// Sentences about points of no return that were passed, or may have been.
pub(crate) fn no_return(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for (step, at) in plan.steps.iter().zip(0u32..) {
        if let Some(lost) = &step.no_return
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
    let in_doubt = state
        .node(a.node)
        .is_some_and(|n| matches!(n.stage, Stage::InDoubt | Stage::Done));
    let how = match (in_doubt, a.over_time, a.launched) {
        (true, _, _) => format!("intended at {since}, its effect is not known"),
        (_, true, _) => {
            format!("since {since}, longer than its limit; it is critical and left running")
        }
        (_, _, true) => format!("since {since}"),
        (_, _, false) => format!("intended at {since}; whether it began is not known"),
    };
    format!(
        "{} on {}, {how} (attempt {id})",
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
