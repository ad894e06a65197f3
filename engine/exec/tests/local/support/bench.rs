//! A run with a directory and a store of its own, and as many controllers as it takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_exec::dispatcher::Ask;
use runbook_exec::driver::{Reach, close_up, release_locks};
use runbook_exec::preview;
use runbook_exec::secrets::{Purpose, SecretError, Settled, Vault, settle};
use runbook_exec::store::Store;
use runbook_lang::evaluate::Evaluator;
use runbook_model::{Epoch, Event, Forecast, HostName, Plan, Preview, RunId};
use tempfile::TempDir;

use super::{Hook, Left, Shift, block_on, me, plan, secrets_of};

pub(crate) struct Bench {
    pub(crate) id: RunId,
    dir: TempDir,
    /// What hosts keep of all runs.
    hosts: PathBuf,
    plan: Plan,
    secrets: BTreeMap<String, String>,
    store: Store,
}

impl Bench {
    /// A run of this runbook that has not begun; `DIR` in the text is a directory of its own.
    pub(crate) fn new(runbook: &str, types: &[(&str, &str)]) -> Self {
        Self::with_secrets(runbook, types, &[])
    }

    /// The same, and these inputs are given as secrets.
    pub(crate) fn with_secrets(
        runbook: &str,
        types: &[(&str, &str)],
        secrets: &[(&str, &str)],
    ) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        let hosts = dir.path().join("hosts");
        Self::on(dir, hosts, runbook, types, secrets)
    }

    /// Another run, on the hosts of this one.
    pub(crate) fn beside(&self, runbook: &str, types: &[(&str, &str)]) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        Self::on(dir, self.hosts.clone(), runbook, types, &[])
    }

    fn on(
        dir: TempDir,
        hosts: PathBuf,
        runbook: &str,
        types: &[(&str, &str)],
        secrets: &[(&str, &str)],
    ) -> Self {
        let text = runbook.replace("DIR", dir.path().to_str().unwrap());
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let secrets: BTreeMap<String, String> = secrets.iter().map(own).collect();
        let plan = plan(&text, types, &secrets_of(secrets.keys()));
        let store = Store::open(&dir.path().join("store")).unwrap();
        let run = store.create(&plan, &me()).unwrap();
        let id = run.id.clone();
        drop(run.lock);
        Self {
            id,
            dir,
            hosts,
            plan,
            secrets,
            store,
        }
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
        let home = self.store.home(&self.id).unwrap();
        home.dir().join("journal.jsonl")
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

    /// Everything that is in files below a directory of the bench, with their names.
    pub(crate) fn files(&self, below: &str) -> Vec<u8> {
        let mut out = Vec::new();
        collect(&self.path(below), &mut out);
        out
    }

    /// One controller, until it ends.
    pub(crate) fn drive(&self) -> Left {
        self.shift().work()
    }

    /// One controller, until it ends.
    pub(crate) fn drive_with(&self, hook: Hook) -> Left {
        Shift {
            hook,
            ..self.shift()
        }
        .work()
    }

    /// One controller, until it ends or has recorded such an event: then it is gone, as if killed.
    pub(crate) fn drive_until(&self, until: fn(&Event) -> bool) -> Left {
        Shift {
            until,
            ..self.shift()
        }
        .work()
    }

    /// One controller that only releases what this instance holds.
    pub(crate) fn release(&self, what: &str) -> Left {
        let ask = Ask {
            nodes: vec![self.plan.node(what).unwrap()],
            by: "me".into(),
            reason: "a test".into(),
        };
        Shift {
            release: Some(ask),
            ..self.shift()
        }
        .work()
    }

    /// The lock of the hosts, which are all one.
    pub(crate) fn lock(&self) -> String {
        std::fs::read_to_string(self.hosts.join("lock")).unwrap_or_default()
    }

    /// Gives the locks back as somebody would who abandons the run; `behind` controllers too late.
    pub(crate) fn release_locks(&self, behind: u32) -> Vec<(HostName, String)> {
        let run = self.store.take(&self.id, &me()).unwrap();
        let epoch = Epoch(run.epoch.0 - behind);
        block_on(async {
            let reach = Reach::new(&run.plan, self.remote());
            let left = release_locks(&run.plan, &run.id, epoch, &reach).await;
            reach.close().await;
            left
        })
    }

    /// Does again what the end of the run does on hosts.
    pub(crate) fn close_up(&self) -> Vec<(HostName, String)> {
        let run = self.store.take(&self.id, &me()).unwrap();
        block_on(async {
            let reach = Reach::new(&run.plan, self.remote());
            let left = close_up(&run.plan, &run.state, &run.id, run.epoch, &reach).await;
            reach.close().await;
            left
        })
    }

    fn shift(&self) -> Shift<'_> {
        let settled = self.settle(Purpose::Run).unwrap();
        Shift {
            secrets: self.values(&settled),
            origins: settled.origins,
            ..Shift::new(&self.store, &self.id, self.remote())
        }
    }

    /// Values of generated secrets, as a controller would take them.
    pub(crate) fn settle(&self, purpose: Purpose) -> Result<Settled, SecretError> {
        block_on(async {
            let state = self.store.look(&self.id).unwrap().state;
            let reach = Reach::new(&self.plan, self.remote());
            let vault = Vault::new(&self.path("store"));
            let settled = settle(&self.plan, &state, &[], &reach, &vault, purpose).await;
            reach.close().await;
            settled
        })
    }

    /// What the plan would show.
    pub(crate) fn preview(&self) -> Preview {
        let plan = Arc::new(self.plan.clone());
        let secrets = self.values(&Settled::default());
        let evaluator =
            Evaluator::new(Arc::clone(&plan), &secrets, self.id.as_str(), "/nowhere").unwrap();
        block_on(async {
            let reach = Reach::new(&plan, self.remote());
            let preview = preview::live(&plan, &evaluator, &reach).await;
            reach.close().await;
            preview
        })
    }

    /// What the plan would show of each instance, by its name.
    pub(crate) fn forecasts(&self) -> BTreeMap<String, Forecast> {
        let preview = self.preview();
        let nodes = self.plan.instances().map(|(node, ..)| node);
        let named = nodes.map(|node| {
            let id = self.plan.nodes[node.at()].id.clone();
            (id, preview.nodes[node.at()].clone())
        });
        named.collect()
    }

    fn values(&self, settled: &Settled) -> BTreeMap<String, String> {
        let settled = settled.values.iter();
        let settled = settled.map(|(name, value)| (name.clone(), value.to_string()));
        self.secrets.clone().into_iter().chain(settled).collect()
    }

    fn remote(&self) -> runbook_remote::Options {
        runbook_remote::Options {
            state_dir: Some(self.hosts.to_str().unwrap().to_owned()),
            ..Default::default()
        }
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
