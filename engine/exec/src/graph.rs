//! The plan's graph, frozen for running: who waits for whom, and which node lies on the longest
//! remaining path.

use runbook_model::node::{EdgeKind, NodeKind};
use runbook_model::step_type::TypeKind;
use runbook_model::{NodeIx, Plan};

/// A plan that cannot be run because it is not consistent in itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// An edge, a node or a step names something that the plan does not have.
    #[error("the plan is damaged: {0}")]
    Dangling(String),
    /// A date of the window is none.
    #[error("the plan is damaged: `window` has `{0}`, which is not a date")]
    Window(String),
    /// Nodes wait for each other.
    #[error("the plan is damaged: `{0}` waits for itself")]
    Cycle(String),
}

/// Adjacency in plain vectors; made once for each run.
#[derive(Debug, Clone)]
pub struct Frozen {
    successors: Lists,
    predecessors: Lists,
    requires: Lists,
    priorities: Vec<u64>,
    order: Vec<NodeIx>,
}

/// One list for each node, all in one vector.
#[derive(Debug, Clone)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<NodeIx>,
}

impl Lists {
    /// From pairs sorted by their first part.
    fn new(nodes: usize, pairs: &[(NodeIx, NodeIx)]) -> Self {
        let mut starts = vec![0; nodes + 1];
        for (at, _) in pairs {
            starts[at.at() + 1] += 1;
        }
        for i in 0..nodes {
            starts[i + 1] += starts[i];
        }
        Self {
            starts,
            items: pairs.iter().map(|(_, item)| *item).collect(),
        }
    }

    fn of(&self, node: NodeIx) -> &[NodeIx] {
        &self.items[self.starts[node.at()]..self.starts[node.at() + 1]]
    }
}

impl Frozen {
    /// Freezes the graph of a plan.
    ///
    /// # Errors
    /// An edge names a node that does not exist, or nodes wait for each other.
    pub fn new(plan: &Plan) -> Result<Self, GraphError> {
        let n = plan.nodes.len();
        if let Some(edge) = plan
            .edges
            .iter()
            .find(|e| e.from.at() >= n || e.to.at() >= n)
        {
            return Err(GraphError::Dangling(format!(
                "an edge from {} to {}",
                edge.from.0, edge.to.0
            )));
        }
        let mut forth: Vec<_> = plan.edges.iter().map(|e| (e.from, e.to)).collect();
        forth.sort_unstable();
        forth.dedup();
        let mut back: Vec<_> = forth.iter().map(|(from, to)| (*to, *from)).collect();
        back.sort_unstable();
        let required = plan.edges.iter().filter(|e| e.kind == EdgeKind::Requires);
        let mut requires: Vec<_> = required.map(|e| (e.to, e.from)).collect();
        requires.sort_unstable();
        requires.dedup();
        let mut frozen = Self {
            successors: Lists::new(n, &forth),
            predecessors: Lists::new(n, &back),
            requires: Lists::new(n, &requires),
            priorities: vec![0; n],
            order: Vec::new(),
        };
        frozen.order = frozen.topological(plan)?;
        for node in frozen.order.clone().into_iter().rev() {
            let rest = frozen
                .successors(node)
                .iter()
                .map(|s| frozen.priority(*s))
                .max()
                .unwrap_or(0);
            frozen.priorities[node.at()] = rest + weight(plan, node);
        }
        Ok(frozen)
    }

    /// Nodes that wait for this one.
    #[must_use]
    pub fn successors(&self, node: NodeIx) -> &[NodeIx] {
        self.successors.of(node)
    }

    /// Nodes that this one waits for.
    #[must_use]
    pub fn predecessors(&self, node: NodeIx) -> &[NodeIx] {
        self.predecessors.of(node)
    }

    /// Those of [`Self::predecessors`] whose values or effects this one is built on.
    #[must_use]
    pub fn requires(&self, node: NodeIx) -> &[NodeIx] {
        self.requires.of(node)
    }

    /// All nodes, each behind those that it waits for.
    #[must_use]
    pub fn order(&self) -> &[NodeIx] {
        &self.order
    }

    /// Length of the longest path from here to an end; the larger goes first.
    #[must_use]
    pub fn priority(&self, node: NodeIx) -> u64 {
        self.priorities[node.at()]
    }

    fn topological(&self, plan: &Plan) -> Result<Vec<NodeIx>, GraphError> {
        let all = || (0u32..).map(NodeIx).take(plan.nodes.len());
        let mut missing: Vec<usize> = all().map(|node| self.predecessors(node).len()).collect();
        let mut order: Vec<_> = all().filter(|node| missing[node.at()] == 0).collect();
        let mut done = 0;
        while let Some(node) = order.get(done).copied() {
            done += 1;
            for next in self.successors(node) {
                missing[next.at()] -= 1;
                if missing[next.at()] == 0 {
                    order.push(*next);
                }
            }
        }
        match all().find(|node| missing[node.at()] > 0) {
            Some(node) => Err(GraphError::Cycle(plan.nodes[node.at()].id.clone())),
            None => Ok(order),
        }
    }
}

/// A guess of how long a node takes, in no unit: only the order of nodes depends on it.
fn weight(plan: &Plan, node: NodeIx) -> u64 {
    let NodeKind::Instance { step, .. } = &plan.nodes[node.at()].kind else {
        return 0;
    };
    let Some(step) = plan.steps.get(step.at()) else {
        return 0;
    };
    let base = match plan.type_of(step).map(|t| t.kind) {
        Some(TypeKind::Ordinary | TypeKind::Always | TypeKind::Copy) => 4,
        Some(TypeKind::Gate | TypeKind::Wait) => 20,
        Some(TypeKind::Probe | TypeKind::Assert | TypeKind::Record) | None => 1,
    };
    base + if step.critical { 20 } else { 0 } + if step.until.is_some() { 10 } else { 0 }
}
