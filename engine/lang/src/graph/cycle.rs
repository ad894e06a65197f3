//! Circles: nodes that wait for each other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{DiGraph, NodeIndex};
use runbook_model::{Edge, Node};

/// A circle of nodes that wait for each other; ids, the first one repeated at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<String>);

/// Every circle, one for each knot of nodes: the shortest walk from its first node back to it.
pub(super) fn all(nodes: &[Node], edges: &[Edge]) -> Vec<Cycle> {
    let mut graph = DiGraph::<(), ()>::with_capacity(nodes.len(), edges.len());
    for _ in nodes {
        graph.add_node(());
    }
    for edge in edges {
        graph.add_edge(
            NodeIndex::new(edge.from.at()),
            NodeIndex::new(edge.to.at()),
            (),
        );
    }
    let mut found: Vec<Cycle> = petgraph::algo::tarjan_scc(&graph)
        .into_iter()
        .filter(|knot| knot.len() > 1 || graph.contains_edge(knot[0], knot[0]))
        .map(|knot| walk(nodes, &graph, &knot))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn walk(nodes: &[Node], graph: &DiGraph<(), ()>, knot: &[NodeIndex]) -> Cycle {
    let inside: BTreeSet<NodeIndex> = knot.iter().copied().collect();
    let first = *inside.first().expect("a knot has a node");
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for next in graph.neighbors(at).filter(|next| inside.contains(next)) {
            if next == first {
                let mut path = vec![first, at];
                let mut back = at;
                while let Some(from) = came_from.get(&back) {
                    path.push(*from);
                    back = *from;
                }
                path.reverse();
                return Cycle(
                    path.into_iter()
                        .map(|ix| nodes[ix.index()].id.clone())
                        .collect(),
                );
            }
            if let Entry::Vacant(place) = came_from.entry(next) {
                place.insert(at);
                queue.push_back(next);
            }
        }
    }
    Cycle(vec![nodes[first.index()].id.clone()])
}
