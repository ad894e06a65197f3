//! A run on this machine, with secrets: two hosts that are both this machine, a store, and as many controllers as it
//! takes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use runbook_exec::desk::{Answer, Desk, GateQuestion};
use runbook_exec::dispatcher::Options;
use runbook_exec::driver::{Drive, Reach};
use runbook_exec::journal::Journal;
use runbook_exec::preview;
use runbook_exec::secrets::{Purpose, SecretError, Settled, Vault, settle};
use runbook_exec::store::Store;
use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::evaluate::Evaluator;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::event::Controller;
use runbook_model::plan::SecretSource;
use runbook_model::{Event, NodeIx, Plan, Preview, Record, RunId, RunResult, RunState, Watcher};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// What one controller left.
pub(crate) struct Left {
    /// None: it was killed.
    pub(crate) result: Option<RunResult>,
    pub(crate) events: Vec<Event>,
    /// What watchers saw of the output of attempts.
    pub(crate) output: Vec<u8>,
}

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) plan: Plan,
    secrets: BTreeMap<String, String>,
    id: RunId,
    store: Store,
}

#[derive(Default)]
struct Tape {
    events: Rc<RefCell<Vec<Event>>>,
    output: Rc<RefCell<Vec<u8>>>,
    until: Option<fn(&Event) -> bool>,
    seen: Rc<Cell<bool>>,
}

impl Watcher for Tape {
    fn record(&mut self, record: &Record, _plan: &Plan, _state: &RunState) {
        self.events.borrow_mut().push(record.event.clone());
        if self.until.is_some_and(|until| until(&record.event)) {
            self.seen.set(true);
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
    pub(crate) fn new(runbook: &str, types: &[(&str, &str)], secrets: &[(&str, &str)]) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        let text = runbook.replace("DIR", dir.path().to_str().unwrap());
        let secrets: BTreeMap<String, String> = secrets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let plan = plan(&text, types, &secrets);
        let store = Store::open(&dir.path().join("store")).unwrap();
        let run = store.create(&plan, &controller()).unwrap();
        let id = run.id.clone();
        drop(run.lock);
        Self {
            dir,
            plan,
            secrets,
            id,
            store,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn reach(&self) -> Rc<Reach> {
        let state_dir = Some(self.path("hosts").to_str().unwrap().to_owned());
        let options = runbook_remote::Options {
            state_dir,
            ..Default::default()
        };
        Rc::new(Reach::new(&self.plan, options))
    }

    fn vault(&self) -> Vault {
        Vault::new(&self.path("store"))
    }

    /// Values of generated secrets, as a controller would take them.
    pub(crate) fn settle(&self, purpose: Purpose) -> Result<Settled, SecretError> {
        block_on(async {
            let state = self.store.look(&self.id).unwrap().state;
            let (reach, vault) = (self.reach(), self.vault());
            let settled = settle(&self.plan, &state, &[], &reach, &vault, purpose).await;
            reach.close().await;
            settled
        })
    }

    fn evaluator(&self, settled: &Settled) -> Evaluator {
        let mut secrets = self.secrets.clone();
        let settled = settled.values.iter();
        secrets.extend(settled.map(|(name, value)| (name.clone(), value.to_string())));
        let plan = Arc::new(self.plan.clone());
        Evaluator::new(plan, &secrets, self.id.as_str(), "/nowhere").unwrap()
    }

    /// What the plan would show.
    pub(crate) fn preview(&self) -> Preview {
        let evaluator = self.evaluator(&Settled::default());
        block_on(async {
            let reach = self.reach();
            let preview = preview::live(&Arc::new(self.plan.clone()), &evaluator, &reach).await;
            reach.close().await;
            preview
        })
    }

    /// One controller, until it ends.
    pub(crate) fn drive(&self) -> Left {
        self.controller(None)
    }

    /// One controller, until it has recorded such an event: then it is gone, as if killed.
    pub(crate) fn drive_until(&self, until: fn(&Event) -> bool) -> Left {
        self.controller(Some(until))
    }

    fn controller(&self, until: Option<fn(&Event) -> bool>) -> Left {
        let settled = self.settle(Purpose::Run).unwrap();
        let evaluator = Rc::new(self.evaluator(&settled));
        block_on(async {
            let mut run = self.store.take(&self.id, &controller()).unwrap();
            let reach = self.reach();
            let tape = Tape {
                until,
                ..Tape::default()
            };
            let (events, output) = (Rc::clone(&tape.events), Rc::clone(&tape.output));
            let seen = Rc::clone(&tape.seen);
            let (_signals, signals) = mpsc::unbounded_channel();
            let drive = Drive {
                plan: Arc::new(run.plan.clone()),
                run: self.id.clone(),
                epoch: run.epoch,
                controller: controller(),
                state: run.state,
                journal: &mut run.journal,
                home: run.home.clone(),
                evaluator,
                reach: Rc::clone(&reach),
                watchers: vec![Box::new(tape)],
                desk: Box::new(Nobody),
                signals,
                settled: settled.origins,
                release: None,
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
            Left {
                result,
                events: events.take(),
                output: output.take(),
            }
        })
    }

    /// Everything that is in files below a directory of the bench, with their names.
    pub(crate) fn files(&self, below: &str) -> Vec<u8> {
        let mut out = Vec::new();
        collect(&self.path(below), &mut out);
        out
    }
}

fn collect(path: &Path, out: &mut Vec<u8>) {
    out.extend_from_slice(path.to_string_lossy().as_bytes());
    out.push(b'\n');
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        entries.iter().for_each(|entry| collect(&entry.path(), out));
    } else if path.is_file() {
        out.extend(std::fs::read(path).unwrap());
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn plan(text: &str, types: &[(&str, &str)], secrets: &BTreeMap<String, String>) -> Plan {
    let mut sources = Sources::new();
    let source = sources.add("test.yaml", text.as_bytes()).unwrap();
    let hosts = "hosts:\n  a: { address: 192.0.2.1 }\n  b: { address: 192.0.2.2 }\ngroups:\n  all_of_them: { hosts: [a, b] }\n";
    let hosts = sources.add("inventory.yaml", hosts.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for (name, text) in types {
        let of_type = sources.add(name, text.as_bytes()).unwrap();
        assert_eq!(catalog.add(name, SHIPPED, &of_type).render(&sources), "");
    }
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    assert_eq!(diagnostics.render(&sources), "");
    let places = secrets.keys();
    let given = Given {
        secrets: places
            .map(|name| (name.clone(), SecretSource::Env("NONE".to_owned())))
            .collect(),
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
    let mut plan = plan.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources)));
    for host in plan.hosts.values_mut() {
        host.connection.local = true;
    }
    plan
}
