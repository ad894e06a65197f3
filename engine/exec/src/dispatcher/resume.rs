//! From ready hosts to the first start: what earlier controllers left is accounted for.

use std::collections::BTreeSet;

use runbook_model::event::{AttemptEnd, Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, NodeIx, Outcome};

use super::hosts::Link;
use super::queue::Flight;
use super::{Act, Dispatcher, Mode, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// Every host has answered. Nothing happens unless all that are needed may be used.
    pub(super) fn account(&mut self) {
        self.mode = Mode::Accounting;
        let main = self.act == Act::Main && self.state.ending.is_none();
        let down = match self.act {
            Act::Back => self.needed_back_and_down(),
            _ => self.missed().filter(|_| main),
        };
        if let Some(host) = down {
            return self.stop(StopReason::Host(self.hosts[host].name.clone()));
        }
        self.take_over_keys();
        let open: Vec<_> = self
            .state
            .open_attempts()
            .map(|(id, a)| (id.clone(), a.node, a.undo))
            .collect();
        let mut chains = BTreeSet::new();
        for (attempt, node, undo) in open {
            let unit = self.unit_of(&attempt);
            let Role::Instance { kind, .. } = self.roles[node.at()] else {
                continue;
            };
            if (self.state.nodes[node.at()].is_done() && !undo)
                || self.link_of(node) != Some(Link::Up)
            {
                continue;
            }
            if undo {
                self.unanswered.insert(unit.clone());
                self.ask_unit(node, unit);
            } else if matches!(kind, TypeKind::Copy | TypeKind::Record) {
                self.doubt(&unit, "the controller that did it is gone".into());
            } else if unit != attempt {
                if chains.insert(unit.clone()) {
                    self.attend_chain(&unit);
                }
            } else {
                self.unanswered.insert(unit.clone());
                self.ask_unit(node, unit);
            }
        }
        self.enqueue_all();
    }

    /// A host that is needed to go back, and cannot be used.
    fn needed_back_and_down(&self) -> Option<usize> {
        let scope = self.scope();
        let nodes = (0u32..).map(NodeIx).zip(&self.roles);
        let hosts = nodes.filter_map(|(node, role)| match role {
            Role::Instance { host, .. } if self.goes_back_on(&scope, node) => Some((node, *host)),
            _ => None,
        });
        hosts
            .filter(|(node, _)| !scope.procedure || !self.state.nodes[node.at()].lets_pass())
            .filter(|(node, _)| self.excluded(*node).is_none())
            .map(|(_, host)| host)
            .find(|host| self.hosts[*host].link == Link::Down)
    }

    /// A host that cannot be used, and without which nothing goes on. Before the first effect that is
    /// any one that is needed.
    fn missed(&self) -> Option<usize> {
        let begun = self.state.all_attempts().next().is_some();
        let nodes = (0u32..).map(NodeIx).zip(&self.roles);
        let hosts = nodes.filter_map(|(node, role)| match role {
            Role::Instance { host, .. } => Some((node, *host)),
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => None,
        });
        // A host that nothing runs on, and that a copy reaches, is needed as well.
        let idle = (0..self.hosts.len())
            .filter(|at| !hosts.clone().any(|(_, host)| host == *at))
            .collect::<Vec<_>>();
        let needed = hosts
            .filter(|(node, _)| {
                let n = &self.state.nodes[node.at()];
                self.parts[node.at()] != Part::Rollback && !n.lets_pass()
            })
            .map(|(_, host)| host);
        needed
            .chain(idle)
            .filter(|host| self.hosts[*host].link == Link::Down)
            .filter(|host| !self.state.excluded.contains_key(&self.hosts[*host].name))
            .filter(|host| !(begun && self.is_borne(*host)))
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
        self.release_undone();
        if let Some(release) = &self.state.release {
            let held = self.state.held().map(|(node, _)| node);
            let held: BTreeSet<NodeIx> = held.collect();
            let wanted = release.nodes.iter().copied();
            self.undoing = wanted.filter(|node| held.contains(node)).collect();
            return;
        }
        self.take_holds();
        if let Some((result, _)) = self.state.ending.clone() {
            return self.follow(&result);
        }
        if self.act == Act::Back {
            self.begin_back();
        }
        let mut again = BTreeSet::new();
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            if self.parts[node.at()] != self.course() {
                continue;
            }
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
                Some(Outcome::Failed(_)) => {
                    again.insert(node);
                }
                Some(Outcome::Left(_)) if self.may_come_back(node) => {
                    again.insert(node);
                }
                Some(_) if self.holds_no_more(node) => {
                    again.insert(node);
                }
                Some(_) | None => {}
            }
        }
        for node in &again {
            let reason = match self.holds_no_more(*node) {
                true => "what it held was released",
                false => "failed before",
            };
            self.reopen(*node, reason);
            self.notes[node.at()].since = None;
        }
        self.come_back(again);
        self.enqueue_all();
    }
}
