//! From ready hosts to the first start: what earlier controllers left is accounted for.

use runbook_model::event::{AttemptEnd, Purpose, StopReason};
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, NodeIx, Outcome};

use super::hosts::Link;
use super::queue::Flight;
use super::{Dispatcher, Mode, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// Every host has answered. Nothing happens unless all that are needed may be used.
    pub(super) fn account(&mut self) {
        self.mode = Mode::Accounting;
        if let Some(host) = self.needed_and_down() {
            return self.stop(StopReason::Host(self.hosts[host].name.clone()));
        }
        let open: Vec<_> = self
            .state
            .open_attempts()
            .map(|(id, a)| (id.clone(), a.node))
            .collect();
        for (unit, node) in open {
            let Role::Instance { kind, .. } = self.roles[node.at()] else {
                continue;
            };
            if self.state.nodes[node.at()].is_done() {
                continue;
            }
            if matches!(kind, TypeKind::Copy | TypeKind::Record) {
                self.doubt(&unit, "the controller that did it is gone".into());
            } else {
                self.unanswered.insert(unit.clone());
                self.ask_unit(node, unit);
            }
        }
        self.enqueue_all();
    }

    fn needed_and_down(&self) -> Option<usize> {
        let needed = self
            .roles
            .iter()
            .zip(&self.state.nodes)
            .filter(|(_, n)| !n.is_success());
        let hosts = needed.filter_map(|(role, _)| match role {
            Role::Instance { host, .. } => Some(*host),
            Role::PhaseBegin(_) | Role::Barrier | Role::DoneWhen => None,
        });
        hosts
            .filter(|host| self.hosts[*host].link == Link::Down)
            .min()
    }

    /// Whether every attempt of an earlier controller runs, has ended, or was settled by a check.
    pub(super) fn accounted(&self) -> bool {
        let doubt = |flight: &Flight| {
            matches!(
                flight,
                Flight::Look {
                    purpose: Purpose::Doubt,
                    ..
                }
            )
        };
        let lost = |node| self.last_end(node) == Some(&AttemptEnd::Lost);
        self.unanswered.is_empty()
            && !self.flights.values().any(doubt)
            && !self.waiting.iter().any(|place| lost(place.node))
    }

    /// From here on nodes start: what failed under an earlier controller is tried again.
    pub(super) fn go(&mut self) {
        self.mode = Mode::Going;
        let mut again = Vec::new();
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            match &self.state.nodes[node.at()].outcome {
                // Only a person can tell what became of it.
                Some(Outcome::Failed(Failure {
                    kind: FailureKind::InDoubt,
                    ..
                })) => {
                    return self.stop(StopReason::Failure(node));
                }
                Some(Outcome::Satisfied) if matches!(self.roles[node.at()], Role::DoneWhen) => {
                    return self.stop(StopReason::AlreadyThere);
                }
                Some(Outcome::Failed(_)) => again.push(node),
                Some(_) | None => {}
            }
        }
        for node in again {
            self.reopen(node, "failed before");
            self.notes[node.at()].since = None;
        }
        self.enqueue_all();
    }
}
