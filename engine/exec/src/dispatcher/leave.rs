//! What a failure does to the others: it stops the run, it is only recorded, or its host leaves the
//! phase. It spreads to what needs it, and to nothing else.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::node::NodeKind;
use runbook_model::plan::Part;
use runbook_model::step::OnFailure;
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, HostName, NodeIx, Outcome, Plan};

use super::{Dispatcher, Role};
use crate::graph::Frozen;
use crate::rules::Rules;

/// What a failure does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing new starts.
    Stop,
    /// It counts as done.
    Record,
    /// Its host leaves the phase.
    Leave,
}

/// The barriers that end phases and batches: in a phase, the one that nothing of it comes after.
pub(super) fn ends(plan: &Plan, graph: &Frozen) -> BTreeMap<(u32, Option<u32>), NodeIx> {
    let phase_of = |node: NodeIx| match &plan.nodes[node.at()].kind {
        NodeKind::Instance { step, .. } => plan.steps.get(step.at()).map(|s| s.phase),
        NodeKind::PhaseBegin { phase } | NodeKind::Barrier { phase, .. } => Some(*phase),
        NodeKind::DoneWhen => None,
    };
    let mut ends = BTreeMap::new();
    for (node, at) in plan.nodes.iter().zip((0u32..).map(NodeIx)) {
        let NodeKind::Barrier { phase, batch } = node.kind else {
            continue;
        };
        let within = |next: &NodeIx| phase_of(*next) == Some(phase);
        if batch.is_some() || !graph.successors(at).iter().any(within) {
            ends.insert((phase, batch), at);
        }
    }
    ends
}

impl<R: Rules> Dispatcher<R> {
    /// What becomes of a failure of this node.
    pub(super) fn fate(&self, node: NodeIx, kind: FailureKind) -> Fate {
        let part = self.parts[node.at()];
        let Role::Instance { step, kind: of, .. } = self.roles[node.at()] else {
            return if part == Part::Finally {
                Fate::Leave
            } else {
                Fate::Stop
            };
        };
        let continues = self.step(step).on_failure == OnFailure::Continue;
        if part == Part::Finally {
            return if continues { Fate::Record } else { Fate::Leave };
        }
        // What only a person can tell, or has decided, is nothing to go on with.
        if matches!(
            kind,
            FailureKind::InDoubt | FailureKind::Refused | FailureKind::Window
        ) {
            return Fate::Stop;
        }
        if continues {
            return Fate::Record;
        }
        let phase = self.step(step).phase;
        let (Some(host), Some(of_phase)) =
            (self.own_host(node), self.plan.phases.get(phase as usize))
        else {
            return Fate::Stop;
        };
        // Who decides for all cannot be left behind.
        if host.is_control() || of == TypeKind::Gate {
            return Fate::Stop;
        }
        let failed = self
            .left_hosts(phase)
            .chain([&host])
            .collect::<BTreeSet<_>>();
        let failed = failed.len();
        let left = self.hosts_of(phase).len().saturating_sub(failed);
        let enough = left >= of_phase.min_ok as usize;
        let within = failed <= of_phase.max_failures as usize;
        match enough && (within || of_phase.on_failure == OnFailure::Continue) {
            true => Fate::Leave,
            false => Fate::Stop,
        }
    }

    /// Whether more hosts have left a phase than it allows: nothing comes after it then.
    pub(super) fn over_budget(&self, phase: u32) -> bool {
        let allowed = self.plan.phases.get(phase as usize);
        let allowed = allowed.map_or(0, |phase| phase.max_failures as usize);
        self.left_hosts(phase).count() > allowed
    }

    fn left_hosts(&self, phase: u32) -> impl Iterator<Item = &HostName> {
        let left = self.left.keys();
        left.filter(move |(of, _)| *of == phase)
            .map(|(_, host)| host)
    }

    /// The hosts that a phase is about, the controller not among them.
    fn hosts_of(&self, phase: u32) -> BTreeSet<&HostName> {
        let said = self.plan.phases.get(phase as usize);
        let said = said.into_iter().flat_map(|p| &p.hosts);
        let of_steps = self.plan.instances().filter_map(|(_, step, host)| {
            (self.plan.steps.get(step.at())?.phase == phase).then_some(host)
        });
        let out = &self.state.excluded;
        let all = said.chain(of_steps);
        all.filter(|h| !h.is_control() && !out.contains_key(*h))
            .collect()
    }

    /// The host that a node belongs to.
    pub(super) fn own_host(&self, node: NodeIx) -> Option<HostName> {
        Some(self.plan.instance(node)?.1.clone())
    }

    /// Finds out who has left which phase.
    pub(super) fn find_left(&mut self) {
        self.left.clear();
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            self.note_left(node);
        }
    }

    pub(super) fn note_left(&mut self, node: NodeIx) {
        let is_left = matches!(self.state.nodes[node.at()].outcome, Some(Outcome::Left(_)));
        let follows = self.parts[node.at()] == Part::Finally;
        if let (true, Some((step, host)), false) = (is_left, self.plan.instance(node), follows) {
            self.left.entry((step.phase, host.clone())).or_insert(node);
        }
    }

    /// Why a node whose predecessors have ended does not run: something that it needs has failed, or
    /// its host has left the phase.
    pub(super) fn left_out(&self, node: NodeIx) -> Option<String> {
        let needed = self.lacks(node);
        // A look that is taken again for somebody else is not a part of the phase any more.
        let again =
            self.notes[node.at()].since.is_some() && self.state.nodes[node.at()].generation > 1;
        if needed.is_some() || again || self.parts[node.at()] == Part::Finally {
            return needed;
        }
        let (step, host) = self.plan.instance(node)?;
        let by = self.left.get(&(step.phase, host.clone()))?;
        let by = &self.plan.nodes[by.at()].id;
        Some(format!("{host} has left the phase: `{by}` has failed"))
    }

    /// What has failed of what a node needs.
    fn lacks(&self, node: NodeIx) -> Option<String> {
        self.graph.requires(node).iter().find_map(|p| {
            let id = &self.plan.nodes[p.at()].id;
            match &self.state.nodes[p.at()].outcome {
                Some(Outcome::Left(_)) => Some(format!("`{id}` has failed")),
                Some(Outcome::LeftOut { .. }) => Some(format!("`{id}` was left out")),
                _ => None,
            }
        })
    }

    /// Ends a node under way whose next move is built on something that was taken again and has
    /// failed. True if it has ended.
    pub(super) fn forsaken(&mut self, node: NodeIx) -> bool {
        let Some(reason) = self.lacks(node) else {
            return false;
        };
        if self.state.nodes[node.at()].attempts.is_empty() {
            self.leave_out(node, reason);
        } else {
            let failure = Failure::new(FailureKind::Requires, reason);
            self.finish(node, Outcome::Failed(failure));
        }
        true
    }

    /// A node does not run for this reason.
    pub(super) fn leave_out(&mut self, node: NodeIx, reason: String) {
        let for_all = match self.roles[node.at()] {
            Role::Instance { kind, .. } => {
                kind == TypeKind::Gate || self.own_host(node).is_none_or(|host| host.is_control())
            }
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => true,
        };
        let outcome = if for_all && self.parts[node.at()] != Part::Finally {
            Outcome::Failed(Failure::new(FailureKind::Requires, reason))
        } else {
            Outcome::LeftOut { reason }
        };
        self.finish(node, outcome);
    }

    /// Whether what became of a node cannot be changed any more: its batch or phase is over.
    pub(super) fn is_final(&self, node: NodeIx) -> bool {
        let NodeKind::Instance { step, batch, .. } = &self.plan.nodes[node.at()].kind else {
            return false;
        };
        let Some(phase) = self.plan.steps.get(step.at()).map(|s| s.phase) else {
            return false;
        };
        let rolling = self.plan.phases.get(phase as usize);
        let rolling = rolling.is_some_and(|p| !p.batches.is_empty());
        let end = self.ends.get(&(phase, rolling.then_some(*batch)));
        end.or_else(|| self.ends.get(&(phase, None)))
            .is_some_and(|end| self.state.nodes[end.at()].is_done())
    }

    /// Whether a host that has left gets another chance: its phase is not over, and it is there.
    pub(super) fn may_come_back(&self, node: NodeIx) -> bool {
        use super::hosts::Link;
        matches!(self.state.nodes[node.at()].outcome, Some(Outcome::Left(_)))
            && !self.is_final(node)
            && self.link_of(node) != Some(Link::Down)
    }

    /// After some nodes were opened again: what was left out because of them is no longer, and the
    /// points that were passed without them are passed again.
    pub(super) fn come_back(&mut self, mut again: BTreeSet<NodeIx>) {
        self.find_left();
        for node in self.graph.order().to_vec() {
            if self.parts[node.at()] != self.course() {
                continue;
            }
            let n = &self.state.nodes[node.at()];
            let left_out = matches!(n.outcome, Some(Outcome::LeftOut { .. }));
            let point = matches!(self.roles[node.at()], Role::Barrier { .. }) && n.is_done();
            let before = self.graph.predecessors(node);
            if (left_out && self.left_out(node).is_none())
                || (point && before.iter().any(|p| again.contains(p)))
            {
                self.reopen(node, "what it waits for is tried again");
                self.notes[node.at()].since = None;
                again.insert(node);
            }
        }
    }
}
