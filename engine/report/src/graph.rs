//! What a drawing of a plan shows: steps or instances, phase by phase, with the edges that say
//! something. The points where everybody waits are led through, and what follows from other edges
//! is left out. How it is drawn is the business of the formats.

mod dot;
mod json;
mod layout;
mod mermaid;
mod node;
mod reduce;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::node::{EdgeKind, Origin};
use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_model::{NodeIx, NodeKind, Plan};

use crate::plan::phase::{budgets, order};
use crate::plan::who::host_names;
use crate::text::bounded;

pub use dot::dot;
pub use json::drawing_json;
pub use mermaid::mermaid;
use node::{Mark, Shape};
pub use svg::svg;

/// How close a drawing looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// A node for each step.
    #[default]
    Steps,
    /// A node for each instance.
    Instances,
}

/// A plan as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// The runbook and its version.
    pub(crate) title: String,
    /// Phases, in order.
    pub(crate) clusters: Vec<Cluster>,
    /// What is drawn, in plan order.
    pub(crate) nodes: Vec<Drawn>,
    /// Arrows, sorted.
    pub(crate) edges: Vec<Arrow>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) part: Part,
    /// The id of the phase.
    pub(crate) phase: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawn {
    /// A name that every format takes.
    pub(crate) id: String,
    /// Its phase; none for what lies between phases.
    pub(crate) cluster: Option<usize>,
    pub(crate) shape: Shape,
    pub(crate) title: String,
    /// Its type, and where it runs.
    pub(crate) lines: Vec<String>,
    pub(crate) marks: Vec<Mark>,
}

/// An arrow from what ends first to what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Failure spreads along it.
    pub(crate) requires: bool,
    pub(crate) origin: Origin,
}

/// Prepares a plan for drawing; with `part`, only that one.
#[must_use]
pub fn drawing(plan: &Plan, detail: Detail, part: Option<Part>) -> Drawing {
    let wanted: Vec<usize> = (0..plan.phases.len())
        .filter(|at| part.is_none_or(|part| plan.phases[*at].part == part))
        .collect();
    let units = Units::new(plan, detail, part);
    let mut edges = units.edges(plan);
    let hidden: BTreeSet<usize> = (0..units.all.len())
        .filter(|at| units.all[*at].is_hidden(plan))
        .collect();
    let orders = |edges: &mut reduce::Ways| {
        reduce::reduce(units.all.len(), edges, reduce::Which::Orders);
    };
    orders(&mut edges);
    let gone = reduce::lead_through(&hidden, &mut edges);
    orders(&mut edges);

    let mut at = BTreeMap::new();
    let mut nodes = Vec::new();
    let cluster_of = |phase: usize| wanted.iter().position(|p| *p == phase);
    for (unit, what) in units.all.iter().enumerate() {
        if !gone.contains(&unit) {
            at.insert(unit, nodes.len());
            nodes.push(what.drawn(plan, unit, &cluster_of));
        }
    }
    let arrows = edges.iter().filter_map(|((from, to), way)| {
        Some(Arrow {
            from: *at.get(from)?,
            to: *at.get(to)?,
            requires: way.requires,
            origin: way.origin,
        })
    });
    Drawing {
        title: format!("{} {}", printable(&plan.runbook), printable(&plan.version))
            .trim_end()
            .to_owned(),
        clusters: wanted.iter().map(|at| cluster(plan, *at)).collect(),
        edges: arrows.collect(),
        nodes,
    }
}

impl Drawing {
    /// Nodes without any arrow, each with the node before it in its phase: layouts that know only
    /// arrows would put them anywhere.
    fn loose(&self) -> Vec<(usize, usize)> {
        let touched: BTreeSet<usize> = self.edges.iter().flat_map(|e| [e.from, e.to]).collect();
        (1..self.nodes.len())
            .filter(|at| !touched.contains(at) && self.nodes[*at].cluster.is_some())
            .filter_map(|at| {
                let near = (0..at).rev();
                let above = near
                    .take(1)
                    .find(|n| self.nodes[*n].cluster == self.nodes[at].cluster);
                Some((above?, at))
            })
            .collect()
    }
}

fn cluster(plan: &Plan, at: usize) -> Cluster {
    let phase = &plan.phases[at];
    let title = match phase.part {
        Part::Main => format!("phase {}: {}", phase.id, order(phase.order)),
        Part::Rollback => format!("rollback, phase {}: {}", phase.id, order(phase.order)),
        Part::Finally => "finally: on every ending".to_owned(),
    };
    let mut notes = Vec::new();
    if !phase.batches.is_empty() {
        let all: Vec<String> = phase.batches.iter().map(|b| host_names(b.iter())).collect();
        notes.push(bounded(
            &format!("batch by batch: {}", all.join(" | ")),
            node::WHOLE,
        ));
    }
    if let Some(when) = &phase.when {
        notes.push(format!("only when {}", bounded(&when.text, node::WHOLE)));
    }
    notes.extend(budgets(phase));
    Cluster {
        part: phase.part,
        phase: phase.id.clone(),
        title,
        notes,
    }
}

/// What one node of a drawing stands for.
pub(crate) enum Unit {
    Step(usize),
    Node(usize),
}

impl Unit {
    fn is_hidden(&self, plan: &Plan) -> bool {
        let Self::Node(at) = self else { return false };
        matches!(
            plan.nodes[*at].kind,
            NodeKind::PhaseBegin { .. } | NodeKind::Barrier { .. }
        )
    }
}

/// All nodes of a drawing before anything is left out, and which of them a node of the plan is in.
struct Units {
    all: Vec<Unit>,
    of_node: Vec<Option<usize>>,
}

impl Units {
    fn new(plan: &Plan, detail: Detail, part: Option<Part>) -> Self {
        let mut all = Vec::new();
        let mut of_step = BTreeMap::new();
        if detail == Detail::Steps {
            // In the order of the plan, those that have no host too.
            for (at, step) in plan.steps.iter().enumerate() {
                let phase = plan.phases.get(step.phase as usize);
                if phase.is_some_and(|p| part.is_none_or(|part| p.part == part)) {
                    of_step.insert(at, all.len());
                    all.push(Unit::Step(at));
                }
            }
        }
        let mut of_node = vec![None; plan.nodes.len()];
        for (node, ix) in plan.nodes.iter().zip(0u32..) {
            if part.is_some_and(|part| plan.part_of(NodeIx(ix)) != part) {
                continue;
            }
            let at = ix as usize;
            of_node[at] = match &node.kind {
                NodeKind::Instance { step, .. } if detail == Detail::Steps => {
                    of_step.get(&step.at()).copied()
                }
                _ => {
                    all.push(Unit::Node(at));
                    Some(all.len() - 1)
                }
            };
        }
        Self { all, of_node }
    }

    fn edges(&self, plan: &Plan) -> reduce::Ways {
        let ends = ends(plan);
        let steps = self.all.iter().any(|unit| matches!(unit, Unit::Step(_)));
        let partly = self.before_decision(plan);
        let telling = telling(plan);
        let mut out = reduce::Ways::new();
        for edge in &plan.edges {
            if !telling.contains_key(&(edge.from.at(), edge.to.at())) {
                continue;
            }
            let of = |node: NodeIx| self.of_node.get(node.at()).copied().flatten();
            let (Some(from), Some(to)) = (of(edge.from), of(edge.to)) else {
                continue;
            };
            // From one batch to the next the same steps come again: at the level of steps that
            // would be a circle.
            let batch_ends = matches!(
                plan.nodes[edge.from.at()].kind,
                NodeKind::Barrier { batch: Some(_), .. }
            );
            if from == to || (steps && batch_ends && !ends.contains(&edge.to)) {
                continue;
            }
            // So would a step that is decided upon on one host and runs before that on another.
            if plan.nodes[edge.from.at()].kind == NodeKind::DoneWhen && partly.contains(&to) {
                continue;
            }
            let way = reduce::Way {
                requires: edge.kind == EdgeKind::Requires,
                origin: edge.origin,
            };
            out.entry((from, to))
                .and_modify(|known| known.join(way))
                .or_insert(way);
        }
        out
    }
}

/// The edges of the plan that do not follow from others.
fn telling(plan: &Plan) -> reduce::Ways {
    let count = plan.nodes.len();
    let inside = plan
        .edges
        .iter()
        .filter(|e| e.from.at() < count && e.to.at() < count);
    let mut ways = reduce::Ways::new();
    for edge in inside {
        let way = reduce::Way {
            requires: edge.kind == EdgeKind::Requires,
            origin: edge.origin,
        };
        ways.entry((edge.from.at(), edge.to.at()))
            .and_modify(|known| known.join(way))
            .or_insert(way);
    }
    reduce::reduce(count, &mut ways, reduce::Which::All);
    ways
}

impl Units {
    /// What is, on some host, needed to tell whether everything is there already.
    fn before_decision(&self, plan: &Plan) -> BTreeSet<usize> {
        let mut before: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
        for edge in &plan.edges {
            before.entry(edge.to).or_default().push(edge.from);
        }
        let mut open: Vec<NodeIx> = (0u32..)
            .zip(&plan.nodes)
            .filter(|(_, node)| node.kind == NodeKind::DoneWhen)
            .map(|(at, _)| NodeIx(at))
            .collect();
        let mut found = BTreeSet::new();
        while let Some(node) = open.pop() {
            let near = before.get(&node).map(Vec::as_slice).unwrap_or_default();
            open.extend(near.iter().filter(|from| found.insert(**from)));
        }
        let units = found
            .iter()
            .filter_map(|n| self.of_node.get(n.at()).copied());
        units.flatten().collect()
    }
}

/// The barriers at which phases end: nothing of the same phase comes after them.
fn ends(plan: &Plan) -> BTreeSet<NodeIx> {
    let phase = |node: NodeIx| match plan.nodes.get(node.at())?.kind {
        NodeKind::Barrier { phase, .. } => Some(phase),
        NodeKind::Instance { step, .. } => plan.steps.get(step.at()).map(|s| s.phase),
        _ => None,
    };
    let mut out: BTreeSet<NodeIx> = (0u32..)
        .zip(&plan.nodes)
        .filter(|(_, node)| matches!(node.kind, NodeKind::Barrier { batch: None, .. }))
        .map(|(at, _)| NodeIx(at))
        .collect();
    for edge in &plan.edges {
        if phase(edge.from).is_some() && phase(edge.from) == phase(edge.to) {
            out.remove(&edge.from);
        }
    }
    out
}

#[cfg(test)]
mod tests;
