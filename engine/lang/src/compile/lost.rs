//! Edges that `needs` has taken away: a step with `needs` waits for what they name, and no longer
//! for the steps that are written above it.

use std::collections::BTreeSet;

use runbook_model::plan::Order;
use runbook_model::{HostName, NodeIx, Plan, StepIx};

/// An earlier step of the phase that a step does not wait for, although the order of the phase
/// says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostEdge {
    /// The step.
    pub step: StepIx,
    /// The earlier one.
    pub earlier: StepIx,
}

/// Every order that is implied and does not hold: for an instance, one of an earlier step (of the
/// same host, in a phase in which each host walks by itself) is not among its ancestors.
#[must_use]
pub fn lost_edges(plan: &Plan) -> Vec<LostEdge> {
    let before = parents(plan);
    let mut lost = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let Some(phase) = plan.phases.get(step.phase as usize) else {
            continue;
        };
        if phase.order == Order::Graph {
            continue;
        }
        let earlier: Vec<usize> = (0..at)
            .filter(|other| plan.steps[*other].phase == step.phase)
            .collect();
        if earlier.is_empty() {
            continue;
        }
        let ix = |at: usize| u32::try_from(at).map(StepIx).ok();
        let Some(step) = ix(at) else { continue };
        let mut missing = BTreeSet::new();
        for (node, host) in plan.instances_of(step) {
            let ancestors = ancestors(&before, node);
            for other in earlier.iter().filter_map(|other| ix(*other)) {
                let implied = |(from, of): &(NodeIx, &HostName)| {
                    let same_host = *of == host;
                    let same_batch =
                        phase.batches.is_empty() || batch(plan, *from) == batch(plan, node);
                    same_batch && (same_host || phase.order == Order::Steps)
                };
                let mut instances = plan.instances_of(other).filter(implied);
                if instances.any(|(from, _)| !ancestors.contains(&from)) {
                    missing.insert(other);
                }
            }
        }
        lost.extend(
            missing
                .into_iter()
                .map(|earlier| LostEdge { step, earlier }),
        );
    }
    lost
}

fn batch(plan: &Plan, node: NodeIx) -> Option<u32> {
    match plan.nodes.get(node.at())?.kind {
        runbook_model::NodeKind::Instance { batch, .. } => Some(batch),
        _ => None,
    }
}

/// What each node waits for.
pub(super) fn parents(plan: &Plan) -> Vec<Vec<NodeIx>> {
    let mut before = vec![Vec::new(); plan.nodes.len()];
    for edge in &plan.edges {
        if let Some(of) = before.get_mut(edge.to.at()) {
            of.push(edge.from);
        }
    }
    before
}

/// Everything that comes before a node.
pub(super) fn ancestors(before: &[Vec<NodeIx>], of: NodeIx) -> BTreeSet<NodeIx> {
    let mut found = BTreeSet::new();
    let mut open = vec![of];
    while let Some(node) = open.pop() {
        for from in before.get(node.at()).into_iter().flatten() {
            if found.insert(*from) {
                open.push(*from);
            }
        }
    }
    found
}
