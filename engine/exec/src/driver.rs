//! The thin shell around the dispatcher: it carries out actions on hosts, the journal, people and
//! watchers, and brings back what happened.
//!
//! ```text
//!            inputs                    actions
//!  hosts ──────────► dispatcher ──────────────► hosts     (checks, attempts)
//!  desk  ──────────►            ──────────────► desk      (gates)
//!  clock ──────────►            ──────────────► journal, then watchers
//! ```
//!
//! The one rule that it keeps by itself: before an effect begins, everything recorded so far is
//! durable. If the journal fails, nothing is started any more.

mod aside;
mod attempt;
mod chain;
mod clean;
mod closing;
mod content;
mod decided;
mod discard;
mod ending;
mod locks;
pub(crate) mod look;
pub(crate) mod made;
mod mirror;
mod reach;
mod record;
mod rights;
mod transfer;
pub(crate) mod veil;
mod wipe;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use runbook_lang::evaluate::Evaluator;
use runbook_model::event::{AttemptEnd, Controller};
use runbook_model::secret::SecretOrigin;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{
    AttemptId, Epoch, HostName, Millis, NodeIx, NodeKind, Order, Plan, Record, RunId, RunState,
    Value, Watcher,
};
use tokio::sync::mpsc;

use crate::desk::{Desk, GateQuestion, Signal};
use crate::dispatcher::{Action, AttemptIds, Dispatcher, Errand, Input, Options};
use crate::journal::Journal;
use crate::meaning::Meaning;
use crate::store::{Home, Inbox};
use attempt::Followed;
use clean::Cleaning;
use locks::Locks;
use mirror::Mirroring;
use veil::Veil;
use wipe::Wipes;

pub use aside::Aside;
pub(crate) use chain::chains;
pub use closing::close_up;
pub use ending::{DriveError, Ending};
pub use locks::release_locks;
pub use look::NOT_KEPT;
pub use mirror::{Mirror, MirrorError, MirrorPlace, fetch};
pub use reach::Reach;

/// How often watchers are told that time has passed.
const TICK: Duration = Duration::from_millis(100);
/// How long watchers may take to show what was said before a person is asked.
const BEFORE_QUESTION: Duration = Duration::from_millis(500);
/// How long they may take at the end.
const AT_END: Duration = Duration::from_secs(5);

/// One controller's part of a run.
pub struct Drive<'a> {
    /// What is run.
    pub plan: Arc<Plan>,
    /// The run.
    pub run: RunId,
    /// This controller's epoch.
    pub epoch: Epoch,
    /// Who this is.
    pub controller: Controller,
    /// What the events so far add up to; empty for a run that begins.
    pub state: RunState,
    /// Where events go.
    pub journal: &'a mut dyn Journal,
    /// Where output of attempts and the record go.
    pub home: Home,
    /// What evaluates the plan's texts.
    pub evaluator: Rc<Evaluator>,
    /// How hosts are reached.
    pub reach: Rc<Reach>,
    /// Who is told.
    pub watchers: Vec<Box<dyn Watcher>>,
    /// Who is asked.
    pub desk: Box<dyn Desk>,
    /// Wishes to stop.
    pub signals: mpsc::UnboundedReceiver<Signal>,
    /// Where generated secrets came from.
    pub settled: BTreeMap<String, SecretOrigin>,
    /// What it is opened for.
    pub errand: Errand,
    /// Orders that are taken in before anything starts, all or none; those in the inbox follow.
    pub orders: Vec<Order>,
    /// Where a second copy of plan and journal is kept.
    pub mirror: Option<Mirror>,
}

/// What tasks bring back.
enum Message {
    Input(Input),
    Output(NodeIx, Vec<u8>),
}

/// What tasks share.
#[derive(Clone)]
struct Shared {
    plan: Arc<Plan>,
    run: RunId,
    epoch: Epoch,
    reach: Rc<Reach>,
    locks: Rc<Locks>,
    cleaning: Rc<Cleaning>,
    home: Home,
    veil: Rc<Veil>,
    evaluator: Rc<Evaluator>,
    messages: mpsc::UnboundedSender<Message>,
}

impl Shared {
    /// Brings an input back; the loop that listens outlives every task.
    fn send(&self, input: Input) {
        let _ = self.messages.send(Message::Input(self.veil.input(input)));
    }

    /// Secret outputs are known to those that may read them, and shown by nobody.
    fn keep(&self, node: NodeIx, outputs: BTreeMap<String, Value>) {
        outputs.values().for_each(|value| self.veil.add(value));
        self.evaluator.keep(node, outputs);
    }
}

/// The controller's clock.
#[must_use]
pub fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// Attempt ids of one controller: never used twice in a run, because the epoch is in them.
fn attempt_ids(run: &RunId, epoch: Epoch) -> AttemptIds {
    let prefix = attempt_prefix(run, epoch);
    let mut count = 0u64;
    Box::new(move || {
        count += 1;
        AttemptId::new(format!("{prefix}{count}"))
            .expect("a run id and two numbers make an attempt id")
    })
}

/// How the attempt ids of one controller begin.
fn attempt_prefix(run: &RunId, epoch: Epoch) -> String {
    format!("a-{run}-{epoch}-")
}

impl Drive<'_> {
    /// Runs, or goes on with, the run until this controller's part is over. Needs a `LocalSet`.
    ///
    /// # Errors
    /// The journal cannot be written, or the engine contradicts itself.
    pub async fn drive(mut self, options: Options) -> Result<Ending, DriveError> {
        let ending = self.parts(options).await;
        for watcher in &mut self.watchers {
            watcher.settle(AT_END);
        }
        ending
    }

    async fn control(&mut self, options: Options) -> Result<(Ending, bool), DriveError> {
        let meaning = Meaning::new(Arc::clone(&self.plan), Rc::clone(&self.evaluator));
        let ids = attempt_ids(&self.run, self.epoch);
        let state = std::mem::take(&mut self.state);
        let mut dispatcher =
            Dispatcher::resume(Arc::clone(&self.plan), meaning, options, ids, state)?;
        dispatcher.settle(std::mem::take(&mut self.settled));
        let (messages, mut inbox) = mpsc::unbounded_channel();
        let shared = Shared {
            plan: Arc::clone(&self.plan),
            run: self.run.clone(),
            epoch: self.epoch,
            reach: Rc::clone(&self.reach),
            locks: Locks::new(&self.controller),
            cleaning: Rc::default(),
            home: self.home.clone(),
            veil: Rc::new(Veil::new(self.evaluator.secrets())),
            evaluator: Rc::clone(&self.evaluator),
            messages,
        };
        let mut tasks = tokio::task::JoinSet::new();
        let (mut wipes, mut wiping) = (Wipes::default(), tokio::task::JoinSet::new());
        let mut questions: BTreeMap<NodeIx, tokio::task::AbortHandle> = BTreeMap::new();
        let mut followers: BTreeMap<NodeIx, tokio::task::AbortHandle> = BTreeMap::new();
        let mut wake: Option<Millis> = None;
        let mut synced = dispatcher.state().seq;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let controller = self.controller.clone();
        let errand = std::mem::take(&mut self.errand);
        let mut actions =
            dispatcher.take_up(now(), self.run.clone(), controller, self.epoch, errand);
        let orders = std::mem::take(&mut self.orders);
        actions.extend(decided::take_in(&mut dispatcher, now(), orders)?);
        let mirror = self.mirror.take();
        let mut mirroring = mirror.map(|mirror| {
            let plan = dispatcher.state().plan_number;
            Mirroring::begin(mirror, &self.home, &self.run, self.epoch, plan)
        });
        let mut inbox_of_run = Inbox::new(&self.home);
        let mut orders: VecDeque<Order> = inbox_of_run.look().into();
        loop {
            for action in actions {
                if let Some(mirroring) = &mut mirroring
                    && mirroring.is_point(&action, &self.plan)
                {
                    self.journal.sync()?;
                    mirroring.current().await;
                }
                match action {
                    Action::Record(record) => {
                        self.record(&record, dispatcher.state())?;
                        wipes.note(&record.event, &self.plan, dispatcher.state());
                    }
                    Action::Ready { host } => {
                        let known = dispatcher.state().all_attempts();
                        let known = known.map(|(_, a)| a.unit.clone()).collect();
                        let place = shared.locks.enter(&host);
                        let restart = reach::restart(&self.plan, dispatcher.state(), &host);
                        let later = made::made(&self.plan, &self.evaluator, dispatcher.state());
                        let later = later.into_keys().filter(|(of, _)| *of == host);
                        let later = later.map(|(_, account)| account).collect();
                        let known = reach::Known::new(known, later);
                        let ready = reach::ready(shared.clone(), host, known, place, restart);
                        tasks.spawn_local(ready);
                    }
                    Action::Look { look, node, .. } => {
                        let work =
                            look::prepare(&self.plan, &self.evaluator, dispatcher.state(), node);
                        tasks.spawn_local(look::look(shared.clone(), look, node, work));
                    }
                    Action::Launch {
                        unit, node, host, ..
                    }
                    | Action::Undo { unit, node, host } => {
                        self.journal.sync()?;
                        let work =
                            look::prepare(&self.plan, &self.evaluator, dispatcher.state(), node);
                        let followed = followed(&self.plan, dispatcher.state(), unit, node, host);
                        followers.insert(
                            node,
                            tasks.spawn_local(attempt::launch(shared.clone(), followed, work)),
                        );
                    }
                    Action::Attend { unit, node, host }
                        if !dispatcher.state().attempts.contains_key(&unit) =>
                    {
                        let chain = chain::Followed::of(&shared, dispatcher.state(), unit, host);
                        if let Some(chain) = chain {
                            let first = chain.members.first().map_or(node, |link| link.node);
                            let task = tasks.spawn_local(chain::attend(shared.clone(), chain));
                            if let Some(before) = followers.insert(first, task) {
                                before.abort();
                            }
                        }
                    }
                    Action::Attend { unit, node, host } => {
                        let followed = followed(&self.plan, dispatcher.state(), unit, node, host);
                        let handle = tasks.spawn_local(attempt::attend(shared.clone(), followed));
                        // Who followed it over the lost link may not know yet that it is lost: one is enough.
                        if let Some(before) = followers.insert(node, handle) {
                            before.abort();
                        }
                    }
                    Action::Kill { unit, node, host } => {
                        let state = dispatcher.state();
                        let chain = chain::Followed::of(&shared, state, unit.clone(), host.clone());
                        if let Some(chain) = chain {
                            tasks.spawn_local(chain::kill(shared.clone(), chain, node));
                        } else {
                            let followed = followed(&self.plan, state, unit, node, host);
                            tasks.spawn_local(attempt::kill(shared.clone(), followed));
                        }
                    }
                    Action::LaunchChain { unit, host, .. } => {
                        self.journal.sync()?;
                        let chain = chain::Followed::of(&shared, dispatcher.state(), unit, host);
                        if let Some(chain) = chain {
                            let first = chain.members[0].node;
                            let task = tasks.spawn_local(chain::launch(shared.clone(), chain));
                            followers.insert(first, task);
                        }
                    }
                    Action::Halt { unit, host, .. } => {
                        let chain = chain::Followed::of(&shared, dispatcher.state(), unit, host);
                        if let Some(chain) = chain {
                            tasks.spawn_local(chain::halt(shared.clone(), chain));
                        }
                    }
                    Action::Perform { node, attempt } => {
                        self.journal.sync()?;
                        self.perform(&shared, dispatcher.state(), &mut tasks, node, attempt);
                    }
                    Action::Ask { node } => {
                        self.keep_remaining(dispatcher.state());
                        if let Some(question) =
                            GateQuestion::of(&self.plan, dispatcher.state(), node)
                        {
                            for watcher in &mut self.watchers {
                                watcher.settle(BEFORE_QUESTION);
                            }
                            let answer = self.desk.ask(question, &self.plan);
                            let shared = shared.clone();
                            let handle = tasks.spawn_local(async move {
                                let answer = answer.await;
                                shared.send(Input::Answered {
                                    node,
                                    said: answer.said,
                                    by: answer.by,
                                });
                            });
                            questions.insert(node, handle);
                        }
                    }
                    Action::Wake { at } => wake = Some(at),
                    Action::Fault(message) => {
                        self.journal.sync()?;
                        return Err(DriveError::Fault(message));
                    }
                    Action::End(result) => {
                        self.journal.sync()?;
                        self.keep_remaining(dispatcher.state());
                        inbox_of_run.clear(&dispatcher.state().orders);
                        for question in questions.values() {
                            question.abort();
                        }
                        tasks.shutdown().await;
                        if let Some(mirroring) = mirroring.take() {
                            self.mirror = Some(mirroring.end().await);
                        }
                        wiping.spawn_local(wipes.start(&shared, dispatcher.state()));
                        let closed = discard::closed(&self.plan, dispatcher.state(), &result);
                        let of = shared.clone();
                        wiping.spawn_local(async move {
                            discard::discard(&of.reach, &of.run, closed).await;
                        });
                        let state = dispatcher.state();
                        let free = shared.locks.to_free(&self.plan, state, &result);
                        let (still_locked, ()) =
                            tokio::join!(shared.locks.free(&shared, state, free), async {
                                while wiping.join_next().await.is_some() {}
                            });
                        let ending = Ending {
                            result,
                            state: state.clone(),
                            still_locked,
                            not_cleaned: shared.cleaning.left(),
                        };
                        return Ok((ending, dispatcher.goes_back()));
                    }
                }
            }
            // What was decided elsewhere is not asked any more.
            questions.retain(|node, question| {
                let n = dispatcher.state().node(*node);
                let open = n.is_some_and(|n| n.stage == Stage::Asking);
                if !open {
                    question.abort();
                }
                open
            });
            actions = loop {
                if let Some(order) = orders.pop_front() {
                    break dispatcher.handle(now(), Input::Ordered(order));
                }
                let sleep =
                    wake.map(|at| Duration::from_millis(u64::try_from(at - now()).unwrap_or(0)));
                tokio::select! {
                    Some(message) = inbox.recv() => match message {
                        Message::Input(input) => break dispatcher.handle(now(), input),
                        Message::Output(node, bytes) => {
                            for watcher in &mut self.watchers {
                                watcher.output(node, &self.plan, &bytes);
                            }
                        }
                    },
                    Some(signal) = self.signals.recv() => {
                        // What follows on every ending goes on, its questions too.
                        if signal == Signal::Stop && dispatcher.state().ending.is_none() {
                            for question in questions.values() {
                                question.abort();
                            }
                        }
                        let input = if signal == Signal::Stop { Input::Interrupt } else { Input::Detach };
                        break dispatcher.handle(now(), input);
                    }
                    () = tokio::time::sleep(sleep.unwrap_or(Duration::MAX / 4)), if sleep.is_some() => {
                        wake = None;
                        break dispatcher.handle(now(), Input::Tick);
                    }
                    _ = ticks.tick() => {
                        // What no effect has made durable yet: a person's answer must not be lost.
                        if dispatcher.state().seq > synced {
                            self.journal.sync()?;
                            synced = dispatcher.state().seq;
                            inbox_of_run.clear(&dispatcher.state().orders);
                        }
                        orders.extend(inbox_of_run.look());
                        if wipes.any() {
                            wiping.spawn_local(wipes.start(&shared, dispatcher.state()));
                        }
                        for watcher in &mut self.watchers {
                            watcher.tick(now(), &self.plan, dispatcher.state());
                        }
                    }
                    Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                        // What it was asked would never be answered.
                        if ended.is_err_and(|error| error.is_panic()) {
                            self.journal.sync()?;
                            return Err(DriveError::Fault("a task ended without an answer".to_owned()));
                        }
                    }
                }
            };
        }
    }

    /// What is left, for people without a controller. A run does not depend on it.
    fn keep_remaining(&self, state: &RunState) {
        let _ = crate::remaining::keep(&self.plan, state, &self.home);
    }

    /// What the engine itself does.
    fn perform(
        &self,
        shared: &Shared,
        state: &RunState,
        tasks: &mut tokio::task::JoinSet<()>,
        node: NodeIx,
        attempt: AttemptId,
    ) {
        let is_record = self
            .plan
            .instance(node)
            .and_then(|(step, _)| self.plan.type_of(step));
        if is_record.is_some_and(|step_type| step_type.kind == TypeKind::Record) {
            let end = record::write(self.home.dir(), &record::content(&self.plan, state, node));
            return shared.send(Input::Performed { node, attempt, end });
        }
        let work = look::prepare(&self.plan, &self.evaluator, state, node);
        let shared = shared.clone();
        tasks.spawn_local(async move {
            let end = match work {
                Ok(prepared) => transfer::copy(&shared.reach, &prepared).await,
                Err(failure) => AttemptEnd::Failed(failure),
            };
            shared.send(Input::Performed { node, attempt, end });
        });
    }

    fn record(&mut self, record: &Record, state: &RunState) -> Result<(), DriveError> {
        self.journal.append(record)?;
        for watcher in &mut self.watchers {
            watcher.record(record, &self.plan, state);
        }
        Ok(())
    }
}

fn followed(
    plan: &Plan,
    state: &RunState,
    unit: AttemptId,
    node: NodeIx,
    host: HostName,
) -> Followed {
    let account = match plan.nodes.get(node.at()).map(|node| &node.kind) {
        Some(NodeKind::Instance { account, .. }) => account.clone(),
        _ => None,
    };
    Followed {
        account,
        known: state.attempts.get(&unit).cloned(),
        unit,
        node,
        host,
    }
}
