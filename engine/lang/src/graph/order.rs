//! The order that nobody writes: steps follow each other in a phase, batches in a rolling one.

use std::collections::BTreeMap;

use runbook_model::plan::Order;
use runbook_model::{HostName, NodeIx, NodeKind, Origin};

use super::{Builder, number};

/// How far a `per_host` phase has come.
#[derive(Default)]
struct Walk {
    /// The last nodes of each host since everybody waited: several, where a step has items.
    last: BTreeMap<HostName, Vec<NodeIx>>,
    /// All nodes since everybody waited.
    since: Vec<NodeIx>,
    /// Where everybody waited last.
    gates: Vec<NodeIx>,
    /// Where everybody waits from now on, although it has an order of its own.
    late: Vec<NodeIx>,
}

impl Builder<'_> {
    pub(super) fn add_order_edges(&mut self, phase: usize) {
        let draft = self.draft;
        let steps: Vec<usize> = draft.steps_of(phase).map(|(at, _)| at).collect();
        let mut gate = self.begin[phase];
        let batches = &draft.phases[phase].batches;
        if batches.is_empty() {
            self.add_order(phase, &steps, gate, None);
        }
        for (batch, hosts) in batches.iter().enumerate() {
            self.add_order(phase, &steps, gate, Some(hosts));
            let kind = NodeKind::Barrier {
                phase: number(phase),
                batch: Some(number(batch)),
            };
            let id = format!("batch {} of {}", batch + 1, draft.phases[phase].id);
            let end = self.node(id, kind);
            self.order(gate, end, Origin::Batch);
            for at in &steps {
                for ix in self.within(*at, Some(hosts)) {
                    self.order(ix, end, Origin::Batch);
                    self.order(gate, ix, Origin::Batch);
                }
            }
            self.order(end, self.end[phase], Origin::Phase);
            gate = end;
        }
    }

    fn add_order(
        &mut self,
        phase: usize,
        steps: &[usize],
        begin: NodeIx,
        batch: Option<&[HostName]>,
    ) {
        match self.draft.phases[phase].order {
            Order::Steps => self.add_steps_order(phase, steps, begin, batch),
            Order::PerHost => self.add_per_host_order(steps, begin, batch),
            Order::Graph => self.add_no_order(steps, begin, batch),
        }
    }

    /// Only what is written; a step that runs nowhere stands for the begin of its phase.
    fn add_no_order(&mut self, steps: &[usize], begin: NodeIx, batch: Option<&[HostName]>) {
        for at in steps {
            if batch.is_none() && self.all(*at).is_empty() {
                self.stand_ins[*at].push(begin);
            }
        }
    }

    /// A step waits for every earlier step on all hosts: one barrier between two steps, so that
    /// edges grow with the hosts and not with their square.
    fn add_steps_order(
        &mut self,
        phase: usize,
        steps: &[usize],
        begin: NodeIx,
        batch: Option<&[HostName]>,
    ) {
        let draft = self.draft;
        let mut gate = begin;
        for (position, at) in steps.iter().enumerate() {
            let implied = draft.steps[*at].needs.is_none();
            let here = self.within(*at, batch);
            if implied {
                for ix in &here {
                    self.order(gate, *ix, Origin::Steps);
                }
                self.add_same_host(steps, position, batch);
                if here.is_empty() && batch.is_none() {
                    self.stand_ins[*at].push(gate);
                }
            }
            if position + 1 < steps.len() && !here.is_empty() {
                let first = batch.and_then(|hosts| hosts.first());
                let suffix = first.map(|host| format!(" ({host}…)"));
                let id = format!(
                    "after {}{}",
                    draft.steps[*at].id,
                    suffix.unwrap_or_default()
                );
                let barrier = self.node(id, NodeKind::barrier(number(phase)));
                self.order(gate, barrier, Origin::Steps);
                for ix in here {
                    self.order(ix, barrier, Origin::Steps);
                }
                gate = barrier;
            }
        }
    }

    /// Each host walks the list at its own pace; steps on the controller and gates stop everybody.
    fn add_per_host_order(&mut self, steps: &[usize], begin: NodeIx, batch: Option<&[HostName]>) {
        let draft = self.draft;
        let mut walk = Walk {
            gates: vec![begin],
            ..Walk::default()
        };
        for at in steps {
            let step = &draft.steps[*at];
            let (stops, implied) = (step.barrier, step.needs.is_none());
            let mut here: BTreeMap<HostName, Vec<NodeIx>> = BTreeMap::new();
            for (host, ix) in &self.instances[*at] {
                if batch.is_none_or(|hosts| hosts.contains(host)) {
                    here.entry(host.clone()).or_default().push(*ix);
                }
            }
            if here.is_empty() && implied && batch.is_none() {
                self.stand_ins[*at] = walk.gates.iter().chain(&walk.late).copied().collect();
            }
            for (host, nodes) in here.iter().filter(|_| implied) {
                for ix in nodes {
                    self.add_walk(&walk, host, *ix, stops);
                }
            }
            let nodes = here.values().flatten().copied();
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
            self.order(from, ix, Origin::Steps);
        }
        for from in last.into_iter().flatten() {
            self.require(*from, ix, Origin::SameHost);
        }
    }

    /// The step before on the same host is required, not only earlier.
    fn add_same_host(&mut self, steps: &[usize], position: usize, batch: Option<&[HostName]>) {
        for (host, ix) in self.instances[steps[position]].clone() {
            if batch.is_some_and(|hosts| !hosts.contains(&host)) {
                continue;
            }
            let earlier = steps[..position].iter().rev();
            let before = earlier
                .map(|at| self.on_host(*at, &host))
                .find(|nodes| !nodes.is_empty());
            for from in before.into_iter().flatten() {
                self.require(from, ix, Origin::SameHost);
            }
        }
    }
}
