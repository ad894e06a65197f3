//! A controller that slept while another one took its run over, and comes back. It has a journal of
//! its own by then; whatever it sends, hosts that its follower was on refuse.

use std::collections::VecDeque;

use runbook_model::event::Purpose;
use runbook_model::{AttemptId, Epoch, HostName, NodeIx};

use super::controller::World;
use super::nature::Coming;
use super::wrong::Wrong;
use crate::dispatcher::{Action, Dispatcher, Input};
use crate::rules::Rules;

/// So many inputs are enough for it to see that it was followed.
const INPUTS: usize = 500;

/// Such a controller.
pub(super) struct Ghost<R> {
    dispatcher: Dispatcher<R>,
    incarnation: u32,
    epoch: Epoch,
    /// What it had asked and was not told.
    looks: Vec<(u64, NodeIx, Purpose)>,
}

impl<R: Rules + Clone> World<R> {
    /// The old controller may come back now.
    pub(super) fn haunt(&mut self) {
        if self.ghost.is_none() || !self.random.chance(100) {
            return;
        }
        let Some(mut ghost) = self.ghost.take() else {
            return;
        };
        let mut inputs = self.heard_by(&ghost);
        for _ in 0..INPUTS {
            let Some(input) = inputs.pop_front() else {
                break;
            };
            for action in ghost.dispatcher.handle(self.clock(), input) {
                self.refuse(&ghost, action, &mut inputs);
            }
        }
    }

    /// The controller sleeps from here on.
    pub(super) fn put_to_sleep(&mut self, dispatcher: Dispatcher<R>) {
        let incarnation = self.incarnation;
        let looks = self.events.values().filter_map(|coming| match coming {
            Coming::Look {
                look,
                node,
                purpose,
                from,
                ..
            } if from.0 == incarnation => Some((*look, *node, *purpose)),
            _ => None,
        });
        let looks = looks.collect();
        let epoch = self.epoch;
        self.ghost = Some(Ghost {
            dispatcher,
            incarnation,
            epoch,
            looks,
        });
    }

    /// Answers that still reach it, and then that its links are dead.
    fn heard_by(&mut self, ghost: &Ghost<R>) -> VecDeque<Input> {
        let mut inputs = VecDeque::new();
        for (look, node, purpose) in ghost.looks.iter().copied() {
            let kind = self.kind_of(node);
            // It looks at what is there; what it finds out is its own.
            let view =
                self.truths[node.at()]
                    .clone()
                    .look(&self.behaviours[node.at()], kind, purpose);
            inputs.push_back(Input::Looked {
                look,
                node,
                verdict: view.verdict,
                outputs: view.outputs,
                before: Default::default(),
            });
        }
        inputs.push_back(Input::Tick);
        let problem = "connection reset";
        inputs.extend(self.hosts.keys().map(|host| lost(host, problem)));
        inputs.push_back(Input::Tick);
        inputs
    }

    /// Whether a host that should refuse takes it, in a world where that is wrong. One that the follower has not reached
    /// yet takes it in any world; nobody gets there before the follower does, because links are dead.
    fn lets_through(&self, host: &HostName) -> bool {
        self.wrong == Some(Wrong::NoFence) && self.hosts[host].epoch >= self.epoch
    }

    /// What a controller that is not the last one has launched arrives.
    fn launch_of(&mut self, ghost: &Ghost<R>, host: &HostName, unit: AttemptId, node: NodeIx) {
        let launch = Coming::Launch {
            from: (ghost.incarnation, 0),
            epoch: ghost.epoch,
            boot: self.hosts[host].boot_id(),
            answered: false,
            host: host.clone(),
            unit,
            node,
        };
        self.later(2, launch);
    }

    fn refuse(&mut self, ghost: &Ghost<R>, action: Action, inputs: &mut VecDeque<Input>) {
        let problem = "another controller has taken over this run";
        match action {
            Action::Launch {
                unit, node, host, ..
            }
            | Action::Undo { unit, node, host } => {
                if self.lets_through(&host) {
                    self.launch_of(ghost, &host, unit, node);
                }
                inputs.push_back(lost(&host, problem));
            }
            Action::Ready { host } => inputs.push_back(Input::HostUnusable {
                host,
                problem: problem.into(),
            }),
            Action::LaunchChain {
                unit,
                members,
                host,
            } => {
                let first = members.first().map(|link| link.node);
                if let Some(node) = first.filter(|_| self.lets_through(&host)) {
                    self.chains.insert(unit.clone(), members);
                    self.launch_of(ghost, &host, unit, node);
                }
                inputs.push_back(lost(&host, problem));
            }
            Action::Kill { host, .. } | Action::Attend { host, .. } | Action::Halt { host, .. } => {
                inputs.push_back(lost(&host, problem));
            }
            Action::Record(_)
            | Action::Look { .. }
            | Action::Perform { .. }
            | Action::Ask { .. }
            | Action::Wake { .. }
            | Action::End(_)
            | Action::Fault(_) => {}
        }
    }
}

fn lost(host: &HostName, problem: &str) -> Input {
    Input::HostLost {
        host: host.clone(),
        problem: problem.into(),
    }
}
