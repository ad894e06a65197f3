//! What happens between the controller and the hosts, and on the hosts: launches, checks, questions
//! and answers, each in its time, and what breaks on the way.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Purpose};
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, HostName, Millis, NodeIx};

use super::controller::World;
use super::host::{Happening, SimHost, Unit, UnitNow, What};
use crate::dispatcher::Input;
use crate::rules::Rules;

/// Something under way.
pub(super) enum Coming {
    /// To the controller of this incarnation, on this link if it comes from a host.
    Input(u32, Option<(HostName, u32)>, Input),
    /// A launch, from the controller of this incarnation over this link.
    Launch {
        host: HostName,
        unit: AttemptId,
        node: NodeIx,
        from: (u32, u32),
        answered: bool,
    },
    /// A running attempt reaches its end, under this boot.
    End {
        host: HostName,
        unit: AttemptId,
        boot: u32,
    },
    /// A question about a unit.
    Attend {
        host: HostName,
        unit: AttemptId,
        node: NodeIx,
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
    pub(super) fn launch(&mut self, unit: AttemptId, node: NodeIx, host: &HostName) {
        let from = self.link(host);
        let silent = self.faults.strikes(self.faults.silence, &mut self.random);
        if let Some(limit) = self.behaviours[node.at()].limit {
            self.later_from(host, limit, Input::OverTime { unit: unit.clone() });
        }
        let arrives = !silent || self.random.chance(600);
        if arrives {
            let delay = if silent {
                1 + i64::try_from(self.random.below(300)).unwrap_or(0)
            } else {
                2
            };
            let launch = Coming::Launch {
                host: host.clone(),
                unit: unit.clone(),
                node,
                from,
                answered: !silent,
            };
            self.later(delay, launch);
        }
        if silent {
            self.later_from(host, 20, Input::LaunchUnknown { unit });
        }
        self.misfortune(host);
    }

    /// A host is there from the first time that it is asked for: nothing goes to it before that.
    pub(super) fn ready(&mut self, host: &HostName) {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.clone(), SimHost::new());
        }
        if self
            .faults
            .strikes(self.faults.unreachable, &mut self.random)
        {
            let problem = "no route to host".to_owned();
            return self.later_from(
                host,
                30,
                Input::HostUnusable {
                    host: host.clone(),
                    problem,
                },
            );
        }
        let there = &self.hosts[host];
        let delay = (there.reachable_from - self.now).max(0) + 5;
        let boot = there.boot_id();
        let machine = format!("machine-{host}");
        self.later_from(
            host,
            delay,
            Input::HostReady {
                host: host.clone(),
                boot,
                machine,
                clock_offset_ms: 0,
            },
        );
    }

    /// The link breaks, or the host reboots, now or a little later than what was just sent.
    pub(super) fn misfortune(&mut self, host: &HostName) {
        let reboots = self.faults.strikes(self.faults.reboot, &mut self.random);
        if !reboots && !self.faults.strikes(self.faults.cut, &mut self.random) {
            return;
        }
        if reboots {
            self.reboot(host);
        }
        let lost = Input::HostLost {
            host: host.clone(),
            problem: "connection reset".into(),
        };
        let down = i64::try_from(self.random.below(200)).unwrap_or(0);
        let there = self.hosts.get_mut(host).expect("a host of the plan");
        there.link += 1;
        there.reachable_from = self.now + down;
        self.later(0, Coming::Input(self.incarnation, None, lost));
    }

    /// What ran is cut off, before or after its effect; the trace of it may be gone as well.
    fn reboot(&mut self, host: &HostName) {
        let there = self.hosts.get_mut(host).expect("a host of the plan");
        there.boot += 1;
        let running = there
            .units
            .iter()
            .filter(|(_, unit)| matches!(unit.now, UnitNow::Running));
        let running: Vec<_> = running.map(|(id, unit)| (id.clone(), unit.node)).collect();
        for (id, node) in running {
            let (effect, forgotten) = (self.random.chance(500), self.random.chance(300));
            if effect {
                self.effect(node, id.clone());
            }
            let units = &mut self.hosts.get_mut(host).expect("a host of the plan").units;
            if forgotten {
                units.remove(&id);
            } else if let Some(unit) = units.get_mut(&id) {
                unit.now = UnitNow::Lost;
            }
        }
    }

    /// The next thing happens; what it tells the controller, if anything.
    pub(super) fn next_input(&mut self) -> Option<Input> {
        let ((at, _), coming) = self.events.pop_first()?;
        self.now = self.now.max(at);
        match coming {
            Coming::Input(incarnation, link, input) => {
                let current = link.is_none_or(|(host, link)| self.hosts[&host].link == link);
                (incarnation == self.incarnation && current).then_some(input)
            }
            Coming::Launch {
                host,
                unit,
                node,
                from,
                answered,
            } => {
                let boot = self.hosts[&host].boot;
                let there = self.hosts.get_mut(&host).expect("a host of the plan");
                if !there.units.contains_key(&unit) {
                    let watch = answered.then_some(from);
                    there.units.insert(
                        unit.clone(),
                        Unit {
                            node,
                            now: UnitNow::Running,
                            watch,
                        },
                    );
                    self.began(node, unit.clone());
                    let takes = self.behaviours[node.at()].takes;
                    self.later(
                        takes,
                        Coming::End {
                            host: host.clone(),
                            unit: unit.clone(),
                            boot,
                        },
                    );
                }
                (answered && from == self.link(&host)).then_some(Input::Launched { unit })
            }
            Coming::End { host, unit, boot } => self.end(&host, unit, boot),
            Coming::Attend {
                host,
                unit,
                node,
                from,
            } => {
                if from != self.link(&host) {
                    return None;
                }
                let found = self
                    .hosts
                    .get_mut(&host)
                    .expect("a host of the plan")
                    .attend(&unit, node, from);
                Some(Input::UnitState { unit, found })
            }
            Coming::Look {
                host,
                look,
                node,
                purpose,
                from,
            } => {
                if from != self.link(&host) {
                    return None;
                }
                self.happenings.push(Happening {
                    at: self.now,
                    node,
                    what: What::Look,
                });
                let kind = self.kind_of(node);
                let view = self.truths[node.at()].look(&self.behaviours[node.at()], kind, purpose);
                let before = BTreeMap::from([("was".to_owned(), "old".to_owned())]);
                Some(Input::Looked {
                    look,
                    node,
                    verdict: view.verdict,
                    outputs: view.outputs,
                    before,
                })
            }
            Coming::Perform {
                node,
                attempt,
                incarnation,
            } => {
                let end = self.effect(node, attempt.clone());
                (incarnation == self.incarnation).then_some(Input::Performed { node, attempt, end })
            }
        }
    }

    fn end(&mut self, host: &HostName, unit: AttemptId, boot: u32) -> Option<Input> {
        let current = self.link(host);
        let there = &self.hosts[host];
        let found = there
            .units
            .get(&unit)
            .filter(|u| there.boot == boot && matches!(u.now, UnitNow::Running))?;
        let (node, watch) = (found.node, found.watch);
        let end = self.effect(node, unit.clone());
        if let Some(found) = self
            .hosts
            .get_mut(host)
            .and_then(|h| h.units.get_mut(&unit))
        {
            found.now = UnitNow::Done(end.clone());
        }
        (watch == Some(current)).then_some(Input::Ended { unit, end })
    }

    pub(super) fn effect(&mut self, node: NodeIx, attempt: AttemptId) -> AttemptEnd {
        let undo = self.undos.contains(&attempt);
        let end = match undo {
            true => self.truths[node.at()].undo(&self.behaviours[node.at()]),
            false => self.truths[node.at()].apply(&self.behaviours[node.at()]),
        };
        if matches!(end, AttemptEnd::Completed { .. }) {
            self.happenings.push(Happening {
                at: self.now,
                node,
                what: match undo {
                    true => What::Undone(attempt),
                    false => What::Effect(attempt),
                },
            });
        }
        end
    }

    pub(super) fn began(&mut self, node: NodeIx, attempt: AttemptId) {
        self.happenings.push(Happening {
            at: self.now,
            node,
            what: What::Began(attempt),
        });
    }

    pub(super) fn later(&mut self, delay: Millis, coming: Coming) {
        self.sequence += 1;
        self.events.insert(
            (self.now.saturating_add(delay.max(0)), self.sequence),
            coming,
        );
    }

    pub(super) fn later_from(&mut self, host: &HostName, delay: Millis, input: Input) {
        let link = self.hosts[host].link;
        self.later(
            delay,
            Coming::Input(self.incarnation, Some((host.clone(), link)), input),
        );
    }

    /// The controller and the link that something goes out on now.
    pub(super) fn link(&self, host: &HostName) -> (u32, u32) {
        (self.incarnation, self.hosts[host].link)
    }

    pub(super) fn host_of(&self, node: NodeIx) -> HostName {
        self.plan.runs_on(node).expect("an instance").clone()
    }

    fn kind_of(&self, node: NodeIx) -> TypeKind {
        let (step, _) = self.plan.instance(node).expect("an instance");
        self.plan.type_of(step).expect("a type of the plan").kind
    }
}
