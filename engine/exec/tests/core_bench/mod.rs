//! A dispatcher driven by hand.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each suite uses its part of the bench"
)]
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod moves;
mod order;
mod word;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use order::order;

pub use moves::{differs, do_it, fail, failure, one, problem, satisfied, some, undo_it, until};
use word::word_of;

use runbook_exec::dispatcher::{Action, AttemptIds, Dispatcher, Errand, Input, Options};
use runbook_exec::world::{Sketch, Tables};
use runbook_model::event::{AttemptEnd, Controller, Purpose, Verdict};
use runbook_model::gate::Said;
use runbook_model::state::HostState;
use runbook_model::transition::Stage;
use runbook_model::{
    AttemptId, Epoch, Event, FailureKind, HostName, Millis, NodeIx, Outcome, Plan, Record, RunId,
    RunResult, RunState, Value,
};

pub struct Bench {
    plan: Arc<Plan>,
    tables: Tables,
    options: Options,
    dispatcher: Dispatcher<Tables>,
    journal: Vec<Record>,
    actions: Vec<Action>,
    epoch: u32,
    ids: Arc<AtomicU64>,
    pub now: Millis,
}

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

impl Bench {
    pub fn open(sketch: Sketch) -> Self {
        Self::with(sketch, |_| {})
    }

    pub fn with(sketch: Sketch, tables: impl FnOnce(&mut Tables)) -> Self {
        let mut known = Tables::default();
        tables(&mut known);
        Self::start(
            Arc::new(sketch.done()),
            known,
            Options::default(),
            Vec::new(),
            1,
            Arc::default(),
        )
    }

    pub fn limited(sketch: Sketch, per_host: usize, global: usize) -> Self {
        let options = Options {
            per_host,
            global,
            until: None,
        };
        Self::start(
            Arc::new(sketch.done()),
            Tables::default(),
            options,
            Vec::new(),
            1,
            Arc::default(),
        )
    }

    fn start(
        plan: Arc<Plan>,
        tables: Tables,
        options: Options,
        journal: Vec<Record>,
        epoch: u32,
        ids: Arc<AtomicU64>,
    ) -> Self {
        Self::take_up(plan, tables, options, journal, epoch, ids, Errand::Run)
    }

    fn take_up(
        plan: Arc<Plan>,
        tables: Tables,
        options: Options,
        journal: Vec<Record>,
        epoch: u32,
        ids: Arc<AtomicU64>,
        errand: Errand,
    ) -> Self {
        let counter = Arc::clone(&ids);
        let next: AttemptIds = Box::new(move || {
            AttemptId::new(format!("a{}", counter.fetch_add(1, Ordering::Relaxed))).unwrap()
        });
        let mut state = RunState::default();
        for record in &journal {
            state.apply(record).unwrap();
        }
        let mut dispatcher =
            Dispatcher::resume(Arc::clone(&plan), tables.clone(), options, next, state).unwrap();
        let controller = Controller {
            host: "c".into(),
            pid: epoch,
            user: "u".into(),
            engine: "0".into(),
        };
        let now = 10_000_000 * i64::from(epoch);
        let run = RunId::new("r1").unwrap();
        let actions = dispatcher.take_up(now, run, controller, Epoch(epoch), errand);
        let mut bench = Self {
            plan,
            tables,
            options,
            dispatcher,
            journal,
            actions: Vec::new(),
            epoch,
            ids,
            now,
        };
        bench.take(actions);
        bench
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in &actions {
            match action {
                Action::Record(record) => self.journal.push(record.clone()),
                Action::Fault(text) => panic!("the dispatcher is wrong: {text}"),
                _ => {}
            }
        }
        self.actions.extend(actions);
    }

    pub fn send(&mut self, input: Input) {
        let actions = self.dispatcher.handle(self.now, input);
        self.take(actions);
    }

    /// Another controller takes over from the whole journal.
    pub fn crash(self) -> Self {
        let epoch = self.epoch + 1;
        Self::start(
            self.plan,
            self.tables,
            self.options,
            self.journal,
            epoch,
            self.ids,
        )
    }

    /// Another controller takes over, with other limits.
    pub fn crash_into_limits(mut self, per_host: usize, global: usize) -> Self {
        self.options.per_host = per_host;
        self.options.global = global;
        self.crash()
    }

    /// The same, after the run has closed.
    pub fn resume(self) -> Self {
        assert!(self.end().is_some(), "the run has not closed");
        self.crash()
    }

    /// Another controller takes over from a journal that ends with the first event of this kind.
    pub fn crash_after(mut self, word: &str) -> Self {
        let at = self
            .journal
            .iter()
            .position(|r| word_of(&r.event) == word)
            .unwrap();
        self.journal.truncate(at + 1);
        self.crash()
    }

    /// Another controller takes over from a journal that ends before the first event of this kind.
    pub fn crash_before(mut self, word: &str) -> Self {
        let at = self
            .journal
            .iter()
            .position(|r| word_of(&r.event) == word)
            .unwrap();
        self.journal.truncate(at);
        self.crash()
    }

    /// Changes what conditions say from here on.
    pub fn tables(&mut self, change: impl FnOnce(&mut Tables)) {
        change(&mut self.tables);
        let mut journal = self.journal.clone();
        let opened = journal
            .iter()
            .rposition(|r| matches!(r.event, Event::Opened { .. }))
            .unwrap();
        journal.truncate(opened);
        let plan = Arc::clone(&self.plan);
        *self = Self::start(
            plan,
            self.tables.clone(),
            self.options,
            journal,
            self.epoch,
            Arc::clone(&self.ids),
        );
    }

    pub fn ready(&mut self, name: &str) {
        self.ready_as(name, &format!("machine of {name}"));
    }

    pub fn ready_as(&mut self, name: &str, machine: &str) {
        self.ready_with(name, "boot", machine);
    }

    pub fn ready_with(&mut self, name: &str, boot: &str, machine: &str) {
        let (boot, machine) = (boot.to_owned(), machine.to_owned());
        self.send(Input::HostReady {
            host: host(name),
            boot,
            machine,
            clock_offset_ms: 0,
        });
    }

    pub fn unusable(&mut self, name: &str) {
        self.send(Input::HostUnusable {
            host: host(name),
            problem: "no route".into(),
        });
    }

    pub fn lost(&mut self, name: &str) {
        self.send(Input::HostLost {
            host: host(name),
            problem: "reset".into(),
        });
        assert_eq!(
            self.actions.last(),
            Some(&Action::Ready { host: host(name) })
        );
    }

    /// What a look that is under way is for.
    pub fn looking(&self, node: NodeIx) -> Option<Purpose> {
        if self.stage(node) != Stage::Looking {
            return None;
        }
        let looks = self.actions.iter().rev();
        looks
            .filter_map(|a| {
                if let Action::Look {
                    node: n, purpose, ..
                } = a
                {
                    Some((n, purpose))
                } else {
                    None
                }
            })
            .find(|(n, _)| **n == node)
            .map(|(_, purpose)| *purpose)
    }

    pub fn look_number(&self, node: NodeIx) -> u64 {
        let number = |a: &Action| match a {
            Action::Look { look, node: n, .. } if *n == node => Some(*look),
            _ => None,
        };
        self.actions
            .iter()
            .rev()
            .find_map(number)
            .expect("it was looked at")
    }

    pub fn looked(&mut self, node: NodeIx, verdict: Verdict) {
        self.looked_with(node, verdict, &[]);
    }

    pub fn looked_with(&mut self, node: NodeIx, verdict: Verdict, outputs: &[(&str, bool)]) {
        assert_eq!(self.stage(node), Stage::Looking, "nobody looks at it");
        self.looked_as(self.look_number(node), node, verdict, outputs);
    }

    pub fn looked_as(
        &mut self,
        look: u64,
        node: NodeIx,
        verdict: Verdict,
        outputs: &[(&str, bool)],
    ) {
        let outputs = outputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::Bool(*value)))
            .collect();
        let before = BTreeMap::from([("was".to_owned(), "old".to_owned())]);
        self.send(Input::Looked {
            look,
            node,
            verdict,
            outputs,
            before,
        });
    }

    /// The unit of a launch that was asked for last.
    pub fn launching(&self, node: NodeIx) -> AttemptId {
        let unit = |a: &Action| match a {
            Action::Launch { unit, node: n, .. } if *n == node => Some(unit.clone()),
            _ => None,
        };
        self.actions
            .iter()
            .rev()
            .find_map(unit)
            .expect("it was launched")
    }

    /// The unit of an undo that was asked for last.
    pub fn undoing(&self, node: NodeIx) -> AttemptId {
        let unit = |a: &Action| match a {
            Action::Undo { unit, node: n, .. } if *n == node => Some(unit.clone()),
            _ => None,
        };
        let mut actions = self.actions.iter().rev();
        actions.find_map(unit).expect("it is being undone")
    }

    /// An undo that was launched, and its end.
    pub fn undo_ended(&mut self, unit: &AttemptId, end: AttemptEnd) {
        self.send(Input::Launched { unit: unit.clone() });
        self.ended(unit, end);
    }

    pub fn undo_looked(&mut self, node: NodeIx, verdict: Verdict) {
        self.looked_as(self.look_number(node), node, verdict, &[]);
    }

    pub fn performing(&self, node: NodeIx) -> AttemptId {
        let attempt = |a: &Action| match a {
            Action::Perform { attempt, node: n } if *n == node => Some(attempt.clone()),
            _ => None,
        };
        self.actions
            .iter()
            .rev()
            .find_map(attempt)
            .expect("it was performed")
    }

    pub fn launched(&mut self, node: NodeIx) -> AttemptId {
        let unit = self.launching(node);
        self.send(Input::Launched { unit: unit.clone() });
        assert_eq!(self.stage(node), Stage::Running);
        unit
    }

    pub fn ended(&mut self, unit: &AttemptId, end: AttemptEnd) {
        self.send(Input::Ended {
            unit: unit.clone(),
            end,
        });
    }

    /// From a first look that differs to the end of apply.
    pub fn apply(&mut self, node: NodeIx) {
        self.looked(node, differs());
        let unit = self.launched(node);
        self.ended(
            &unit,
            AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        );
    }

    pub fn answered(&mut self, node: NodeIx, approved: bool) {
        let word = if approved { "yes" } else { "no" };
        self.say(node, Said::Choice(word.into()), "ann");
    }

    pub fn say(&mut self, node: NodeIx, said: Said, by: &str) {
        let by = by.into();
        self.send(Input::Answered { node, said, by });
    }

    /// Time passes to what was asked for last.
    pub fn wake(&mut self) {
        let at = |a: &Action| {
            if let Action::Wake { at } = a {
                Some(*at)
            } else {
                None
            }
        };
        self.now = self
            .actions
            .iter()
            .rev()
            .find_map(at)
            .expect("a time to wake");
        self.send(Input::Tick);
    }

    pub fn attended(&self, unit: &AttemptId) -> bool {
        self.actions
            .iter()
            .any(|a| matches!(a, Action::Attend { unit: u, .. } if u == unit))
    }

    pub fn did(&self, action: &Action) -> bool {
        self.actions.contains(action)
    }

    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    pub fn state(&self) -> &RunState {
        self.dispatcher.state()
    }

    /// Whether this controller begins a rollback now that its part is over.
    pub fn goes_back(&self) -> bool {
        self.dispatcher.goes_back()
    }

    pub fn stage(&self, node: NodeIx) -> Stage {
        self.state().nodes[node.at()].stage
    }

    pub fn outcome(&self, node: NodeIx) -> Option<Outcome> {
        self.state().nodes[node.at()].outcome.clone()
    }

    pub fn failed(&self, node: NodeIx) -> Option<FailureKind> {
        match self.outcome(node) {
            Some(Outcome::Failed(failure)) => Some(failure.kind),
            _ => None,
        }
    }

    pub fn end(&self) -> Option<RunResult> {
        let end = |a: &Action| {
            if let Action::End(result) = a {
                Some(result.clone())
            } else {
                None
            }
        };
        self.actions.iter().find_map(end)
    }

    pub fn problems(&self) -> BTreeMap<String, String> {
        let hosts = self.state().hosts.iter();
        let bad = hosts.filter_map(|(name, state)| match state {
            HostState::Unusable(problem) => Some((name.to_string(), problem.clone())),
            HostState::Ready { .. } => None,
        });
        bad.collect()
    }

    pub fn events(&self) -> Vec<Event> {
        self.journal.iter().map(|r| r.event.clone()).collect()
    }

    /// The kinds of all events so far.
    pub fn words(&self) -> Vec<&'static str> {
        self.journal.iter().map(|r| word_of(&r.event)).collect()
    }
}
