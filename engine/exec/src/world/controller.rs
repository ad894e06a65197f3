//! The world itself, and the controllers that follow each other in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_model::plan::Part;
use runbook_model::state::FoldError;
use runbook_model::{
    AttemptId, Command, Epoch, Event, Failure, FailureKind, HostName, Millis, NodeIx, Order,
    Outcome, Plan, Record, RunResult, RunState,
};

use super::fault::{Fault, Faults, Struck};
use super::ghost::Ghost;
use super::host::{Behaviour, Happening, SimHost, Truth, View};
use super::ledger::Ledger;
use super::nature::Coming;
use super::random::Random;
use super::tables::Tables;
use super::wrong::Wrong;
use crate::dispatcher::{Ask, Errand, Link, Options};
use crate::graph::GraphError;
use crate::rules::Rules;

/// How one controller's part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It closed.
    Closed(RunResult),
    /// It died.
    Crashed,
    /// It sleeps, and another one takes over.
    TakenOver,
    /// The journal could not be written, and it ended for that.
    Unwritten(String),
    /// The journal is not what it was.
    Damaged(String),
    /// The dispatcher found itself wrong.
    Fault(String),
    /// Nothing is under way, and it has not ended; or it goes round for ever.
    Stuck,
    /// The journal does not fold.
    Unreadable(FoldError),
    /// The plan is not consistent.
    BadPlan(GraphError),
}

impl Ending {
    /// Whether another controller goes on, whatever the state says.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::Crashed | Self::TakenOver | Self::Unwritten(_))
    }
}

/// An order that was left, and who has seen it.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// After so many inputs.
    pub(super) after: usize,
    pub(super) order: Order,
    pub(super) seen_by: u32,
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
    /// What the engine does wrong.
    pub wrong: Option<Wrong>,
    /// The journal, as far as it survived.
    pub journal: Vec<Record>,
    /// What really happened on the hosts.
    pub happenings: Vec<Happening>,
    /// What went wrong.
    pub struck: Vec<Struck>,
    /// The time.
    pub now: Millis,
    pub(super) random: Random,
    pub(super) behaviours: Arc<Vec<Behaviour>>,
    pub(super) truths: Vec<Truth>,
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) events: BTreeMap<(Millis, u64), Coming>,
    pub(super) sequence: u64,
    pub(super) ledger: Ledger,
    /// Records that are acknowledged as durable.
    pub(super) durable: usize,
    pub(super) undos: BTreeSet<AttemptId>,
    /// The members of every chain that was sent.
    pub(super) chains: BTreeMap<AttemptId, Vec<Link>>,
    /// The controller, counted from 1.
    pub(super) incarnation: u32,
    pub(super) epoch: Epoch,
    /// What the controller's clock is ahead.
    pub(super) offset: Millis,
    pub(super) asleep_until: Millis,
    pub(super) inbox: Vec<Left>,
    given: u32,
    pub(super) ghost: Option<Ghost<R>>,
    /// What checks said before an apply.
    pub(super) said: BTreeMap<NodeIx, View>,
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
        let nothing = RunState::default();
        let of = |node| plan.runs_on(node).cloned();
        let hosts = plan
            .instances()
            .flat_map(|(node, ..)| of(node).into_iter().chain(rules.reaches(node, &nothing)))
            .map(|host| (host, SimHost::new()))
            .collect();
        Self {
            truths: behaviours.iter().map(Truth::new).collect(),
            plan,
            tables: rules,
            options: Options::default(),
            faults: Faults::default(),
            wrong: None,
            journal: Vec::new(),
            happenings: Vec::new(),
            struck: Vec::new(),
            now: 1_000_000,
            random: Random::new(seed),
            behaviours: Arc::new(behaviours),
            hosts,
            events: BTreeMap::new(),
            sequence: 0,
            ledger: Ledger::default(),
            durable: 0,
            undos: BTreeSet::new(),
            chains: BTreeMap::new(),
            incarnation: 0,
            epoch: Epoch(0),
            offset: 0,
            asleep_until: 0,
            inbox: Vec::new(),
            given: 0,
            ghost: None,
            said: BTreeMap::new(),
        }
    }

    /// The world as it would be if the controller died now, with what chance leaves of the part of
    /// the journal that is not durable.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.fork_with(false)
    }

    /// The same with the whole journal.
    #[must_use]
    pub fn fork_whole(&self) -> Self {
        self.fork_with(true)
    }

    fn fork_with(&self, whole: bool) -> Self {
        let mut fork = Self {
            plan: Arc::clone(&self.plan),
            tables: self.tables.clone(),
            options: self.options,
            faults: self.faults,
            wrong: self.wrong,
            journal: self.journal.clone(),
            happenings: self.happenings.clone(),
            struck: self.struck.clone(),
            now: self.now,
            random: self.random.clone(),
            behaviours: Arc::clone(&self.behaviours),
            truths: self.truths.clone(),
            hosts: self.hosts.clone(),
            events: self.events.clone(),
            sequence: self.sequence,
            ledger: self.ledger.left_behind(),
            durable: self.durable,
            undos: self.undos.clone(),
            chains: self.chains.clone(),
            incarnation: self.incarnation,
            epoch: self.epoch,
            offset: self.offset,
            asleep_until: self.asleep_until,
            inbox: self.inbox.clone(),
            given: self.given,
            ghost: None,
            said: self.said.clone(),
        };
        fork.note(Fault::Crash, None);
        if whole {
            fork.durable = fork.journal.len();
        }
        fork.lose_journal();
        fork.leave_all();
        fork
    }

    /// Whether a loss of power would lose nothing of the journal.
    #[must_use]
    pub fn all_durable(&self) -> bool {
        self.durable == self.journal.len()
    }

    /// How many controllers there were.
    #[must_use]
    pub fn controllers(&self) -> u32 {
        self.incarnation
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
        self.follow_up(controllers, Vec::new(), &mut |_| {})
    }

    /// The same; the world is shown before each action.
    pub fn run_to_end_watched(
        &mut self,
        controllers: usize,
        each: &mut dyn FnMut(&Self),
    ) -> Vec<Ending> {
        self.follow_up(controllers, Vec::new(), each)
    }

    /// The same for a run that is taken back. Whoever wants that says so again until it is written.
    pub fn roll_back_to_end(
        &mut self,
        to: Option<&str>,
        controllers: usize,
        each: &mut dyn FnMut(&Self),
    ) -> Vec<Ending> {
        let is_one = |record: &&Record| {
            matches!(&record.event, Event::Ordered { order, .. }
                if matches!(order.command, Command::RollBack { .. }))
        };
        let written = |journal: &[Record]| journal.iter().filter(is_one).count();
        let earlier = written(&self.journal);
        let mut endings = Vec::new();
        while endings.len() < controllers && written(&self.journal) == earlier {
            let to = to.map(str::to_owned);
            let order = self.order(Command::RollBack { to, gate: None });
            let ending = self.control(Errand::RollBack(order), each);
            endings.push(ending);
        }
        self.follow_up(controllers, endings, each)
    }

    fn follow_up(
        &mut self,
        controllers: usize,
        mut endings: Vec<Ending>,
        each: &mut dyn FnMut(&Self),
    ) -> Vec<Ending> {
        let over = |world: &mut Self, ending: Option<&Ending>| match ending {
            Some(Ending::Closed(RunResult::Failed)) => {
                world.needs_a_person() && !world.somebody_decides()
            }
            Some(Ending::Closed(result)) => result.is_final(),
            Some(ending) => !ending.goes_on(),
            None => false,
        };
        while endings.len() < controllers && !over(self, endings.last()) {
            // Whoever died may have said before that all is over.
            let last = self.journal.last().map(|record| &record.event);
            if let Some(Event::Closed { result }) = last.filter(|_| !endings.is_empty())
                && result.is_final()
            {
                endings.push(Ending::Closed(result.clone()));
                break;
            }
            if !endings.is_empty() {
                self.now += 1 + i64::try_from(self.random.below(2000)).unwrap_or(0);
            }
            let ending = self.control(Errand::Run, each);
            endings.push(ending);
        }
        endings
    }

    /// Whether nobody knows what became of a step of the procedure; on the way back, of the one that
    /// goes back.
    fn needs_a_person(&self) -> bool {
        let in_doubt = |o: &Option<Outcome>| {
            matches!(
                o,
                Some(Outcome::Failed(Failure {
                    kind: FailureKind::InDoubt,
                    ..
                }))
            )
        };
        let Ok(state) = self.state() else {
            return false;
        };
        let course = match state.rollback {
            Some(_) => Part::Rollback,
            None => Part::Main,
        };
        let mut nodes = (0u32..).map(NodeIx).zip(&state.nodes);
        nodes.any(|(node, n)| self.plan.part_of(node) == course && in_doubt(&n.outcome))
    }

    /// One controller's part: opens the run, or takes it over from the journal.
    pub fn run(&mut self) -> Ending {
        self.control(Errand::Run, &mut |_| {})
    }

    /// The same; the world is shown before each action.
    pub fn run_watched(&mut self, each: &mut dyn FnMut(&Self)) -> Ending {
        self.control(Errand::Run, each)
    }

    /// One controller's part: releases what the ended run holds.
    pub fn release(&mut self, nodes: Vec<NodeIx>) -> Ending {
        let (by, reason) = ("somebody".to_owned(), "because".to_owned());
        let ask = Ask { nodes, by, reason };
        self.control(Errand::Release(ask), &mut |_| {})
    }

    /// One controller's part: takes back what the run did.
    pub fn roll_back(&mut self, to: Option<String>) -> Ending {
        let order = self.order(Command::RollBack { to, gate: None });
        self.control(Errand::RollBack(order), &mut |_| {})
    }

    /// Leaves an order for the controller that is there, or comes, after that many of its inputs.
    pub fn leave(&mut self, after: usize, command: Command) {
        let order = self.order(command);
        self.inbox.push(Left {
            after,
            order,
            seen_by: 0,
        });
    }

    fn order(&mut self, command: Command) -> Order {
        self.given += 1;
        Order {
            id: format!("o{}", self.given),
            by: "somebody".into(),
            reason: "because".into(),
            command,
        }
    }

    /// What the controller's clock says.
    pub(super) fn clock(&self) -> Millis {
        self.now.saturating_add(self.offset)
    }

    /// Whether a fault happens now; if so, that is written down.
    pub(super) fn strikes(
        &mut self,
        per_mille: u32,
        fault: Fault,
        host: Option<&HostName>,
    ) -> bool {
        let strikes = self.faults.strikes(per_mille, &mut self.random);
        if strikes {
            self.note(fault, host);
        }
        strikes
    }

    pub(super) fn note(&mut self, fault: Fault, host: Option<&HostName>) {
        self.struck.push(Struck {
            fault,
            host: host.cloned(),
            during: self.incarnation,
            seq: self.journal.len() as u64,
        });
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
