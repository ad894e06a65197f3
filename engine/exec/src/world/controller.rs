//! The world itself: it carries the dispatcher's actions out in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runbook_model::event::{AttemptEnd, Controller};
use runbook_model::state::FoldError;
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Epoch, HostName, Millis, NodeIx, Outcome, Plan, Record, RunId, RunResult, RunState};

use super::fault::Faults;
use super::host::{Behaviour, Happening, SimHost, Truth, Unit, UnitNow, What, outputs};
use super::random::Random;
use super::tables::Tables;
use crate::dispatcher::{Action, AttemptIds, Dispatcher, Input, Options};
use crate::graph::GraphError;

/// How one controller's part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It closed.
    Closed(RunResult),
    /// It died.
    Crashed,
    /// The dispatcher found itself wrong.
    Fault(String),
    /// Nothing is under way, and it has not ended.
    Stuck,
    /// The journal does not fold.
    Unreadable(FoldError),
    /// The plan is not consistent.
    BadPlan(GraphError),
}

/// A world with one plan.
pub struct World {
    /// What is run.
    pub plan: Arc<Plan>,
    /// What conditions say.
    pub tables: Tables,
    /// Limits.
    pub options: Options,
    /// What goes wrong.
    pub faults: Faults,
    /// The journal, as far as it survived.
    pub journal: Vec<Record>,
    /// What really happened on the hosts.
    pub happenings: Vec<Happening>,
    /// The time.
    pub now: Millis,
    random: Random,
    behaviours: Vec<Behaviour>,
    truths: Vec<Truth>,
    hosts: BTreeMap<HostName, SimHost>,
    events: BTreeMap<(Millis, u64), Coming>,
    sequence: u64,
    durable: usize,
    incarnation: u32,
    ids: Arc<AtomicU64>,
}

/// Something under way.
enum Coming {
    /// To the controller of this incarnation, on this link if it comes from a host.
    Input(u32, Option<(HostName, u32)>, Input),
    /// A launch, from the controller of this incarnation over this link.
    Launch { host: HostName, unit: AttemptId, node: NodeIx, from: (u32, u32), answered: bool },
    /// A running attempt reaches its end, under this boot.
    End { host: HostName, unit: AttemptId, boot: u32 },
    /// A question about a unit.
    Attend { host: HostName, unit: AttemptId, node: NodeIx, from: (u32, u32) },
    /// A check ends.
    Look { host: HostName, look: u64, node: NodeIx, from: (u32, u32) },
    /// The engine's own work ends.
    Perform { node: NodeIx, attempt: AttemptId, incarnation: u32 },
}

impl World {
    /// A world where nothing has happened.
    #[must_use]
    pub fn new(plan: Plan, behaviours: Vec<Behaviour>, seed: u64) -> Self {
        let hosts = plan.instances().map(|(_, _, host)| (host.clone(), SimHost::new())).collect();
        Self {
            truths: behaviours.iter().map(Truth::new).collect(),
            plan: Arc::new(plan),
            tables: Tables::default(),
            options: Options::default(),
            faults: Faults::default(),
            journal: Vec::new(),
            happenings: Vec::new(),
            now: 1_000_000,
            random: Random::new(seed),
            behaviours,
            hosts,
            events: BTreeMap::new(),
            sequence: 0,
            durable: 0,
            incarnation: 0,
            ids: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Whether wanted state is there.
    #[must_use]
    pub fn is_there(&self, node: NodeIx) -> bool {
        self.truths[node.at()].there
    }

    /// What the journal adds up to.
    ///
    /// # Errors
    /// It does not fold.
    pub fn state(&self) -> Result<RunState, FoldError> {
        let mut state = RunState::default();
        for record in &self.journal {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Controllers follow each other until the run is over, or as many as given. A run that no
    /// resume can move on ends it too.
    pub fn run_to_end(&mut self, controllers: usize) -> Vec<Ending> {
        let mut endings = Vec::new();
        while endings.len() < controllers {
            let ending = self.run();
            let over = match &ending {
                Ending::Closed(result) => result.is_final() || self.needs_a_person(),
                Ending::Crashed => false,
                Ending::Fault(_) | Ending::Stuck | Ending::Unreadable(_) | Ending::BadPlan(_) => true,
            };
            endings.push(ending);
            if over {
                break;
            }
            self.now += 1 + i64::try_from(self.random.below(2000)).unwrap_or(0);
        }
        endings
    }

    fn needs_a_person(&self) -> bool {
        use runbook_model::{Failure, FailureKind};
        let in_doubt =
            |o: &Option<Outcome>| matches!(o, Some(Outcome::Failed(Failure { kind: FailureKind::InDoubt, .. })));
        self.state().is_ok_and(|state| state.nodes.iter().any(|n| in_doubt(&n.outcome)))
    }

    /// One controller's part: opens the run, or takes it over from the journal.
    pub fn run(&mut self) -> Ending {
        let state = match self.state() {
            Ok(state) => state,
            Err(error) => return Ending::Unreadable(error),
        };
        self.incarnation += 1;
        let epoch = Epoch(state.epoch.0 + 1);
        let ids = Arc::clone(&self.ids);
        let next = move || {
            let number = ids.fetch_add(1, Ordering::Relaxed);
            AttemptId::new(format!("a{number}")).expect("a valid attempt id")
        };
        let ids: AttemptIds = Box::new(next);
        let plan = Arc::clone(&self.plan);
        let mut dispatcher = match Dispatcher::resume(plan, self.tables.clone(), self.options, ids, state) {
            Ok(dispatcher) => dispatcher,
            Err(error) => return Ending::BadPlan(error),
        };
        let run = RunId::new("sim").expect("a valid run id");
        let controller =
            Controller { host: "sim".into(), pid: self.incarnation, user: "sim".into(), engine: "sim".into() };
        let mut wake = None;
        let mut actions = dispatcher.open(self.now, run, controller, epoch);
        loop {
            match self.carry_out(actions, &mut wake) {
                Some(Ending::Crashed) => return self.crash(),
                Some(ending) => {
                    self.durable = self.journal.len();
                    return ending;
                }
                None => {}
            }
            if self.faults.strikes(self.faults.interrupt, &mut self.random) {
                let input = if self.random.chance(300) { Input::Detach } else { Input::Interrupt };
                actions = dispatcher.handle(self.now, input);
                continue;
            }
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            actions = match (next, wake) {
                (at, Some(tick)) if at.is_none_or(|at| tick < at) => {
                    wake = None;
                    self.now = self.now.max(tick);
                    dispatcher.handle(self.now, Input::Tick)
                }
                (Some(_), _) => match self.next_input() {
                    Some(input) => dispatcher.handle(self.now, input),
                    None => Vec::new(),
                },
                (None, _) => return Ending::Stuck,
            };
        }
    }

    fn crash(&mut self) -> Ending {
        let volatile = self.journal.len() - self.durable;
        let kept = usize::try_from(self.random.below(volatile as u64 + 1)).unwrap_or(0);
        self.journal.truncate(self.durable + kept);
        self.durable = self.journal.len();
        // What the dead controller was copying stops, before or after its effect; a launch that has
        // left it may still arrive, however late.
        let performing = self.events.iter().filter_map(|(key, coming)| match coming {
            Coming::Perform { node, attempt, .. } => Some((*key, *node, attempt.clone())),
            _ => None,
        });
        let performing: Vec<_> = performing.collect();
        for (key, node, attempt) in performing {
            self.events.remove(&key);
            if self.random.chance(500) {
                self.effect(node, attempt);
            }
        }
        Ending::Crashed
    }

    /// Does as told, in order; the controller may die between any two.
    fn carry_out(&mut self, actions: Vec<Action>, wake: &mut Option<Millis>) -> Option<Ending> {
        for action in actions {
            if self.faults.strikes(self.faults.crash, &mut self.random) {
                return Some(Ending::Crashed);
            }
            match action {
                Action::Record(record) => self.journal.push(record),
                Action::Wake { at } => *wake = Some(at),
                Action::End(result) => return Some(Ending::Closed(result)),
                Action::Fault(text) => return Some(Ending::Fault(text)),
                Action::Ready { host } => self.ready(&host),
                Action::Ask { node } => {
                    let approved = self.truths[node.at()].answer(&self.behaviours[node.at()]);
                    self.later(50, Coming::Input(
                        self.incarnation,
                        None,
                        Input::Answered { node, approved, by: "somebody".into() },
                    ));
                }
                Action::Perform { node, attempt } => {
                    self.durable = self.journal.len();
                    self.began(node, attempt.clone());
                    let takes = self.behaviours[node.at()].takes;
                    self.later(takes, Coming::Perform { node, attempt, incarnation: self.incarnation });
                }
                Action::Look { look, node, .. } => {
                    let host = self.host_of(node);
                    let from = self.link(&host);
                    let takes = self.behaviours[node.at()].looks;
                    self.later(takes, Coming::Look { host: host.clone(), look, node, from });
                    self.misfortune(&host);
                }
                Action::Attend { unit, node, host } => {
                    let from = self.link(&host);
                    self.later(2, Coming::Attend { host: host.clone(), unit, node, from });
                    self.misfortune(&host);
                }
                Action::Launch { unit, node, host, .. } => {
                    self.durable = self.journal.len();
                    self.launch(unit, node, &host);
                }
            }
        }
        None
    }

    fn launch(&mut self, unit: AttemptId, node: NodeIx, host: &HostName) {
        let from = self.link(host);
        let silent = self.faults.strikes(self.faults.silence, &mut self.random);
        if let Some(limit) = self.behaviours[node.at()].limit {
            self.from_host(host, limit, Input::OverTime { unit: unit.clone() });
        }
        let arrives = !silent || self.random.chance(600);
        if arrives {
            let delay = if silent { 1 + i64::try_from(self.random.below(300)).unwrap_or(0) } else { 2 };
            let launch = Coming::Launch { host: host.clone(), unit: unit.clone(), node, from, answered: !silent };
            self.later(delay, launch);
        }
        if silent {
            self.from_host(host, 20, Input::LaunchUnknown { unit });
        }
        self.misfortune(host);
    }

    fn ready(&mut self, host: &HostName) {
        if self.faults.strikes(self.faults.unreachable, &mut self.random) {
            let problem = "no route to host".to_owned();
            return self.from_host(host, 30, Input::HostUnusable { host: host.clone(), problem });
        }
        let there = &self.hosts[host];
        let delay = (there.reachable_from - self.now).max(0) + 5;
        let boot = there.boot_id();
        let machine = format!("machine-{host}");
        self.from_host(host, delay, Input::HostReady { host: host.clone(), boot, machine, clock_offset_ms: 0 });
    }

    /// The link breaks, or the host reboots, now or a little later than what was just sent.
    fn misfortune(&mut self, host: &HostName) {
        let reboots = self.faults.strikes(self.faults.reboot, &mut self.random);
        if !reboots && !self.faults.strikes(self.faults.cut, &mut self.random) {
            return;
        }
        if reboots {
            self.reboot(host);
        }
        let lost = Input::HostLost { host: host.clone(), problem: "connection reset".into() };
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
        let running = there.units.iter().filter(|(_, unit)| matches!(unit.now, UnitNow::Running));
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
    fn next_input(&mut self) -> Option<Input> {
        let ((at, _), coming) = self.events.pop_first()?;
        self.now = self.now.max(at);
        match coming {
            Coming::Input(incarnation, link, input) => {
                let current = link.is_none_or(|(host, link)| self.hosts[&host].link == link);
                (incarnation == self.incarnation && current).then_some(input)
            }
            Coming::Launch { host, unit, node, from, answered } => {
                let boot = self.hosts[&host].boot;
                let there = self.hosts.get_mut(&host).expect("a host of the plan");
                if !there.units.contains_key(&unit) {
                    let watch = answered.then_some(from);
                    there.units.insert(unit.clone(), Unit { node, now: UnitNow::Running, watch });
                    self.began(node, unit.clone());
                    let takes = self.behaviours[node.at()].takes;
                    self.later(takes, Coming::End { host: host.clone(), unit: unit.clone(), boot });
                }
                (answered && from == self.link(&host)).then_some(Input::Launched { unit })
            }
            Coming::End { host, unit, boot } => self.end(&host, unit, boot),
            Coming::Attend { host, unit, node, from } => {
                if from != self.link(&host) {
                    return None;
                }
                let found = self.hosts.get_mut(&host).expect("a host of the plan").attend(&unit, node, from);
                Some(Input::UnitState { unit, found })
            }
            Coming::Look { host, look, node, from } => {
                if from != self.link(&host) {
                    return None;
                }
                self.happenings.push(Happening { at: self.now, node, what: What::Look });
                let kind = self.kind_of(node);
                let verdict = self.truths[node.at()].look(&self.behaviours[node.at()], kind);
                let before = BTreeMap::from([("was".to_owned(), "old".to_owned())]);
                Some(Input::Looked { look, node, verdict, outputs: outputs(), before })
            }
            Coming::Perform { node, attempt, incarnation } => {
                let end = self.effect(node, attempt.clone());
                (incarnation == self.incarnation).then_some(Input::Performed { node, attempt, end })
            }
        }
    }

    fn end(&mut self, host: &HostName, unit: AttemptId, boot: u32) -> Option<Input> {
        let current = self.link(host);
        let there = &self.hosts[host];
        let found = there.units.get(&unit).filter(|u| there.boot == boot && matches!(u.now, UnitNow::Running))?;
        let (node, watch) = (found.node, found.watch);
        let end = self.effect(node, unit.clone());
        if let Some(found) = self.hosts.get_mut(host).and_then(|h| h.units.get_mut(&unit)) {
            found.now = UnitNow::Done(end.clone());
        }
        (watch == Some(current)).then_some(Input::Ended { unit, end })
    }

    fn effect(&mut self, node: NodeIx, attempt: AttemptId) -> AttemptEnd {
        let end = self.truths[node.at()].apply(&self.behaviours[node.at()]);
        if matches!(end, AttemptEnd::Completed { .. }) {
            self.happenings.push(Happening { at: self.now, node, what: What::Effect(attempt) });
        }
        end
    }

    fn began(&mut self, node: NodeIx, attempt: AttemptId) {
        self.happenings.push(Happening { at: self.now, node, what: What::Began(attempt) });
    }

    fn later(&mut self, delay: Millis, coming: Coming) {
        self.sequence += 1;
        self.events.insert((self.now + delay.max(0), self.sequence), coming);
    }

    fn from_host(&mut self, host: &HostName, delay: Millis, input: Input) {
        let link = self.hosts[host].link;
        self.later(delay, Coming::Input(self.incarnation, Some((host.clone(), link)), input));
    }

    /// The controller and the link that something goes out on now.
    fn link(&self, host: &HostName) -> (u32, u32) {
        (self.incarnation, self.hosts[host].link)
    }

    fn host_of(&self, node: NodeIx) -> HostName {
        self.plan.instance(node).expect("an instance").1.clone()
    }

    fn kind_of(&self, node: NodeIx) -> TypeKind {
        let (step, _) = self.plan.instance(node).expect("an instance");
        self.plan.type_of(step).expect("a type of the plan").kind
    }
}
