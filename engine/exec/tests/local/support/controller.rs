//! One controller: it takes a run, works on it, and ends or is killed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_exec::desk::{Answer, Desk, GateQuestion};
use runbook_exec::dispatcher::{Ask, Errand, Options};
use runbook_exec::driver::{Drive, Reach};
use runbook_exec::journal::Journal;
use runbook_exec::store::Store;
use runbook_lang::evaluate::Evaluator;
use runbook_model::event::Controller;
use runbook_model::secret::SecretOrigin;
use runbook_model::{Event, HostName, NodeIx, Plan, Record, RunId, RunResult, RunState, Watcher};
use tokio::sync::{Notify, mpsc};

/// What one controller left.
#[derive(Debug)]
pub(crate) struct Left {
    /// None: it was killed.
    pub(crate) result: Option<RunResult>,
    pub(crate) events: Vec<Event>,
    /// What watchers saw of the output of attempts.
    pub(crate) output: Vec<u8>,
    /// Hosts where what old runs have left could not be removed.
    pub(crate) not_cleaned: Vec<(HostName, String)>,
}

/// What is done when an event is recorded.
pub(crate) type Hook = Box<dyn FnMut(&Event)>;

/// The part of one controller in a run.
pub(crate) struct Shift<'a> {
    pub(crate) store: &'a Store,
    pub(crate) id: &'a RunId,
    /// How hosts are reached.
    pub(crate) remote: runbook_remote::Options,
    /// Values of secrets by the name of their input.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Where generated ones came from.
    pub(crate) origins: BTreeMap<String, SecretOrigin>,
    /// Only this is released.
    pub(crate) release: Option<Ask>,
    pub(crate) hook: Hook,
    /// It is killed when it has recorded such an event.
    pub(crate) until: fn(&Event) -> bool,
}

impl<'a> Shift<'a> {
    /// It goes on until the run ends.
    pub(crate) fn new(store: &'a Store, id: &'a RunId, remote: runbook_remote::Options) -> Self {
        Self {
            store,
            id,
            remote,
            secrets: BTreeMap::new(),
            origins: BTreeMap::new(),
            release: None,
            hook: Box::new(|_| {}),
            until: |_| false,
        }
    }

    /// Works.
    pub(crate) fn work(self) -> Left {
        block_on(self.drive())
    }

    async fn drive(self) -> Left {
        let mut run = self.store.take(self.id, &me()).unwrap();
        let plan = Arc::new(run.plan.clone());
        let evaluator = Evaluator::new(
            Arc::clone(&plan),
            &self.secrets,
            self.id.as_str(),
            "/nowhere",
        )
        .unwrap();
        let reach = Rc::new(Reach::new(&plan, self.remote));
        let tape = Tape {
            events: Rc::default(),
            output: Rc::default(),
            hook: self.hook,
            until: self.until,
            kill: Rc::default(),
        };
        let (events, output) = (Rc::clone(&tape.events), Rc::clone(&tape.output));
        let kill = Rc::clone(&tape.kill);
        let (_signals, signals) = mpsc::unbounded_channel();
        let drive = Drive {
            plan,
            run: self.id.clone(),
            epoch: run.epoch,
            controller: me(),
            state: run.state,
            journal: &mut run.journal,
            home: run.home.clone(),
            evaluator: Rc::new(evaluator),
            reach: Rc::clone(&reach),
            watchers: vec![Box::new(tape)],
            desk: Box::new(Nobody),
            signals,
            settled: self.origins,
            errand: self.release.map_or(Errand::Run, Errand::Release),
            orders: Vec::new(),
            mirror: None,
        };
        let ending = tokio::select! {
            biased;
            () = kill.notified() => None,
            ending = drive.drive(Options::default()) => Some(ending.unwrap()),
        };
        reach.close().await;
        run.journal.sync().unwrap();
        let (result, not_cleaned) = ending.map_or_else(Default::default, |ending| {
            (Some(ending.result), ending.not_cleaned)
        });
        Left {
            result,
            not_cleaned,
            events: events.take(),
            output: output.take(),
        }
    }
}

/// Keeps what watchers are told, and kills the controller.
struct Tape {
    events: Rc<RefCell<Vec<Event>>>,
    output: Rc<RefCell<Vec<u8>>>,
    hook: Hook,
    until: fn(&Event) -> bool,
    kill: Rc<Notify>,
}

impl Watcher for Tape {
    fn record(&mut self, record: &Record, _plan: &Plan, _state: &RunState) {
        self.events.borrow_mut().push(record.event.clone());
        (self.hook)(&record.event);
        if (self.until)(&record.event) {
            self.kill.notify_one();
        }
    }

    fn output(&mut self, _node: NodeIx, _plan: &Plan, bytes: &[u8]) {
        self.output.borrow_mut().extend_from_slice(bytes);
    }
}

struct Nobody;

impl Desk for Nobody {
    fn ask(
        &mut self,
        _: GateQuestion,
        _: &Plan,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
        Box::pin(async {
            Answer {
                said: runbook_model::gate::Said::Choice("no".to_owned()),
                by: "nobody".to_owned(),
            }
        })
    }
}

/// The controller that this process is.
pub(crate) fn me() -> Controller {
    Controller {
        host: "here".into(),
        pid: std::process::id(),
        user: "me".into(),
        engine: "0".into(),
    }
}

/// Does the work in a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
