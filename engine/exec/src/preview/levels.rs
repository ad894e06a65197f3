//! Which nodes can be asked at once.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::{Edge, EdgeKind, NodeIx, NodeKind, Plan};

/// Nodes by the longest chain of requirements before them: what is in one level can be asked at
/// once.
pub(super) fn levels(plan: &Plan) -> Vec<Vec<NodeIx>> {
    let mut depth = vec![0usize; plan.nodes.len()];
    let order = topological(plan);
    let mut after: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
    for Edge { from, to, .. } in plan.edges.iter().filter(|edge| matters(plan, edge)) {
        after.entry(*from).or_default().push(*to);
    }
    for node in &order {
        for next in after.get(node).into_iter().flatten() {
            depth[next.at()] = depth[next.at()].max(depth[node.at()] + 1);
        }
    }
    let mut levels: Vec<Vec<NodeIx>> = Vec::new();
    for node in order {
        let at = depth[node.at()];
        if levels.len() <= at {
            levels.resize(at + 1, Vec::new());
        }
        levels[at].push(node);
    }
    levels
}

/// A requirement, or the begin of a phase: its `when` decides for the whole phase.
fn matters(plan: &Plan, edge: &Edge) -> bool {
    let from_begin = plan.nodes.get(edge.from.at()).map(|node| &node.kind);
    edge.kind == EdgeKind::Requires || matches!(from_begin, Some(NodeKind::PhaseBegin { .. }))
}

pub(super) fn topological(plan: &Plan) -> Vec<NodeIx> {
    let mut missing = vec![0usize; plan.nodes.len()];
    let mut after: Vec<Vec<NodeIx>> = vec![Vec::new(); plan.nodes.len()];
    for edge in &plan.edges {
        missing[edge.to.at()] += 1;
        after[edge.from.at()].push(edge.to);
    }
    let all = (0u32..).take(plan.nodes.len()).map(NodeIx);
    let mut open: BTreeSet<NodeIx> = all.filter(|node| missing[node.at()] == 0).collect();
    let mut order = Vec::with_capacity(plan.nodes.len());
    while let Some(node) = open.pop_first() {
        order.push(node);
        for next in &after[node.at()] {
            missing[next.at()] -= 1;
            if missing[next.at()] == 0 {
                open.insert(*next);
            }
        }
    }
    order
}
