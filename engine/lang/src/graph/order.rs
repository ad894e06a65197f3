//! The order that nobody writes: steps follow each other in a phase, batches in a rolling one.

use std::collections::BTreeMap;

use runbook_model::plan::Order;
use runbook_model::{EdgeKind, HostName, NodeIx, NodeKind};

use super::Builder;

/// How far a `per_host` phase has come.
#[derive(Default)]
struct Walk {
    /// The last node of each host since everybody waited.
    last: BTreeMap<HostName, NodeIx>,
    /// All nodes since everybody waited.
    since: Vec<NodeIx>,
    /// Where everybody waited last.
    gates: Vec<NodeIx>,
    /// Where everybody waits from now on, although it has an order of its own.
    late: Vec<NodeIx>,
}

impl Builder<'_> {
    pub(super) fn add_order_edges(&mut self, phase: usize) {
        let batches = self.draft.phases[phase].batches.clone();
        let steps: Vec<usize> = (0..self.draft.steps.len())
            .filter(|at| self.draft.steps[*at].phase == phase)
            .collect();
        if batches.is_empty() {
            self.add_order(phase, &steps, self.begin[phase], None);
            return;
        }
        let mut gate = self.begin[phase];
        for (number, batch) in batches.iter().enumerate() {
            self.add_order(phase, &steps, gate, Some(batch));
            let id = format!("batch {} of {}", number + 1, self.draft.phases[phase].id);
            let kind = NodeKind::Barrier {
                phase: u32::try_from(phase).unwrap_or(u32::MAX),
                batch: u32::try_from(number).ok(),
            };
            let end = self.node(id, kind);
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

    fn add_order(
        &mut self,
        phase: usize,
        steps: &[usize],
        begin: NodeIx,
        batch: Option<&Vec<HostName>>,
    ) {
        match self.draft.phases[phase].order {
            Order::Steps => self.add_steps_order(steps, begin, batch),
            Order::PerHost => self.add_per_host_order(steps, begin, batch),
            Order::Graph => {}
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
                if here.is_empty() && batch.is_none() {
                    self.stand_ins[*at].push(gate);
                }
            }
            if position + 1 < steps.len() && !here.is_empty() {
                let suffix = batch
                    .and_then(|hosts| hosts.first())
                    .map(|host| format!(" ({host}…)"));
                let id = format!(
                    "after {}{}",
                    self.draft.steps[*at].id,
                    suffix.unwrap_or_default()
                );
                let kind = NodeKind::Barrier {
                    phase: u32::try_from(self.draft.steps[*at].phase).unwrap_or(u32::MAX),
                    batch: None,
                };
                let barrier = self.node(id, kind);
                self.order(gate, barrier);
                for ix in here {
                    self.order(ix, barrier);
                }
                gate = barrier;
            }
        }
    }

    /// Each host walks the list at its own pace; steps on the controller and gates stop everybody.
    fn add_per_host_order(
        &mut self,
        steps: &[usize],
        begin: NodeIx,
        batch: Option<&Vec<HostName>>,
    ) {
        let mut walk = Walk {
            gates: vec![begin],
            ..Walk::default()
        };
        for at in steps {
            let step = &self.draft.steps[*at];
            let (stops, implied) = (step.barrier, step.needs.is_none());
            let here: Vec<(HostName, NodeIx)> = self.instances[*at]
                .iter()
                .filter(|(host, _)| batch.is_none_or(|hosts| hosts.contains(host)))
                .cloned()
                .collect();
            if here.is_empty() && implied && batch.is_none() {
                self.stand_ins[*at] = walk.gates.iter().chain(&walk.late).copied().collect();
            }
            for (host, ix) in here.iter().filter(|_| implied) {
                self.add_walk(&walk, host, *ix, stops);
            }
            let nodes = here.iter().map(|(_, ix)| *ix);
            if stops && implied && !here.is_empty() {
                walk = Walk {
                    gates: nodes.collect(),
                    ..Walk::default()
                };
            } else if stops {
                // It does not stand behind the steps before it: those that follow wait for both.
                walk.late.extend(nodes);
            } else {
                walk.since.extend(nodes);
                walk.last.extend(here);
            }
        }
    }

    fn add_walk(&mut self, walk: &Walk, host: &HostName, ix: NodeIx, stops: bool) {
        let last = walk.last.get(host);
        let mut before = walk.late.clone();
        if stops {
            before.extend(&walk.since);
        }
        if last.is_none() && (!stops || walk.since.is_empty()) {
            before.extend(&walk.gates);
        }
        for from in before {
            self.order(from, ix);
        }
        if let Some(from) = last {
            self.edge(*from, ix, EdgeKind::Requires);
        }
    }

    /// The step before on the same host is required, not only earlier.
    fn add_same_host(&mut self, steps: &[usize], position: usize, batch: Option<&Vec<HostName>>) {
        for (host, ix) in self.instances[steps[position]].clone() {
            if batch.is_some_and(|hosts| !hosts.contains(&host)) {
                continue;
            }
            let before = steps[..position]
                .iter()
                .rev()
                .find_map(|at| self.on_host(*at, &host));
            if let Some(from) = before {
                self.edge(from, ix, EdgeKind::Requires);
            }
        }
    }
}
