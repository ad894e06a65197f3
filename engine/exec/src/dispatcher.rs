//! The dispatcher: events in, actions out. It owns the state of the run, numbers every event, and
//! decides what starts next. It reads no clock, does no IO and draws no random numbers: the time
//! comes with each input, attempt ids come from a generator that the caller gives.
//!
//! What a node does next follows from its stage in [`RunState`] alone; what is kept beside the
//! state concerns this controller only (what it waits for, and since when), so that a resumed run
//! decides as the first one would have.

mod attempt;
mod fresh;
mod hosts;
mod judge;
mod message;
mod node;
mod queue;
mod resume;
mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_model::event::{Controller, NodeSummary, Purpose};
use runbook_model::node::NodeKind;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{
    AttemptId, Epoch, Event, HostName, Millis, NodeIx, Plan, Record, RunId, RunState, Step,
};

pub use message::{Action, AttemptIds, Input, Options, UnitFound};

use crate::graph::{Frozen, GraphError};
use crate::rules::Rules;
use hosts::HostRow;
use queue::{Flight, Place};

/// Runs one plan, as one controller.
pub struct Dispatcher<R> {
    plan: Arc<Plan>,
    graph: Frozen,
    roles: Vec<Role>,
    rules: R,
    options: Options,
    ids: AttemptIds,
    state: RunState,
    epoch: Epoch,
    now: Millis,
    mode: Mode,
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
    /// What was asked of the outside and is not answered.
    flights: BTreeMap<NodeIx, Flight>,
    /// Units of earlier controllers whose hosts have not answered.
    unanswered: BTreeSet<AttemptId>,
    looks: u64,
    woken: Option<Millis>,
    failed_here: bool,
    /// The node that begins each phase, by the phase's position.
    begins: BTreeMap<u32, NodeIx>,
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

/// What a node is, resolved once.
#[derive(Debug, Clone, Copy)]
enum Role {
    Instance {
        step: usize,
        kind: TypeKind,
        in_doubt: InDoubt,
        host: usize,
    },
    PhaseBegin(u32),
    Barrier,
    DoneWhen,
}

/// What this controller keeps of a node beside the state.
#[derive(Debug, Clone, Default)]
struct Note {
    /// Predecessors that have not ended well.
    missing: usize,
    /// The last event when it was able to start. A look that began later is fresh for it, whatever
    /// the clock says: clocks are set back.
    since: Option<u64>,
    /// The event that its last look of this generation began with; of an assert, its end.
    seen: u64,
    /// What the last look was for.
    purpose: Option<Purpose>,
    /// State captured by the last look.
    before: BTreeMap<String, String>,
    /// Looks in a row that were satisfied and as expected.
    passes: u32,
    /// Attempts that were lost or never began under this controller, in a row.
    vain: u32,
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
        let names: BTreeSet<HostName> = plan.instances().map(|(_, _, host)| host.clone()).collect();
        let hosts: Vec<HostRow> = names.into_iter().map(HostRow::new).collect();
        let roles = (0u32..)
            .take(plan.nodes.len())
            .map(|n| Role::of(&plan, NodeIx(n), &hosts));
        let roles = roles.collect::<Result<Vec<_>, _>>()?;
        let begins = (0u32..).zip(&roles).filter_map(|(at, role)| match role {
            Role::PhaseBegin(phase) => Some((*phase, NodeIx(at))),
            Role::Instance { .. } | Role::Barrier | Role::DoneWhen => None,
        });
        let begins = begins.collect();
        Ok(Self {
            notes: vec![Note::default(); plan.nodes.len()],
            plan,
            graph,
            roles,
            rules,
            options,
            ids,
            state,
            epoch: Epoch::default(),
            now: 0,
            mode: Mode::New,
            out: Vec::new(),
            hosts,
            queue: BTreeSet::new(),
            waiting: BTreeSet::new(),
            pauses: BTreeSet::new(),
            flights: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            looks: 0,
            woken: None,
            failed_here: false,
            begins,
        })
    }

    /// The state that all events so far add up to.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
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
        if self.mode != Mode::New {
            return Vec::new();
        }
        self.now = now;
        if epoch <= self.state.epoch {
            self.fault(format!(
                "epoch {epoch} does not follow epoch {}",
                self.state.epoch
            ));
            return std::mem::take(&mut self.out);
        }
        self.epoch = epoch;
        self.mode = Mode::Readying;
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
        self.count_missing();
        self.take_vars();
        self.ready_all();
        self.pump();
        std::mem::take(&mut self.out)
    }

    /// Takes in what happened, and says what is to be done.
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Action> {
        if matches!(self.mode, Mode::New | Mode::Ended) {
            return Vec::new();
        }
        self.now = now;
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
            Input::Performed { attempt, end, .. } => self.ended(&attempt, end),
            Input::OverTime { unit } => self.over_time(&unit),
            Input::Answered { node, approved, by } => self.answered(node, approved, by),
            Input::Tick => self.woken = None,
            Input::Interrupt => self.interrupt(),
            Input::Detach => self.detach(),
        }
        self.pump();
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

    fn summary(&self, node: &runbook_model::Node) -> NodeSummary {
        let phase = |at: u32| {
            self.plan
                .phases
                .get(at as usize)
                .map(|p| p.id.clone())
                .unwrap_or_default()
        };
        let (phase, host) = match &node.kind {
            NodeKind::Instance { step, host, .. } => (
                self.plan
                    .steps
                    .get(step.at())
                    .map(|s| phase(s.phase))
                    .unwrap_or_default(),
                Some(host.clone()),
            ),
            NodeKind::PhaseBegin { phase: at } => (phase(*at), None),
            NodeKind::Barrier { .. } | NodeKind::DoneWhen => (String::new(), None),
        };
        NodeSummary {
            id: node.id.clone(),
            phase,
            host,
        }
    }

    fn step(&self, at: usize) -> &Step {
        &self.plan.steps[at]
    }
}

impl Role {
    fn of(plan: &Plan, node: NodeIx, hosts: &[HostRow]) -> Result<Self, GraphError> {
        Ok(match &plan.nodes[node.at()].kind {
            NodeKind::PhaseBegin { phase } => Self::PhaseBegin(*phase),
            NodeKind::Barrier { .. } => Self::Barrier,
            NodeKind::DoneWhen => Self::DoneWhen,
            NodeKind::Instance { step: at, host, .. } => {
                let dangling = |what: &str| {
                    GraphError::Dangling(format!("`{}` has no {what}", plan.nodes[node.at()].id))
                };
                let step = plan.steps.get(at.at()).ok_or_else(|| dangling("step"))?;
                let of = plan.type_of(step).ok_or_else(|| dangling("type"))?;
                let host = hosts
                    .iter()
                    .position(|row| row.name == *host)
                    .ok_or_else(|| dangling("host"))?;
                Self::Instance {
                    step: at.at(),
                    kind: of.kind,
                    in_doubt: of.in_doubt,
                    host,
                }
            }
        })
    }
}
