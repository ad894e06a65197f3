//! The world itself: it carries the dispatcher's actions out in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runbook_model::event::Controller;
use runbook_model::state::FoldError;
use runbook_model::{
    AttemptId, Epoch, HostName, Millis, NodeIx, Outcome, Plan, Record, RunId, RunResult, RunState,
};

use super::fault::Faults;
use super::host::{Behaviour, Happening, SimHost, Truth};
use super::nature::Coming;
use super::random::Random;
use super::tables::Tables;
use crate::dispatcher::{Action, Ask, AttemptIds, Dispatcher, Input, Options};
use crate::graph::GraphError;
use crate::rules::Rules;

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
pub struct World<R = Tables> {
    /// What is run.
    pub plan: Arc<Plan>,
    /// What conditions say.
    pub tables: R,
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
    pub(super) random: Random,
    pub(super) behaviours: Vec<Behaviour>,
    pub(super) truths: Vec<Truth>,
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) events: BTreeMap<(Millis, u64), Coming>,
    pub(super) sequence: u64,
    durable: usize,
    pub(super) undos: BTreeSet<AttemptId>,
    pub(super) incarnation: u32,
    ids: Arc<AtomicU64>,
}

impl World {
    /// A world where nothing has happened, and conditions are answered by tables.
    #[must_use]
    pub fn new(plan: Plan, behaviours: Vec<Behaviour>, seed: u64) -> Self {
        Self::with(Arc::new(plan), behaviours, Tables::default(), seed)
    }
}

impl<R: Rules + Clone> World<R> {
    /// A world where nothing has happened.
    #[must_use]
    pub fn with(plan: Arc<Plan>, behaviours: Vec<Behaviour>, rules: R, seed: u64) -> Self {
        Self {
            truths: behaviours.iter().map(Truth::new).collect(),
            plan,
            tables: rules,
            options: Options::default(),
            faults: Faults::default(),
            journal: Vec::new(),
            happenings: Vec::new(),
            now: 1_000_000,
            random: Random::new(seed),
            behaviours,
            hosts: BTreeMap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            durable: 0,
            undos: BTreeSet::new(),
            incarnation: 0,
            ids: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Whether wanted state is there.
    #[must_use]
    pub fn is_there(&self, node: NodeIx) -> bool {
        self.truths[node.at()].there
    }

    /// Whether something in it never works.
    #[must_use]
    pub fn breaks(&self) -> bool {
        self.behaviours.iter().any(|behaviour| behaviour.broken)
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
                Ending::Closed(RunResult::Failed) => self.needs_a_person(),
                Ending::Closed(result) => result.is_final(),
                Ending::Crashed => false,
                Ending::Fault(_) | Ending::Stuck | Ending::Unreadable(_) | Ending::BadPlan(_) => {
                    true
                }
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
        let in_doubt = |o: &Option<Outcome>| {
            matches!(
                o,
                Some(Outcome::Failed(Failure {
                    kind: FailureKind::InDoubt,
                    ..
                }))
            )
        };
        self.state()
            .is_ok_and(|state| state.nodes.iter().any(|n| in_doubt(&n.outcome)))
    }

    /// One controller's part: opens the run, or takes it over from the journal.
    pub fn run(&mut self) -> Ending {
        self.control(None)
    }

    /// One controller's part: releases what the ended run holds.
    pub fn release(&mut self, nodes: Vec<NodeIx>) -> Ending {
        let (by, reason) = ("somebody".to_owned(), "because".to_owned());
        self.control(Some(Ask { nodes, by, reason }))
    }

    fn control(&mut self, ask: Option<Ask>) -> Ending {
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
        let mut dispatcher =
            match Dispatcher::resume(plan, self.tables.clone(), self.options, ids, state) {
                Ok(dispatcher) => dispatcher,
                Err(error) => return Ending::BadPlan(error),
            };
        let run = RunId::new("sim").expect("a valid run id");
        let controller = Controller {
            host: "sim".into(),
            pid: self.incarnation,
            user: "sim".into(),
            engine: "sim".into(),
        };
        let mut wake = None;
        let mut actions = match ask {
            Some(ask) => dispatcher.release(self.now, controller, epoch, ask),
            None => dispatcher.open(self.now, run, controller, epoch),
        };
        loop {
            match self.carry_out(actions, &mut wake) {
                Some(Ending::Crashed) => return self.crash(),
                Some(ending) => {
                    self.durable = self.journal.len();
                    self.abandon();
                    return ending;
                }
                None => {}
            }
            if self.faults.strikes(self.faults.interrupt, &mut self.random) {
                let input = if self.random.chance(300) {
                    Input::Detach
                } else {
                    Input::Interrupt
                };
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
        self.abandon();
        Ending::Crashed
    }

    /// What the controller did itself ends with it, before or after its effect; a launch that has
    /// left it may still arrive, however late.
    fn abandon(&mut self) {
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
                    self.later(
                        50,
                        Coming::Input(
                            self.incarnation,
                            None,
                            Input::Answered {
                                node,
                                approved,
                                by: "somebody".into(),
                            },
                        ),
                    );
                }
                Action::Perform { node, attempt } => {
                    self.durable = self.journal.len();
                    self.began(node, attempt.clone());
                    let takes = self.behaviours[node.at()].takes;
                    self.later(
                        takes,
                        Coming::Perform {
                            node,
                            attempt,
                            incarnation: self.incarnation,
                        },
                    );
                }
                Action::Look {
                    look,
                    node,
                    purpose,
                } => {
                    let host = self.host_of(node);
                    let from = self.link(&host);
                    let takes = self.behaviours[node.at()].looks;
                    self.later(
                        takes,
                        Coming::Look {
                            host: host.clone(),
                            look,
                            node,
                            purpose,
                            from,
                        },
                    );
                    self.misfortune(&host);
                }
                Action::Undo { unit, node, host } => {
                    self.durable = self.journal.len();
                    self.undos.insert(unit.clone());
                    self.launch(unit, node, &host);
                }
                Action::Attend { unit, node, host } => {
                    let from = self.link(&host);
                    self.later(
                        2,
                        Coming::Attend {
                            host: host.clone(),
                            unit,
                            node,
                            from,
                        },
                    );
                    self.misfortune(&host);
                }
                Action::Launch {
                    unit, node, host, ..
                } => {
                    self.durable = self.journal.len();
                    self.launch(unit, node, &host);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use runbook_model::step_type::{InDoubt, TypeKind};

    use super::super::sketch::Sketch;
    use super::*;

    #[test]
    fn a_host_that_only_shows_later_is_a_host() {
        let mut sketch = Sketch::new();
        sketch.phase("one", false);
        let copy = sketch.instance("copy", "a", TypeKind::Copy, InDoubt::Check);
        sketch.ordinary("nothing", "elsewhere");
        sketch.plan().nodes.pop();
        let plan = sketch.done();
        let behaviours = vec![Behaviour::default(); plan.nodes.len()];
        let mut world = World::new(plan, behaviours, 1);
        let elsewhere = HostName::new("elsewhere").unwrap();
        // Known when a value is, and that may be after the world began.
        world.tables.reaches.insert(copy, vec![elsewhere]);
        assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    }
}
