//! What strikes controllers, links and hosts.

use runbook_model::event::AttemptEnd;
use runbook_model::{AttemptId, Failure, FailureKind, HostName, Millis, NodeIx, RunState};

use super::controller::World;
use super::fault::Fault;
use super::host::{Unit, UnitNow};
use super::nature::Coming;
use crate::dispatcher::{Input, UnitFound};
use crate::rules::Rules;

/// How long a controller sleeps, in milliseconds.
const HOUR: Millis = 3_600_000;

impl<R: Rules + Clone> World<R> {
    /// What strikes the controller itself before its next input.
    pub(super) fn disturb(&mut self, state: &RunState) -> Option<Input> {
        let faults = self.faults;
        if self.faults.budget > 0 && self.random.chance(faults.interrupt) {
            let (fault, input) = match self.random.chance(300) {
                true => (Fault::Detach, Input::Detach),
                false => (Fault::Interrupt, Input::Interrupt),
            };
            self.faults.budget -= 1;
            self.note(fault, None);
            return Some(input);
        }
        if self.faults.strikes(faults.orders, &mut self.random) {
            self.want_something(state);
        }
        if self.strikes(faults.clock, Fault::ClockSet, None) {
            let by = i64::try_from(self.random.below(40_000)).unwrap_or(0) - 20_000;
            self.offset = self.offset.saturating_add(by);
        }
        if self.strikes(faults.sleep, Fault::Sleep, None) {
            self.sleep();
        }
        self.disturb_work();
        self.haunt();
        None
    }

    /// Something happens where an attempt runs, while nothing goes there.
    fn disturb_work(&mut self) {
        if self.faults.budget == 0 {
            return;
        }
        let runs = |unit: &Unit| matches!(unit.now, UnitNow::Running);
        let at_work = self
            .hosts
            .iter()
            .filter(|(_, host)| host.units.values().any(runs))
            .map(|(name, _)| name.clone());
        let at_work: Vec<HostName> = at_work.collect();
        if !at_work.is_empty() {
            let host = self.random.pick(&at_work).clone();
            self.misfortune(&host);
        }
    }

    /// Links do not survive it; hosts go on.
    fn sleep(&mut self) {
        self.asleep_until = self.now + HOUR;
        let hosts: Vec<HostName> = self.hosts.keys().cloned().collect();
        for host in hosts {
            if let Some(there) = self.hosts.get_mut(&host) {
                there.link += 1;
            }
            // After all that came over it while nobody listened.
            self.lost(host, HOUR + 1);
        }
    }

    /// The controller hears that a link is lost.
    fn lost(&mut self, host: HostName, after: Millis) {
        let problem = "connection reset".into();
        let lost = Input::HostLost { host, problem };
        self.later(after, Coming::Input(self.incarnation, None, lost));
    }

    /// Something happens to a host or the link to it, now or a little later than what was just sent.
    pub(super) fn misfortune(&mut self, host: &HostName) {
        let faults = self.faults;
        let at = Some(host);
        if self.faults.budget > 0 && self.random.chance(faults.reboot) {
            self.faults.budget -= 1;
            let forgets = self.random.chance(faults.forgets);
            let fault = match forgets {
                true => Fault::Forgets,
                false => Fault::Reboot,
            };
            self.note(fault, at);
            self.reboot(host, forgets);
            self.cut(host);
        } else if self.strikes(faults.cut, Fault::Cut, at) {
            self.cut(host);
        } else if self.strikes(faults.half_open, Fault::HalfOpen, at) {
            self.half_open(host);
        } else if self.strikes(faults.killed, Fault::Killed, at) {
            self.kill_something(host);
        } else if self.strikes(faults.slow, Fault::Slow, at) {
            let until = self.now + 1000;
            if let Some(there) = self.hosts.get_mut(host) {
                there.slow_until = until;
            }
        }
    }

    fn cut(&mut self, host: &HostName) {
        let down = i64::try_from(self.random.below(200)).unwrap_or(0);
        let now = self.now;
        if let Some(there) = self.hosts.get_mut(host) {
            there.link += 1;
            there.reachable_from = now + down;
        }
        self.lost(host.clone(), 0);
    }

    /// Nothing comes back any more, and what is sent may arrive or not, until that is noticed.
    fn half_open(&mut self, host: &HostName) {
        let after = 1 + i64::try_from(self.random.below(500)).unwrap_or(0);
        let (now, incarnation) = (self.now, self.incarnation);
        if let Some(there) = self.hosts.get_mut(host) {
            there.link += 1;
            there.deaf_until = now + after;
        }
        let host = host.clone();
        self.later(after, Coming::Noticed { host, incarnation });
    }

    /// What a slow link adds to the way of what is sent now.
    pub(super) fn lag(&mut self, host: &HostName) -> Millis {
        match self.hosts[host].slow_until > self.now {
            true => i64::try_from(self.random.below(400)).unwrap_or(0),
            false => 0,
        }
    }

    /// What ran is cut off, before or after its effect. What was not written is lost: the trace of
    /// an attempt, or its end.
    fn reboot(&mut self, host: &HostName, forgets: bool) {
        let Some(there) = self.hosts.get_mut(host) else {
            return;
        };
        there.boot += 1;
        let units = there.units.iter();
        let units: Vec<(AttemptId, NodeIx, bool)> = units
            .map(|(id, unit)| (id.clone(), unit.node, matches!(unit.now, UnitNow::Running)))
            .collect();
        for (id, node, running) in units {
            if self.reboot_chain(host, &id, running, forgets) {
                continue;
            }
            if running && self.random.chance(500) {
                self.effect(node, id.clone());
            }
            let (gone, older) = (self.random.chance(400), self.random.chance(500));
            let Some(there) = self.hosts.get_mut(host) else {
                return;
            };
            if forgets && gone {
                there.units.remove(&id);
            } else if let Some(unit) = there.units.get_mut(&id)
                && (running || (forgets && older && matches!(unit.now, UnitNow::Done(_))))
            {
                unit.now = UnitNow::Lost("the host has booted since");
            }
        }
    }

    /// The same for a chain; false if the unit is none.
    fn reboot_chain(&mut self, host: &HostName, id: &AttemptId, runs: bool, forgets: bool) -> bool {
        let found = self.hosts[host].units.get(id);
        let Some(chain) = found.and_then(|unit| unit.chain.clone()) else {
            return false;
        };
        let acting = chain.acting().filter(|_| runs).cloned();
        if let Some(link) = acting.filter(|_| self.random.chance(500)) {
            self.effect(link.node, link.attempt);
        }
        let (gone, older) = (self.random.chance(400), self.random.chance(500));
        let written = u64::try_from(chain.written()).unwrap_or(0) + 1;
        let to = usize::try_from(self.random.below(written)).unwrap_or(0);
        let Some(there) = self.hosts.get_mut(host) else {
            return true;
        };
        if forgets && gone {
            there.units.remove(id);
        } else if let Some(unit) = there.units.get_mut(id)
            && let Some(chain) = &mut unit.chain
            && (runs || (forgets && older))
        {
            if forgets {
                chain.forget(to);
            }
            chain.lose("the host has booted since", false);
            unit.now = UnitNow::Lost("the host has booted since");
        }
        true
    }

    /// Something that runs is killed, perhaps with what would have said so.
    fn kill_something(&mut self, host: &HostName) {
        let units = self.hosts[host].units.iter();
        let running: Vec<(AttemptId, NodeIx)> = units
            .filter(|(_, unit)| matches!(unit.now, UnitNow::Running))
            .map(|(id, unit)| (id.clone(), unit.node))
            .collect();
        if running.is_empty() {
            return;
        }
        let (id, node) = self.random.pick(&running).clone();
        if self.kill_chain(host, &id) {
            return;
        }
        if self.random.chance(500) {
            self.effect(node, id.clone());
        }
        let silent = self.random.chance(500);
        let failure = killed();
        let end = AttemptEnd::Failed(failure);
        let Some(unit) = self.hosts.get_mut(host).and_then(|h| h.units.get_mut(&id)) else {
            return;
        };
        let (now, input) = match silent {
            true => {
                let found = "it was killed";
                let told = UnitFound::Lost(found.into());
                let unit = id;
                (UnitNow::Lost(found), Input::UnitState { unit, found: told })
            }
            false => {
                let done = UnitNow::Done(end.clone());
                (done, Input::Ended { unit: id, end })
            }
        };
        unit.now = now;
        if let Some((incarnation, link)) = unit.watch {
            let from = Some((host.clone(), link));
            self.later(3, Coming::Input(incarnation, from, input));
        }
    }

    /// The same for a chain; false if the unit is none.
    fn kill_chain(&mut self, host: &HostName, id: &AttemptId) -> bool {
        let found = self.hosts[host].units.get(id);
        let Some(chain) = found.and_then(|unit| unit.chain.as_ref()) else {
            return false;
        };
        let acting = chain.acting().cloned();
        if let Some(link) = acting.filter(|_| self.random.chance(500)) {
            self.effect(link.node, link.attempt);
        }
        let failure = killed();
        let failure = self.random.chance(500).then_some(failure);
        let Some(unit) = self.hosts.get_mut(host).and_then(|h| h.units.get_mut(id)) else {
            return true;
        };
        unit.kill_chain(failure);
        if let (Some((_, members)), Some((incarnation, link))) = (unit.chain_found(id), unit.watch)
        {
            let from = Some((host.clone(), link));
            self.later(3, Coming::Input(incarnation, from, members));
        }
        true
    }
}

/// What the host says of a script that somebody else has killed.
fn killed() -> Failure {
    Failure {
        status: Some(137),
        ..Failure::new(FailureKind::Apply, "killed by signal 9")
    }
}
