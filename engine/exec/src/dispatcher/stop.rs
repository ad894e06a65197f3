//! How a controller's part ends: nothing new starts, what runs finishes, and then it closes.

use runbook_model::event::StopReason;
use runbook_model::plan::Part;
use runbook_model::transition::Stage;
use runbook_model::{Event, Failure, FailureKind, NodeIx, Outcome, RunResult};

use super::hosts::Link;
use super::order::Kept;
use super::queue::Flight;
use super::{Act, Action, Dispatcher, Mode, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// From here on nothing new starts. The first reason stays.
    pub(super) fn stop(&mut self, reason: StopReason) {
        if self.state.stopping.is_none() {
            self.record(Event::Stopping { reason });
            self.halt_chains();
        }
        self.pauses.clear();
        self.flights.retain(|_, flight| *flight != Flight::Ask);
        self.deadlines.clear();
        if self.act == Act::Back {
            // One that an ending began may have others in its way: it waits for whoever comes next.
            self.undoing = self.ready_back().into_iter().collect();
        }
    }

    pub(super) fn failed(&mut self, node: NodeIx) {
        self.failed_here = true;
        self.stop(StopReason::Failure(node));
    }

    /// What follows on every ending goes on: whoever does not want to wait for it leaves.
    pub(super) fn interrupt(&mut self) {
        self.unwanted = true;
        if matches!(self.act, Act::Main | Act::Back) {
            return self.stop(StopReason::Interrupt);
        }
        if self.act == Act::ByHand {
            let flights = &self.flights;
            self.undoing.retain(|node| flights.contains_key(node));
        }
        if !self.state.interrupted {
            self.record(Event::Interrupted);
        }
    }

    pub(super) fn detach(&mut self) {
        self.unwanted = true;
        if matches!(self.act, Act::Main | Act::Back) {
            self.stop(StopReason::Interrupt);
        }
        let running = self
            .state
            .open_attempts()
            .map(|(id, _)| id.clone())
            .collect();
        let result = match &self.state.release {
            Some(release) => release.result.clone(),
            None => RunResult::Stopped,
        };
        self.record(Event::Detached { running });
        self.close(result);
    }

    /// Closes when nothing is under way and nothing can move; true if something follows first.
    pub(super) fn close_if_over(&mut self) -> bool {
        let readying = self.mode == Mode::Readying;
        let stopping = self.state.stopping.is_some();
        if readying && !stopping {
            return false;
        }
        let busy = !self.flights.is_empty()
            || !self.pauses.is_empty()
            || (!readying && self.awaits_host());
        let undoing = !self.undoing.is_empty() && self.mode == Mode::Going;
        if busy || undoing || self.mode == Mode::Ended {
            return false;
        }
        match self.act {
            Act::Main | Act::Back if stopping => self.is_over(self.result()),
            Act::Back if self.unmoved().is_none() => {
                let result = self.is_back();
                self.is_over(result)
            }
            Act::Main if self.unmoved().is_none() => self.is_over(RunResult::Succeeded),
            Act::Main | Act::Back => self.stand_still(),
            Act::Releasing => self.begin_finally(),
            Act::Finally | Act::ByHand => {
                let ending = self.state.ending.as_ref().map(|(result, _)| result);
                let release = self.state.release.as_ref().map(|release| &release.result);
                let result = release.or(ending).cloned().unwrap_or(RunResult::Stopped);
                self.close(result);
                false
            }
        }
    }

    /// Nothing moves, and the procedure is not over: somebody wants that, or the plan is wrong.
    fn stand_still(&mut self) -> bool {
        match self.kept_back() {
            Kept::Wait => false,
            Kept::Stop(reason) => {
                self.stop(reason);
                true
            }
            Kept::No => {
                let text = self.unmoved().unwrap_or_default();
                self.fault(text);
                false
            }
        }
    }

    /// A node of the procedure that has not ended.
    fn unmoved(&self) -> Option<String> {
        let nodes = self.parts.iter().zip(&self.state.nodes);
        let mut main = nodes.filter(|(part, _)| **part == self.course());
        let (_, n) = main.find(|(_, n)| !n.lets_pass())?;
        Some(format!("`{}` cannot move from {:?}", n.summary.id, n.stage))
    }

    /// The procedure is over for this controller. What follows on every ending does so if this
    /// controller has begun at all.
    fn is_over(&mut self, result: RunResult) -> bool {
        let finally = self.parts.contains(&Part::Finally);
        // Before the window opens nothing is changed, not by what follows either.
        let early = matches!(self.state.stopping, Some(StopReason::NotOpen(_)));
        let untouched = early && self.state.all_attempts().next().is_none();
        let follows = !untouched && (finally || !self.to_release(&result).is_empty());
        if self.mode != Mode::Going || !follows {
            self.close(result);
            return false;
        }
        self.record(Event::Ending {
            result: result.clone(),
        });
        self.follow(&result);
        true
    }

    /// From the end of the procedure to what follows on every ending.
    pub(super) fn follow(&mut self, result: &RunResult) {
        self.act = Act::Releasing;
        self.drop_keys_of_main();
        self.queue.clear();
        self.waiting.clear();
        self.pauses.clear();
        self.undoing = self.to_release(result).into_iter().collect();
    }

    /// Each ending has it done again.
    fn begin_finally(&mut self) -> bool {
        self.act = Act::Finally;
        let since = self.state.ending.as_ref().map(|(_, epoch)| *epoch);
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            if self.parts[node.at()] != Part::Finally {
                continue;
            }
            let n = &self.state.nodes[node.at()];
            // Only a person can tell what became of it.
            let in_doubt =
                matches!(&n.outcome, Some(Outcome::Left(f)) if f.kind == FailureKind::InDoubt);
            if n.is_done() && n.finished_in < since && !in_doubt && !self.is_out(node) {
                self.reopen(node, "the run ends again");
                self.notes[node.at()].since = None;
            }
            self.enqueue(node);
        }
        true
    }

    /// Whether a node waits for a slot on a host that is being reached again.
    fn awaits_host(&self) -> bool {
        let stopping = self.halted();
        self.waiting
            .iter()
            .any(|place| match self.roles[place.node.at()] {
                Role::Instance { host, .. } => {
                    let begun = self.state.nodes[place.node.at()].stage == Stage::Applied;
                    self.hosts[host].link == Link::Asked && (begun || !stopping)
                }
                Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => false,
            })
    }

    fn result(&self) -> RunResult {
        // What follows on an earlier ending has not been gone on with: whoever comes next does it.
        if self.act == Act::Main && self.state.ending.is_some() {
            return match &self.state.stopping {
                Some(StopReason::Interrupt | StopReason::Paused(_)) => RunResult::Stopped,
                _ => RunResult::Failed,
            };
        }
        let already = self.state.stopping == Some(StopReason::AlreadyThere);
        if self.act == Act::Main && !already && self.unmoved().is_none() {
            return RunResult::Succeeded;
        }
        match &self.state.stopping {
            Some(StopReason::Failure(node)) => match &self.state.nodes[node.at()].outcome {
                Some(Outcome::Failed(Failure {
                    kind: FailureKind::Refused | FailureKind::Window,
                    ..
                })) => RunResult::Refused,
                _ => RunResult::Failed,
            },
            Some(StopReason::NotOpen(_) | StopReason::WindowClosed(_)) if !self.failed_here => {
                RunResult::Refused
            }
            Some(StopReason::Interrupt | StopReason::Paused(_)) if !self.failed_here => {
                RunResult::Stopped
            }
            Some(StopReason::Until(_)) if !self.failed_here => RunResult::Reached,
            Some(StopReason::AlreadyThere) if !self.failed_here => RunResult::AlreadyThere,
            Some(_) => RunResult::Failed,
            None => RunResult::Succeeded,
        }
    }

    pub(super) fn close(&mut self, result: RunResult) {
        self.record(Event::Closed {
            result: result.clone(),
        });
        self.act(Action::End(result));
        self.mode = Mode::Ended;
    }
}
