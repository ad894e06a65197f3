//! Chains: consecutive instances of one host that go there as one unit. The host looks at each,
//! changes what differs, looks again, and goes on with the next one; its own record counts.
//!
//! Only what needs nothing from the controller in between is in a chain. Whatever does not go as
//! usual ends it: what has not begun by then goes on step by step, or in another chain.

use std::collections::BTreeSet;

use runbook_model::event::{AttemptEnd, Intent, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Event, NodeIx, NodeKind, Outcome};

use super::message::{Begun, Link, MemberEnd};
use super::queue::Flight;
use super::{Action, Dispatcher, Mode, Role, UnitFound};
use crate::rules::Rules;

/// So many instances a chain has at most.
pub(super) const LONGEST: usize = 32;

impl<R: Rules> Dispatcher<R> {
    /// Sends a node that was not looked at yet, and what comes after it, to its host as one unit. The
    /// node must have a slot. False if nothing comes after it that can go with it.
    pub(super) fn dispatch_chain(&mut self, first: NodeIx) -> bool {
        if self.mode != Mode::Going || self.halted() || self.too_early() {
            return false;
        }
        let members = self.chain_from(first);
        if members.len() < 2 {
            return false;
        }
        if self.freshen(first) || self.forsaken(first) || !self.host_is_up(first) {
            return true;
        }
        let Role::Instance { host, .. } = self.roles[first.at()] else {
            return false;
        };
        let host = self.hosts[host].name.clone();
        let boot = self.boot_of(&host).unwrap_or_default().to_owned();
        let unit = (self.ids)();
        let mut instances = Vec::new();
        for node in &members {
            let number = u32::try_from(self.state.nodes[node.at()].attempts.len());
            instances.push(Intent {
                node: *node,
                attempt: (self.ids)(),
                number: number.unwrap_or(u32::MAX).saturating_add(1),
                before: Default::default(),
            });
        }
        let links = instances.iter().map(|intent| Link {
            node: intent.node,
            attempt: intent.attempt.clone(),
        });
        let links = links.collect();
        self.record(Event::Dispatched {
            unit: unit.clone(),
            instances,
            host: host.clone(),
            boot,
        });
        for node in &members {
            self.take_keys(*node);
            self.notes[node.at()].passes = 0;
        }
        self.follow_chain(&members, unit.clone());
        self.act(Action::LaunchChain {
            unit,
            members: links,
            host,
        });
        true
    }

    /// The last member stands for the whole unit: it ends last.
    fn follow_chain(&mut self, members: &[NodeIx], unit: AttemptId) {
        let Some((last, others)) = members.split_last() else {
            return;
        };
        for node in others {
            self.fly(*node, Flight::Member);
        }
        self.fly(*last, Flight::Attempt { unit, cut: false });
    }

    /// The node and what can go with it, in order.
    fn chain_from(&mut self, first: NodeIx) -> Vec<NodeIx> {
        let mut members = vec![first];
        if !self.may_chain(first) {
            return members;
        }
        let mut last = first;
        while members.len() < LONGEST
            && let Some(next) = self.next_in_chain(last, &members)
        {
            members.push(next);
            last = next;
        }
        members
    }

    /// What comes right after a member on its host, and waits for nothing outside of the chain.
    fn next_in_chain(&mut self, last: NodeIx, members: &[NodeIx]) -> Option<NodeIx> {
        let mut after = self.graph.successors(last).to_vec();
        let points = after
            .iter()
            .filter(|p| self.only_stands_between(**p, members));
        let behind: Vec<NodeIx> = points
            .flat_map(|point| self.graph.successors(*point))
            .copied()
            .collect();
        after.extend(behind);
        let next = after
            .into_iter()
            .find(|next| self.goes_with(*next, last, members))?;
        self.want_keys(next);
        let free = self.keys_are_free_but_for(next, members);
        free.then_some(next)
    }

    /// Whether a node is a point between two steps that nobody but these has to reach.
    fn only_stands_between(&self, node: NodeIx, members: &[NodeIx]) -> bool {
        let mut before = self.graph.predecessors(node).iter();
        matches!(self.roles[node.at()], Role::Barrier { .. })
            && !self.ends.values().any(|end| *end == node)
            && before.all(|p| {
                members.contains(p)
                    || self.state.nodes[p.at()].lets_pass()
                    || self.only_stands_between(*p, members)
            })
    }

    fn goes_with(&self, next: NodeIx, last: NodeIx, members: &[NodeIx]) -> bool {
        let n = &self.state.nodes[next.at()];
        let same = self.place_of(next) == self.place_of(last) && self.place_of(next).is_some();
        let mut before = self.graph.predecessors(next).iter();
        let reads = self.reads(next).iter().any(|from| members.contains(from));
        let fresh = |p: &NodeIx| match self.roles[p.at()] {
            Role::Instance { step, .. } => self.step(step).fresh_ms.is_some(),
            _ => false,
        };
        let Role::Instance { step, .. } = self.roles[next.at()] else {
            return false;
        };
        same && !reads
            && n.stage == Stage::Waiting
            && !self.flights.contains_key(&next)
            && self.parts[next.at()] == self.parts[last.at()]
            && before.all(|p| {
                members.contains(p)
                    || self.state.nodes[p.at()].lets_pass()
                    || self.only_stands_between(*p, members)
            })
            && self.step(step).when.is_none()
            && !self.graph.requires(next).iter().any(fresh)
            && self.left_out(next).is_none()
            && !self.is_kept_back(next)
            && !self.lacks_secrets(next)
            && self.may_chain(next)
    }

    /// What a node may read: what is written, by a reference or by `needs`.
    pub(super) fn reads(&self, node: NodeIx) -> &[NodeIx] {
        self.written.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Where and as whom an instance runs.
    fn place_of(&self, node: NodeIx) -> Option<(usize, Option<&runbook_model::Account>)> {
        let Role::Instance { host, .. } = self.roles[node.at()] else {
            return None;
        };
        match &self.plan.nodes[node.at()].kind {
            NodeKind::Instance { account, .. } => Some((host, account.as_ref())),
            _ => None,
        }
    }

    /// Whether a host can do all of a node alone: nothing of it was ever begun, nothing is decided on
    /// the controller while it runs, and it means nothing beyond itself.
    fn may_chain(&self, node: NodeIx) -> bool {
        let Role::Instance {
            step,
            kind: TypeKind::Ordinary,
            ..
        } = self.roles[node.at()]
        else {
            return false;
        };
        let step = self.step(step);
        let plain = step.until.is_none()
            && step.expect.is_none()
            && step.retry.attempts <= 1
            && !step.critical
            && step.hold.is_none()
            && step.no_return.is_none()
            && step.outage.is_none();
        let mut attempts = self.state.attempts_of(node);
        let releases = || {
            let mut held = self.plan.steps.iter().filter_map(|of| of.hold.as_ref());
            let NodeKind::Instance { step, .. } = self.plan.nodes[node.at()].kind else {
                return true;
            };
            held.any(|hold| hold.release.contains(&step))
        };
        plain
            && attempts.all(|(_, a)| a.end == Some(AttemptEnd::NeverBegan))
            && self.notes[node.at()].vain == 0
            && !releases()
            && self.rules.chains(node, &self.state)
    }

    /// What became of members of a chain, in their order.
    pub(super) fn members(&mut self, unit: &AttemptId, ended: Vec<(AttemptId, MemberEnd)>) {
        self.unanswered.remove(unit);
        let mut blamed = false;
        for (attempt, how) in ended {
            let Some(node) = self.open_member(&attempt, unit) else {
                continue;
            };
            let began = match &how {
                MemberEnd::Acts(begun) => Some(begun.clone()),
                MemberEnd::Ended { began, .. } | MemberEnd::Lost { began, .. } => began.clone(),
            };
            let told = self.state.attempts.get(&attempt).is_some_and(|a| a.acts);
            if let Some(Begun { reasons, before }) = began.filter(|_| !told) {
                let attempt = attempt.clone();
                self.record(Event::Began {
                    attempt,
                    reasons,
                    before,
                });
            }
            match how {
                MemberEnd::Acts(_) => {}
                MemberEnd::Ended { end, .. } => {
                    if end == AttemptEnd::NeverBegan && !blamed {
                        // The chain has stopped before it, perhaps because of it: it goes alone.
                        self.notes[node.at()].vain += 1;
                        blamed = true;
                    }
                    self.ended(&attempt, end);
                }
                MemberEnd::Lost { found, .. } => self.doubt(&attempt, found),
            }
        }
    }

    /// A host has answered about a whole chain; false if the unit is none.
    pub(super) fn chain_state(&mut self, unit: &AttemptId, found: &UnitFound) -> bool {
        if self.state.attempts.contains_key(unit) {
            return false;
        }
        let open = self.open_members(unit);
        let Some((attempt, _)) = open.first() else {
            return true;
        };
        let Some(attempt) = self.state.attempts.get(attempt).cloned() else {
            return true;
        };
        let rebooted = self.boot_of(&attempt.host) != Some(attempt.boot.as_str());
        let ended = |how: MemberEnd| {
            open.iter()
                .map(|(id, _)| (id.clone(), how.clone()))
                .collect()
        };
        match found {
            UnitFound::Running => self.launched(unit),
            UnitFound::Ended(end) => {
                let (end, began) = (end.clone(), None);
                self.members(unit, ended(MemberEnd::Ended { end, began }));
            }
            UnitFound::NoTrace if !attempt.launched && !rebooted => {
                let (end, began) = (AttemptEnd::NeverBegan, None);
                self.members(unit, ended(MemberEnd::Ended { end, began }));
            }
            UnitFound::NoTrace | UnitFound::Lost(_) => {
                let found = match found {
                    UnitFound::Lost(found) => found.clone(),
                    _ => "the host has no trace of it".to_owned(),
                };
                let began = None;
                self.members(unit, ended(MemberEnd::Lost { found, began }));
            }
        }
        true
    }

    /// The host of a chain confirmed its launch.
    pub(super) fn chain_launched(&mut self, unit: &AttemptId) {
        let open = self.open_members(unit);
        let intended =
            |(_, node): &(AttemptId, NodeIx)| self.state.nodes[node.at()].stage == Stage::Intended;
        if open.iter().any(intended) {
            self.record(Event::Launched { unit: unit.clone() });
        }
    }

    /// Follows a chain whose members are open, from an earlier controller or over a new link.
    pub(super) fn attend_chain(&mut self, unit: &AttemptId) {
        let open: Vec<NodeIx> = self.open_members(unit).iter().map(|(_, n)| *n).collect();
        let Some((last, others)) = open.split_last() else {
            return;
        };
        for node in others {
            self.fly(*node, Flight::Member);
        }
        self.unanswered.insert(unit.clone());
        self.ask_unit(*last, unit.clone());
    }

    /// Has every chain under way begin nothing more.
    pub(super) fn halt_chains(&mut self) {
        let mut units = BTreeSet::new();
        for (node, flight) in &self.flights {
            if let Flight::Attempt { unit, .. } = flight
                && !self.state.attempts.contains_key(unit)
            {
                units.insert((unit.clone(), *node));
            }
        }
        for (unit, node) in units {
            let Role::Instance { host, .. } = self.roles[node.at()] else {
                continue;
            };
            let host = self.hosts[host].name.clone();
            self.act(Action::Halt { unit, node, host });
        }
    }

    /// Whether the node is a member of a chain whose turn has not come.
    pub(super) fn waits_in_chain(&self, node: NodeIx, unit: &AttemptId) -> bool {
        let open = self.open_members(unit);
        open.first().is_some_and(|(_, first)| *first != node)
    }

    /// The unit that an attempt on a host belongs to.
    pub(super) fn unit_of(&self, attempt: &AttemptId) -> AttemptId {
        let of = self.state.attempts.get(attempt);
        of.map_or_else(|| attempt.clone(), |a| a.unit.clone())
    }

    /// Ends a node whose host looked at it itself.
    pub(super) fn looked_there(&mut self, node: NodeIx, verdict: Verdict) {
        match verdict {
            Verdict::Skipped(reason) => self.finish(node, Outcome::Skipped { reason }),
            Verdict::Satisfied => self.finish_well(node),
            Verdict::Differs(reasons) => self.fault(format!(
                "a chain went on although `{}` differs: {}",
                self.plan.nodes[node.at()].id,
                reasons.join("; ")
            )),
            Verdict::Error(failure) => self.finish(node, Outcome::Failed(failure)),
        }
    }

    fn open_members(&self, unit: &AttemptId) -> Vec<(AttemptId, NodeIx)> {
        let members = self.state.by_unit.get(unit).into_iter().flatten();
        members
            .filter_map(|id| Some((id.clone(), self.open_member(id, unit)?)))
            .collect()
    }

    fn open_member(&self, attempt: &AttemptId, unit: &AttemptId) -> Option<NodeIx> {
        let a = self.state.attempts.get(attempt)?;
        let stage = self.state.nodes[a.node.at()].stage;
        let open = matches!(stage, Stage::Intended | Stage::Running | Stage::InDoubt);
        (a.unit == *unit && a.end.is_none() && open).then_some(a.node)
    }
}
