//! What happens between the controller and the hosts, and on the hosts: launches, checks, questions
//! and answers, each in its time, and what breaks on the way.

use runbook_model::event::{AttemptEnd, Purpose};
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Epoch, HostName, Millis, NodeIx};

use super::chain::{Section, SimChain, cancelled, captured};
use super::controller::World;
use super::fault::Fault;
use super::host::{Happening, SimHost, Unit, UnitNow, View, What};
use super::wrong::Wrong;
use crate::dispatcher::{Input, UnitFound};
use crate::rules::Rules;

/// Something under way.
#[derive(Debug, Clone)]
pub(super) enum Coming {
    /// To the controller of this incarnation, on this link if it comes from a host.
    Input(u32, Option<(HostName, u32)>, Input),
    /// A launch, from the controller of this incarnation and epoch over this link; only under this
    /// boot.
    Launch {
        host: HostName,
        unit: AttemptId,
        node: NodeIx,
        from: (u32, u32),
        epoch: Epoch,
        boot: String,
        answered: bool,
    },
    /// A host answers whether it may be used.
    Ready { host: HostName, incarnation: u32 },
    /// A controller notices that a link is dead.
    Noticed { host: HostName, incarnation: u32 },
    /// A running attempt reaches its end, under this boot.
    End {
        host: HostName,
        unit: AttemptId,
        boot: u32,
    },
    /// The next section of a running chain is over, under this boot.
    Section {
        host: HostName,
        unit: AttemptId,
        boot: u32,
        section: Section,
    },
    /// A chain is to begin nothing more.
    Halt {
        host: HostName,
        unit: AttemptId,
        from: (u32, u32),
    },
    /// A question about a unit.
    Attend {
        host: HostName,
        unit: AttemptId,
        node: NodeIx,
        from: (u32, u32),
    },
    /// A unit is to be ended.
    Kill {
        host: HostName,
        unit: AttemptId,
        from: (u32, u32),
    },
    /// A check ends.
    Look {
        host: HostName,
        look: u64,
        node: NodeIx,
        purpose: Purpose,
        from: (u32, u32),
    },
    /// The engine's own work ends.
    Perform {
        node: NodeIx,
        attempt: AttemptId,
        incarnation: u32,
    },
}

impl<R: Rules + Clone> World<R> {
    /// The controller wants to use a host. It is there from the first time that it is asked for.
    pub(super) fn ready(&mut self, host: &HostName) {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.clone(), SimHost::new());
        }
        let unreachable = self.faults.unreachable;
        let incarnation = self.incarnation;
        if self.strikes(unreachable, Fault::Unreachable, Some(host)) {
            let problem = "no route to host".to_owned();
            let host = host.clone();
            let answer = Input::HostUnusable { host, problem };
            return self.later(30, Coming::Input(incarnation, None, answer));
        }
        let delay = (self.hosts[host].reachable_from - self.now).max(0) + 5;
        let host = host.clone();
        self.later(delay, Coming::Ready { host, incarnation });
    }

    /// The next thing happens; what it tells the controller, if anything.
    pub(super) fn next_input(&mut self) -> Option<Input> {
        let ((at, _), coming) = self.events.pop_first()?;
        self.now = self.now.max(at);
        let (host, input) = self.happen(coming)?;
        let incarnation = self.incarnation;
        let from = host.map(|host| (self.hosts[&host].link, host));
        if self.now < self.asleep_until {
            let from = from.map(|(link, host)| (host, link));
            let later = self.asleep_until - self.now;
            self.later(later, Coming::Input(incarnation, from, input));
            return None;
        }
        let Some((link, host)) = from else {
            return Some(input);
        };
        match self.lag(&host) {
            0 => Some(input),
            lag => {
                let from = Some((host, link));
                self.later(lag, Coming::Input(incarnation, from, input));
                None
            }
        }
    }

    /// Something happens; what a host, or who else, tells the controller.
    fn happen(&mut self, coming: Coming) -> Option<(Option<HostName>, Input)> {
        let answers = |host: HostName, input| Some((Some(host), input));
        match coming {
            Coming::Input(incarnation, link, input) => {
                let current = match &link {
                    Some((host, link)) => self.hears(host, (incarnation, *link)),
                    None => incarnation == self.incarnation,
                };
                current.then_some((None, input))
            }
            Coming::Ready { host, incarnation } => self.answer_ready(host, incarnation),
            Coming::Noticed { host, incarnation } => {
                if incarnation != self.incarnation {
                    return None;
                }
                self.hosts.get_mut(&host)?.link += 1;
                let problem = "the connection timed out".to_owned();
                let lost = Input::HostLost { host, problem };
                Some((None, lost))
            }
            Coming::Launch {
                host,
                unit,
                node,
                from,
                epoch,
                boot,
                answered,
            } => {
                if !self.arrives(&host) || !self.lets_launch(&host, epoch, &boot) {
                    return None;
                }
                self.claim(&host, &unit, node, epoch, answered.then_some(from));
                let hears = answered && self.hears(&host, from);
                hears.then_some((Some(host), Input::Launched { unit }))
            }
            Coming::End { host, unit, boot } => {
                let input = self.end(&host, unit, boot)?;
                answers(host, input)
            }
            Coming::Section {
                host,
                unit,
                boot,
                section,
            } => {
                let input = self.section(&host, &unit, boot, section)?;
                answers(host, input)
            }
            Coming::Halt { host, unit, from } => {
                if self.arrives(&host) && from.0 == self.incarnation {
                    self.halt(&host, &unit);
                }
                None
            }
            Coming::Kill { host, unit, from } => {
                let goes = self.arrives(&host) && from.0 == self.incarnation;
                let input = goes.then(|| self.kill(&host, unit)).flatten()?;
                answers(host, input)
            }
            Coming::Attend {
                host,
                unit,
                node,
                from,
            } => {
                if !self.arrives(&host) || from.0 != self.incarnation {
                    return None;
                }
                let there = self.hosts.get_mut(&host)?;
                let mut found = there.attend(&unit, node, from);
                let of_chain = there.units.get(&unit);
                if let Some((of_all, members)) = of_chain.and_then(|u| u.chain_found(&unit)) {
                    if !self.hears(&host, from) {
                        return None;
                    }
                    let Some(found) = of_all else {
                        return answers(host, members);
                    };
                    self.later_from(&host, 1, members);
                    return answers(host, Input::UnitState { unit, found });
                }
                if self.wrong == Some(Wrong::NoDoubt) && matches!(found, UnitFound::Lost(_)) {
                    found = UnitFound::Ended(AttemptEnd::NeverBegan);
                }
                if !self.hears(&host, from) {
                    return None;
                }
                answers(host, Input::UnitState { unit, found })
            }
            Coming::Look {
                host,
                look,
                node,
                purpose,
                from,
            } => {
                if !self.arrives(&host) || !self.hears(&host, from) {
                    return None;
                }
                let view = self.take_a_look(node, purpose);
                let before = captured();
                let looked = Input::Looked {
                    look,
                    node,
                    verdict: view.verdict,
                    outputs: view.outputs,
                    before,
                };
                answers(host, looked)
            }
            Coming::Perform {
                node,
                attempt,
                incarnation,
            } => {
                let end = self.effect(node, attempt.clone());
                let performed = Input::Performed { node, attempt, end };
                (incarnation == self.incarnation).then_some((None, performed))
            }
        }
    }

    /// Whether what was sent to a host arrives.
    fn arrives(&mut self, host: &HostName) -> bool {
        self.hosts[host].deaf_until <= self.now || self.random.chance(500)
    }

    /// Whether the controller that is there hears what a host says over this link.
    pub(super) fn hears(&self, host: &HostName, from: (u32, u32)) -> bool {
        let there = &self.hosts[host];
        from == (self.incarnation, there.link) && there.deaf_until <= self.now
    }

    fn answer_ready(
        &mut self,
        host: HostName,
        incarnation: u32,
    ) -> Option<(Option<HostName>, Input)> {
        if incarnation != self.incarnation {
            return None;
        }
        let (now, epoch) = (self.now, self.epoch);
        let there = self.hosts.get_mut(&host)?;
        if there.reachable_from > now {
            let later = there.reachable_from - now;
            self.later(later, Coming::Ready { host, incarnation });
            return None;
        }
        there.deaf_until = 0;
        there.known = there.link;
        there.epoch = there.epoch.max(epoch);
        let boot = there.boot_id();
        let machine = format!("machine-{host}");
        let ready = Input::HostReady {
            host,
            boot,
            machine,
            clock_offset_ms: 0,
        };
        Some((None, ready))
    }

    /// Whether a host takes a launch: not under another boot, and hardly ever from a controller that
    /// was followed by another one. Between that question and the claim there is a moment.
    fn lets_launch(&mut self, host: &HostName, epoch: Epoch, boot: &str) -> bool {
        let there = &self.hosts[host];
        let fenced = there.epoch > epoch && self.wrong != Some(Wrong::NoFence);
        there.boot_id() == boot && (!fenced || self.in_the_gap(host, epoch))
    }

    /// A launch that was asked about before its controller's follower was there is claimed after.
    fn in_the_gap(&mut self, host: &HostName, epoch: Epoch) -> bool {
        let next = self.hosts[host].epoch.0 == epoch.0 + 1;
        next && self.ghost.is_none() && self.random.chance(300)
    }

    fn claim(
        &mut self,
        host: &HostName,
        unit: &AttemptId,
        node: NodeIx,
        epoch: Epoch,
        watch: Option<(u32, u32)>,
    ) {
        let now = self.now;
        let members = self.chains.get(unit).cloned();
        let Some(there) = self.hosts.get_mut(host) else {
            return;
        };
        if let Some(known) = there
            .units
            .get_mut(unit)
            .filter(|_| self.wrong != Some(Wrong::NoClaim))
        {
            // Whoever launches follows what is there already.
            known.watch = watch.or(known.watch);
            if let (Some((_, members)), Some((incarnation, link))) =
                (known.chain_found(unit), watch)
            {
                let from = Some((host.clone(), link));
                return self.later(1, Coming::Input(incarnation, from, members));
            }
            let found = match &known.now {
                UnitNow::Running => return,
                UnitNow::Cancelled => UnitFound::NoTrace,
                UnitNow::Done(end) => UnitFound::Ended(end.clone()),
                UnitNow::Lost(found) => UnitFound::Lost((*found).to_owned()),
            };
            if let Some((incarnation, link)) = watch {
                let (unit, from) = (unit.clone(), Some((host.clone(), link)));
                let input = Input::UnitState { unit, found };
                self.later(1, Coming::Input(incarnation, from, input));
            }
            return;
        }
        let boot = there.boot;
        let chain = members.map(|members| SimChain::new(members, epoch, now));
        let is_chain = chain.is_some();
        let claimed = Unit {
            node,
            now: UnitNow::Running,
            watch,
            chain,
        };
        there.units.insert(unit.clone(), claimed);
        if is_chain {
            return self.schedule(host, unit, boot, node, Section::Look);
        }
        self.began(node, unit.clone());
        let end = Coming::End {
            host: host.clone(),
            unit: unit.clone(),
            boot,
        };
        self.later(self.behaviours[node.at()].takes, end);
    }

    pub(super) fn take_a_look(&mut self, node: NodeIx, purpose: Purpose) -> View {
        let old = self.said.get(&node);
        if let (Some(Wrong::OldVerdict), Purpose::After | Purpose::Doubt, Some(view)) =
            (self.wrong, purpose, old)
        {
            return view.clone();
        }
        self.happened(node, What::Look);
        let kind = self.kind_of(node);
        let view = self.truths[node.at()].look(&self.behaviours[node.at()], kind, purpose);
        if purpose == Purpose::Before {
            self.said.insert(node, view.clone());
        }
        view
    }

    fn end(&mut self, host: &HostName, unit: AttemptId, boot: u32) -> Option<Input> {
        let there = &self.hosts[host];
        let found = there
            .units
            .get(&unit)
            .filter(|u| there.boot == boot && matches!(u.now, UnitNow::Running))?;
        let (node, watch) = (found.node, found.watch);
        let end = self.effect(node, unit.clone());
        let there = self.hosts.get_mut(host)?.units.get_mut(&unit)?;
        there.now = UnitNow::Done(end.clone());
        let hears = watch.is_some_and(|from| self.hears(host, from));
        hears.then_some(Input::Ended { unit, end })
    }

    /// What runs is ended: perhaps after its effect.
    fn kill(&mut self, host: &HostName, unit: AttemptId) -> Option<Input> {
        let found = self.hosts[host].units.get(&unit);
        let found = found.filter(|u| matches!(u.now, UnitNow::Running))?;
        let (node, watch) = (found.node, found.watch);
        let acting = found.chain.as_ref().map(|chain| chain.acting().cloned());
        if let Some(acting) = acting {
            if let Some(link) = acting.filter(|_| self.random.chance(300)) {
                self.effect(link.node, link.attempt);
            }
            let hears = watch.is_some_and(|from| self.hears(host, from));
            let there = self.hosts.get_mut(host)?.units.get_mut(&unit)?;
            there.kill_chain(Some(cancelled()));
            let (_, members) = there.chain_found(&unit)?;
            return hears.then_some(members);
        }
        if self.random.chance(300) {
            self.effect(node, unit.clone());
        }
        let end = AttemptEnd::Failed(cancelled());
        let there = self.hosts.get_mut(host)?.units.get_mut(&unit)?;
        there.now = UnitNow::Done(end.clone());
        let hears = watch.is_some_and(|from| self.hears(host, from));
        hears.then_some(Input::Ended { unit, end })
    }

    pub(super) fn effect(&mut self, node: NodeIx, attempt: AttemptId) -> AttemptEnd {
        let undo = self.undos.contains(&attempt);
        let end = match undo {
            true => self.truths[node.at()].undo(&self.behaviours[node.at()]),
            false => self.truths[node.at()].apply(&self.behaviours[node.at()]),
        };
        if matches!(end, AttemptEnd::Completed { .. }) {
            let what = match undo {
                true => What::Undone(attempt),
                false => What::Effect(attempt),
            };
            self.happened(node, what);
        }
        end
    }

    pub(super) fn began(&mut self, node: NodeIx, attempt: AttemptId) {
        self.happened(node, What::Began(attempt));
    }

    fn happened(&mut self, node: NodeIx, what: What) {
        self.happenings.push(Happening {
            at: self.now,
            node,
            during: self.incarnation,
            seq: self.journal.len() as u64,
            what,
        });
    }

    pub(super) fn later(&mut self, delay: Millis, coming: Coming) {
        self.sequence += 1;
        let at = self.now.saturating_add(delay.max(0));
        self.events.insert((at, self.sequence), coming);
    }

    /// The controller and the link that something goes out on now.
    pub(super) fn link(&self, host: &HostName) -> (u32, u32) {
        (self.incarnation, self.hosts[host].known)
    }

    pub(super) fn host_of(&self, node: NodeIx) -> HostName {
        self.plan.runs_on(node).expect("an instance").clone()
    }

    pub(super) fn kind_of(&self, node: NodeIx) -> TypeKind {
        let (step, _) = self.plan.instance(node).expect("an instance");
        self.plan.type_of(step).expect("a type of the plan").kind
    }
}
