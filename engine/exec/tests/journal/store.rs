//! The store of runs: created whole, taken once, listed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use runbook_exec::store::{Run, RunStatus, Store, StoreError, Stream};
use runbook_model::event::{AttemptEnd, HeldHow, Intent, NodeSummary};
use runbook_model::{
    Epoch, Event, Failure, FailureKind, Node, NodeIx, NodeKind, RunId, RunResult, RunState, StepIx,
};

use crate::events::{attempt, controller, host};
use crate::runs::{append, begin, begun, close, hosts, plan, store};

#[test]
fn nothing_is_created_before_the_first_run() {
    let (dir, store) = store();
    assert_eq!(store.list().unwrap(), []);
    assert!(matches!(store.resolve("last"), Err(StoreError::NoRuns)));
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[test]
fn a_run_is_private_and_whole() {
    let (dir, store) = store();
    let run = store
        .create(&plan("upgrade", &["quay01"]), &controller())
        .unwrap();
    let mut modes = Vec::new();
    let mut todo = vec![dir.path().join("state")];
    while let Some(path) = todo.pop() {
        let found = fs::metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            found.permissions().mode() & 0o777,
            wanted,
            "{}",
            path.display()
        );
        modes.push(path.file_name().unwrap().to_string_lossy().into_owned());
        if found.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
    }
    for name in [
        "plan.json",
        "plan.json.sha256",
        "journal.jsonl",
        "lock",
        "logs",
        "inbox",
    ] {
        assert!(modes.iter().any(|m| m == name), "{name}");
    }
    let id = run.id.as_str();
    assert!(
        id.len() == 8 && id.starts_with(|c: char| c.is_ascii_lowercase()),
        "{id}"
    );
    assert_eq!((run.epoch, run.state), (Epoch(1), RunState::default()));
}

#[test]
fn a_run_goes_on_with_the_next_epoch() {
    let (_dir, store) = store();
    let run = begun(&store, "upgrade", &["quay01"], 5_000);
    let id = run.id.clone();
    run.log(&attempt("a1"))
        .append(Stream::Out, b"hello")
        .unwrap();
    let state = run.state.clone();
    drop(run);
    let mut again = store.take(&id, &controller()).unwrap();
    assert_eq!(
        (again.epoch, &again.state, &again.cut),
        (Epoch(2), &state, &None)
    );
    assert_eq!(again.plan, plan("upgrade", &["quay01"]));
    assert_eq!(
        again.log(&attempt("a1")).read(Stream::Out).unwrap(),
        b"hello"
    );
    append(
        &mut again,
        6_000,
        Event::Opened {
            controller: controller(),
        },
    );
    drop(again);
    assert_eq!(store.take(&id, &controller()).unwrap().epoch, Epoch(3));
}

#[test]
fn a_run_that_never_began_begins() {
    let (_dir, store) = store();
    let id = store
        .create(&plan("upgrade", &["quay01"]), &controller())
        .unwrap()
        .id;
    assert_eq!(store.list().unwrap()[0].status, RunStatus::Empty);
    let mut run = store.take(&id, &controller()).unwrap();
    assert_eq!(run.epoch, Epoch(1));
    begin(&mut run, 5_000);
    close(&mut run, 5_001, RunResult::Succeeded);
    drop(run);
    assert_eq!(
        store.list().unwrap()[0].status,
        RunStatus::Closed(RunResult::Succeeded)
    );
}

#[test]
fn a_second_controller_is_refused_and_told_who_has_the_run() {
    let (_dir, store) = store();
    let run = begun(&store, "upgrade", &["quay01"], 5_000);
    let error = store.take(&run.id, &controller()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("run {} is held by process 4711 of ada on laptop", run.id)
    );
    let seen = store.look(&run.id).unwrap();
    assert_eq!(seen.held, Some(Some(controller())));
    assert_eq!(seen.state, run.state);
    assert_eq!(
        store.list().unwrap()[0].status,
        RunStatus::Running(Some(controller()))
    );
    let id = run.id.clone();
    drop(run);
    assert_eq!(store.look(&id).unwrap().held, None);
    assert_eq!(store.list().unwrap()[0].status, RunStatus::Left);
    assert!(store.take(&id, &controller()).is_ok());
}

/// Where the process that is to be killed finds the store; only that process does anything here.
const HOLD: &str = "RUNBOOK_TEST_HOLD";

#[test]
fn a_holder() {
    let Some(dir) = std::env::var_os(HOLD) else {
        return;
    };
    let run = begun(
        &Store::open(Path::new(&dir)).unwrap(),
        "upgrade",
        &["quay01"],
        5_000,
    );
    println!("\nholds {}", run.id);
    thread::sleep(Duration::from_secs(120));
}

#[test]
fn a_killed_controller_frees_its_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::a_holder", "--nocapture"])
        .env(HOLD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = said
        .map_while(Result::ok)
        .find_map(|l| l.strip_prefix("holds ").map(str::to_owned))
        .unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.resolve(&id).unwrap();
    assert!(matches!(
        store.take(&id, &controller()),
        Err(StoreError::Held { by: Some(_), .. })
    ));
    child.kill().unwrap();
    child.wait().unwrap();
    let run = store.take(&id, &controller()).unwrap();
    assert_eq!((run.epoch, run.state.seq), (Epoch(2), 2));
}

/// A run of one instance, whose attempt was intended.
fn at_work(store: &Store, runbook: &str) -> Run {
    working(store, runbook, None)
}

/// The same, in the procedure or when that has ended.
fn working(store: &Store, runbook: &str, ending: Option<RunResult>) -> Run {
    let mut plan = plan(runbook, &["quay01", "quay02"]);
    plan.nodes.push(Node {
        id: "s@quay01".into(),
        kind: NodeKind::instance(StepIx(0), host("quay01")),
    });
    let mut run = store.create(&plan, &controller()).unwrap();
    let work = NodeSummary {
        id: "s@quay01".into(),
        phase: "p".into(),
        host: Some(host("quay01")),
    };
    let created = Event::RunCreated {
        run: run.id.clone(),
        runbook: runbook.into(),
        plan: run.plan.digest.clone(),
        nodes: vec![work],
    };
    append(&mut run, 5_000, created);
    let controller = controller();
    append(&mut run, 5_001, Event::Opened { controller });
    if let Some(result) = ending {
        append(&mut run, 5_002, Event::Ending { result });
    }
    let intent = Intent {
        node: NodeIx(0),
        attempt: attempt("a1"),
        number: 1,
        before: BTreeMap::new(),
    };
    let dispatched = Event::Dispatched {
        unit: attempt("a1"),
        instances: vec![intent],
        host: host("quay01"),
        boot: "b".into(),
    };
    append(&mut run, 5_003, dispatched);
    run
}

/// How its only attempt ended.
fn ended(run: &mut Run, end: AttemptEnd) {
    let attempt = attempt("a1");
    append(run, 5_500, Event::Ended { attempt, end });
}

#[test]
fn a_run_that_was_closed_before_anything_was_done_blocks_nobody() {
    let closed = |end: Option<AttemptEnd>, how: Option<HeldHow>| {
        let (_dir, store) = store();
        let mut run = match end {
            None => begun(&store, "upgrade", &["quay01"], 5_000),
            Some(end) => {
                let mut run = at_work(&store, "upgrade");
                ended(&mut run, end);
                run
            }
        };
        if let Some(how) = how {
            let node = NodeIx(0);
            append(&mut run, 5_600, Event::Held { node, how });
        }
        let free = |store: &Store| {
            let names = hosts(&["quay01"]);
            store.unfinished_for("upgrade", &names).unwrap().is_empty()
        };
        assert!(!free(&store), "a controller has it");
        close(&mut run, 6_000, RunResult::Refused);
        assert!(!free(&store), "a controller has it still");
        let id = run.id.clone();
        drop(run);
        let free = free(&store);
        assert!(store.take(&id, &controller()).is_ok(), "it can be resumed");
        free
    };
    assert!(closed(None, None));
    assert!(closed(Some(AttemptEnd::NeverBegan), None));
    assert!(closed(Some(AttemptEnd::NeverBegan), Some(HeldHow::Already)));
    assert!(!closed(Some(AttemptEnd::NeverBegan), Some(HeldHow::Partly)));
    let outputs = BTreeMap::new();
    assert!(!closed(Some(AttemptEnd::Completed { outputs }), None));
    let failure = Failure::new(FailureKind::Apply, "no");
    assert!(!closed(Some(AttemptEnd::Failed(failure)), None));
    assert!(!closed(Some(AttemptEnd::Lost), None));
}

#[test]
fn what_follows_on_every_ending_blocks_nobody_once_it_is_done() {
    let closed = |end: Option<AttemptEnd>| {
        let (_dir, store) = store();
        let mut run = working(&store, "upgrade", Some(RunResult::Refused));
        if let Some(end) = end {
            ended(&mut run, end);
        }
        close(&mut run, 6_000, RunResult::Refused);
        drop(run);
        let left = store.unfinished_for("upgrade", &hosts(&[])).unwrap();
        left.is_empty()
    };
    let outputs = BTreeMap::new();
    assert!(closed(Some(AttemptEnd::Completed { outputs })));
    let failure = Failure::new(FailureKind::Apply, "no");
    assert!(!closed(Some(AttemptEnd::Failed(failure))));
    assert!(!closed(None));
}

#[test]
fn a_controller_that_is_gone_without_a_word_has_not_closed_its_run() {
    let (_dir, store) = store();
    drop(begun(&store, "upgrade", &["quay01"], 5_000));
    let left = store.unfinished_for("upgrade", &hosts(&[])).unwrap();
    assert_eq!(left[0].status, RunStatus::Left);
}

#[test]
fn a_new_run_is_refused_beside_an_unfinished_one() {
    let (_dir, store) = store();
    let mut run = at_work(&store, "upgrade");
    let create = |runbook: &str, hosts: &[&str]| store.create(&plan(runbook, hosts), &controller());
    let refused = |runbook: &str, hosts: &[&str]| {
        let error = create(runbook, hosts).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("run {} (upgrade) is not finished", run.id)
        );
    };
    refused("upgrade", &["elsewhere"]);
    refused("upgrade", &[]);
    append(
        &mut run,
        6_000,
        Event::Closed {
            result: RunResult::Failed,
        },
    );
    let id = run.id.clone();
    drop(run);
    assert!(
        matches!(
            create("upgrade", &["quay09"]),
            Err(StoreError::Unfinished { .. })
        ),
        "failed is not finished"
    );
    let mut run = store.take(&id, &controller()).unwrap();
    append(
        &mut run,
        7_000,
        Event::Opened {
            controller: controller(),
        },
    );
    close(&mut run, 8_000, RunResult::Succeeded);
    assert!(
        matches!(create("upgrade", &[]), Err(StoreError::Unfinished { .. })),
        "it is still held"
    );
    drop(run);
    assert!(create("upgrade", &["quay01"]).is_ok());
}

#[test]
fn a_run_on_a_shared_host_is_beside() {
    let (_dir, store) = store();
    // Not begun: its hosts are those of its plan. Begun: those of its work. Never `control`.
    let fresh = store
        .create(&plan("one", &["quay01", "control"]), &controller())
        .unwrap();
    let beside = |names: &[&str]| {
        let found = store.unfinished_for("other", &hosts(names)).unwrap();
        found.into_iter().map(|r| r.id).collect::<Vec<_>>()
    };
    assert_eq!(beside(&["quay01"]), std::slice::from_ref(&fresh.id));
    assert_eq!(beside(&["quay02", "control"]), []);
    let work = |name: &str| NodeSummary {
        id: format!("s@{name}"),
        phase: "p".into(),
        host: Some(host(name)),
    };
    let mut two = store
        .create(&plan("two", &["quay05"]), &controller())
        .unwrap();
    let created = Event::RunCreated {
        run: two.id.clone(),
        runbook: "two".into(),
        plan: two.plan.digest.clone(),
        nodes: vec![work("quay05"), work("control")],
    };
    append(&mut two, 1, created);
    assert_eq!(beside(&["quay05"]), std::slice::from_ref(&two.id));
    assert_eq!(beside(&["control"]), []);
    let id = fresh.id.clone();
    drop(fresh);
    assert_eq!(
        beside(&["quay01"]),
        [],
        "nothing of it ever began, and nobody has it"
    );
    assert_eq!(store.take(&id, &controller()).unwrap().id, id);
}

#[test]
fn two_controllers_that_begin_at_once_do_not_both_begin() {
    let (dir, _) = store();
    let state = dir.path().join("state");
    let begin = || {
        let store = Store::open(&state).unwrap();
        store.create(&plan("upgrade", &["quay01"]), &controller())
    };
    let made: Vec<_> = thread::scope(|s| {
        let threads: Vec<_> = (0..6).map(|_| s.spawn(begin)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|run| run.is_ok()).count(), 1);
    assert!(
        made.iter()
            .all(|run| matches!(run, Ok(_) | Err(StoreError::Unfinished { .. })))
    );
}

#[test]
fn runs_are_listed_newest_first_and_named_by_a_beginning() {
    let (_dir, store) = store();
    let mut ids = Vec::new();
    for (at, name) in [(5_000, "one"), (9_000, "two"), (7_000, "three")] {
        let mut run = begun(&store, name, &[], at);
        close(&mut run, at + 500, RunResult::Succeeded);
        ids.push(run.id.clone());
    }
    let listed = store.list().unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|r| r.runbook.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["two", "three", "one"]);
    assert_eq!(
        (listed[0].created, listed[0].last),
        (Some(9_000), Some(9_500))
    );
    assert_eq!(listed[0].plan.as_deref(), Some("digest of two"));
    assert_eq!(store.resolve("last").unwrap(), ids[1]);
    assert_eq!(store.resolve(ids[0].as_str()).unwrap(), ids[0]);
    assert!(matches!(store.resolve(""), Err(StoreError::Ambiguous { ids, .. }) if ids.len() == 3));
    let error = store.resolve("no\x1bsuch").unwrap_err().to_string();
    assert_eq!(error, "there is no run `no\\u{1b}such`");
    assert!(store.look(&RunId::new("zzzzzzzz").unwrap()).is_err());
}

#[test]
fn a_file_is_no_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        Store::open(file.path()),
        Err(StoreError::NoDirectory { .. })
    ));
}
