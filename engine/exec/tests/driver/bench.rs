//! A run on this machine: a store, a plan from text, and as many controllers as it takes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use runbook_exec::desk::{Answer, Desk, GateQuestion};
use runbook_exec::dispatcher::{Ask, Options};
use runbook_exec::driver::{Drive, Reach};
use runbook_exec::journal::Journal;
use runbook_exec::store::Store;
use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::evaluate::Evaluator;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::event::Controller;
use runbook_model::plan::SecretSource;
use runbook_model::{Event, Plan, Record, RunId, RunResult, RunState, Watcher};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// What one controller left.
pub(crate) struct Left {
    /// None: it was killed.
    pub(crate) result: Option<RunResult>,
    pub(crate) events: Vec<Event>,
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) id: RunId,
    store: Store,
}

/// What is done when an event is recorded.
pub(crate) type Hook = Box<dyn FnMut(&Event)>;

/// Keeps the events, and says when one came that the test waits for.
struct Tape {
    events: Rc<RefCell<Vec<Event>>>,
    until: fn(&Event) -> bool,
    hook: Hook,
    seen: Rc<Cell<bool>>,
}

impl Watcher for Tape {
    fn record(&mut self, record: &Record, _plan: &Plan, _state: &RunState) {
        self.events.borrow_mut().push(record.event.clone());
        (self.hook)(&record.event);
        self.seen
            .set(self.seen.get() || (self.until)(&record.event));
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
                approved: false,
                by: "nobody".to_owned(),
            }
        })
    }
}

fn controller() -> Controller {
    Controller {
        host: "here".into(),
        pid: std::process::id(),
        user: "me".into(),
        engine: "0".into(),
    }
}

impl Bench {
    /// A run of this runbook that has not begun; `DIR` in the text is a directory of its own.
    pub(crate) fn new(runbook: &str, types: &[(&str, &str)]) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        let text = runbook.replace("DIR", dir.path().to_str().unwrap());
        let plan = plan(&text, types);
        let store = Store::open(&dir.path().join("store")).unwrap();
        let run = store.create(&plan, &controller()).unwrap();
        let id = run.id.clone();
        drop(run.lock);
        Self { dir, id, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// All that is stored of the run, but for logs.
    pub(crate) fn stored(&self) -> String {
        let home = self.store.home(&self.id).unwrap();
        let text = |name: &str| std::fs::read_to_string(home.dir().join(name)).unwrap_or_default();
        format!("{}{}", text("plan.json"), text("journal.jsonl"))
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.store
            .home(&self.id)
            .unwrap()
            .dir()
            .join("journal.jsonl")
    }

    /// Everything that was kept of the output of attempts.
    pub(crate) fn logs(&self) -> String {
        let logs =
            std::fs::read_dir(self.store.home(&self.id).unwrap().dir().join("logs")).unwrap();
        logs.map(|log| {
            String::from_utf8_lossy(&std::fs::read(log.unwrap().path()).unwrap()).into_owned()
        })
        .collect()
    }

    /// One controller, until it ends.
    pub(crate) fn drive(&self) -> Left {
        self.drive_until(|_| false)
    }

    /// One controller, until it ends.
    pub(crate) fn drive_with(&self, hook: Hook) -> Left {
        block_on(self.controller(|_| false, hook, None))
    }

    /// One controller, until it ends or has recorded such an event: then it is gone, as if killed.
    pub(crate) fn drive_until(&self, until: fn(&Event) -> bool) -> Left {
        block_on(self.controller(until, Box::new(|_| {}), None))
    }

    /// One controller that only releases what this instance holds.
    pub(crate) fn release(&self, what: &str) -> Left {
        let plan = self.store.look(&self.id).unwrap().plan;
        let ask = Ask {
            nodes: vec![plan.node(what).unwrap()],
            by: "me".into(),
            reason: "a test".into(),
        };
        block_on(self.controller(|_| false, Box::new(|_| {}), Some(ask)))
    }

    async fn controller(
        &self,
        until: fn(&Event) -> bool,
        hook: Hook,
        release: Option<Ask>,
    ) -> Left {
        let mut run = self.store.take(&self.id, &controller()).unwrap();
        let plan = Arc::new(run.plan.clone());
        let secrets = [("password".to_owned(), "hunter2".to_owned())].into();
        let evaluator =
            Evaluator::new(Arc::clone(&plan), &secrets, self.id.as_str(), "/nowhere").unwrap();
        let state_dir = Some(self.path("hosts").to_str().unwrap().to_owned());
        let reach = Rc::new(Reach::new(
            &plan,
            runbook_remote::Options {
                state_dir,
                ..Default::default()
            },
        ));
        let (events, seen) = (Rc::default(), Rc::new(Cell::new(false)));
        let tape = Tape {
            events: Rc::clone(&events),
            until,
            hook,
            seen: Rc::clone(&seen),
        };
        let (_signals, signals) = mpsc::unbounded_channel();
        let drive = Drive {
            plan,
            run: self.id.clone(),
            epoch: run.epoch,
            controller: controller(),
            state: run.state,
            journal: &mut run.journal,
            home: run.home.clone(),
            evaluator: Rc::new(evaluator),
            reach: Rc::clone(&reach),
            watchers: vec![Box::new(tape)],
            desk: Box::new(Nobody),
            signals,
            settled: BTreeMap::new(),
            release,
        };
        let killed = async {
            while !seen.get() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let result = tokio::select! {
            ending = drive.drive(Options::default()) => Some(ending.unwrap().result),
            () = killed => None,
        };
        reach.close().await;
        run.journal.sync().unwrap();
        let events = events.take();
        Left { result, events }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn plan(text: &str, types: &[(&str, &str)]) -> Plan {
    let mut sources = Sources::new();
    let source = sources.add("test.yaml", text.as_bytes()).unwrap();
    let hosts = sources
        .add(
            "inventory.yaml",
            b"hosts:\n  spare: { address: 192.0.2.1 }\n",
        )
        .unwrap();
    let mut catalog = Catalog::new();
    for (name, text) in types {
        let of_type = sources.add(name, text.as_bytes()).unwrap();
        assert_eq!(catalog.add(name, SHIPPED, &of_type).render(&sources), "");
    }
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    assert_eq!(diagnostics.render(&sources), "");
    let secrets = [("password".to_owned(), SecretSource::Env("NONE".to_owned()))].into();
    let is_secret = text.contains("type: secret");
    let given = Given {
        secrets: if is_secret {
            secrets
        } else {
            Default::default()
        },
        ..Given::default()
    };
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &catalog,
        given: &given,
        allow_missing: false,
    };
    let (plan, diagnostics) = compile(&request);
    plan.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources)))
}
