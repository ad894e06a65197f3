//! Runs for tests: plans without work, and what a dispatcher would append.

use std::collections::{BTreeMap, BTreeSet};

use runbook_exec::journal::Journal;
use runbook_exec::store::{Run, Store};
use runbook_model::{Connection, Event, Host, HostName, Plan, Record, RunId, RunResult};

use crate::events::{controller, host};

pub(crate) fn plan(runbook: &str, hosts: &[&str]) -> Plan {
    let one = |name: &&str| {
        let name = host(name);
        let account = runbook_model::Account::Login;
        let connection = Connection::default();
        (
            name.clone(),
            Host {
                name,
                connection,
                account,
                vars: BTreeMap::new(),
                groups: Vec::new(),
                meaning: Default::default(),
            },
        )
    };
    Plan {
        version: "1".into(),
        digest: format!("digest of {runbook}"),
        hosts: hosts.iter().map(one).collect(),
        ..Plan::empty(runbook)
    }
}

pub(crate) fn hosts(names: &[&str]) -> BTreeSet<HostName> {
    names.iter().map(|name| host(name)).collect()
}

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state")).unwrap();
    (dir, store)
}

/// What a dispatcher would append, at this time.
pub(crate) fn append(run: &mut Run, at: i64, event: Event) {
    let record = Record {
        seq: run.state.seq + 1,
        epoch: run.epoch,
        at,
        event,
    };
    run.state.apply(&record).unwrap();
    run.journal.append(&record).unwrap();
    run.journal.sync().unwrap();
}

pub(crate) fn begin(run: &mut Run, at: i64) {
    let created = Event::RunCreated {
        run: run.id.clone(),
        runbook: run.plan.runbook.clone(),
        plan: run.plan.digest.clone(),
        nodes: Vec::new(),
    };
    append(run, at, created);
    append(
        run,
        at + 1,
        Event::Opened {
            controller: controller(),
        },
    );
}

pub(crate) fn close(run: &mut Run, at: i64, result: RunResult) {
    append(run, at, Event::Closed { result });
}

pub(crate) fn begun(store: &Store, runbook: &str, hosts: &[&str], at: i64) -> Run {
    let mut run = store.create(&plan(runbook, hosts), &controller()).unwrap();
    begin(&mut run, at);
    run
}

pub(crate) fn file(store: &Store, id: &RunId, name: &str) -> std::path::PathBuf {
    store.home(id).unwrap().dir().join(name)
}
