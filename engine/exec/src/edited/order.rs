//! The order of what is still to be done. Work that is done lets everybody pass; where it stands between
//! two things that are to be done, the order between these is written into the plan.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::{Edge, EdgeKind, NodeIx, Origin, Plan};
use sha2::{Digest, Sha256};

use crate::graph::Frozen;

/// The plan with an edge from each node in `opened` to each in `pending` that it only reaches through
/// nodes that are done.
pub(super) fn with_edges(
    plan: &Plan,
    graph: &Frozen,
    pending: &BTreeSet<NodeIx>,
    opened: &BTreeSet<NodeIx>,
) -> Plan {
    let kinds: BTreeMap<(NodeIx, NodeIx), EdgeKind> = {
        let edges = plan.edges.iter().rev();
        edges
            .map(|edge| ((edge.from, edge.to), edge.kind))
            .collect()
    };
    let mut added = BTreeMap::new();
    for from in opened {
        for (to, kind) in reached(graph, &kinds, pending, *from) {
            if !kinds.contains_key(&(*from, to)) {
                added.insert((*from, to), kind);
            }
        }
    }
    let mut plan = plan.clone();
    if added.is_empty() {
        return plan;
    }
    plan.edges
        .extend(added.into_iter().map(|((from, to), kind)| Edge {
            from,
            to,
            kind,
            origin: Origin::Steps,
        }));
    plan.edges.sort_unstable();
    plan.digest = digest(&plan);
    plan
}

/// The first pending nodes on every way from a node, each with the strongest way: one along which
/// everything is required is stronger than one along which it is not.
fn reached(
    graph: &Frozen,
    kinds: &BTreeMap<(NodeIx, NodeIx), EdgeKind>,
    pending: &BTreeSet<NodeIx>,
    from: NodeIx,
) -> BTreeMap<NodeIx, EdgeKind> {
    let mut found: BTreeMap<NodeIx, EdgeKind> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(from, EdgeKind::Requires)];
    while let Some((node, way)) = open.pop() {
        for next in graph.successors(node) {
            let kind = kinds.get(&(node, *next)).copied();
            let kind = kind.map_or(EdgeKind::Order, |kind| kind.max(way));
            if pending.contains(next) {
                let best = found.entry(*next).or_insert(kind);
                *best = kind.min(*best);
            } else if seen.insert((*next, kind)) {
                open.push((*next, kind));
            }
        }
    }
    found
}

/// As the compiler makes it: over everything in the plan.
fn digest(plan: &Plan) -> String {
    let plan = Plan {
        digest: String::new(),
        ..plan.clone()
    };
    let text = serde_json::to_vec(&plan).expect("a plan has text keys only");
    let hash = Sha256::digest(&text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
