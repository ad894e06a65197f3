//! How a controller's part ends: nothing new starts, what runs finishes, and then it closes.

use runbook_model::event::StopReason;
use runbook_model::state::NodeState;
use runbook_model::transition::Stage;
use runbook_model::{Event, Failure, FailureKind, NodeIx, Outcome, RunResult};

use super::hosts::Link;
use super::queue::Flight;
use super::{Action, Dispatcher, Mode, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// From here on nothing new starts. The first reason stays.
    pub(super) fn stop(&mut self, reason: StopReason) {
        if self.state.stopping.is_none() {
            self.record(Event::Stopping { reason });
        }
        self.pauses.clear();
        self.flights.retain(|_, flight| *flight != Flight::Ask);
    }

    pub(super) fn failed(&mut self, node: NodeIx) {
        self.failed_here = true;
        self.stop(StopReason::Failure(node));
    }

    pub(super) fn interrupt(&mut self) {
        self.stop(StopReason::Interrupt);
    }

    pub(super) fn detach(&mut self) {
        self.stop(StopReason::Interrupt);
        let running = self
            .state
            .open_attempts()
            .map(|(id, _)| id.clone())
            .collect();
        self.record(Event::Detached { running });
        self.close(RunResult::Stopped);
    }

    /// Closes when nothing is under way and nothing can move.
    pub(super) fn close_if_over(&mut self) {
        let readying = self.mode == Mode::Readying;
        let stopping = self.state.stopping.is_some();
        if readying && !stopping {
            return;
        }
        let busy = !self.flights.is_empty()
            || !self.pauses.is_empty()
            || (!readying && self.awaits_host());
        if busy {
            return;
        }
        if stopping {
            return self.close(self.result());
        }
        match self.state.nodes.iter().find(|n| !n.is_success()) {
            None => self.close(RunResult::Succeeded),
            Some(node) => {
                let text = format!("`{}` cannot move from {:?}", node.summary.id, node.stage);
                self.fault(text);
            }
        }
    }

    /// Whether a node waits for a slot on a host that is being reached again.
    fn awaits_host(&self) -> bool {
        let stopping = self.state.stopping.is_some();
        self.waiting
            .iter()
            .any(|place| match self.roles[place.node.at()] {
                Role::Instance { host, .. } => {
                    let begun = self.state.nodes[place.node.at()].stage == Stage::Applied;
                    self.hosts[host].link == Link::Asked && (begun || !stopping)
                }
                Role::PhaseBegin(_) | Role::Barrier | Role::DoneWhen => false,
            })
    }

    fn result(&self) -> RunResult {
        let already = self.state.stopping == Some(StopReason::AlreadyThere);
        if !already && self.state.nodes.iter().all(NodeState::is_success) {
            return RunResult::Succeeded;
        }
        match &self.state.stopping {
            Some(StopReason::Failure(node)) => match &self.state.nodes[node.at()].outcome {
                Some(Outcome::Failed(Failure {
                    kind: FailureKind::Refused,
                    ..
                })) => RunResult::Refused,
                _ => RunResult::Failed,
            },
            Some(StopReason::Interrupt) if !self.failed_here => RunResult::Stopped,
            Some(StopReason::AlreadyThere) if !self.failed_here => RunResult::AlreadyThere,
            Some(_) => RunResult::Failed,
            None => RunResult::Succeeded,
        }
    }

    fn close(&mut self, result: RunResult) {
        self.record(Event::Closed {
            result: result.clone(),
        });
        self.act(Action::End(result));
        self.mode = Mode::Ended;
    }
}
