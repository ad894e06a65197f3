//! The graph: nodes for instances and for the points where everybody waits, edges from the order
//! of phases and steps, from `needs`, from references, and from `done_when`. Built by a list of
//! passes, then checked once for cycles.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::graph::{DiGraph, NodeIndex};
use runbook_model::plan::Order;
use runbook_model::{Edge, EdgeKind, HostName, Node, NodeIx, NodeKind, StepIx};

/// What the graph is built from.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Phases in order.
    pub phases: Vec<DraftPhase>,
    /// Steps in order.
    pub steps: Vec<DraftStep>,
    /// What `done_when` reads; `None` without one.
    pub done_when: Option<Vec<Reference>>,
}

/// A phase of a draft.
#[derive(Debug, Clone, Default)]
pub struct DraftPhase {
    /// Its id.
    pub id: String,
    /// How its steps follow each other.
    pub order: Order,
    /// Batches, if it is rolling.
    pub batches: Vec<Vec<HostName>>,
    /// What its `when` reads.
    pub references: Vec<Reference>,
}

/// A step of a draft.
#[derive(Debug, Clone, Default)]
pub struct DraftStep {
    /// Its id.
    pub id: String,
    /// Position of its phase.
    pub phase: usize,
    /// Where it runs.
    pub hosts: Vec<HostName>,
    /// In `per_host` order, everybody waits before and after it.
    pub barrier: bool,
    /// Its `needs`, if it has any: they replace the implied order.
    pub needs: Option<Vec<Need>>,
    /// What its texts read.
    pub references: Vec<Reference>,
}

/// One entry of `needs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Position of the step.
    pub step: usize,
    /// Only the instance on the same host.
    pub same_host: bool,
}

/// A text reads outputs of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Position of the step.
    pub step: usize,
    /// Only the instance on the same host, where there is one; otherwise all of them.
    pub same_host: bool,
}

/// Nodes and edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Nodes in plan order.
    pub nodes: Vec<Node>,
    /// Edges, sorted, each once; a requirement wins over mere order.
    pub edges: Vec<Edge>,
}

/// A circle of nodes that wait for each other; ids, the first one repeated at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<String>);

/// Builds the graph.
///
/// # Errors
/// Every circle.
pub fn build(draft: &Draft) -> Result<Graph, Vec<Cycle>> {
    let mut builder = Builder::new(draft);
    builder.add_nodes();
    builder.add_phase_edges();
    for at in 0..draft.phases.len() {
        builder.add_order_edges(at);
    }
    builder.add_needs();
    builder.add_references();
    builder.add_done_when();
    builder.finish()
}

struct Builder<'a> {
    draft: &'a Draft,
    nodes: Vec<Node>,
    edges: BTreeMap<(NodeIx, NodeIx), EdgeKind>,
    begin: Vec<NodeIx>,
    end: Vec<NodeIx>,
    done_when: Option<NodeIx>,
    instances: Vec<Vec<(HostName, NodeIx)>>,
}

impl<'a> Builder<'a> {
    fn new(draft: &'a Draft) -> Self {
        Self {
            draft,
            nodes: Vec::new(),
            edges: BTreeMap::new(),
            begin: Vec::new(),
            end: Vec::new(),
            done_when: None,
            instances: vec![Vec::new(); draft.steps.len()],
        }
    }

    fn node(&mut self, id: String, kind: NodeKind) -> NodeIx {
        let ix = NodeIx(u32::try_from(self.nodes.len()).expect("fewer than four billion nodes"));
        self.nodes.push(Node { id, kind });
        ix
    }

    fn edge(&mut self, from: NodeIx, to: NodeIx, kind: EdgeKind) {
        let entry = self.edges.entry((from, to)).or_insert(kind);
        if kind == EdgeKind::Requires {
            *entry = kind;
        }
    }

    fn order(&mut self, from: NodeIx, to: NodeIx) {
        self.edge(from, to, EdgeKind::Order);
    }

    fn add_nodes(&mut self) {
        if self.draft.done_when.is_some() {
            self.done_when = Some(self.node("done when".to_owned(), NodeKind::DoneWhen));
        }
        for (at, phase) in self.draft.phases.iter().enumerate() {
            let number = u32::try_from(at).expect("fewer than four billion phases");
            let begin = self.node(format!("phase {}", phase.id), NodeKind::PhaseBegin { phase: number });
            self.begin.push(begin);
            let batches = phase.batches.len().max(1);
            for batch in 0..batches {
                self.add_instances(at, batch);
            }
            let end = self.node(format!("end of {}", phase.id), NodeKind::Barrier);
            self.end.push(end);
        }
    }

    fn add_instances(&mut self, phase: usize, batch: usize) {
        let hosts_of_batch = self.draft.phases[phase].batches.get(batch);
        for (at, step) in self.draft.steps.iter().enumerate().filter(|(_, step)| step.phase == phase) {
            for host in &step.hosts {
                if hosts_of_batch.is_some_and(|hosts| !hosts.contains(host)) {
                    continue;
                }
                let kind = NodeKind::Instance {
                    step: StepIx(u32::try_from(at).expect("fewer than four billion steps")),
                    host: host.clone(),
                    batch: u32::try_from(batch).expect("fewer than four billion batches"),
                };
                let ix = self.node(format!("{}@{host}", step.id), kind);
                self.instances[at].push((host.clone(), ix));
            }
        }
    }

    /// Phases follow each other; every instance lies between the begin and the end of its phase.
    fn add_phase_edges(&mut self) {
        for at in 0..self.draft.phases.len() {
            if at > 0 {
                self.order(self.end[at - 1], self.begin[at]);
            }
            self.order(self.begin[at], self.end[at]);
        }
        for at in 0..self.draft.steps.len() {
            let phase = self.draft.steps[at].phase;
            for (_, ix) in self.instances[at].clone() {
                self.order(self.begin[phase], ix);
                self.order(ix, self.end[phase]);
            }
        }
    }

    fn add_order_edges(&mut self, phase: usize) {
        let batches = self.draft.phases[phase].batches.clone();
        let steps: Vec<usize> =
            (0..self.draft.steps.len()).filter(|at| self.draft.steps[*at].phase == phase).collect();
        if batches.is_empty() {
            self.add_order(phase, &steps, self.begin[phase], None);
            return;
        }
        let mut gate = self.begin[phase];
        for (number, batch) in batches.iter().enumerate() {
            self.add_order(phase, &steps, gate, Some(batch));
            let id = format!("batch {} of {}", number + 1, self.draft.phases[phase].id);
            let end = self.node(id, NodeKind::Barrier);
            self.order(gate, end);
            for at in &steps {
                for ix in self.within(*at, Some(batch)) {
                    self.order(ix, end);
                    self.order(gate, ix);
                }
            }
            self.order(end, self.end[phase]);
            gate = end;
        }
    }

    fn within(&self, step: usize, batch: Option<&Vec<HostName>>) -> Vec<NodeIx> {
        let inside = |host: &HostName| batch.is_none_or(|hosts| hosts.contains(host));
        self.instances[step].iter().filter(|(host, _)| inside(host)).map(|(_, ix)| *ix).collect()
    }

    fn add_order(&mut self, phase: usize, steps: &[usize], begin: NodeIx, batch: Option<&Vec<HostName>>) {
        match self.draft.phases[phase].order {
            Order::Steps => self.add_steps_order(steps, begin, batch),
            Order::PerHost => self.add_per_host_order(steps, begin, batch),
        }
    }

    /// A step waits for every earlier step on all hosts: one barrier between two steps, so that
    /// edges grow with the hosts and not with their square.
    fn add_steps_order(&mut self, steps: &[usize], begin: NodeIx, batch: Option<&Vec<HostName>>) {
        let mut gate = begin;
        for (position, at) in steps.iter().enumerate() {
            let implied = self.draft.steps[*at].needs.is_none();
            let here = self.within(*at, batch);
            if implied {
                for ix in &here {
                    self.order(gate, *ix);
                }
                self.add_same_host(steps, position, batch);
            }
            if position + 1 < steps.len() && !here.is_empty() {
                let suffix = batch.and_then(|hosts| hosts.first()).map(|host| format!(" ({host}…)"));
                let id = format!("after {}{}", self.draft.steps[*at].id, suffix.unwrap_or_default());
                let barrier = self.node(id, NodeKind::Barrier);
                self.order(gate, barrier);
                for ix in here {
                    self.order(ix, barrier);
                }
                gate = barrier;
            }
        }
    }

    /// Each host walks the list at its own pace; steps on the controller and gates stop everybody.
    fn add_per_host_order(&mut self, steps: &[usize], begin: NodeIx, batch: Option<&Vec<HostName>>) {
        let mut last: BTreeMap<HostName, NodeIx> = BTreeMap::new();
        let mut since: Vec<NodeIx> = Vec::new();
        let mut gates: Vec<NodeIx> = vec![begin];
        for at in steps {
            let step = &self.draft.steps[*at];
            let (barrier, implied) = (step.barrier, step.needs.is_none());
            let here: Vec<(HostName, NodeIx)> = self.instances[*at]
                .iter()
                .filter(|(host, _)| batch.is_none_or(|hosts| hosts.contains(host)))
                .cloned()
                .collect();
            if here.is_empty() {
                continue;
            }
            for (host, ix) in &here {
                if !implied {
                    continue;
                }
                if barrier {
                    let before = if since.is_empty() { gates.clone() } else { since.clone() };
                    for from in before {
                        self.order(from, *ix);
                    }
                }
                match last.get(host).copied() {
                    Some(from) => self.edge(from, *ix, EdgeKind::Requires),
                    None => {
                        for from in gates.clone() {
                            self.order(from, *ix);
                        }
                    }
                }
            }
            if barrier {
                gates = here.iter().map(|(_, ix)| *ix).collect();
                last.clear();
                since.clear();
            } else {
                since.extend(here.iter().map(|(_, ix)| *ix));
                last.extend(here);
            }
        }
    }

    /// The step before on the same host is required, not only earlier.
    fn add_same_host(&mut self, steps: &[usize], position: usize, batch: Option<&Vec<HostName>>) {
        for (host, ix) in self.instances[steps[position]].clone() {
            if batch.is_some_and(|hosts| !hosts.contains(&host)) {
                continue;
            }
            let before = steps[..position].iter().rev().find_map(|at| self.on_host(*at, &host));
            if let Some(from) = before {
                self.edge(from, ix, EdgeKind::Requires);
            }
        }
    }

    fn on_host(&self, step: usize, host: &HostName) -> Option<NodeIx> {
        self.instances[step].iter().find(|(on, _)| on == host).map(|(_, ix)| *ix)
    }

    fn add_needs(&mut self) {
        for at in 0..self.draft.steps.len() {
            for need in self.draft.steps[at].needs.clone().unwrap_or_default() {
                let reference = Reference { step: need.step, same_host: need.same_host };
                self.require(at, &reference, need.same_host);
            }
        }
    }

    fn add_references(&mut self) {
        for at in 0..self.draft.steps.len() {
            for reference in self.draft.steps[at].references.clone() {
                self.require(at, &reference, false);
            }
        }
        for at in 0..self.draft.phases.len() {
            for reference in self.draft.phases[at].references.clone() {
                for (_, from) in self.instances[reference.step].clone() {
                    self.edge(from, self.begin[at], EdgeKind::Requires);
                }
            }
        }
    }

    fn require(&mut self, to: usize, reference: &Reference, strictly_same_host: bool) {
        for (host, ix) in self.instances[to].clone() {
            match self.on_host(reference.step, &host).filter(|_| reference.same_host) {
                Some(from) => self.edge(from, ix, EdgeKind::Requires),
                None if strictly_same_host => {}
                None => {
                    for (_, from) in self.instances[reference.step].clone() {
                        self.edge(from, ix, EdgeKind::Requires);
                    }
                }
            }
        }
    }

    /// Only what `done_when` reads, and what that waits for, runs before it.
    fn add_done_when(&mut self) {
        let (Some(node), Some(references)) = (self.done_when, self.draft.done_when.clone()) else { return };
        for reference in references {
            for (_, from) in self.instances[reference.step].clone() {
                self.edge(from, node, EdgeKind::Requires);
            }
        }
        let ancestors = self.ancestors(node);
        let instances: Vec<NodeIx> = self.instances.iter().flatten().map(|(_, ix)| *ix).collect();
        for ix in instances {
            if !ancestors.contains(&ix) {
                self.order(node, ix);
            }
        }
    }

    fn ancestors(&self, of: NodeIx) -> BTreeSet<NodeIx> {
        let mut before: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
        for (from, to) in self.edges.keys() {
            before.entry(*to).or_default().push(*from);
        }
        let mut found = BTreeSet::new();
        let mut open = vec![of];
        while let Some(ix) = open.pop() {
            for from in before.get(&ix).into_iter().flatten() {
                if found.insert(*from) {
                    open.push(*from);
                }
            }
        }
        found
    }

    fn finish(self) -> Result<Graph, Vec<Cycle>> {
        let edges: Vec<Edge> =
            self.edges.iter().map(|((from, to), kind)| Edge { from: *from, to: *to, kind: *kind }).collect();
        let cycles = cycles(&self.nodes, &edges);
        if cycles.is_empty() { Ok(Graph { nodes: self.nodes, edges }) } else { Err(cycles) }
    }
}

/// Every circle, one for each knot of nodes: the shortest walk from its first node back to it.
fn cycles(nodes: &[Node], edges: &[Edge]) -> Vec<Cycle> {
    let mut graph = DiGraph::<(), ()>::with_capacity(nodes.len(), edges.len());
    for _ in nodes {
        graph.add_node(());
    }
    for edge in edges {
        graph.add_edge(NodeIndex::new(edge.from.at()), NodeIndex::new(edge.to.at()), ());
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
                return Cycle(path.into_iter().map(|ix| nodes[ix.index()].id.clone()).collect());
            }
            if next != first && !came_from.contains_key(&next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    Cycle(vec![nodes[first.index()].id.clone()])
}
