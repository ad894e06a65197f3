//! The graph: nodes for instances and for the points where everybody waits, edges from the order
//! of phases and steps, from `needs`, from references, and from `done_when`. Built by a list of
//! passes, then checked once for cycles.

mod cycle;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Order;
use runbook_model::{Edge, EdgeKind, HostName, Node, NodeIx, NodeKind, StepIx};

pub use cycle::Cycle;

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
    /// What a step without instances would have waited for: who needs it waits for that.
    stand_ins: Vec<Vec<NodeIx>>,
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
            stand_ins: vec![Vec::new(); draft.steps.len()],
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
            let begin = self.node(
                format!("phase {}", phase.id),
                NodeKind::PhaseBegin { phase: number },
            );
            self.begin.push(begin);
            let batches = phase.batches.len().max(1);
            for batch in 0..batches {
                self.add_instances(at, batch);
            }
            let end = self.node(format!("end of {}", phase.id), NodeKind::Barrier { phase: number, batch: None });
            self.end.push(end);
        }
    }

    fn add_instances(&mut self, phase: usize, batch: usize) {
        let hosts_of_batch = self.draft.phases[phase].batches.get(batch);
        for (at, step) in self
            .draft
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.phase == phase)
        {
            for host in &step.hosts {
                if hosts_of_batch.is_some_and(|hosts| !hosts.contains(host)) {
                    continue;
                }
                let kind = NodeKind::Instance {
                    step: StepIx(u32::try_from(at).expect("fewer than four billion steps")),
                    host: host.clone(),
                    via: None,
                    item: None,
                    account: None,
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

    fn within(&self, step: usize, batch: Option<&Vec<HostName>>) -> Vec<NodeIx> {
        let inside = |host: &HostName| batch.is_none_or(|hosts| hosts.contains(host));
        self.instances[step]
            .iter()
            .filter(|(host, _)| inside(host))
            .map(|(_, ix)| *ix)
            .collect()
    }

    fn on_host(&self, step: usize, host: &HostName) -> Option<NodeIx> {
        self.instances[step]
            .iter()
            .find(|(on, _)| on == host)
            .map(|(_, ix)| *ix)
    }

    fn add_needs(&mut self) {
        for at in 0..self.draft.steps.len() {
            for need in self.draft.steps[at].needs.clone().unwrap_or_default() {
                match need.same_host {
                    true => self.need_on_host(at, need.step),
                    false => self.need_all(at, need.step),
                }
            }
        }
    }

    fn need_on_host(&mut self, to: usize, needed: usize) {
        for (host, ix) in self.instances[to].clone() {
            if let Some(from) = self.on_host(needed, &host) {
                self.edge(from, ix, EdgeKind::Requires);
            }
        }
    }

    /// All instances; in a rolling phase all of the same batch, because the list runs batch by batch.
    fn need_all(&mut self, to: usize, needed: usize) {
        let (phase, other) = (self.draft.steps[to].phase, self.draft.steps[needed].phase);
        let batches = if phase == other {
            self.draft.phases[phase].batches.clone()
        } else {
            Vec::new()
        };
        if batches.is_empty() {
            return self.require(
                to,
                &Reference {
                    step: needed,
                    same_host: false,
                },
            );
        }
        for batch in &batches {
            let before = self.within(needed, Some(batch));
            for ix in self.within(to, Some(batch)) {
                for from in &before {
                    self.edge(*from, ix, EdgeKind::Requires);
                }
            }
        }
    }

    fn add_references(&mut self) {
        for at in 0..self.draft.steps.len() {
            for reference in self.draft.steps[at].references.clone() {
                self.require(at, &reference);
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

    fn require(&mut self, to: usize, reference: &Reference) {
        let nobody = self.instances[reference.step].is_empty();
        let instead = if nobody {
            self.instead_of(reference.step)
        } else {
            BTreeSet::new()
        };
        for (host, ix) in self.instances[to].clone() {
            if let Some(from) = self
                .on_host(reference.step, &host)
                .filter(|_| reference.same_host)
            {
                self.edge(from, ix, EdgeKind::Requires);
                continue;
            }
            for (_, from) in self.instances[reference.step].clone() {
                self.edge(from, ix, EdgeKind::Requires);
            }
            for from in &instead {
                self.order(*from, ix);
            }
        }
    }

    /// What stands for a step that runs nowhere: an empty group must not undo the order of the rest.
    fn instead_of(&self, step: usize) -> BTreeSet<NodeIx> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([step]);
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            found.extend(self.stand_ins[at].iter().copied());
            for need in self.draft.steps[at].needs.iter().flatten() {
                let instances = &self.instances[need.step];
                found.extend(instances.iter().map(|(_, ix)| *ix));
                if instances.is_empty() && seen.insert(need.step) {
                    open.push(need.step);
                }
            }
        }
        found
    }

    /// Only what `done_when` reads, and what that waits for, runs before it.
    fn add_done_when(&mut self) {
        let (Some(node), Some(references)) = (self.done_when, self.draft.done_when.clone()) else {
            return;
        };
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
        let edges: Vec<Edge> = self
            .edges
            .iter()
            .map(|((from, to), kind)| Edge {
                from: *from,
                to: *to,
                kind: *kind,
                origin: runbook_model::Origin::Steps,
            })
            .collect();
        let cycles = cycle::all(&self.nodes, &edges);
        if cycles.is_empty() {
            Ok(Graph {
                nodes: self.nodes,
                edges,
            })
        } else {
            Err(cycles)
        }
    }
}

#[cfg(test)]
mod tests;
