//! A node: how the first event lists it, its first move, and its move after a pause.

use runbook_model::event::{AttemptEnd, NodeSummary, Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{Event, Millis, Node, NodeIx, NodeKind, Outcome};

use super::queue::Move;
use super::{Dispatcher, Role};
use crate::rules::Rules;

/// Why an instance is skipped by its own condition.
pub(crate) const WHEN_IS_FALSE: &str = "its `when` is false";

impl<R: Rules> Dispatcher<R> {
    /// A node as the first event lists it.
    pub(super) fn summary(&self, node: &Node) -> NodeSummary {
        let phase = |at: u32| {
            self.plan
                .phases
                .get(at as usize)
                .map(|p| p.id.clone())
                .unwrap_or_default()
        };
        let (phase, host) = match &node.kind {
            NodeKind::Instance { step, host, .. } => (
                self.plan
                    .steps
                    .get(step.at())
                    .map(|s| phase(s.phase))
                    .unwrap_or_default(),
                Some(host.clone()),
            ),
            NodeKind::PhaseBegin { phase: at } => (phase(*at), None),
            NodeKind::Barrier { phase: at, .. } => (phase(*at), None),
            NodeKind::DoneWhen => (String::new(), None),
        };
        NodeSummary {
            id: node.id.clone(),
            phase,
            host,
        }
    }

    /// The node waits, and all its predecessors have ended well.
    pub(super) fn start(&mut self, node: NodeIx, slot: bool) -> Move {
        let skipped = match self.roles[node.at()] {
            Role::Instance { step, .. } => self.skipped_phase(step),
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => None,
        };
        if let Some(reason) = skipped {
            self.finish(node, Outcome::Skipped { reason });
            return Move::Made;
        }
        if let Some(reason) = self.excluded(node) {
            self.finish(node, Outcome::Excluded { reason });
            return Move::Made;
        }
        if let Some(reason) = self.left_out(node) {
            self.leave_out(node, reason);
            return Move::Made;
        }
        match self.roles[node.at()] {
            Role::Barrier { phase, batch } => self.pass(node, phase, batch),
            Role::PhaseBegin(phase) => self.begin_phase(node, phase),
            Role::DoneWhen => self.done_when(node),
            Role::Instance { step, kind, .. } => {
                return self.start_instance(node, step, kind, slot);
            }
        }
        Move::Made
    }

    fn begin_phase(&mut self, node: NodeIx, phase: u32) {
        if self.has_nothing_to_end(node, phase) {
            let reason = "what it follows on did not begin".into();
            return self.finish(node, Outcome::Skipped { reason });
        }
        let conditional = self
            .plan
            .phases
            .get(phase as usize)
            .is_some_and(|p| p.when.is_some());
        // Decided under a plan whose phase is passed again.
        let stands = self.state.nodes[node.at()].decided;
        let decided = if conditional && !stands {
            self.rules.phase_when(phase, &self.state)
        } else {
            Ok(true)
        };
        match decided {
            Ok(true) => self.finish(node, Outcome::Passed),
            Ok(false) => self.finish(
                node,
                Outcome::Skipped {
                    reason: "`when` of the phase is false".into(),
                },
            ),
            Err(failure) => self.finish(node, Outcome::Failed(failure)),
        }
    }

    /// Whether a phase of the ending follows on one that did not begin.
    fn has_nothing_to_end(&self, node: NodeIx, phase: u32) -> bool {
        let of = self.plan.phases.get(phase as usize);
        let first = of.and_then(|of| of.follows);
        let begun = |first| {
            let begin = self.begins.get(&first);
            begin.map(|begin| &self.state.nodes[begin.at()].outcome) == Some(&Some(Outcome::Passed))
        };
        self.parts[node.at()] == Part::Finally && first.is_some_and(|first| !begun(first))
    }

    /// `Satisfied` says that everything is there already: a later controller reads it from there.
    fn done_when(&mut self, node: NodeIx) {
        if self.state.nodes[node.at()].decided {
            return self.finish(node, Outcome::Passed);
        }
        match self.rules.done_when(&self.state) {
            Ok(true) => {
                self.finish(node, Outcome::Satisfied);
                self.stop(StopReason::AlreadyThere);
            }
            Ok(false) => self.finish(node, Outcome::Passed),
            Err(failure) => self.finish(node, Outcome::Failed(failure)),
        }
    }

    /// Whether the node's check can tell what an attempt of any generation has done.
    fn was_attempted(&self, node: NodeIx, kind: TypeKind) -> bool {
        matches!(kind, TypeKind::Ordinary | TypeKind::Copy)
            && self
                .state
                .attempts_of(node)
                .any(|(_, a)| !a.undo && a.began())
    }

    fn start_instance(&mut self, node: NodeIx, step: usize, kind: TypeKind, slot: bool) -> Move {
        if self.step(step).when.is_some() && !self.state.nodes[node.at()].decided {
            match self.rules.when(node, &self.state) {
                Ok(true) => self.record(Event::Decided { node }),
                Ok(false) => {
                    self.finish(
                        node,
                        Outcome::Skipped {
                            reason: WHEN_IS_FALSE.into(),
                        },
                    );
                    return Move::Made;
                }
                Err(failure) => {
                    self.finish(node, Outcome::Failed(failure));
                    return Move::Made;
                }
            }
        }
        if let Some(failure) = self.too_late(node, step) {
            self.finish(node, Outcome::Failed(failure));
            return Move::Made;
        }
        let needs_slot = !matches!(kind, TypeKind::Gate | TypeKind::Assert | TypeKind::Wait);
        if needs_slot && !slot {
            self.want_keys(node);
            return Move::NeedsSlot;
        }
        // An attempt may have had its effect: that is looked at before what it was built on, which
        // the effect itself may have changed. Another attempt freshens again.
        if !self.was_attempted(node, kind) && self.freshen(node) {
            return Move::Made;
        }
        self.take_keys(node);
        match kind {
            TypeKind::Ordinary if self.take_early(node) || self.dispatch_chain(node) => {}
            TypeKind::Ordinary | TypeKind::Copy => self.look(node, self.first_purpose(node)),
            TypeKind::Probe => self.look(node, Purpose::Probe),
            TypeKind::Always | TypeKind::Record => return self.dispatch(node, slot),
            TypeKind::Gate => self.ask(node),
            TypeKind::Wait => self.wait(node),
            TypeKind::Assert => match self.rules.assert(node, &self.state) {
                Ok(()) => self.finish(node, Outcome::Passed),
                Err(failure) => self.finish(node, Outcome::Failed(failure)),
            },
        }
        Move::Made
    }

    /// A controller that died may have left an attempt of this generation whose effect was not
    /// looked at: a completed one must not be followed by another.
    fn first_purpose(&self, node: NodeIx) -> Purpose {
        match self.last_end(node) {
            Some(AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. }) => Purpose::After,
            Some(AttemptEnd::Lost) => Purpose::Doubt,
            Some(AttemptEnd::Failed(_) | AttemptEnd::NeverBegan | AttemptEnd::Looked { .. })
            | None => Purpose::Before,
        }
    }

    fn skipped_phase(&self, step: usize) -> Option<String> {
        let begin = self.begins.get(&self.step(step).phase)?;
        match &self.state.nodes[begin.at()].outcome {
            Some(Outcome::Skipped { reason }) => Some(reason.clone()),
            _ => None,
        }
    }

    /// The pause may be over: the next look, or the next attempt.
    pub(super) fn unpause(&mut self, node: NodeIx, slot: bool) -> Move {
        let until = self.state.nodes[node.at()].pausing_until;
        if let Some(until) = until.filter(|until| *until > self.now) {
            // It was woken before, had to wait for something else, and the clock was set back.
            self.pauses.insert((until, node));
            return Move::Made;
        }
        let kind = match self.roles[node.at()] {
            Role::Instance { kind, .. } => kind,
            Role::Barrier { phase, batch } => {
                // What it waits for may have been opened again.
                if self.notes[node.at()].missing == 0 {
                    self.pass(node, phase, batch);
                }
                return Move::Made;
            }
            Role::PhaseBegin(_) | Role::DoneWhen => return Move::Made,
        };
        match kind {
            TypeKind::Wait => self.wait(node),
            _ if !slot => return Move::NeedsSlot,
            TypeKind::Probe => self.look(node, Purpose::Probe),
            TypeKind::Always | TypeKind::Record => return self.dispatch(node, slot),
            _ => self.look(node, self.first_purpose(node)),
        }
        Move::Made
    }

    /// Everybody has reached a point. Batches may lie apart, by the clock on the wall.
    fn pass(&mut self, node: NodeIx, phase: u32, batch: Option<u32>) {
        let follows = self.parts[node.at()] == Part::Finally;
        if !follows && self.ends.get(&(phase, batch)) == Some(&node) && self.over_budget(phase) {
            return self.stop(StopReason::Budget(phase));
        }
        let of = self.plan.phases.get(phase as usize);
        let more = of.is_some_and(|of| batch.is_some_and(|b| (b as usize) + 1 < of.batches.len()));
        let pause = of.filter(|_| more).map_or(0, |of| of.pause_ms);
        let begin = self
            .begins
            .get(&phase)
            .map(|b| &self.state.nodes[b.at()].outcome);
        if pause > 0 && !matches!(begin, Some(Some(Outcome::Skipped { .. }))) {
            // A batch that is done again ends again.
            let ended = self.graph.predecessors(node).iter();
            let ended = ended.filter_map(|p| self.state.nodes[p.at()].finished_at);
            let since = ended.max().unwrap_or(self.now);
            let until = since.saturating_add(Millis::try_from(pause).unwrap_or(Millis::MAX));
            if until > self.now {
                return self.pause(node, until, "between two batches".into());
            }
        }
        self.finish(node, Outcome::Passed);
    }

    /// Lets time pass, counted from the first start.
    fn wait(&mut self, node: NodeIx) {
        let since = self.state.nodes[node.at()].started_at.unwrap_or(self.now);
        match self.rules.wait_until(node, since, &self.state) {
            Ok(until) if until > self.now => self.pause(node, until, "it waits".into()),
            Ok(_) => self.finish(node, Outcome::Passed),
            Err(failure) => self.finish(node, Outcome::Failed(failure)),
        }
    }

    pub(super) fn pause(&mut self, node: NodeIx, until: Millis, reason: String) {
        // A pause may become longer.
        if self.state.nodes[node.at()].stage != Stage::Pausing {
            self.record(Event::Pausing {
                node,
                until,
                reason,
            });
        }
        self.pauses.insert((until, node));
    }
}
