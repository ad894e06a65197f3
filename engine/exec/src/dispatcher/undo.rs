//! Undos: detached attempts like any other, with their intents, and a check that proves them.

use runbook_model::event::{AttemptEnd, Purpose, ReleasedBy, Verdict};
use runbook_model::state::UndoState;
use runbook_model::transition::Stage;
use runbook_model::{Event, Failure, FailureKind, NodeIx};

use super::hosts::Link;
use super::queue::Flight;
use super::{Act, Action, Dispatcher, Mode, Role};
use crate::rules::Rules;

/// So many attempts an undo has, if the first ones were lost or never began.
const ATTEMPTS: u32 = 3;

impl<R: Rules> Dispatcher<R> {
    /// Makes one move of an undo, if there is one to make.
    pub(super) fn undo(&mut self) -> bool {
        if self.mode != Mode::Going {
            return false;
        }
        if self.act == Act::Back {
            return self
                .ready_back()
                .into_iter()
                .any(|node| self.undo_one(node));
        }
        let nodes: Vec<NodeIx> = self.undoing.iter().rev().copied().collect();
        // What was done last on a host is taken back first: it may build on what was done before it.
        let host = |node: NodeIx| match self.roles[node.at()] {
            Role::Instance { host, .. } => Some(host),
            _ => None,
        };
        let is_next = |(at, node): &(usize, &NodeIx)| {
            let later = nodes[..*at].iter();
            !later.clone().any(|other| host(*other) == host(**node))
        };
        let next = nodes.iter().enumerate().filter(is_next);
        let next: Vec<NodeIx> = next.map(|(_, node)| *node).collect();
        next.into_iter().any(|node| self.undo_one(node))
    }

    fn undo_one(&mut self, node: NodeIx) -> bool {
        if self.flights.contains_key(&node) || !self.has_slot(node) {
            return false;
        }
        let undo = self.state.undos.get(&node).cloned().unwrap_or_default();
        let reads = !matches!(
            undo.stage,
            Stage::Intended | Stage::Running | Stage::InDoubt | Stage::Judging
        );
        if reads
            && self.link_of(node) == Some(Link::Up)
            && let Some(moved) = self.derive_for_undo(node)
        {
            return moved;
        }
        match undo.stage {
            // Its host is gone while it runs: what becomes of it is seen by whoever comes next.
            Stage::Intended | Stage::Running | Stage::InDoubt => self.give_up_undo(node),
            // How an earlier one failed stays on record.
            Stage::Done if self.link_of(node) == Some(Link::Down) => self.give_up_undo(node),
            _ if self.link_of(node) == Some(Link::Down) => {
                let failure = Failure::new(FailureKind::Unreachable, "its host cannot be used");
                self.undone(node, Some(failure))
            }
            Stage::Judging => self.judge_undo(node, &undo),
            Stage::Done => self.dispatch_undo(node, 1),
            _ => self.go_on_undoing(node, &undo),
        }
    }

    /// Whoever comes next sees what becomes of it.
    fn give_up_undo(&mut self, node: NodeIx) -> bool {
        if self.act == Act::Back {
            self.went_back(node, false);
            return true;
        }
        self.undoing.remove(&node)
    }

    fn go_on_undoing(&mut self, node: NodeIx, undo: &UndoState) -> bool {
        let last = undo
            .attempts
            .last()
            .and_then(|id| self.state.attempts.get(id));
        match last.and_then(|a| a.end.clone()) {
            Some(
                AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. } | AttemptEnd::Lost,
            ) => self.look_after_undo(node),
            Some(AttemptEnd::Failed(failure)) => self.undone(node, Some(failure)),
            Some(AttemptEnd::NeverBegan | AttemptEnd::Looked { .. }) | None => {
                self.undo_again(node, undo)
            }
        }
    }

    fn undo_again(&mut self, node: NodeIx, undo: &UndoState) -> bool {
        let used = u32::try_from(undo.attempts.len()).unwrap_or(u32::MAX);
        if used < ATTEMPTS {
            return self.dispatch_undo(node, used + 1);
        }
        let message = format!("{used} attempts were lost or never began");
        self.undone(node, Some(Failure::new(FailureKind::Unreachable, message)))
    }

    fn dispatch_undo(&mut self, node: NodeIx, number: u32) -> bool {
        if self.act == Act::Back && self.halted() {
            return self.give_up_undo(node);
        }
        let Role::Instance { host, .. } = self.roles[node.at()] else {
            return self.undoing.remove(&node);
        };
        let host = self.hosts[host].name.clone();
        let boot = self.boot_of(&host).unwrap_or_default().to_owned();
        let attempt = (self.ids)();
        self.record(Event::Undoing {
            node,
            attempt: attempt.clone(),
            number,
            host: host.clone(),
            boot,
        });
        self.fly(
            node,
            Flight::Attempt {
                unit: attempt.clone(),
                cut: false,
            },
        );
        self.act(Action::Undo {
            unit: attempt,
            node,
            host,
        });
        true
    }

    fn look_after_undo(&mut self, node: NodeIx) -> bool {
        let undo = self.state.undos.get(&node);
        if undo.is_none_or(|undo| undo.stage != Stage::Looking) {
            self.record(Event::Looking {
                node,
                purpose: Purpose::Undo,
            });
        }
        self.ask_look(node, Purpose::Undo);
        true
    }

    /// Taken back is what its own check does not find any more. Where it is not known whether the
    /// undo ran to its end, the captured state must be there again as well.
    fn judge_undo(&mut self, node: NodeIx, undo: &UndoState) -> bool {
        let last = undo
            .attempts
            .last()
            .and_then(|id| self.state.attempts.get(id));
        let lost = last.is_some_and(|a| a.end == Some(AttemptEnd::Lost));
        let captured = &self.state.nodes[node.at()].before;
        let as_before = captured.is_empty() || *captured == self.notes[node.at()].undo_before;
        let failure = match undo.verdict.clone() {
            Some(Verdict::Differs(_)) if !lost || as_before => None,
            Some(Verdict::Differs(_) | Verdict::Satisfied) if lost => {
                return self.undo_again(node, undo);
            }
            Some(Verdict::Error(failure)) => Some(failure),
            Some(Verdict::Skipped(reason)) => {
                let message = format!("after its undo, its check says: {reason}");
                Some(Failure::new(FailureKind::NotConverged, message))
            }
            Some(Verdict::Differs(_) | Verdict::Satisfied) | None => Some(Failure::new(
                FailureKind::NotConverged,
                "its undo ran, and its check says that nothing was taken back",
            )),
        };
        self.undone(node, failure)
    }

    pub(super) fn undone(&mut self, node: NodeIx, failure: Option<Failure>) -> bool {
        self.undoing.remove(&node);
        let well = failure.is_none();
        self.record(Event::Undone { node, failure });
        let held = self.state.holds.get(&node);
        if well && held.is_some_and(|hold| hold.released.is_none()) {
            let by = ReleasedBy::Undo;
            self.record(Event::Released { node, by });
        }
        if self.act == Act::Back {
            self.went_back(node, well);
        }
        true
    }
}
