//! Chains on simulated hosts: members one after the other, each looked at, changed, looked at again.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Purpose, Verdict};
use runbook_model::{AttemptId, Epoch, Failure, FailureKind, HostName, Millis, NodeIx};

use super::controller::World;
use super::host::{Unit, UnitNow};
use super::nature::Coming;
use super::wrong::Wrong;
use crate::dispatcher::{Begun, Input, Link, MemberEnd, UnitFound};
use crate::rules::Rules;

/// Without a word of a controller for so long, no further effect begins; in milliseconds.
const HEARTBEAT: Millis = 30_000;

/// A chain that was claimed.
#[derive(Debug, Clone)]
pub(super) struct SimChain {
    members: Vec<Link>,
    epoch: Epoch,
    /// The member whose turn it is.
    at: usize,
    /// Its effect may have begun.
    began: bool,
    /// Its apply is over, and it is looked at again.
    applied: bool,
    halted: bool,
    /// When a controller was last heard of.
    beat: Millis,
    /// What is on the host's record.
    ended: Vec<(AttemptId, MemberEnd)>,
}

/// What a member is about to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Look,
    Apply,
    Again,
}

/// What every look in a simulated world captures.
pub(super) fn captured() -> BTreeMap<String, String> {
    BTreeMap::from([("was".to_owned(), "old".to_owned())])
}

fn begun() -> Begun {
    Begun {
        reasons: vec!["not there".to_owned()],
        before: captured(),
    }
}

impl SimChain {
    pub(super) fn new(members: Vec<Link>, epoch: Epoch, now: Millis) -> Self {
        Self {
            members,
            epoch,
            at: 0,
            began: false,
            applied: false,
            halted: false,
            beat: now,
            ended: Vec::new(),
        }
    }

    /// The member that may be having its effect.
    pub(super) fn acting(&self) -> Option<&Link> {
        let acts = self.began && !self.applied;
        self.members.get(self.at).filter(|_| acts)
    }

    fn end(&mut self, end: AttemptEnd) {
        let Some(member) = self.members.get(self.at) else {
            return;
        };
        let began = self.began.then(begun);
        let how = MemberEnd::Ended { end, began };
        self.ended.push((member.attempt.clone(), how));
        self.next();
    }

    fn next(&mut self) {
        self.at += 1;
        (self.began, self.applied) = (false, false);
    }

    /// What has not begun never will.
    pub(super) fn stop(&mut self) {
        while self.at < self.members.len() {
            self.end(AttemptEnd::NeverBegan);
        }
    }

    /// The member that acts has ended so, and nothing more begins.
    pub(super) fn fail(&mut self, failure: Failure) {
        match (self.began, self.applied) {
            (true, false) => self.end(AttemptEnd::Failed(failure)),
            (true, true) => self.end(AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            }),
            (false, _) => {}
        }
        self.stop();
    }

    /// What is left cannot be known; what has not begun never will, unless even that is not certain.
    pub(super) fn lose(&mut self, found: &'static str, certain: bool) {
        while let Some(member) = self.members.get(self.at) {
            if certain && !self.began {
                return self.stop();
            }
            let began = self.began.then(begun);
            let found = found.to_owned();
            let how = MemberEnd::Lost { found, began };
            self.ended.push((member.attempt.clone(), how));
            self.next();
        }
    }

    /// The end of the record is gone.
    pub(super) fn forget(&mut self, to: usize) {
        self.ended.truncate(to);
        self.at = self.ended.len();
        (self.began, self.applied) = (false, false);
    }

    pub(super) fn written(&self) -> usize {
        self.ended.len()
    }
}

impl<R: Rules + Clone> World<R> {
    /// The next section of a chain begins, under this boot.
    pub(super) fn section(
        &mut self,
        host: &HostName,
        unit: &AttemptId,
        boot: u32,
        section: Section,
    ) -> Option<Input> {
        let there = &self.hosts[host];
        let found = there
            .units
            .get(unit)
            .filter(|u| there.boot == boot && matches!(u.now, UnitNow::Running))?;
        let watch = found.watch;
        let hears = watch.is_some_and(|from| self.hears(host, from));
        let fenced = there.epoch;
        let mut chain = found.chain.clone()?;
        if hears {
            chain.beat = self.now;
        }
        let told = chain.written();
        let link = chain.members.get(chain.at)?.clone();
        let mut next = None;
        match section {
            Section::Look => {
                let view = self.take_a_look(link.node, Purpose::Before);
                let held_up = (fenced > chain.epoch && self.wrong != Some(Wrong::NoFence))
                    || chain.halted
                    || self.now - chain.beat > HEARTBEAT;
                match view.verdict {
                    verdict @ (Verdict::Satisfied | Verdict::Skipped(_)) => {
                        let outputs = view.outputs;
                        chain.end(AttemptEnd::Looked { verdict, outputs });
                        next = Some(Section::Look);
                    }
                    Verdict::Differs(_) if !held_up => {
                        chain.began = true;
                        self.began(link.node, link.attempt.clone());
                        next = Some(Section::Apply);
                    }
                    Verdict::Differs(_) | Verdict::Error(_) => chain.stop(),
                }
            }
            Section::Apply => match self.effect(link.node, link.attempt.clone()) {
                AttemptEnd::Failed(failure) => chain.fail(failure),
                _ => {
                    chain.applied = true;
                    next = Some(Section::Again);
                }
            },
            Section::Again => {
                let view = self.take_a_look(link.node, Purpose::After);
                let outputs = view.outputs;
                if view.verdict == Verdict::Satisfied {
                    chain.end(AttemptEnd::Converged { outputs });
                    next = Some(Section::Look);
                } else {
                    chain.end(AttemptEnd::Completed { outputs });
                    chain.stop();
                }
            }
        }
        let over = chain.at >= chain.members.len();
        // All of it each time: on a slow link one of these may overtake another.
        let (mut news, mut ended) = (chain.ended.len() > told, chain.ended.clone());
        if let Some(acting) = chain.acting().filter(|_| self.random.chance(500)) {
            ended.push((acting.attempt.clone(), MemberEnd::Acts(begun())));
            news = true;
        }
        let node = chain.members.get(chain.at).map(|link| link.node);
        let there = self.hosts.get_mut(host)?.units.get_mut(unit)?;
        there.chain = Some(chain);
        if over {
            there.now = UnitNow::Done(AttemptEnd::NeverBegan);
        } else if let (Some(node), Some(section)) = (node, next) {
            self.schedule(host, unit, boot, node, section);
        }
        let unit = unit.clone();
        (hears && news).then_some(Input::Members { unit, ended })
    }

    pub(super) fn schedule(
        &mut self,
        host: &HostName,
        unit: &AttemptId,
        boot: u32,
        node: NodeIx,
        section: Section,
    ) {
        let behaviour = &self.behaviours[node.at()];
        let takes = match section {
            Section::Apply => behaviour.takes,
            Section::Look | Section::Again => behaviour.looks,
        };
        let coming = Coming::Section {
            host: host.clone(),
            unit: unit.clone(),
            boot,
            section,
        };
        self.later(takes, coming);
    }

    pub(super) fn halt(&mut self, host: &HostName, unit: &AttemptId) {
        let there = self.hosts.get_mut(host);
        let there = there.and_then(|there| there.units.get_mut(unit));
        if let Some(chain) = there.and_then(|unit| unit.chain.as_mut()) {
            chain.halted = true;
        }
    }
}

impl Unit {
    /// What a host says when it is asked about a chain: of the whole, and of its members.
    pub(super) fn chain_found(&self, id: &AttemptId) -> Option<(Option<UnitFound>, Input)> {
        let chain = self.chain.as_ref()?;
        let of_all = match &self.now {
            UnitNow::Running => Some(UnitFound::Running),
            UnitNow::Cancelled => Some(UnitFound::NoTrace),
            UnitNow::Done(_) | UnitNow::Lost(_) => None,
        };
        let (unit, ended) = (id.clone(), chain.ended.clone());
        Some((of_all, Input::Members { unit, ended }))
    }

    /// It was killed with all that ran: by whom, and whether that is on its record.
    pub(super) fn kill_chain(&mut self, failure: Option<Failure>) {
        let Some(chain) = &mut self.chain else {
            return;
        };
        match failure {
            Some(failure) => chain.fail(failure),
            None => chain.lose("it was killed", true),
        }
        self.now = UnitNow::Done(AttemptEnd::NeverBegan);
    }
}

/// Somebody has cancelled it.
pub(super) fn cancelled() -> Failure {
    Failure::new(FailureKind::Cancelled, "it was cancelled")
}
