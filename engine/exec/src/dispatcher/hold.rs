//! Holds: what a step did is held until another step, or the end of the run, releases it.

use runbook_model::event::{HeldHow, ReleasedBy};
use runbook_model::node::NodeKind;
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::{Event, Millis, NodeIx, Outcome, RunResult, StepIx};

use super::{Dispatcher, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    fn hold_of(&self, node: NodeIx) -> Option<&Hold> {
        let Role::Instance { step, .. } = self.roles[node.at()] else {
            return None;
        };
        self.step(step).hold.as_ref()
    }

    /// What follows for holds from the end of a node.
    pub(super) fn hold_after(&mut self, node: NodeIx) {
        if self.parts[node.at()] == Part::Main {
            self.hold(node);
        }
        let Role::Instance { .. } = self.roles[node.at()] else {
            return;
        };
        self.release_by_steps();
    }

    /// What steps have released that have ended, under an earlier controller too.
    pub(super) fn release_by_steps(&mut self) {
        for held in self.held_nodes() {
            self.release_by_step(held);
        }
    }

    /// A step that has ended may hold something.
    fn hold(&mut self, node: NodeIx) {
        let began = self.state.nodes[node.at()].has_acted();
        let how = match &self.state.nodes[node.at()].outcome {
            Some(
                Outcome::Failed(_)
                | Outcome::Left(_)
                | Outcome::Recorded(_)
                | Outcome::Excluded { .. },
            ) => began.then_some(HeldHow::Partly),
            Some(Outcome::Skipped { .. } | Outcome::LeftOut { .. }) | None => None,
            Some(_) if began => Some(HeldHow::Changed),
            Some(_) => Some(HeldHow::Already),
        };
        if let (Some(how), true) = (how, self.hold_of(node).is_some()) {
            let there = self.state.holds.get(&node);
            let there = there.filter(|hold| hold.released.is_none());
            if there.is_none_or(|hold| hold.how != how) {
                self.record(Event::Held { node, how });
                self.watch_hold(node);
            }
        }
    }

    fn held_nodes(&self) -> Vec<NodeIx> {
        self.state.held().map(|(node, _)| node).collect()
    }

    /// A hold is over when the instance that belongs to it has ended well, or all of that step have.
    fn release_by_step(&mut self, held: NodeIx) {
        let Some(hold) = self.hold_of(held) else {
            return;
        };
        let by = hold
            .release
            .iter()
            .find_map(|step| self.releases(*step, held));
        if let Some(by) = by {
            let by = ReleasedBy::Step(by);
            self.record(Event::Released { node: held, by });
        }
    }

    fn releases(&self, step: StepIx, held: NodeIx) -> Option<NodeIx> {
        let NodeKind::Instance {
            host, via, item, ..
        } = &self.plan.nodes[held.at()].kind
        else {
            return None;
        };
        let all: Vec<NodeIx> = self.plan.instances_of(step).map(|(node, _)| node).collect();
        let on = |node: &&NodeIx| matches!(&self.plan.nodes[node.at()].kind, NodeKind::Instance { host: h, .. } if h == host);
        let same = all.iter().find(|node| {
            matches!(&self.plan.nodes[node.at()].kind,
                NodeKind::Instance { host: h, via: v, item: i, .. } if h == host && v == via && i == item)
        });
        let here: Vec<NodeIx> = match same {
            Some(node) => vec![*node],
            None => all.iter().filter(on).copied().collect(),
        };
        let wanted = if here.is_empty() { all } else { here };
        let since = self.state.holds.get(&held).map_or(0, |hold| hold.since);
        let ending = self.state.ending.as_ref().map(|(_, epoch)| *epoch);
        let well = |node: &NodeIx| {
            let n = &self.state.nodes[node.at()];
            let did = matches!(n.outcome, Some(Outcome::Changed | Outcome::Satisfied));
            let after = match self.parts[node.at()] {
                // It has released what was held until its own ending, and nothing that is held again.
                Part::Finally => ending.is_some() && n.finished_in >= ending,
                Part::Main | Part::Rollback => n.finished_at.is_some_and(|at| at >= since),
            };
            did && after
        };
        wanted.iter().all(well).then(|| wanted.last().copied())?
    }

    /// What an earlier controller did not come to record, and limits that are still ahead.
    pub(super) fn take_holds(&mut self) {
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            let done = self.state.nodes[node.at()].is_done();
            if done && self.hold_of(node).is_some() && !self.state.holds.contains_key(&node) {
                self.hold_after(node);
            }
        }
        self.release_by_steps();
        for node in self.held_nodes() {
            self.watch_hold(node);
        }
    }

    /// What was taken back under a controller that did not come to say so is not held any more.
    pub(super) fn release_undone(&mut self) {
        let held: Vec<_> = self.state.held().map(|(n, hold)| (n, hold.how)).collect();
        for (node, how) in held {
            if how != HeldHow::Already && !self.state.nodes[node.at()].has_acted() {
                let by = ReleasedBy::Undo;
                self.record(Event::Released { node, by });
            }
        }
    }

    fn watch_hold(&mut self, node: NodeIx) {
        let max = self.hold_of(node).and_then(|hold| hold.max_ms);
        let since = self.state.holds.get(&node).filter(|hold| !hold.over);
        if let (Some(max), Some(hold)) = (max, since) {
            let max = Millis::try_from(max).unwrap_or(Millis::MAX);
            self.hold_ends
                .insert((hold.since.saturating_add(max), node));
        }
    }

    /// Says of what is held too long that it is.
    pub(super) fn warn_of_holds(&mut self) {
        while let Some((at, node)) = self.hold_ends.first().copied() {
            if at > self.now {
                break;
            }
            self.hold_ends.pop_first();
            let held = self.state.holds.get(&node);
            if held.is_some_and(|hold| hold.released.is_none() && !hold.over) {
                self.record(Event::HoldOver { node });
            }
        }
    }

    /// Holds that end with the procedure. While something still runs, or may, nothing is released:
    /// it could be what the hold is there for.
    pub(super) fn to_release(&self, result: &RunResult) -> Vec<NodeIx> {
        if self.state.open_attempts().any(|(_, a)| !a.undo) {
            return Vec::new();
        }
        let ends = |node: NodeIx| {
            self.hold_of(node).is_some_and(|hold| match result {
                RunResult::Succeeded | RunResult::AlreadyThere => hold.release.is_empty(),
                _ => hold.on_failure == HoldOnFailure::Release,
            })
        };
        let held = self.state.held();
        held.filter(|(node, hold)| hold.how != HeldHow::Already && ends(*node))
            .map(|(node, _)| node)
            .collect()
    }

    /// Whether what a step held was released by an ending or by hand, and the step has not run
    /// since: it is held again before the procedure goes on.
    pub(super) fn holds_no_more(&self, node: NodeIx) -> bool {
        let n = &self.state.nodes[node.at()];
        let not_in_turn = |by: &ReleasedBy| match by {
            ReleasedBy::Undo => true,
            ReleasedBy::Step(by) => self.parts[by.at()] == Part::Finally,
            ReleasedBy::Past => false,
        };
        n.is_done()
            && !self.is_out(node)
            && self.state.holds.get(&node).is_some_and(|hold| {
                let released = hold.released.as_ref();
                hold.generation == n.generation && released.is_some_and(|(_, by)| not_in_turn(by))
            })
    }
}
