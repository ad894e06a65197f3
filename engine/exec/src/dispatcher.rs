//! The dispatcher: events in, actions out. It owns the state of the run, numbers every event, and
//! decides what starts next. It reads no clock, does no IO and draws no random numbers: the time
//! comes with each input, attempt ids come from a generator that the caller gives.
//!
//! What a node does next follows from its stage in [`RunState`] alone; what is kept beside the
//! state concerns this controller only (what it waits for, and since when), so that a resumed run
//! decides as the first one would have.

mod ahead;
mod attempt;
mod back;
mod chain;
mod derive;
mod fresh;
mod gate;
mod hold;
mod hosts;
mod judge;
mod keys;
mod leave;
mod message;
mod node;
mod note;
mod order;
mod queue;
mod resume;
mod role;
mod secret;
mod stop;
mod undo;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_model::event::Controller;
use runbook_model::node::Origin;
use runbook_model::order::{Command, Order};
use runbook_model::plan::Part;
use runbook_model::secret::SecretOrigin;
use runbook_model::{
    AttemptId, Epoch, Event, Failure, HostName, Millis, NodeIx, Plan, Record, RunId, RunState, Step,
};

pub(crate) use node::WHEN_IS_FALSE;

pub use message::{
    Action, Ask, AttemptIds, Begun, Errand, Input, Link, MemberEnd, Options, UnitFound,
};

use crate::graph::{Frozen, GraphError};
use crate::rules::Rules;
use hosts::HostRow;
use keys::Ring;
use note::Note;
use queue::{Flight, Place};
use role::Role;
use window::Window;

/// Runs one plan, as one controller.
pub struct Dispatcher<R> {
    plan: Arc<Plan>,
    graph: Frozen,
    roles: Vec<Role>,
    parts: Vec<Part>,
    /// Predecessors that are written: by a reference, or by `needs`.
    written: BTreeMap<NodeIx, Vec<NodeIx>>,
    window: Window,
    rules: R,
    options: Options,
    ids: AttemptIds,
    state: RunState,
    epoch: Epoch,
    now: Millis,
    mode: Mode,
    act: Act,
    /// What this call returns.
    out: Vec<Action>,
    notes: Vec<Note>,
    hosts: Vec<HostRow>,
    /// Nodes whose next move is to be decided.
    queue: BTreeSet<Place>,
    /// Nodes that wait for a slot.
    waiting: BTreeSet<Place>,
    /// Nodes that pause, by the time of their next look or attempt.
    pauses: BTreeSet<(Millis, NodeIx)>,
    /// Until when gates wait for a decision.
    deadlines: BTreeSet<(Millis, NodeIx)>,
    /// Answers that came before anything was asked.
    answers: Vec<Order>,
    /// What was asked of the outside and is not answered.
    flights: BTreeMap<NodeIx, Flight>,
    /// Who may write what.
    ring: Ring,
    /// Units of earlier controllers whose hosts have not answered.
    unanswered: BTreeSet<AttemptId>,
    looks: u64,
    /// Looks before their turn.
    early: BTreeMap<NodeIx, ahead::Early>,
    /// Effects that were intended so far.
    effects: u64,
    woken: Option<Millis>,
    failed_here: bool,
    /// A person has stopped this controller, or asked it for one thing only: a rollback that is due waits for the next one.
    unwanted: bool,
    /// The node that begins each phase, by the phase's position.
    begins: BTreeMap<u32, NodeIx>,
    /// The barrier that ends each phase, and each batch of a rolling one.
    ends: BTreeMap<(u32, Option<u32>), NodeIx>,
    /// Hosts that have left a phase, each with what failed there first.
    left: BTreeMap<(u32, HostName), NodeIx>,
    /// How far a rollback by undos is.
    back: back::Back,
    /// Instances whose undo is wanted and has not ended.
    undoing: BTreeSet<NodeIx>,
    /// Holds that have a limit, by the time when it is over.
    hold_ends: BTreeSet<(Millis, NodeIx)>,
    /// Instances whose secret outputs this controller has, or cannot have.
    derived: BTreeMap<NodeIx, Result<(), Failure>>,
    /// Where generated secrets came from, until it is recorded.
    settled: BTreeMap<String, SecretOrigin>,
}

/// What is being run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// The procedure.
    Main,
    /// It is over: holds are released.
    Releasing,
    /// Then comes what follows on every ending.
    Finally,
    /// What it did is taken back.
    Back,
    /// Only holds, after the end of the run, because somebody asked for it.
    ByHand,
}

/// Where this controller's part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    New,
    /// Hosts are being reached.
    Readying,
    /// Attempts of earlier controllers are being accounted for.
    Accounting,
    Going,
    Ended,
}

impl<R: Rules> Dispatcher<R> {
    /// For a run that does not exist yet.
    ///
    /// # Errors
    /// The plan is not consistent in itself.
    pub fn new(
        plan: Arc<Plan>,
        rules: R,
        options: Options,
        ids: AttemptIds,
    ) -> Result<Self, GraphError> {
        Self::resume(plan, rules, options, ids, RunState::default())
    }

    /// For a run whose events so far add up to `state`.
    ///
    /// # Errors
    /// The plan is not consistent in itself, or is not the plan of this run.
    pub fn resume(
        plan: Arc<Plan>,
        rules: R,
        options: Options,
        ids: AttemptIds,
        state: RunState,
    ) -> Result<Self, GraphError> {
        let graph = Frozen::new(&plan)?;
        let same = |(node, have): (&runbook_model::Node, &runbook_model::state::NodeState)| {
            node.id == have.summary.id
        };
        if state.run.is_some()
            && (plan.nodes.len() != state.nodes.len()
                || !plan.nodes.iter().zip(&state.nodes).all(same))
        {
            return Err(GraphError::Dangling("the run has other nodes".into()));
        }
        let parts: Vec<Part> = (0u32..)
            .take(plan.nodes.len())
            .map(|n| plan.part_of(NodeIx(n)))
            .collect();
        let run = |node: &NodeIx| parts[node.at()] != Part::Rollback;
        let mut names: BTreeSet<HostName> = BTreeSet::new();
        for (node, ..) in plan.instances() {
            names.extend(plan.runs_on(node).cloned());
            if run(&node) {
                let others = rules.reaches(node, &state).into_iter();
                names.extend(others.filter(|h| h.is_control() || plan.hosts.contains_key(h)));
            }
        }
        let hosts: Vec<HostRow> = names.into_iter().map(HostRow::new).collect();
        let roles = (0u32..)
            .take(plan.nodes.len())
            .map(|n| Role::of(&plan, NodeIx(n), &hosts));
        let roles = roles.collect::<Result<Vec<_>, _>>()?;
        let begins = (0u32..).zip(&roles).filter_map(|(at, role)| match role {
            Role::PhaseBegin(phase) => Some((*phase, NodeIx(at))),
            Role::Instance { .. } | Role::Barrier { .. } | Role::DoneWhen => None,
        });
        let begins = begins.collect();
        let ends = leave::ends(&plan, &graph);
        let window = Window::of(&plan)?;
        let mut written: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
        for edge in &plan.edges {
            if matches!(edge.origin, Origin::Reads | Origin::Needs) {
                written.entry(edge.to).or_default().push(edge.from);
            }
        }
        Ok(Self {
            written,
            notes: vec![Note::default(); plan.nodes.len()],
            plan,
            graph,
            roles,
            parts,
            window,
            rules,
            options,
            ids,
            state,
            epoch: Epoch::default(),
            now: 0,
            mode: Mode::New,
            act: Act::Main,
            out: Vec::new(),
            hosts,
            queue: BTreeSet::new(),
            waiting: BTreeSet::new(),
            pauses: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            answers: Vec::new(),
            flights: BTreeMap::new(),
            ring: Ring::default(),
            unanswered: BTreeSet::new(),
            looks: 0,
            early: BTreeMap::new(),
            effects: 0,
            woken: None,
            failed_here: false,
            unwanted: false,
            begins,
            ends,
            left: BTreeMap::new(),
            back: back::Back::default(),
            undoing: BTreeSet::new(),
            hold_ends: BTreeSet::new(),
            derived: BTreeMap::new(),
            settled: BTreeMap::new(),
        })
    }

    /// The state that all events so far add up to.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Begins, whatever for. `epoch` must be above that of every earlier controller.
    pub fn take_up(
        &mut self,
        now: Millis,
        run: RunId,
        controller: Controller,
        epoch: Epoch,
        errand: Errand,
    ) -> Vec<Action> {
        match errand {
            Errand::Run => match self.due(epoch) {
                Some(order) => self.roll_back(now, controller, epoch, order),
                None => self.open(now, run, controller, epoch),
            },
            Errand::Release(ask) => {
                // Who releases something has not asked for more.
                self.unwanted = true;
                self.release(now, controller, epoch, ask)
            }
            Errand::RollBack(order) => self.roll_back(now, controller, epoch, order),
        }
    }

    /// Begins: the run is created if it does not exist, this controller takes it, and every host is
    /// made ready. `epoch` must be above that of every earlier controller.
    pub fn open(
        &mut self,
        now: Millis,
        run: RunId,
        controller: Controller,
        epoch: Epoch,
    ) -> Vec<Action> {
        if !self.begin(now, epoch) {
            return std::mem::take(&mut self.out);
        }
        if self.state.run.is_none() {
            let nodes = self
                .plan
                .nodes
                .iter()
                .map(|node| self.summary(node))
                .collect();
            let (runbook, plan) = (self.plan.runbook.clone(), self.plan.digest.clone());
            self.record(Event::RunCreated {
                run,
                runbook,
                plan,
                nodes,
            });
        }
        self.record(Event::Opened { controller });
        self.record_settled();
        self.prepare();
        std::mem::take(&mut self.out)
    }

    /// Opens a run that has ended, only to release what it holds: see [`Ask`].
    pub fn release(
        &mut self,
        now: Millis,
        controller: Controller,
        epoch: Epoch,
        ask: Ask,
    ) -> Vec<Action> {
        let result = self.state.result.clone();
        if !self.begin(now, epoch) {
            return std::mem::take(&mut self.out);
        }
        let Some(result) = result else {
            self.fault("only what a run holds that has ended is released by hand".to_owned());
            return std::mem::take(&mut self.out);
        };
        self.record(Event::Opened { controller });
        self.record(Event::ReleaseAsked {
            nodes: ask.nodes,
            by: ask.by,
            reason: ask.reason,
            result,
        });
        self.prepare();
        std::mem::take(&mut self.out)
    }

    fn begin(&mut self, now: Millis, epoch: Epoch) -> bool {
        if self.mode != Mode::New {
            return false;
        }
        self.now = now;
        if epoch <= self.state.epoch {
            let last = self.state.epoch;
            self.fault(format!("epoch {epoch} does not follow epoch {last}"));
            return false;
        }
        self.epoch = epoch;
        self.mode = Mode::Readying;
        true
    }

    /// From the record of this controller to the first question to each host.
    fn prepare(&mut self) {
        if self.state.release.is_some() {
            self.act = Act::ByHand;
        } else if self.state.rollback.is_some() && self.state.ending.is_none() {
            self.act = Act::Back;
        }
        self.count_missing();
        self.find_left();
        self.take_vars();
        self.release_by_steps();
        self.ready_all();
        self.pump();
    }

    /// Takes in what happened, and says what is to be done.
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Action> {
        if matches!(self.mode, Mode::New | Mode::Ended) {
            return Vec::new();
        }
        self.now = now;
        // Whatever comes now came after a deadline that is over; an answer says itself when it was given.
        let answers = matches!(
            &input,
            Input::Ordered(order) if matches!(order.command, Command::Answer { .. })
        );
        if !answers {
            self.meet_deadlines();
        }
        match input {
            Input::HostReady {
                host,
                boot,
                machine,
                clock_offset_ms,
            } => {
                self.host_ready(&host, boot, machine, clock_offset_ms);
            }
            Input::HostUnusable { host, problem } => self.host_unusable(&host, problem),
            Input::HostLost { host, .. } => self.host_lost(&host),
            Input::Looked {
                look,
                node,
                verdict,
                outputs,
                before,
            } => {
                self.looked(look, node, verdict, outputs, before);
            }
            Input::Launched { unit } => self.launched(&unit),
            Input::LaunchUnknown { unit } => self.launch_unknown(&unit),
            Input::UnitState { unit, found } => self.unit_state(&unit, found),
            Input::Ended { unit, end } => self.ended(&unit, end),
            Input::Members { unit, ended } => self.members(&unit, ended),
            Input::Performed { attempt, end, .. } => self.ended(&attempt, end),
            Input::OverTime { unit } => self.over_time(&unit),
            Input::Answered { node, said, by } => self.answered(node, said, by),
            Input::Ordered(order) => self.ordered(order),
            Input::Tick => self.woken = None,
            Input::Interrupt => self.interrupt(),
            Input::Detach => self.detach(),
        }
        if answers {
            self.meet_deadlines();
        }
        self.pump();
        self.take_answers();
        std::mem::take(&mut self.out)
    }

    /// Numbers an event, folds it in, and hands it out.
    fn record(&mut self, event: Event) {
        if self.mode == Mode::Ended {
            return;
        }
        let record = Record {
            seq: self.state.seq + 1,
            epoch: self.epoch,
            at: self.now,
            event,
        };
        if matches!(
            record.event,
            Event::Dispatched { .. } | Event::Undoing { .. }
        ) {
            self.effects += 1;
        }
        match self.state.apply(&record) {
            Ok(()) => self.out.push(Action::Record(record)),
            Err(error) => self.fault(error.to_string()),
        }
    }

    fn act(&mut self, action: Action) {
        if self.mode != Mode::Ended {
            self.out.push(action);
        }
    }

    fn fault(&mut self, text: String) {
        if self.mode != Mode::Ended {
            self.mode = Mode::Ended;
            self.out.push(Action::Fault(text));
        }
    }

    /// Gives a value to every variable that can have one by now.
    fn take_vars(&mut self) {
        while self.state.vars.len() < self.plan.vars.len() {
            let mut known = self.rules.vars(&self.state);
            known.retain(|(name, _)| !self.state.vars.contains_key(name));
            if known.is_empty() || self.mode == Mode::Ended {
                return;
            }
            for (name, value) in known {
                self.record(Event::VarTaken { name, value });
            }
        }
    }

    fn step(&self, at: usize) -> &Step {
        &self.plan.steps[at]
    }
}
