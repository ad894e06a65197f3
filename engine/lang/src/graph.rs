//! The graph: nodes for instances and for the points where everybody waits, edges from the order
//! of phases and steps, from `needs`, from references, and from `done_when`. Built by a list of
//! passes, then checked once for cycles.

mod cycle;
mod draft;
mod link;
mod order;

use std::collections::BTreeMap;

use runbook_model::{Edge, EdgeKind, HostName, Node, NodeIx, NodeKind, Origin, StepIx};

pub use cycle::Cycle;
pub use draft::{Draft, DraftInstance, DraftPhase, DraftStep, Need, Reference};

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
    edges: BTreeMap<(NodeIx, NodeIx), (EdgeKind, Origin)>,
    begin: Vec<NodeIx>,
    end: Vec<NodeIx>,
    done_when: Option<NodeIx>,
    /// Of each step: its instances, each with the host that it belongs to.
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
        let ix = NodeIx(number(self.nodes.len()));
        self.nodes.push(Node { id, kind });
        ix
    }

    /// Of several edges between two nodes the strongest stays.
    fn edge(&mut self, from: NodeIx, to: NodeIx, kind: EdgeKind, origin: Origin) {
        let edge = self.edges.entry((from, to)).or_insert((kind, origin));
        *edge = (edge.0.min(kind), edge.1.min(origin));
    }

    fn require(&mut self, from: NodeIx, to: NodeIx, origin: Origin) {
        self.edge(from, to, EdgeKind::Requires, origin);
    }

    fn order(&mut self, from: NodeIx, to: NodeIx, origin: Origin) {
        self.edge(from, to, EdgeKind::Order, origin);
    }

    fn add_nodes(&mut self) {
        if self.draft.done_when.is_some() {
            self.done_when = Some(self.node("done when".to_owned(), NodeKind::DoneWhen));
        }
        for (at, phase) in self.draft.phases.iter().enumerate() {
            let begin = NodeKind::PhaseBegin { phase: number(at) };
            let begin = self.node(format!("phase {}", phase.id), begin);
            self.begin.push(begin);
            for batch in 0..phase.batches.len().max(1) {
                self.add_instances(at, batch);
            }
            let end = NodeKind::barrier(number(at));
            let end = self.node(format!("end of {}", phase.id), end);
            self.end.push(end);
        }
    }

    fn add_instances(&mut self, phase: usize, batch: usize) {
        let draft = self.draft;
        let of_batch = draft.phases[phase].batches.get(batch);
        for (at, step) in draft.steps_of(phase) {
            let inside = |host: &HostName| of_batch.is_none_or(|hosts| hosts.contains(host));
            for instance in step.instances.iter().filter(|of| inside(&of.host)) {
                let kind = NodeKind::Instance {
                    step: StepIx(number(at)),
                    host: instance.host.clone(),
                    via: instance.via.clone(),
                    item: instance.item.clone(),
                    account: instance.account.clone(),
                    batch: number(batch),
                };
                let ix = self.node(instance.id(&step.id), kind);
                self.instances[at].push((instance.host.clone(), ix));
            }
        }
    }

    /// Phases of one part follow each other; every instance lies between the begin and the end of
    /// its phase.
    fn add_phase_edges(&mut self) {
        let draft = self.draft;
        for (at, phase) in draft.phases.iter().enumerate() {
            if at > 0 && draft.phases[at - 1].part == phase.part {
                self.order(self.end[at - 1], self.begin[at], Origin::Phase);
            }
            self.order(self.begin[at], self.end[at], Origin::Phase);
            for (step, _) in draft.steps_of(at) {
                for ix in self.all(step) {
                    self.order(self.begin[at], ix, Origin::Phase);
                    self.order(ix, self.end[at], Origin::Phase);
                }
            }
        }
    }

    /// All instances of a step.
    fn all(&self, step: usize) -> Vec<NodeIx> {
        self.within(step, None)
    }

    /// Instances of a step whose hosts are in a batch.
    fn within(&self, step: usize, batch: Option<&[HostName]>) -> Vec<NodeIx> {
        let inside = |host: &HostName| batch.is_none_or(|hosts| hosts.contains(host));
        let instances = self.instances[step].iter();
        instances
            .filter(|(host, _)| inside(host))
            .map(|(_, ix)| *ix)
            .collect()
    }

    /// Instances of a step that belong to a host: several, where it has items or goes through others.
    fn on_host(&self, step: usize, host: &HostName) -> Vec<NodeIx> {
        let instances = self.instances[step].iter();
        instances
            .filter(|(on, _)| on == host)
            .map(|(_, ix)| *ix)
            .collect()
    }

    fn finish(self) -> Result<Graph, Vec<Cycle>> {
        let edges = self.edges.iter();
        let edges = edges.map(|((from, to), (kind, origin))| Edge {
            from: *from,
            to: *to,
            kind: *kind,
            origin: *origin,
        });
        let edges: Vec<Edge> = edges.collect();
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

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("a runbook of 4 MiB has fewer than four billion of anything")
}

#[cfg(test)]
mod tests;
