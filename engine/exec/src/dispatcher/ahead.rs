//! Checks of coming steps, run early where a host has nothing better to do. Such a look is no event; its
//! verdict becomes one when its step is begun, if nothing has happened since that could have changed
//! it: no effect was intended anywhere, none was under way when it began, and it is young.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use runbook_model::event::{Purpose, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{Event, Millis, NodeIx, Value};

use super::hosts::Link;
use super::queue::Flight;
use super::{Action, Dispatcher, Mode, Role};
use crate::rules::Rules;

/// A verdict that is older does not count; in milliseconds.
const YOUNG: Millis = 30_000;
/// So many nodes ahead of what is under way are looked at on one host.
const AHEAD: usize = 8;
/// So many are found out at a time: there are more next time.
const AT_ONCE: usize = 64;

/// A look that was asked before its turn.
#[derive(Debug, Clone)]
pub(super) struct Early {
    look: u64,
    /// The effects that were intended before it.
    effects: u64,
    since: Millis,
    found: Option<Found>,
}

#[derive(Debug, Clone)]
struct Found {
    verdict: Verdict,
    outputs: BTreeMap<String, Value>,
    before: BTreeMap<String, String>,
}

impl<R: Rules> Dispatcher<R> {
    /// Looks ahead on every host that has a place free; true if it asked for anything.
    pub(super) fn look_ahead(&mut self) -> bool {
        if self.mode != Mode::Going || self.halted() || self.is_changing() {
            return false;
        }
        let coming = self.coming();
        let mut asked = false;
        for node in coming {
            let Role::Instance { host, .. } = self.roles[node.at()] else {
                continue;
            };
            let ahead = self.early_on(host);
            let free = self.hosts[host].busy + ahead.0 < self.options.per_host.max(1);
            let total = self.flights.len() + self.early.len();
            let room = ahead.1 < AHEAD && total < self.options.global.max(1);
            if self.hosts[host].link != Link::Up || !free || !room {
                continue;
            }
            self.looks += 1;
            let (look, since) = (self.looks, self.now);
            let effects = self.effects;
            let found = None;
            self.early.insert(
                node,
                Early {
                    look,
                    effects,
                    since,
                    found,
                },
            );
            let purpose = Purpose::Before;
            self.act(Action::Look {
                look,
                node,
                purpose,
            });
            asked = true;
        }
        asked
    }

    /// Whether an effect may be under way anywhere.
    fn is_changing(&self) -> bool {
        let flying = self.flights.values();
        let effect =
            |f: &Flight| matches!(f, Flight::Attempt { .. } | Flight::Member | Flight::Perform);
        flying.into_iter().any(effect) || self.state.open_attempts().next().is_some()
    }

    /// Early looks on a host: how many are under way, and how many there are.
    fn early_on(&self, host: usize) -> (usize, usize) {
        let here = |node: &NodeIx| matches!(self.roles[node.at()], Role::Instance { host: h, .. } if h == host);
        let there = self.early.iter().filter(|(node, _)| here(node));
        let under_way = there.clone().filter(|(_, early)| early.found.is_none());
        (under_way.count(), there.count())
    }

    /// Places that early looks take on a host.
    pub(super) fn early_places(&self, host: usize) -> usize {
        self.early_on(host).0
    }

    /// What comes next if nothing has to be changed: what waits only for looks that are under way, or
    /// that were early and found all there.
    fn coming(&self) -> Vec<NodeIx> {
        let flying = self.flights.iter().filter_map(|(node, flight)| {
            matches!(flight, Flight::Look { cut: false, .. }).then_some(*node)
        });
        let differs = |early: &Early| {
            let found = early.found.as_ref();
            found.is_some_and(|found| found.verdict != Verdict::Satisfied)
        };
        let early = self.early.iter().filter(|(_, early)| !differs(early));
        let mut open: VecDeque<NodeIx> = flying.chain(early.map(|(node, _)| *node)).collect();
        let mut passed: BTreeSet<NodeIx> = open.iter().copied().collect();
        let mut coming = Vec::new();
        while let Some(node) = open.pop_front() {
            for next in self.graph.successors(node) {
                if passed.contains(next) || coming.len() >= AT_ONCE || !self.is_next(*next, &passed)
                {
                    continue;
                }
                if matches!(self.roles[next.at()], Role::Instance { .. }) {
                    coming.push(*next);
                }
                passed.insert(*next);
                open.push_back(*next);
            }
        }
        coming
    }

    /// Whether a node waits for nothing but these, and may be looked at, or only stands between others.
    fn is_next(&self, node: NodeIx, passed: &BTreeSet<NodeIx>) -> bool {
        let mut before = self.graph.predecessors(node).iter();
        let done = |p: &NodeIx| passed.contains(p) || self.state.nodes[p.at()].lets_pass();
        before.all(done)
            && self.is_acting(node)
            && match self.roles[node.at()] {
                Role::Barrier { .. } => true,
                Role::Instance { kind, .. } => {
                    kind == TypeKind::Ordinary && self.may_look_early(node)
                }
                Role::PhaseBegin(_) | Role::DoneWhen => false,
            }
    }

    fn may_look_early(&self, node: NodeIx) -> bool {
        let n = &self.state.nodes[node.at()];
        let Some((step, _)) = self.plan.instance(node) else {
            return false;
        };
        let volatile = self.plan.type_of(step).is_none_or(|of| of.volatile);
        let done = |p: NodeIx| self.state.nodes[p.at()].is_done();
        // What reads an output, perhaps with a default, reads another one later.
        let reads = self.reads(node).iter().any(|from| !done(*from));
        n.stage == Stage::Waiting
            && !volatile
            && !reads
            && step.when.is_none()
            && step.until.is_none()
            && !self.flights.contains_key(&node)
            && !self.early.contains_key(&node)
            && self.notes[node.at()].missing > 0
            && self.state.attempts_of(node).next().is_none()
            && !self.lacks_secrets(node)
            && self.rules.known(node, &self.state)
    }

    /// An answer to an early look; false if it is none.
    pub(super) fn looked_early(
        &mut self,
        look: u64,
        node: NodeIx,
        verdict: &Verdict,
        outputs: &BTreeMap<String, Value>,
        before: &BTreeMap<String, String>,
    ) -> bool {
        let Some(early) = self.early.get_mut(&node).filter(|early| early.look == look) else {
            return false;
        };
        early.found = Some(Found {
            verdict: verdict.clone(),
            outputs: outputs.clone(),
            before: before.clone(),
        });
        true
    }

    /// The first look of a node: by an early one, if that counts. True if it does.
    pub(super) fn take_early(&mut self, node: NodeIx) -> bool {
        let Some(early) = self.early.remove(&node) else {
            return false;
        };
        let age = self.now.saturating_sub(early.since);
        if early.effects != self.effects || !(0..=YOUNG).contains(&age) || self.is_changing() {
            return false;
        }
        if self.forsaken(node) || !self.host_is_up(node) {
            return true;
        }
        let purpose = Purpose::Before;
        self.record(Event::Looking { node, purpose });
        self.notes[node.at()].purpose = Some(purpose);
        self.notes[node.at()].seen = self.state.seq;
        let (look, cut) = (early.look, false);
        self.fly(node, Flight::Look { look, purpose, cut });
        if let Some(found) = early.found {
            self.looked(look, node, found.verdict, found.outputs, found.before);
        }
        true
    }

    /// What was found early on a host whose link is lost does not count.
    pub(super) fn drop_early(&mut self, host: usize) {
        let roles = &self.roles;
        self.early.retain(
            |node, _| !matches!(roles[node.at()], Role::Instance { host: h, .. } if h == host),
        );
    }
}
